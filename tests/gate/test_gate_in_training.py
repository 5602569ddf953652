"""A trained model is registered with its verdict, and serves only where all agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from simulated_models import QUICK, decide_on, judge_categories

from jobsentinel.contract.errors import ModelCorrupted
from jobsentinel.contract.training_requests import FineTuneRequest
from jobsentinel_workers.gate import Verdict, read_verdict
from jobsentinel_workers.registry import ModelRegistry, ModelVersion
from jobsentinel_workers.training.registering import judged_before, register, verdict_of
from jobsentinel_workers.training.trained import Trained

ROWS = [{"text": f"row {n}", "label": "yes" if n % 2 else "no"} for n in range(8)]
BETTER = decide_on([judge_categories(400, 1.5, own=1)], [judge_categories(400, 0.0)], policy=QUICK)
NO_BETTER = decide_on([judge_categories(400, 0.0)], [judge_categories(400, 0.0)], policy=QUICK)


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "models")


def asked(*, promote: bool = True) -> FineTuneRequest:
    return FineTuneRequest.parse(
        {"name": "mine", "task": "classification", "rows": ROWS, "promote": promote}
    )


class Training:
    """What a trainer would hand over, and how often the gate was asked."""

    def __init__(self, verdict: Verdict, frozen: frozenset[str] = frozenset({"a"})) -> None:
        self.verdict = verdict
        self.champions: list[int | None] = []
        self.trained = Trained(
            kind="classification",
            save=self._save,
            metrics={"accuracy": 0.9},
            lineage={"data_sha256": "0" * 64},
            judge=self._judge,
            frozen=frozen,
        )

    def _save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")

    def _judge(self, folder: Path, champion: ModelVersion | None) -> Verdict:
        assert (folder / "config.json").exists()
        self.champions.append(None if champion is None else champion.version)
        identity = None if champion is None else f"{champion.name}@{champion.version}"
        return replace(self.verdict, champion=identity)


def test_what_passes_the_gate_serves_and_its_verdict_lies_beside_it(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    training = Training(BETTER)

    outcome = register(registry, asked(), "run-1", training.trained, tmp_path / "staging")

    assert outcome.promoted
    version = registry.get("mine")
    assert version.version == outcome.version == 1
    assert read_verdict(version.path) == outcome.verdict
    assert version.lineage["data_sha256"] == "0" * 64
    card = (version.path / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["model-index"][0]["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.9}]
    assert outcome.verdict.to_text() in card


def test_what_does_not_pass_is_kept_and_the_champion_stays(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    register(registry, asked(), "run-1", Training(BETTER).trained, tmp_path / "staging")

    training = Training(NO_BETTER)
    outcome = register(registry, asked(), "run-2", training.trained, tmp_path / "staging")

    assert not outcome.promoted
    assert training.champions == [1]
    assert registry.get("mine").version == 1
    assert registry.get("mine", 2).run_id == "run-2"


def test_who_asks_for_no_promotion_gets_none(registry: ModelRegistry, tmp_path: Path) -> None:
    trained = Training(BETTER).trained

    outcome = register(registry, asked(promote=False), "run-1", trained, tmp_path / "staging")

    assert outcome.verdict.promote
    assert not outcome.promoted
    assert registry.aliases("mine").champion is None


def test_a_second_attempt_of_a_run_finds_its_version_and_verdict(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    # Given a run that was killed after it had registered, before it promoted
    first = Training(BETTER)
    register(registry, asked(promote=False), "run-1", first.trained, tmp_path / "staging")

    # When it is taken up again
    again = Training(NO_BETTER)
    outcome = register(registry, asked(), "run-1", again.trained, tmp_path / "staging")

    # Then the verdict stands, and what it allows is done
    assert again.champions == []
    assert outcome.promoted
    assert (outcome.version, registry.get("mine").version) == (1, 1)


def test_a_champion_that_changed_since_the_verdict_stays(
    registry: ModelRegistry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a version that was judged beside version 1
    register(registry, asked(), "run-1", Training(BETTER).trained, tmp_path / "staging")
    judged = Training(BETTER)
    register(registry, asked(promote=False), "run-2", judged.trained, tmp_path / "staging")

    # When another one is promoted before it is
    other = Training(BETTER)
    register(registry, asked(), "run-3", other.trained, tmp_path / "staging")
    outcome = register(registry, asked(), "run-2", judged.trained, tmp_path / "staging")

    # Then that one serves on, and the log says why
    assert not outcome.promoted
    assert registry.get("mine").version == 3
    assert "gate_champion_changed challenger=mine@2" in caplog.text


def test_rows_that_judged_any_version_are_known_for_ever(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    for run, frozen in (("run-1", {"a", "b"}), ("run-2", {"c"})):
        trained = Training(BETTER, frozenset(frozen)).trained
        register(registry, asked(), run, trained, tmp_path / "staging")

    assert judged_before(registry, "mine") == {"a", "b", "c"}
    assert judged_before(registry, "other") == frozenset()


def test_a_version_that_lost_its_verdict_is_named(registry: ModelRegistry, tmp_path: Path) -> None:
    folder = tmp_path / "made-elsewhere"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    version = registry.register("mine", folder, kind="classification")

    with pytest.raises(ModelCorrupted, match="mine@1 has no verdict"):
        verdict_of(version)
