"""Versions between registries: what enters is what left, or nothing enters."""

from __future__ import annotations

import functools
import gzip
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from jobsentinel.contract.errors import InvalidInput, ModelCorrupted, ModelUnavailable
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.registry.transfer import export_version, import_archive, pull_version

Files = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """Two versions of ``scam`` in the data folder ``there``, the first of them in service."""
    folder = tmp_path / "checkpoint"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(save({"weights": np.arange(4.0)}))
    (folder / "tokenizer" / "vocab.txt").write_text("a\nb\n")
    registry = ModelRegistry(tmp_path / "there" / "models")
    for label in ("v1", "v2"):
        registry.register(
            "scam",
            folder,
            kind="classification",
            metrics={"f1": 0.5},
            lineage={"seed": 7},
            label=label,
            run_id=f"run-{label}",
        )
    registry.promote("scam", 1)
    return registry


@pytest.fixture
def here(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "here" / "models")


@pytest.fixture
def archive(registry: ModelRegistry, tmp_path: Path) -> Path:
    """Version 2, exported."""
    path = tmp_path / "scam-2.tar.gz"
    export_version(registry, "scam", 2, path)
    return path


def assert_nothing_entered(registry: ModelRegistry) -> None:
    assert registry.names() == []
    left = [path for path in registry.root.rglob("*") if path.name != ".staging"]
    assert left == []


def entries(archive: Path) -> Files:
    with tarfile.open(archive) as tar:
        return [(entry, read(tar, entry)) for entry in tar]


def read(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(entry)
    assert stream is not None
    return stream.read()


def rewrite(archive: Path, files: Files, form: int = tarfile.USTAR_FORMAT) -> None:
    with tarfile.open(archive, "w:gz", format=form) as tar:
        for entry, content in files:
            entry.size = len(content) if entry.isreg() else 0
            tar.addfile(entry, io.BytesIO(content))


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def test_an_exported_version_comes_in_as_a_new_one_with_its_facts(
    registry: ModelRegistry, here: ModelRegistry, archive: Path
) -> None:
    taken = import_archive(here, archive)

    left = registry.get("scam", 2)
    found = here.get("scam", 1)
    assert found == taken
    assert (found.label, found.kind, found.metrics) == ("v2", left.kind, left.metrics)
    assert found.created_at == left.created_at
    assert found.lineage["seed"] == 7
    assert found.lineage["imported_from"]["version"] == 2
    assert (found.path / "tokenizer" / "vocab.txt").read_text() == "a\nb\n"
    assert here.aliases("scam").champion is None


def test_the_same_version_gives_the_same_bytes(
    registry: ModelRegistry, archive: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.tar.gz"
    export_version(registry, "scam", "v2", again)

    assert again.read_bytes() == archive.read_bytes()


def test_importing_beside_others_takes_the_next_number_and_a_free_label(
    registry: ModelRegistry, archive: Path
) -> None:
    with pytest.raises(InvalidInput, match="version 2"):
        import_archive(registry, archive)

    assert import_archive(registry, archive, label="v2-again").version == 3
    assert import_archive(registry, archive, name="other").version == 1


def test_a_damaged_version_is_not_exported(registry: ModelRegistry, tmp_path: Path) -> None:
    (registry.get("scam", 2).path / "extra.json").write_text("{}")

    with pytest.raises(ModelCorrupted, match=r"extra\.json"):
        export_version(registry, "scam", 2, tmp_path / "scam.tar.gz")
    assert not (tmp_path / "scam.tar.gz").exists()


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (entry("/tmp/escaped.json"), "lead out"),
        (entry("../escaped.json"), "lead out"),
        (entry("tokenizer/../../escaped.json"), "lead out"),
        (entry("./config.json"), "lead out"),
        (entry("a\\b.json"), "lead out"),
        (entry("a\nb.json"), "lead out"),
        (entry("link.json", tarfile.SYMTYPE, "/etc/hostname"), "link"),
        (entry("hard.json", tarfile.LNKTYPE, "model.safetensors"), "link"),
        (entry("pipe.json", tarfile.FIFOTYPE), "device"),
        (entry("folder.json", tarfile.DIRTYPE), "folder"),
        (entry("weights.pkl"), "run code"),
        (entry("pytorch_model.bin"), "run code"),
        (entry("run.py"), "run code"),
        (entry("model.safetensors"), "twice"),
        (entry("tokenizer/vocab.txt/deeper.json"), "file and folder"),
    ],
    ids=lambda value: repr(getattr(value, "name", "")),
)
def test_an_archive_that_could_do_harm_is_refused_whole(
    here: ModelRegistry, archive: Path, extra: tarfile.TarInfo, told: str
) -> None:
    rewrite(archive, [*entries(archive), (extra, b"{}")])

    with pytest.raises(InvalidInput, match=told):
        import_archive(here, archive)
    assert_nothing_entered(here)


def test_extensions_of_the_format_are_refused_before_they_are_followed(
    here: ModelRegistry, archive: Path
) -> None:
    rewrite(archive, [(entry("é" * 200 + ".json"), b"{}")], tarfile.PAX_FORMAT)

    with pytest.raises(InvalidInput, match="only plain files"):
        import_archive(here, archive)
    assert_nothing_entered(here)


def changed(files: Files, name: str, change: Callable[[bytes], bytes]) -> Files:
    return [(each, change(text) if each.name == name else text) for each, text in files]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda files: changed(files, "model.safetensors", lambda old: old[:-1] + b"!"), "differs"),
        (lambda files: [each for each in files if each[0].name != "model.safetensors"], "missing"),
        (lambda files: [*files, (entry("extra.json"), b"{}")], "not in the manifest"),
        (lambda files: [each for each in files if each[0].name != "MANIFEST.json"], "has no"),
        (
            lambda files: changed(files, "MANIFEST.json", lambda old: old.replace(b"0.5", b"0.9")),
            "changed after",
        ),
        (lambda files: changed(files, "MANIFEST.json", lambda _: b"{"), "cannot be read"),
        (lambda files: [], "has no"),
    ],
)
def test_files_that_are_not_those_of_the_manifest_are_refused(
    here: ModelRegistry, archive: Path, damage: Callable[[Files], Files], told: str
) -> None:
    rewrite(archive, damage(entries(archive)))

    with pytest.raises(ModelCorrupted, match=told) as raised:
        import_archive(here, archive)
    assert ".staging" not in str(raised.value)
    assert_nothing_entered(here)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(lambda whole: b"not an archive", id="text"),
        pytest.param(lambda whole: whole[: len(whole) // 2], id="cut"),
        pytest.param(lambda whole: whole[:40] + b"\xff" * 40 + whole[80:], id="scrambled"),
        pytest.param(lambda whole: gzip.compress(b"x" * 5_000), id="no tar"),
    ],
)
def test_a_damaged_archive_is_refused(
    here: ModelRegistry, archive: Path, content: Callable[[bytes], bytes]
) -> None:
    archive.write_bytes(content(archive.read_bytes()))

    with pytest.raises(InvalidInput, match="damaged"):
        import_archive(here, archive)
    assert_nothing_entered(here)


def test_what_is_larger_than_allowed_is_refused_before_it_is_written(
    here: ModelRegistry, archive: Path
) -> None:
    rewrite(archive, [*entries(archive), (entry("bomb.json"), bytes(5_000_000))])
    assert archive.stat().st_size < 100_000

    with pytest.raises(InvalidInput, match="more than 1000000 bytes"):
        import_archive(here, archive, max_bytes=1_000_000)
    assert_nothing_entered(here)


def test_a_version_is_pulled_from_another_data_folder(
    registry: ModelRegistry, here: ModelRegistry
) -> None:
    there = str(registry.root.parent)

    assert pull_version(here, there, "scam").label == "v1"
    assert pull_version(here, there, "scam", "v2").label == "v2"
    assert pull_version(here, there, "scam", 2, label="mine").version == 3
    assert here.get("scam", 3).lineage["imported_from"]["name"] == "scam"


def test_what_is_damaged_or_not_there_is_not_pulled(
    registry: ModelRegistry, here: ModelRegistry, tmp_path: Path
) -> None:
    there = str(registry.root.parent)
    (registry.get("scam", 2).path / "extra.json").write_text("{}")

    with pytest.raises(ModelCorrupted, match=r"extra\.json"):
        pull_version(here, there, "scam", 2)
    with pytest.raises(ModelUnavailable, match="no version 7"):
        pull_version(here, there, "scam", 7)
    with pytest.raises(InvalidInput, match="no data folder"):
        pull_version(here, str(tmp_path / "nowhere"), "scam")
    with pytest.raises(InvalidInput, match="in use"):
        pull_version(registry, there, "scam", 1)
    with pytest.raises(InvalidInput, match="allow more"):
        pull_version(here, there, "scam", 1, max_bytes=10)
    assert_nothing_entered(here)


class Redirecting(BaseHTTPRequestHandler):
    """Sends whoever asks on to ``to``."""

    to = ""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.to)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Start a web server on a free port and return its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(handler: Callable[..., BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def address(serve: Callable[..., str], archive: Path) -> str:
    """Where version 2 can be fetched."""
    return f"{serve(functools.partial(Quiet, directory=str(archive.parent)))}/{archive.name}"


def test_a_version_is_pulled_over_http(here: ModelRegistry, address: str) -> None:
    taken = pull_version(here, f"{address}?token=secret", "scam", 2)

    assert here.get("scam", taken.version).label == "v2"
    assert taken.lineage["imported_from"]["source"] == address


@pytest.mark.parametrize(
    ("name", "version", "told"), [("other", None, "'scam'"), ("scam", 7, "version 2")]
)
def test_an_archive_of_something_else_is_not_taken(
    here: ModelRegistry, address: str, name: str, version: int | None, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        pull_version(here, address, name, version)
    assert_nothing_entered(here)


def test_a_download_has_a_limit_and_failures_are_told(here: ModelRegistry, address: str) -> None:
    with pytest.raises(InvalidInput, match="more than 100 bytes"):
        pull_version(here, address, "scam", max_bytes=100)
    with pytest.raises(ModelUnavailable, match="404"):
        pull_version(here, f"{address}.gone", "scam")
    with pytest.raises(ModelUnavailable, match="cannot be fetched"):
        pull_version(here, "http://127.0.0.1:1/scam.tar.gz", "scam")
    assert_nothing_entered(here)


def test_redirects_keep_the_scheme(
    here: ModelRegistry, address: str, archive: Path, serve: Callable[..., str]
) -> None:
    def leading_to(target: str) -> str:
        return serve(type("Leading", (Redirecting,), {"to": target}))

    assert pull_version(here, leading_to(address), "scam").version == 1
    for elsewhere in (f"file://{archive}", "ftp://127.0.0.1/x", "https://127.0.0.1:1/x"):
        with pytest.raises(ModelUnavailable, match=r"another scheme|not allowed"):
            pull_version(here, leading_to(elsewhere), "scam")
    assert len(here.list("scam")) == 1


@pytest.mark.parametrize(
    "source", ["file:///etc/hostname", "ftp://a/b", "http://me:word@a/b", "http:///b"]
)
def test_addresses_that_are_no_plain_http_are_refused(here: ModelRegistry, source: str) -> None:
    with pytest.raises(InvalidInput, match="source"):
        pull_version(here, source, "scam")
    assert_nothing_entered(here)


def test_a_name_of_the_package_takes_only_its_own_kind(
    registry: ModelRegistry, archive: Path, tmp_path: Path
) -> None:
    builtin = {"multi-task": tmp_path / "checkpoint"}
    here = ModelRegistry(tmp_path / "here" / "models", builtin=builtin)

    with pytest.raises(InvalidInput, match="kind 'classification'"):
        import_archive(here, archive, name="multi-task")
    with pytest.raises(InvalidInput, match="comes with the package"):
        export_version(here, "multi-task", 0, tmp_path / "builtin.tar.gz")


def test_a_manifest_that_lies_about_names_leads_nowhere(
    here: ModelRegistry, archive: Path, tmp_path: Path
) -> None:
    # Given a sealed manifest whose model is called like a path
    from jobsentinel_workers.registry.manifest import Manifest, read_manifest

    (tmp_path / "out").mkdir()
    files = entries(archive)
    [sealed] = [content for each, content in files if each.name == "MANIFEST.json"]
    (tmp_path / "out" / "MANIFEST.json").write_bytes(sealed)
    honest = read_manifest(tmp_path / "out")
    lying = Manifest("../../up", honest.version, honest.kind, honest.created_at, honest.files)
    rewrite(archive, changed(files, "MANIFEST.json", lambda _: lying.encode()))

    # Then it is refused by its name
    with pytest.raises(InvalidInput, match="name"):
        import_archive(here, archive)
    assert_nothing_entered(here)
    assert json.loads(sealed)["name"] == "scam"
