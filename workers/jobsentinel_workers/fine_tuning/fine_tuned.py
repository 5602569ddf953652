"""One way in for every task: from settings and rows to a model that can be saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.dataset import JobMatchingDataset
from jobsentinel_workers.fine_tuning.metrics import TrainingMetrics
from jobsentinel_workers.fine_tuning.model import FineTunedBERT
from jobsentinel_workers.fine_tuning.progress import OnProgress, ShouldStop
from jobsentinel_workers.fine_tuning.reranker_parts import RerankerParts
from jobsentinel_workers.fine_tuning.reranker_trainer import RerankerTrainer
from jobsentinel_workers.fine_tuning.trainer import FineTuningTrainer


@dataclass(frozen=True)
class FineTuned:
    """A trained model, whatever its task.

    Attributes:
        kind: what loads it: ``reranker`` is for CrossEncoderReranker, the others for FineTunedBERT.
        base: the encoder that it started from, with a part of its SHA-256.
    """

    kind: str
    model: FineTunedBERT | RerankerParts
    metrics: TrainingMetrics
    base: str

    def save(self, folder: Path | str) -> Path:
        """Write what is needed to load the model again into ``folder``; return it."""
        return self.model.save(Path(folder))


def train_fine_tuned(
    config: FineTuningConfig,
    dataset: JobMatchingDataset,
    *,
    validation: JobMatchingDataset | None = None,
    run_directory: Path | str | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    unlabelled: Sequence[str] = (),
    encoder: TextEncoder | None = None,
) -> FineTuned:
    """Train the model that ``config`` asks for on ``dataset``, or go on with an interrupted run.

    Args:
        validation: what judges the epochs; None sets a share of the rows apart.
        run_directory, on_progress, should_stop: as of FineTuningTrainer.
        unlabelled: texts that the encoder reads first where the config says ``adapt``.
        encoder: shared with others and left as it is; None loads the config's. Not for a reranker.

    Raises:
        InvalidInput: settings or rows that do not fit.
        TrainingInterrupted: ``should_stop`` said so; call again to go on.
        ConfigurationError: the run directory belongs to another run.
        ModelCorrupted: no checkpoint in the run directory is sound.
    """
    hooks = {"run_directory": run_directory, "on_progress": on_progress, "should_stop": should_stop}
    if config.task == "reranker":
        trainer = RerankerTrainer(config, **hooks, unlabelled=unlabelled)  # type: ignore[arg-type]  # of three types
        metrics = trainer.train(dataset, validation)
        return FineTuned("reranker", trainer.parts, metrics, trainer.base)
    model = FineTunedBERT(config, encoder)
    base = model.encoder.model_id
    fitter = FineTuningTrainer(model, config, **hooks, unlabelled=unlabelled)  # type: ignore[arg-type]  # of three types
    metrics = fitter.train(dataset, validation)
    return FineTuned(config.task, model, metrics, base)
