"""Texts without labels, from which an encoder learns the language of a field before its task."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.limits import MAX_TRAINING_ROWS, MIN_TRAINING_ROWS
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.examples import read_text

FIELD: Final = "unlabelled"


@dataclass(frozen=True)
class Unlabelled:
    """Normalised texts, each once."""

    texts: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[object], config: FineTuningConfig) -> Self:
        """Return the texts checked.

        Raises:
            InvalidInput: naming the text that is none; or there are too few to adapt to, too many,
                or some although nothing would read them.
        """
        if isinstance(texts, str):
            raise InvalidInput(FIELD, "must be a list of texts, not one text")
        read = [read_text(text, f"{FIELD}.{at}") for at, text in enumerate(texts)]
        if config.adapt == "none":
            if read:
                raise InvalidInput(FIELD, "is read only where adapt is mlm or tsdae")
            return cls(())
        different = tuple(dict.fromkeys(read))
        if not MIN_TRAINING_ROWS <= len(different) <= MAX_TRAINING_ROWS:
            raise InvalidInput(
                FIELD,
                f"must be {MIN_TRAINING_ROWS} to {MAX_TRAINING_ROWS:,} different texts for "
                f"adapt {config.adapt}, not {len(different)}",
            )
        return cls(different)

    @cached_property
    def sha256(self) -> str:
        """A hash of the texts in their order."""
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(hashlib.sha256(text.encode()).digest())
        return digest.hexdigest()
