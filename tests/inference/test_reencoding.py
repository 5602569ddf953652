"""After a change of encoder the old index answers until the new one is whole."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from reencoding_process import LEASE_S
from tests.encoder_folders import write_encoder

from jobsentinel import Settings
from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel.contract.text import content_hash
from jobsentinel.ledger import Ledger, connect
from jobsentinel_workers.encoders import (
    FloatArray,
    SequenceModel,
    TextEncoder,
    TextInput,
    run_directly,
)
from jobsentinel_workers.inference.fleet_lease import FleetLease
from jobsentinel_workers.inference.index_encoder import IndexEncoder, serving_encoder
from jobsentinel_workers.inference.known_encoders import KnownEncoders
from jobsentinel_workers.inference.reencoding import ROLE, Reencoder
from jobsentinel_workers.store import Database, VectorIndex, embeddings, postings
from jobsentinel_workers.store.coverage import coverage

TEXTS = [f"Nurse number {n} on ward {n % 7}\nShifts of {n % 12 + 1} hours." for n in range(40)]
CHUNK = 8


class Counting:
    """Encodes in the calling thread, and counts each text by encoder."""

    def __init__(self) -> None:
        self.texts: Counter[tuple[str, TextInput]] = Counter()

    def __call__(self, model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
        self.texts.update((model.model_id, text) for text in inputs)
        return run_directly(model, inputs)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    return {
        name: write_encoder(root / name, seed=seed, num_hidden_layers=1, num_attention_heads=4)
        for seed, name in enumerate(("old", "new", "third"))
    }


@cache
def load(folder: Path | None) -> TextEncoder:
    """Load a folder; of these tests none has an encoder in the package."""
    if folder is None:
        raise ModelUnavailable("there is no packaged encoder here")
    return TextEncoder.load(folder, precision="fp32", max_tokens=32)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture
def lease(settings: Settings) -> Iterator[Callable[..., FleetLease]]:
    """Makes leases of one fleet by the names of their owners."""
    assert settings.redis_url is not None
    with connect(settings.redis_url) as client:
        ledger = Ledger(client, settings.namespace)
        yield lambda owner="us", lease_s=30.0: FleetLease(ledger, ROLE, owner, lease_s)


def store(database: Database, texts: Sequence[str], encoder: TextEncoder | None) -> None:
    """Keep postings with these texts, as a worker of that encoder would."""
    rows = [
        {"id": text, "title": text, "description": "", "text": text, "content_hash": key}
        for text, key in ((text, content_hash(text)) for text in texts)
    ]
    with database.begin() as connection:
        postings.upsert(connection, rows)
        if encoder is not None:
            vectors = run_directly(encoder, list(texts))
            keys = [str(row["content_hash"]) for row in rows]
            embeddings.put_many(connection, encoder.model_id, dict(zip(keys, vectors, strict=True)))


def index_of(database: Database, folder: Path, data: Path, **callbacks: object) -> IndexEncoder:
    """Return the index's encoder as a process that starts with this setting has it."""
    known = KnownEncoders(data / "index")
    return IndexEncoder(database, load(folder), folder, known=known, load=load, **callbacks)  # type: ignore[arg-type]  # the callbacks of the test


def found(database: Database, index: IndexEncoder, query: str) -> tuple[str, int]:
    """Return the best posting for a query and how many there are, as a request would."""
    encoder = index.serving().encoder
    vectors = VectorIndex(database, encoder.model_id)
    vectors.refresh()
    return vectors.search(run_directly(encoder, [query])[0], 1)[0][0], len(vectors)


def finish(reencoder: Reencoder) -> int:
    """Take turns until nothing is left, and return how many texts that took."""
    counts = list(iter(reencoder.turn, 0))
    return sum(counts)


def test_the_old_index_answers_while_the_new_one_is_made_and_the_new_one_after(
    database: Database, folders: dict[str, Path], tmp_path: Path, lease: Callable[..., FleetLease]
) -> None:
    # Given an index by one encoder, and a process that starts with another
    index_of(database, folders["old"], tmp_path)
    store(database, TEXTS, load(folders["old"]))
    index = index_of(database, folders["new"], tmp_path)
    reencoder = Reencoder(database, index, run_directly, lease(), chunk_texts=CHUNK)
    old, new = load(folders["old"]).model_id, load(folders["new"]).model_id

    # When it has come half way
    assert reencoder.turn() == CHUNK
    assert reencoder.turn() == CHUNK
    index.look()

    # Then searches are answered from the old index, which is whole
    assert index.serving().encoder.model_id == old
    assert found(database, index, TEXTS[3]) == (TEXTS[3], len(TEXTS))
    told = reencoder.report()
    assert (told["state"], told["serving"], told["wanted"]) == ("encoding", old, new)
    assert (told["encoded"], told["postings"]) == (2 * CHUNK, len(TEXTS))

    # When it is through
    assert finish(reencoder) == len(TEXTS) - 2 * CHUNK

    # Then from the new one
    assert index.serving().encoder.model_id == new
    assert found(database, index, TEXTS[3]) == (TEXTS[3], len(TEXTS))
    told = reencoder.report()
    assert (told["state"], told["serving"], told["note"]) == ("complete", new, None)


def test_stopped_in_the_middle_it_goes_on_without_encoding_anything_twice(
    database: Database, folders: dict[str, Path], tmp_path: Path, lease: Callable[..., FleetLease]
) -> None:
    index_of(database, folders["old"], tmp_path)
    store(database, TEXTS, load(folders["old"]))
    counting, some = Counting(), threading.Event()

    def run(model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
        some.set()
        return counting(model, inputs)

    # Given a re-encoding that is stopped in its first chunks
    index = index_of(database, folders["new"], tmp_path)
    first = Reencoder(database, index, run, lease("first"), chunk_texts=CHUNK)
    first.start()
    assert some.wait(20)
    first.stop()
    done = sum(counting.texts.values())
    assert done > 0

    # When another process goes on
    second = Reencoder(
        database,
        index_of(database, folders["new"], tmp_path),
        counting,
        lease("second"),
        chunk_texts=CHUNK,
    )
    finish(second)

    # Then each text was encoded once
    new = load(folders["new"]).model_id
    assert counting.texts == Counter((new, text) for text in TEXTS)


def test_of_several_processes_one_encodes_and_all_switch(
    database: Database, folders: dict[str, Path], tmp_path: Path, lease: Callable[..., FleetLease]
) -> None:
    index_of(database, folders["old"], tmp_path)
    store(database, TEXTS, load(folders["old"]))
    first, second = (index_of(database, folders["new"], tmp_path) for _ in range(2))
    worker = Reencoder(database, first, run_directly, lease("a"), chunk_texts=CHUNK)
    other = Reencoder(database, second, run_directly, lease("b"), chunk_texts=CHUNK, look_s=0)

    assert worker.turn() == CHUNK
    assert other.turn() == 0
    assert other.report()["state"] == "elsewhere"
    finish(worker)

    assert other.turn() == 0
    assert second.serving().encoder.model_id == second.wanted.model_id
    assert other.report()["state"] == "complete"


def test_a_posting_that_comes_meanwhile_is_found_in_the_old_index_too(
    database: Database, folders: dict[str, Path], tmp_path: Path, lease: Callable[..., FleetLease]
) -> None:
    # Given an index under way to another encoder
    index_of(database, folders["old"], tmp_path)
    store(database, TEXTS, load(folders["old"]))
    index = index_of(database, folders["new"], tmp_path)
    reencoder = Reencoder(
        database, index, run_directly, lease(), chunk_texts=CHUNK, look_s=0, settled_look_s=0
    )
    reencoder.turn()

    # When a posting is indexed, by the new encoder as all are now
    store(database, ["Baker at night"], load(folders["new"]))
    assert reencoder.turn() == 1

    # Then the old index has it as well
    assert index.serving().encoder.model_id == load(folders["old"]).model_id
    assert found(database, index, "Baker at night") == ("Baker at night", len(TEXTS) + 1)


def test_without_the_old_encoder_the_new_index_answers_with_a_note(
    database: Database, folders: dict[str, Path], tmp_path: Path
) -> None:
    # Given an index by an encoder whose folder holds another one now
    moved = tmp_path / "moved"
    moved.symlink_to(folders["old"])
    index_of(database, moved, tmp_path)
    store(database, TEXTS, load(moved))
    store(database, TEXTS[:4], load(folders["new"]))
    moved.unlink()
    moved.symlink_to(folders["third"])
    load.cache_clear()

    # When a process starts with a new one
    index = index_of(database, folders["new"], tmp_path)

    # Then what there is of the new index answers, and says so
    assert index.serving().encoder is index.wanted
    assert found(database, index, TEXTS[3]) == (TEXTS[3], 4)
    note = index.serving().note
    assert note is not None
    assert "4 of 40 postings" in note
    assert f"{moved} holds moved@" in note


def test_going_back_needs_no_encoding(
    database: Database, folders: dict[str, Path], tmp_path: Path, lease: Callable[..., FleetLease]
) -> None:
    index_of(database, folders["old"], tmp_path)
    store(database, TEXTS, load(folders["old"]))
    for name in ("new", "old"):
        index = index_of(database, folders[name], tmp_path)
        encoded = finish(Reencoder(database, index, run_directly, lease(), chunk_texts=CHUNK))

        assert encoded == (len(TEXTS) if name == "new" else 0)
        assert index.serving().encoder is index.wanted


def test_a_text_that_cannot_be_encoded_holds_up_no_other(
    database: Database, folders: dict[str, Path], tmp_path: Path, lease: Callable[..., FleetLease]
) -> None:
    store(database, TEXTS, None)

    def refuses_one(model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
        if TEXTS[5] in inputs:
            raise InvalidInput("texts.0", "is empty after normalisation")
        return run_directly(model, inputs)

    index = index_of(database, folders["new"], tmp_path)
    reencoder = Reencoder(database, index, refuses_one, lease(), chunk_texts=CHUNK)
    finish(reencoder)

    with database.connect() as connection:
        held = coverage(connection, index.wanted.model_id)
    assert (held.encoded, held.postings) == (len(TEXTS) - 1, len(TEXTS))


def test_an_index_is_made_ready_before_it_answers_and_given_up_after(
    database: Database, folders: dict[str, Path], tmp_path: Path, lease: Callable[..., FleetLease]
) -> None:
    index_of(database, folders["old"], tmp_path)
    store(database, TEXTS, load(folders["old"]))
    told: list[tuple[str, str]] = []
    index = index_of(
        database,
        folders["new"],
        tmp_path,
        prepare=lambda name: told.append(("prepare", name)),
        retire=lambda name: told.append(("retire", name)),
    )
    finish(Reencoder(database, index, run_directly, lease(), chunk_texts=CHUNK))

    old, new = load(folders["old"]).model_id, load(folders["new"]).model_id
    assert told == [("prepare", old), ("prepare", new), ("retire", old)]


def test_an_empty_store_is_served_by_the_encoder_wanted(
    database: Database, folders: dict[str, Path], tmp_path: Path
) -> None:
    index = index_of(database, folders["new"], tmp_path)

    assert index.serving().encoder is index.wanted
    assert index.is_settled


def test_who_covers_most_serves_until_the_wanted_one_covers_nearly_all(
    database: Database, folders: dict[str, Path]
) -> None:
    old, new = load(folders["old"]), load(folders["new"])
    store(database, TEXTS, old)
    store(database, TEXTS[:39], new)

    assert serving_encoder(database, new.model_id, [old.model_id]) == old.model_id
    assert serving_encoder(database, new.model_id) == new.model_id
    assert serving_encoder(database, new.model_id, ["unknown"]) == new.model_id
    store(database, TEXTS[39:], new)
    assert serving_encoder(database, new.model_id, [old.model_id]) == new.model_id


def test_a_lease_has_one_holder_and_ends_with_it(lease: Callable[..., FleetLease]) -> None:
    first, second = lease("first", 0.3), lease("second", 0.3)

    assert first.hold()
    assert first.hold()
    assert not second.hold()
    second.release()
    assert not second.hold()
    time.sleep(0.35)  # the holder was killed: nobody renews
    assert second.hold()
    assert not first.hold()
    second.release()
    assert first.hold()


def test_a_damaged_file_of_encoders_costs_the_way_back_and_no_start(
    database: Database, folders: dict[str, Path], tmp_path: Path
) -> None:
    store(database, TEXTS, load(folders["old"]))
    for content in ("{", "[1]", '{"old": 3}'):
        (tmp_path / "index").mkdir(exist_ok=True)
        (tmp_path / "index" / "encoders.json").write_text(content)

        index = index_of(database, folders["new"], tmp_path)

        assert index.serving().encoder is index.wanted
        assert set(KnownEncoders(tmp_path / "index").folders()) == {index.wanted.model_id}


def test_killed_in_the_middle_another_process_goes_on_with_what_lacks(
    database: Database,
    folders: dict[str, Path],
    tmp_path: Path,
    settings: Settings,
    lease: Callable[..., FleetLease],
) -> None:
    # Given a process that is killed while it encodes
    index_of(database, folders["old"], tmp_path)
    store(database, TEXTS, load(folders["old"]))
    new = load(folders["new"]).model_id
    arguments = [tmp_path, folders["new"], settings.redis_url, settings.namespace]
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("reencoding_process.py"), *map(str, arguments)]
    )
    try:
        while _encoded(database, new) < CHUNK:
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = len(TEXTS) - _encoded(database, new)
    assert left > 0

    # When another goes on once the lease is over
    counting = Counting()
    index = index_of(database, folders["new"], tmp_path)
    reencoder = Reencoder(
        database, index, counting, lease("another", LEASE_S), chunk_texts=CHUNK, look_s=0.05
    )
    reencoder.start()
    while reencoder.report()["state"] != "complete":
        time.sleep(0.02)
    reencoder.stop()

    # Then it has encoded what was not stored, and the new index answers
    assert sum(counting.texts.values()) == left
    assert index.serving().encoder.model_id == new


def _encoded(database: Database, encoder_id: str) -> int:
    with database.connect() as connection:
        return coverage(connection, encoder_id).encoded
