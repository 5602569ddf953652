"""What to fine-tune and how long, checked when it is written down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, Self, get_args

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.limits import MAX_CLASSES

TaskKind = Literal["classification", "regression", "similarity", "reranker"]
Method = Literal["head", "top2", "full", "lora"]
Adaptation = Literal["none", "mlm", "tsdae"]
Curriculum = Literal["none", "length", "loss"]
PairLoss = Literal["squared", "cosent"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        learning_rate: of the encoder; for the method ``head``, of the head.
        patience: epochs without a better validation loss before training ends.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int


DEFAULT_SCHEDULES: Final = MappingProxyType(
    {
        "head": Schedule(epochs=100, batch_size=32, learning_rate=1e-3, patience=10),
        "top2": Schedule(epochs=6, batch_size=16, learning_rate=1e-4, patience=2),
        "full": Schedule(epochs=4, batch_size=16, learning_rate=5e-5, patience=2),
        "lora": Schedule(epochs=6, batch_size=16, learning_rate=5e-4, patience=2),
    }
)
"""A head over fixed embeddings is cheap and wants many epochs; an encoder forgets in them."""

RERANKER_SCHEDULES: Final = MappingProxyType(
    {
        "head": Schedule(epochs=4, batch_size=16, learning_rate=1e-3, patience=2),
        "lora": Schedule(epochs=4, batch_size=16, learning_rate=3e-4, patience=2),
    }
)
"""A cross-encoder reads every pair anew in every epoch, and starts from one that knows its job."""

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "task": get_args(TaskKind),
        "method": get_args(Method),
        "precision": ("auto", "fp32", "bf16"),
        "adapt": get_args(Adaptation),
        "curriculum": get_args(Curriculum),
        "pair_loss": get_args(PairLoss),
    }
)

_WHOLE_NUMBERS: Final = MappingProxyType(
    {
        "epochs": (1, 1_000),
        "batch_size": (1, 1_024),
        "max_tokens": (8, 8_192),
        "seed": (0, 2**32 - 1),
        "checkpoint_every_steps": (1, 1_000_000),
        "early_stopping_patience": (1, 1_000),
    }
)


@dataclass(frozen=True, slots=True)
class FineTuningConfig:
    """One fine-tuning run. What is None takes the method's own default (``schedule``).

    Attributes:
        method: ``head`` trains a linear head over fixed embeddings (seconds), ``top2`` also the
            encoder's last two layers (minutes), ``full`` all of it, ``lora`` low-rank adapters
            beside its linear layers (as long as ``full``, a hundredth of its size on disk).
        max_tokens: texts are cut to so many tokens.
        checkpoint_every_steps: optimiser steps between checkpoints.
        validation_fraction: share of the rows set apart when no validation set is given.
        base_encoder: folder of the encoder to start from; None is the packaged MiniLM.
        precision: ``auto``, ``fp32`` or ``bf16`` arithmetic; weights are trained in fp32.
        classes: of a classification, all labels there may be, in their order; None takes those of
            the rows.
        few_shot: move the encoder by pairs of the rows first, then train the head: for a few rows
            of each class, with the method ``head``.
        adapt: read unlabelled texts before the task: ``mlm`` guesses masked tokens, ``tsdae``
            restores damaged texts.
        curriculum: what the first epoch is sorted by, easy rows first: the ``length`` of a text, or
            its ``loss`` under a head over the encoder as it was.
        pair_loss: what scored pairs are trained by: ``squared`` error of the cosine, or ``cosent``,
            the order of the cosines.

    Example:
        >>> FineTuningConfig(task="regression", method="top2").schedule.epochs
        6
    """

    task: TaskKind = "classification"
    method: Method = "head"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    max_tokens: int = 128
    seed: int = 0
    checkpoint_every_steps: int = 200
    validation_fraction: float = 0.2
    early_stopping_patience: int | None = None
    base_encoder: str | None = None
    precision: str = "auto"
    weight_decay: float = 0.01
    classes: tuple[str, ...] | None = None
    few_shot: bool = False
    adapt: Adaptation = "none"
    curriculum: Curriculum = "none"
    pair_loss: PairLoss = "squared"

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            _check_choice(getattr(self, name), name, allowed)
        for name, (low, high) in _WHOLE_NUMBERS.items():
            _check_whole(getattr(self, name), name, low, high)
        _check_real(self.learning_rate, "learning_rate", 0.0, 1.0)
        _check_real(self.validation_fraction, "validation_fraction", 0.0, 0.9)
        if self.weight_decay != 0:
            _check_real(self.weight_decay, "weight_decay", 0.0, 1.0)
        if self.base_encoder is not None and not isinstance(self.base_encoder, str):
            raise InvalidInput("base_encoder", "must be the path of a folder as text, or None")
        if not isinstance(self.few_shot, bool):
            raise InvalidInput("few_shot", "must be true or false")
        _check_classes(self.classes)
        self._check_combinations()

    def _check_combinations(self) -> None:
        """Refuse options that mean nothing together, rather than leave one unread."""
        if self.task != "classification" and (self.few_shot or self.classes is not None):
            field = "few_shot" if self.few_shot else "classes"
            raise InvalidInput(field, f"is for the task classification, not {self.task}")
        if self.few_shot and self.method != "head":
            raise InvalidInput("few_shot", "needs the method head: pairs move the encoder before")
        if self.pair_loss != "squared" and (self.task != "similarity" or self.method == "head"):
            problem = "is for the task similarity with the method top2, full or lora"
            raise InvalidInput("pair_loss", problem)
        if self.task != "reranker":
            return
        if self.method in {"top2", "full"}:
            raise InvalidInput(
                "method", "must be head or lora: a reranker is low-rank changes to its base encoder"
            )
        if self.adapt != "none":
            raise InvalidInput("adapt", "must be none: a reranker stands on its base encoder")
        if self.curriculum == "loss":
            raise InvalidInput("curriculum", "must be none or length for the task reranker")

    @property
    def schedule(self) -> Schedule:
        """The run's schedule: what is given, and the method's defaults for the rest."""
        schedules = RERANKER_SCHEDULES if self.task == "reranker" else DEFAULT_SCHEDULES
        default = schedules[self.method]
        return Schedule(
            epochs=self.epochs or default.epochs,
            batch_size=self.batch_size or default.batch_size,
            learning_rate=self.learning_rate or default.learning_rate,
            patience=self.early_stopping_patience or default.patience,
        )

    @property
    def trains_encoder(self) -> bool:
        """Whether the encoder's own weights change."""
        return self.method != "head"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the config with ``values``.

        Raises:
            InvalidInput: a value is out of bounds or a name is unknown.
        """
        unknown = sorted(values.keys() - cls.__dataclass_fields__.keys())
        if unknown:
            raise InvalidInput(unknown[0], "is not a setting of fine-tuning")
        classes = values.get("classes")
        # JSON has no tuples.
        return cls(**values | ({"classes": tuple(classes)} if isinstance(classes, list) else {}))


def _check_classes(classes: object) -> None:
    if classes is None:
        return
    if not isinstance(classes, tuple) or not all(isinstance(name, str) for name in classes):
        raise InvalidInput("classes", "must be a tuple of texts, or None")
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise InvalidInput("classes", f"must be 2 to {MAX_CLASSES:,}, not {len(classes)}")
    if len(set(classes)) < len(classes):
        raise InvalidInput("classes", "must not name one twice")


def _check_choice(value: object, field: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInput(field, f"must be one of {', '.join(allowed)}")


def _check_whole(value: object, field: str, low: int, high: int) -> None:
    if value is None and field in {"epochs", "batch_size", "early_stopping_patience"}:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput(field, f"must be a whole number from {low} to {high}")


def _check_real(value: object, field: str, low: float, high: float) -> None:
    if value is None and field == "learning_rate":
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(field, "must be a number")
    if not (math.isfinite(value) and low < value <= high):
        raise InvalidInput(field, f"must be above {low:g} and at most {high:g}")
