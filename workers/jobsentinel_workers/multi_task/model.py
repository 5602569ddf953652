"""One encoder, several heads: a text is encoded once and every trained head answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from torch import nn

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import EncodedText, TextEncoder, pad_batch
from jobsentinel_workers.multi_task import storage
from jobsentinel_workers.multi_task.calibration import Calibration
from jobsentinel_workers.multi_task.evidence import JoinedCalibration
from jobsentinel_workers.multi_task.heads import Head
from jobsentinel_workers.multi_task.matching import PairScorer
from jobsentinel_workers.multi_task.tasks import Task, job_matching_tasks
from jobsentinel_workers.multi_task.words import WordModel


class MultiTaskBERT(nn.Module):
    """A text encoder with one head a task.

    A head knows whether it was trained; untrained heads never answer. ``pair_scorer`` compares a
    posting with a profile, and is likewise silent until trained. A task may have a
    ``word_models`` entry beside its head; both together then answer.

    Example:
        >>> model = MultiTaskBERT(TextEncoder.load(), job_matching_tasks())
        >>> sorted(model.trained_tasks)
        []
    """

    def __init__(self, encoder: TextEncoder, tasks: Sequence[Task]) -> None:
        """Build untrained heads.

        Raises:
            InvalidInput: there is no task, or two have the same name.
        """
        super().__init__()
        names = [task.name for task in tasks]
        if not names or len(set(names)) < len(names):
            raise InvalidInput("tasks", "must hold at least one task, each with its own name")
        self.encoder = encoder
        self.network = encoder.network
        self.tasks = {task.name: task for task in tasks}
        self.heads = nn.ModuleDict({t.name: Head(t, encoder.output_dim) for t in tasks})
        self.heads.to(encoder.device)
        self.pair_scorer = PairScorer(encoder.output_dim).to(encoder.device)
        self.calibrations: dict[str, Calibration] = {}
        self.word_models: dict[str, WordModel] = {}
        self.joined_calibrations: dict[str, JoinedCalibration] = {}
        self.encoder_changed = False
        self.eval()

    def add_task(self, task: Task) -> None:
        """Add a question with an untrained head; one that is there already may stay as it is.

        Raises:
            InvalidInput: there is another task of that name.
        """
        if task.name in self.tasks:
            if self.tasks[task.name] != task:
                raise InvalidInput(f"tasks.{task.name}", "is there already, with other settings")
            return
        self.tasks[task.name] = task
        self.heads[task.name] = Head(task, self.encoder.output_dim).to(self.encoder.device)

    @property
    def trained_tasks(self) -> frozenset[str]:
        """Names of the tasks whose heads were trained, and so may answer."""
        return frozenset(self.calibrations)

    @property
    def model_id(self) -> str:
        """A name that changes with any weight, of the encoder or of a head."""
        return f"{self.encoder.model_id}+{storage.fingerprint(self)}"

    def forward(self, embeddings: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return each task's raw outputs (n, output_dim) for (n, d) embeddings."""
        return {name: head(embeddings) for name, head in self.heads.items()}

    def embed(self, batch: Sequence[EncodedText]) -> torch.Tensor:
        """Return (n, d) embeddings of tokenised texts, open to gradients."""
        return self.encoder.embed(
            pad_batch(batch, self.encoder.device, self.encoder.backbone.pad_id)
        )

    def save(self, directory: str | Path) -> Path:
        """Write config.json and model.safetensors into ``directory``; return it.

        The encoder's weights are written only if training changed them.
        """
        return storage.save(self, Path(directory))

    @classmethod
    def load(
        cls, directory: str | Path, encoder: TextEncoder | None = None, precision: str = "auto"
    ) -> Self:
        """Return the model in ``directory``; ``encoder`` is shared where it has the same weights.

        Raises:
            ModelUnavailable: the folder holds no such model, or it needs another encoder.
        """
        return storage.load(cls, Path(directory), encoder, precision)


def create_job_matching_model(
    encoder: TextEncoder | None = None, *, pretrained: bool = True, precision: str = "auto"
) -> MultiTaskBERT:
    """Return a model of the four job tasks: category, salary, scam and match.

    With ``pretrained`` its heads carry the starter weights of this distribution; without, no head
    is trained and none answers.

    Example:
        >>> model = create_job_matching_model()
        >>> "scam_detection" in model.trained_tasks
        True
    """
    if pretrained:
        from jobsentinel_workers.starter import starter_path

        return MultiTaskBERT.load(starter_path("multi-task"), encoder, precision)
    encoder = encoder or TextEncoder.load(precision=precision)
    return MultiTaskBERT(encoder, job_matching_tasks())
