"""How long and how fast to train: each method's defaults, and limits on what is given instead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Self, get_args

from jobsentinel.contract.errors import ConfigurationError, InvalidInput

Method = Literal["head", "top2", "full", "lora"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        batch_size: rows in memory at once.
        learning_rate: of the encoder; for the method ``head``, of the heads.
        head_rate: of the heads.
        seed: fixes the order of the rows, the split and the dropout.
        patience: epochs without a clearly better validation loss before training ends.
        accumulate: batches whose gradients make one step; the step is that of one batch of all
            their rows.
        max_gradient_norm: longer gradients are cut to this length.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    head_rate: float
    seed: int
    patience: int
    accumulate: int
    max_gradient_norm: float
    weight_decay: float = 0.01

    @property
    def rows_a_step(self) -> int:
        """How many rows one step of the optimiser learns from."""
        return self.batch_size * self.accumulate

    @classmethod
    def of(
        cls,
        method: Method,
        *,
        epochs: int | None,
        batch_size: int | None,
        learning_rate: float | None,
        seed: int,
        patience: int | None,
        accumulate: int,
        max_gradient_norm: float,
    ) -> Self:
        """Return what is given, and the method's defaults for what is None.

        Raises:
            ConfigurationError: the method is unknown.
            InvalidInput: a number is of the wrong kind or beyond its limits.
        """
        default = _defaults(method)
        rate = default.learning_rate if learning_rate is None else learning_rate
        check_real("learning_rate", rate, 0.0, 1.0)
        schedule = cls(
            epochs=default.epochs if epochs is None else epochs,
            batch_size=default.batch_size if batch_size is None else batch_size,
            learning_rate=rate,
            head_rate=rate * default.head_rate_factor,
            seed=seed,
            patience=default.patience if patience is None else patience,
            accumulate=accumulate,
            max_gradient_norm=max_gradient_norm,
        )
        schedule._check()
        return schedule

    def _check(self) -> None:
        for name, (low, high) in _WHOLE_NUMBERS.items():
            _check_whole(name, getattr(self, name), low, high)
        check_real("max_gradient_norm", self.max_gradient_norm, 0.0, 1e6)


@dataclass(frozen=True, slots=True)
class _Defaults:
    epochs: int
    batch_size: int
    learning_rate: float
    head_rate_factor: float
    patience: int


_DEFAULTS: Final[Mapping[str, _Defaults]] = MappingProxyType(
    {
        "head": _Defaults(30, 32, 1e-3, 1.0, 5),
        "top2": _Defaults(6, 16, 1e-4, 10.0, 2),
        "full": _Defaults(4, 16, 5e-5, 20.0, 2),
        "lora": _Defaults(6, 16, 5e-4, 2.0, 2),
    }
)
"""Heads over fixed embeddings are cheap and want many epochs; an encoder forgets in them. Heads
start from little or nothing and may move faster than an encoder that was trained for long."""

_WHOLE_NUMBERS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "epochs": (1, 1_000),
        "batch_size": (1, 1_024),
        "seed": (0, 2**32 - 1),
        "patience": (1, 1_000),
        "accumulate": (1, 1_024),
    }
)


def _defaults(method: object) -> _Defaults:
    if method not in METHODS:
        raise ConfigurationError(f"method {method!r} is unknown; choose one of {_listed(METHODS)}")
    return _DEFAULTS[method]


def check_choice(field: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise InvalidInput unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise InvalidInput(field, f"must be one of {_listed(allowed)}, not {value!r:.60}")


def check_real(field: str, value: object, above: float, at_most: float) -> None:
    """Raise InvalidInput unless ``value`` is a number within the limits."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not (math.isfinite(value) and above < value <= at_most):  # type: ignore[arg-type,operator]  # a number by then
        limits = f"above {above:g} and at most {at_most:g}"
        raise InvalidInput(field, f"must be a number {limits}, not {value!r:.60}")


def _check_whole(field: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput(field, f"must be a whole number from {low} to {high}, not {value!r:.60}")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
