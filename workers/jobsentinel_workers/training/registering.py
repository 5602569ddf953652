"""From a trained model to a version that serves, if the gate lets it pass.

Each step can be taken again after a kill: a run registers one version, whatever the attempt, and
the verdict that was registered with it stands.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import shutil
from pathlib import Path

from jobsentinel.contract.errors import ModelCorrupted
from jobsentinel.contract.training_requests import FineTuneRequest, TrainMultiTaskRequest
from jobsentinel_workers.gate import Verdict, read_verdict, write_verdict
from jobsentinel_workers.registry import ChampionChanged, ModelRegistry, ModelVersion
from jobsentinel_workers.training.model_card import CARD_FILE, write_card
from jobsentinel_workers.training.trained import FROZEN_FILE, Outcome, Trained

logger = logging.getLogger(__name__)

LIBRARIES = ("torch", "transformers", "sentence-transformers", "numpy", "jobsentinel-ml")

Request = FineTuneRequest | TrainMultiTaskRequest


def identity(version: ModelVersion) -> str:
    """Return the name of a version before the gate, such as ``multi-task@7``."""
    return f"{version.name}@{version.version}"


def champion_of(registry: ModelRegistry, name: str) -> ModelVersion | None:
    """Return the version in service, its files checked; None where nothing serves.

    Raises:
        ModelCorrupted: it is damaged: roll back first.
    """
    return None if registry.aliases(name).champion is None else registry.get(name)


def judged_before(registry: ModelRegistry, name: str) -> frozenset[str]:
    """Return the keys of all rows that ever judged a version of ``name``."""
    paths = [version.path / FROZEN_FILE for version in registry.list(name)]
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    return frozenset(key for keys in found for key in keys)


def verdict_of(version: ModelVersion) -> Verdict:
    """Return what the gate said of a version that a training registered.

    Raises:
        ModelCorrupted: its folder has no verdict.
    """
    verdict = read_verdict(version.path)
    if verdict is None:
        raise ModelCorrupted(f"{identity(version)} has no verdict of the gate")
    return verdict


def register(
    registry: ModelRegistry, request: Request, run_id: str, trained: Trained, staging: Path
) -> Outcome:
    """Register the model of a run once, judged, and promote it where all agree.

    A champion that changed since the verdict stays: nothing is known of the two beside each other.
    """
    version = registry.of_run(request.name, run_id)
    if version is None:
        version = _register_new(registry, request, run_id, trained, staging)
    verdict = verdict_of(version)
    wanted = request.promote and verdict.promote
    return Outcome(version.version, verdict, wanted and _promote(registry, version, verdict))


def _register_new(
    registry: ModelRegistry, request: Request, run_id: str, trained: Trained, staging: Path
) -> ModelVersion:
    shutil.rmtree(staging, ignore_errors=True)
    trained.save(staging)
    verdict = trained.judge(staging, champion_of(registry, request.name))
    logger.info("%s", verdict.to_line())
    frozen = sorted(trained.frozen | judged_before(registry, request.name))
    write_verdict(staging, verdict)
    (staging / FROZEN_FILE).write_text(json.dumps(frozen) + "\n", encoding="utf-8")
    lineage = {
        "run_id": run_id,
        **trained.lineage,
        "seed": request.seed,
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }
    card = write_card(
        request.name,
        trained.kind,
        date=verdict.date,
        metrics=trained.metrics,
        lineage=lineage,
        verdict=verdict,
    )
    (staging / CARD_FILE).write_text(card, encoding="utf-8")
    return registry.register(
        request.name,
        staging,
        kind=trained.kind,
        metrics=trained.metrics,
        lineage=lineage,
        run_id=run_id,
    )


def _promote(registry: ModelRegistry, version: ModelVersion, verdict: Verdict) -> bool:
    judged = None if verdict.champion is None else int(verdict.champion.rpartition("@")[2])
    try:
        registry.promote(version.name, version.version, replacing=judged)
    except ChampionChanged as error:
        logger.warning("gate_champion_changed challenger=%s %s", identity(version), error)
        return False
    return True
