"""A thread that takes up new champions while nobody asks, so that what serves is what was chosen.

Without it an idle worker would load a promoted model only for its next request, keep the one
before in memory until then, and could not tell that it cannot load it.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from jobsentinel_workers.inference.serving import ServingModels

logger = logging.getLogger(__name__)

LOOK_S: Final = 1.0


class ModelFollower:
    """Looks at the registry until `stop`."""

    def __init__(self, models: ServingModels, period_s: float = LOOK_S) -> None:
        self._models = models
        self._period_s = period_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-follower", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a model that it is loading is loaded first."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._period_s):
            try:
                self._models.refresh()
            except Exception:  # a thread's edge: what broke one look must not end all others
                logger.exception("model.follow_failed")
