"""What to fine-tune and how long, checked when it is written down."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, Self, get_args

from jobsentinel.contract.errors import InvalidInput

TaskKind = Literal["classification", "regression", "similarity"]
Method = Literal["head", "top2", "full"]


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
    }
)
"""A head over fixed embeddings is cheap and wants many epochs; an encoder forgets in them."""

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
            encoder's last two layers (minutes), ``full`` all of it.
        max_tokens: texts are cut to so many tokens.
        checkpoint_every_steps: optimiser steps between checkpoints.
        validation_fraction: share of the rows set apart when no validation set is given.
        base_encoder: folder of the encoder to start from; None is the packaged MiniLM.
        precision: ``auto``, ``fp32`` or ``bf16`` arithmetic; weights are trained in fp32.

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

    def __post_init__(self) -> None:
        _check_choice(self.task, "task", get_args(TaskKind))
        _check_choice(self.method, "method", get_args(Method))
        _check_choice(self.precision, "precision", ("auto", "fp32", "bf16"))
        for name, (low, high) in _WHOLE_NUMBERS.items():
            _check_whole(getattr(self, name), name, low, high)
        _check_real(self.learning_rate, "learning_rate", 0.0, 1.0)
        _check_real(self.validation_fraction, "validation_fraction", 0.0, 0.9)
        if self.weight_decay != 0:
            _check_real(self.weight_decay, "weight_decay", 0.0, 1.0)
        if self.base_encoder is not None and not isinstance(self.base_encoder, str):
            raise InvalidInput("base_encoder", "must be the path of a folder as text, or None")

    @property
    def schedule(self) -> Schedule:
        """The run's schedule: what is given, and the method's defaults for the rest."""
        default = DEFAULT_SCHEDULES[self.method]
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
        return cls(**values)


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
