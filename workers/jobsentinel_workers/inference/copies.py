"""Models that left service while requests still use them, and when they are gone."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any, Final, Protocol

from jobsentinel.contract.results import ModelStamp

COLLECT_EVERY_S: Final = 1.0


class NoRoomYet(Exception):
    """Another copy would be one too many; ask again when a request has ended."""


class _Served(Protocol):
    @property
    def model(self) -> Any: ...

    @property
    def stamp(self) -> ModelStamp: ...


class Retired:
    """Follows the models that left service without keeping them in memory."""

    def __init__(self) -> None:
        self._left: dict[str, list[tuple[weakref.ref[Any], ModelStamp]]] = {}
        self._collected_at = float("-inf")

    def add(self, name: str, served: _Served) -> None:
        """Follow a model that left."""
        stamp = served.stamp.model_copy(update={"arm": None})
        self._left.setdefault(name, []).append((weakref.ref(served.model), stamp))

    def alive(self, name: str) -> list[tuple[Any, ModelStamp]]:
        """Return those of a name that are still there."""
        found = [(model(), stamp) for model, stamp in self._left.get(name, [])]
        return [(model, stamp) for model, stamp in found if model is not None]

    def collect(self, name: str) -> None:
        """Free those that nothing uses any more but a ring of references, as torch leaves some.

        The collector would come by itself, but perhaps only after another model was loaded.
        """
        self._left[name] = [each for each in self._left.get(name, []) if each[0]() is not None]
        now = time.monotonic()
        if self._left[name] and now - self._collected_at >= COLLECT_EVERY_S:
            self._collected_at = now
            gc.collect()
