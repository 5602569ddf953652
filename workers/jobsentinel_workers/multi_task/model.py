"""One encoder, several heads: a text is encoded once and every trained head answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from scipy.sparse import csr_matrix
from torch import nn

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import (
    EncodedText,
    FloatArray,
    Pooler,
    PoolingChoice,
    TextEncoder,
    pad_batch,
)
from jobsentinel_workers.multi_task import storage
from jobsentinel_workers.multi_task.calibration import Calibration
from jobsentinel_workers.multi_task.evidence import JoinedCalibration, blend_words
from jobsentinel_workers.multi_task.heads import Head
from jobsentinel_workers.multi_task.matching import PairScorer
from jobsentinel_workers.multi_task.tasks import Task, job_matching_tasks
from jobsentinel_workers.multi_task.word_networks import WordNetworks
from jobsentinel_workers.multi_task.words import Array, WordModel


class MultiTaskBERT(nn.Module):
    """A text encoder with one head a task.

    A head knows whether it was trained; untrained heads never answer. ``pair_scorer`` compares a
    posting with a profile, and is likewise silent until trained. A task may have a
    ``word_models`` entry beside its head, and one of values a ``word_networks`` entry as well; all
    together then answer.

    Example:
        >>> model = MultiTaskBERT(TextEncoder.load(), job_matching_tasks())
        >>> sorted(model.trained_tasks)
        []
    """

    def __init__(
        self, encoder: TextEncoder, tasks: Sequence[Task], pooling: PoolingChoice = "encoder"
    ) -> None:
        """Build untrained heads.

        Args:
            encoder: shared by all heads; it may serve others as well.
            tasks: the questions.
            pooling: what heads read of a text: its ``mean`` or first token's (``cls``) state, or
                beside the encoder's own choice of these the ``title``, or for each task what a
                learnt query makes out (``attention``). ``encoder`` leaves it to the encoder.

        Raises:
            InvalidInput: there is no task, two have the same name, or there is no such pooling.
        """
        super().__init__()
        names = [task.name for task in tasks]
        if not names or len(set(names)) < len(names):
            raise InvalidInput("tasks", "must hold at least one task, each with its own name")
        width = encoder.backbone.hidden_size
        if pooling != "encoder":
            own = encoder.pooler.text
            encoder = encoder.with_pooler(Pooler.of_choice(pooling, width, own, names))
        self.encoder = encoder
        self.network = encoder.network
        self.tasks = {task.name: task for task in tasks}
        self.heads = nn.ModuleDict({task.name: self._new_head(task) for task in tasks})
        self.pair_scorer = PairScorer(width).to(encoder.device)
        self.calibrations: dict[str, Calibration] = {}
        self.word_models: dict[str, WordModel] = {}
        self.word_networks: dict[str, WordNetworks] = {}
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
        self.encoder.pooler.add_reader(task.name)
        self.heads[task.name] = self._new_head(task)

    def _new_head(self, task: Task) -> Head:
        return Head(task, self.encoder.pooler.columns(task.name, title=task.title)).to(
            self.encoder.device
        )

    def with_pooling(self, pooling: PoolingChoice) -> MultiTaskBERT:
        """Return a model of the same tasks and encoder that pools otherwise.

        Its heads are untrained, since they read something else; one that pools like this already
        is returned as it is.

        Raises:
            InvalidInput: there is no such pooling.
        """
        if pooling in ("encoder", self.encoder.pooler.choice):
            return self
        other = MultiTaskBERT(self.encoder.plain(), list(self.tasks.values()), pooling)
        other.encoder_changed = self.encoder_changed
        return other

    @property
    def trained_tasks(self) -> frozenset[str]:
        """Names of the tasks whose heads were trained, and so may answer."""
        return frozenset(self.calibrations)

    @property
    def model_id(self) -> str:
        """A name that changes with any weight, of the encoder or of a head."""
        return f"{self.encoder.model_id}+{storage.fingerprint(self)}"

    def word_outputs(
        self, name: str, counts: csr_matrix, embeddings: FloatArray, network_share: float
    ) -> Array:
        """Return what the words say of task ``name``: (n, output_dim), or (n, 1) of a value.

        Args:
            counts: (n, BUCKETS) of the texts' words.
            embeddings: (n, d) of the same texts.
            network_share: how much the networks over words count beside the linear model.
        """
        if not network_share:
            return self.word_models[name].outputs(counts)
        return blend_words(*self.word_opinions(name, counts, embeddings), network_share)

    def word_opinions(
        self, name: str, counts: csr_matrix, embeddings: FloatArray
    ) -> tuple[Array, Array | None]:
        """Return what the linear model and the networks over words say, the latter if there."""
        networks = self.word_networks.get(name)
        deep = None if networks is None else networks.outputs(counts, embeddings)
        return self.word_models[name].outputs(counts), deep

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
    encoder: TextEncoder | None = None,
    *,
    pretrained: bool = True,
    precision: str = "auto",
    pooling: PoolingChoice = "encoder",
) -> MultiTaskBERT:
    """Return a model of the four job tasks: category, salary, scam and match.

    With ``pretrained`` its heads carry the starter weights of this distribution, and pool as these
    do unless another ``pooling`` is asked for; without, no head is trained and none answers.

    Example:
        >>> model = create_job_matching_model()
        >>> "scam_detection" in model.trained_tasks
        True
    """
    if pretrained:
        from jobsentinel_workers.starter import starter_path

        model = MultiTaskBERT.load(starter_path("multi-task"), encoder, precision)
        return model.with_pooling(pooling)
    encoder = encoder or TextEncoder.load(precision=precision)
    return MultiTaskBERT(encoder, job_matching_tasks(), pooling)
