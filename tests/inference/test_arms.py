"""A split in service: each posting is answered by its arm, alone or in any batch."""

from __future__ import annotations

import gc
import json
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from jobsentinel import ModelUnavailable, Settings
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.requests import ScoreRequest
from jobsentinel.contract.results import PostingScore
from jobsentinel_workers.encoders import run_directly
from jobsentinel_workers.inference.scoring import Scored, Scoring
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.multi_task import MultiTaskBERT
from jobsentinel_workers.starter import starter_path
from jobsentinel_workers.store import Database

POSTINGS = tuple(
    Posting(id=f"p{i}", title=title, description=f"We look for a {title}, number {i}.")
    for i, title in enumerate(["Nurse", "Data engineer", "Welder", "Accountant"] * 5)
)

OTHER = {"champion": "challenger", "challenger": "champion"}


@pytest.fixture(scope="module")
def other_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The starter model with other heads, and with another encoder as well."""
    folder = tmp_path_factory.mktemp("others")
    model = MultiTaskBERT.load(starter_path("multi-task"), precision="fp32")
    with torch.no_grad():
        for weights in model.heads.parameters():
            weights.mul_(-1)
    heads = model.save(folder / "heads")
    with torch.no_grad():
        next(model.network.parameters()).mul_(1.1)
    model.encoder.revision, model.encoder_changed = "another-one", True
    return {"heads": heads, "encoder": model.save(folder / "encoder")}


@pytest.fixture
def own_settings(tmp_path: Path) -> Settings:
    return Settings.load(data_dir=tmp_path, redis_url="redis://127.0.0.1:1", precision="fp32")


@pytest.fixture
def models(own_settings: Settings, other_models: dict[str, Path]) -> ServingModels:
    """The starter model in service; version 1 has other heads, version 2 its own encoder too."""
    models = ServingModels(own_settings)
    for kind in ("heads", "encoder"):
        models.registry.register("multi-task", other_models[kind], kind="multi-task")
    return models


@pytest.fixture
def score(models: ServingModels, tmp_path: Path) -> Iterator[Callable[..., Scored]]:
    """Score postings as a worker does."""
    database = Database.open(f"sqlite:///{tmp_path / 'store.db'}")
    scoring = Scoring(database, models, run_directly)

    def score(*postings: Posting, **changes: object) -> Scored:
        return scoring.score(ScoreRequest.parse({"postings": postings, **changes}))

    yield score
    database.close()


def arms(scores: list[PostingScore]) -> dict[str, str | None]:
    return {each.posting_id: each.model.arm for each in scores if each.model is not None}


def numbers(score: PostingScore) -> list[float]:
    assert score.category is not None
    assert score.salary_year_usd is not None
    assert score.scam is not None
    assert score.match_quality is not None
    category, salary = score.category.probability, score.salary_year_usd.value
    return [category, salary, score.scam.probability, score.match_quality]


def by_one(
    score: Callable[..., Scored], version: int, models: ServingModels
) -> dict[str, list[float]]:
    models.registry.promote("multi-task", version)
    return {each.posting_id: numbers(each) for each in score(*POSTINGS, profile="a nurse").scores}


@pytest.mark.parametrize("version", [1, 2], ids=["the same encoder", "an encoder of its own"])
def test_each_arm_is_answered_by_its_version_in_the_order_of_the_request(
    models: ServingModels, score: Callable[..., Scored], version: int
) -> None:
    # Given what each version says alone, and a split
    alone = {"challenger": by_one(score, version, models), "champion": by_one(score, 0, models)}
    split = models.registry.begin_split("multi-task", version, 0.4)

    # When all postings are scored in one request
    scored = score(*POSTINGS, profile="a nurse")

    # Then they come in order, each from its arm, and say so
    assert [each.posting_id for each in scored.scores] == [each.id for each in POSTINGS]
    for each in scored.scores:
        arm = split.arm_of(each.posting_id)
        assert each.model is not None
        assert (each.model.arm, each.model.version) == (arm, {"champion": 0}.get(arm, version))
        assert numbers(each) == pytest.approx(alone[arm][each.posting_id], rel=1e-3)
        assert numbers(each) != pytest.approx(alone[OTHER[arm]][each.posting_id], rel=1e-3)
    assert set(arms(scored.scores).values()) == {"champion", "challenger"}
    # And the embeddings for the index stand in that order too
    expected = run_directly(models.base, scored.texts)
    assert scored.base.vectors == pytest.approx(expected, abs=1e-4)


def test_a_posting_has_the_same_arm_alone_and_in_another_worker(
    own_settings: Settings, models: ServingModels, score: Callable[..., Scored]
) -> None:
    models.registry.begin_split("multi-task", 1, 0.5)
    together = arms(score(*POSTINGS).scores)

    alone: dict[str, str | None] = {}
    for posting in reversed(POSTINGS):
        alone |= arms(score(posting).scores)
    assert alone == together

    another = ServingModels(own_settings)
    ids = [each.id for each in POSTINGS]
    for served, places in another.scoring_arms(ids):
        assert {together[ids[place]] for place in places} == {served.stamp.arm}


def test_without_a_split_no_stamp_has_an_arm(
    models: ServingModels, score: Callable[..., Scored]
) -> None:
    models.registry.begin_split("multi-task", 1, 0.5)
    score(*POSTINGS)
    models.registry.end_split("multi-task")

    scored = score(*POSTINGS)
    assert set(arms(scored.scores).values()) == {None}
    assert "arm" not in scored.stamp.model_dump(exclude_none=True)
    assert [stamp for stamp, _ in scored.by_stamp()] == [scored.stamp]


def test_what_is_stored_can_be_told_apart_by_its_stamp(
    models: ServingModels, score: Callable[..., Scored]
) -> None:
    models.registry.begin_split("multi-task", 1, 0.5)
    scored = score(*POSTINGS)

    parts = {stamp.arm: scores for stamp, scores in scored.by_stamp()}

    assert parts.keys() == {"champion", "challenger"}
    assert sum(map(len, parts.values())) == len(POSTINGS)
    for arm, scores in parts.items():
        assert {each.model.arm for each in scores if each.model is not None} == {arm}


def in_memory(models: ServingModels) -> dict[str | None, MultiTaskBERT]:
    served = models.scoring_arms([each.id for each in POSTINGS])
    return {each.stamp.arm: each.model for each, _ in served}


def test_a_split_takes_one_copy_more_and_gives_it_back(models: ServingModels) -> None:
    # Given a champion in memory
    champion = models.scoring().model

    # When a split begins, the champion is not loaded again
    models.registry.begin_split("multi-task", 1, 0.5)
    by_arm = in_memory(models)
    assert by_arm["champion"] is champion
    challenger = weakref.ref(by_arm.pop("challenger"))

    # Then the challenger goes with the split
    models.registry.end_split("multi-task")
    assert models.scoring().model is champion
    gc.collect()
    assert challenger() is None


def test_a_promoted_challenger_is_not_loaded_again_and_the_old_champion_goes(
    models: ServingModels,
) -> None:
    models.registry.begin_split("multi-task", 1, 0.5)
    old = weakref.ref(models.scoring().model)
    expected = in_memory(models)["challenger"]

    models.registry.promote("multi-task", "challenger")

    assert models.scoring().model is expected
    gc.collect()
    assert old() is None


def test_a_challenger_that_cannot_be_loaded_leaves_all_to_the_champion_and_is_told(
    models: ServingModels, score: Callable[..., Scored], caplog: pytest.LogCaptureFixture
) -> None:
    # Given a challenger that was damaged after it was chosen
    models.registry.begin_split("multi-task", 1, 0.5)
    weights = models.registry.get("multi-task", 1).path / "model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")

    # When postings are scored
    scored = score(*POSTINGS)

    # Then the champion answers all, in no arm, and the log says why
    assert {(each.model.version, each.model.arm) for each in scored.scores if each.model} == {
        (0, None)
    }
    assert "model.no_challenger" in caplog.text
    assert "model.safetensors" in caplog.text


def test_a_version_that_is_deleted_while_it_serves_goes_on_until_another_is_promoted(
    own_settings: Settings, models: ServingModels, score: Callable[..., Scored]
) -> None:
    # Given a champion and a challenger in memory, whose files are deleted
    models.registry.promote("multi-task", 1)
    models.registry.begin_split("multi-task", 2, 0.5)
    before = arms(score(*POSTINGS).scores)
    for number in (1, 2):
        shutil.rmtree(models.registry.get("multi-task", number).path)

    # Then both go on serving here, and a worker that starts says what is missing, and serves the
    # version before
    assert arms(score(*POSTINGS).scores) == before
    started = ServingModels(own_settings)
    assert started.scoring().stamp.version == 0
    assert "no version 1" in started.report()["multi-task"]["refused"]["error"]
    models.registry.rollback("multi-task")
    assert models.scoring().stamp.version == 0


def test_a_model_for_another_base_is_not_served(
    models: ServingModels, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a version whose heads read another encoder's embeddings
    folder = Path(shutil.copytree(starter_path("multi-task"), tmp_path / "foreign"))
    config = json.loads((folder / "config.json").read_text())
    config["encoder"]["sha256"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))
    version = models.registry.register("multi-task", folder, kind="multi-task")
    serving = models.scoring()

    # Then trying it out says so, and promoting it all the same changes nothing here
    with pytest.raises(ModelUnavailable, match="needs encoder"):
        models.try_out(version)
    models.registry.promote("multi-task", version.version)
    assert models.scoring() is serving
    assert "model.kept_old" in caplog.text


def test_many_threads_and_a_changing_split_never_mix_a_version_with_another_arm(
    models: ServingModels,
) -> None:
    # Given threads that ask all the time
    ids = [each.id for each in POSTINGS]
    seen: set[tuple[str | None, int]] = set()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            for served, _ in models.scoring_arms(ids):
                seen.add((served.stamp.arm, served.stamp.version))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()

    # When splits come and go
    try:
        for _ in range(3):
            models.registry.begin_split("multi-task", 1, 0.5)
            models.scoring_arms(ids)
            models.registry.end_split("multi-task")
            models.scoring_arms(ids)
    finally:
        done.set()
        for thread in threads:
            thread.join()

    # Then every answer came from a version in its own arm
    assert seen <= {(None, 0), ("champion", 0), ("challenger", 1)}
    assert (None, 0) in seen
