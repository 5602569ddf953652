"""Texts as the heads read them, remembered: taking salary figures out costs a millisecond a text.

A pool is chosen from again and again while its labels come in, and its texts are the same ones.
Kept are a digest of each text and, only where figures were taken out, what is left.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from jobsentinel_workers.multi_task import scored_text

MAX_TEXTS: Final = 50_000
MAX_KEPT_CHARS: Final = 32_000_000


class ScoredTexts:
    """A bounded memo of `scored_text`; safe to share between threads.

    Args:
        max_texts: how many texts are remembered; those not read for longest go first.
        max_kept_chars: how many characters the changed ones among them may have together.
    """

    def __init__(self, max_texts: int = MAX_TEXTS, max_kept_chars: int = MAX_KEPT_CHARS) -> None:
        self._max_texts, self._max_kept_chars = max_texts, max_kept_chars
        self._kept_chars = 0
        self._left: OrderedDict[bytes, str | None] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._left)

    def read(self, texts: Iterable[str]) -> list[str]:
        """Return each text as `scored_text` gives it."""
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> str:
        key = hashlib.sha256(text.encode("utf-8")).digest()
        with self._lock:
            if key in self._left:
                self._left.move_to_end(key)
                left = self._left[key]
                return text if left is None else left
        scored = scored_text(text)
        with self._lock:
            self._keep(key, None if scored == text else scored)
        return scored

    def _keep(self, key: bytes, left: str | None) -> None:
        if key in self._left:
            return  # another thread was faster
        self._left[key] = left
        self._kept_chars += len(left or "")
        while len(self._left) > self._max_texts or self._kept_chars > self._max_kept_chars:
            _, oldest = self._left.popitem(last=False)
            self._kept_chars -= len(oldest or "")
