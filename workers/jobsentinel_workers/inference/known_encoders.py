"""Where the encoders lie that postings were encoded with: a small file in the data folder.

An index answers only queries by its own encoder. When the setting names another folder, the one
before can still be found here, and serve until the postings are encoded anew.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

from jobsentinel_workers.registry.durable_files import encode_json, replace_file
from jobsentinel_workers.registry.locking import exclusive_lock

logger = logging.getLogger(__name__)

FILE_NAME: Final = "encoders.json"
_LOCK_TIMEOUT_S: Final = 10.0


class KnownEncoders:
    """Folders by encoder id; None stands for the encoder that comes with the package."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE_NAME

    def remember(self, encoder_id: str, folder: Path | None) -> None:
        """Keep where an encoder is.

        Raises:
            ModelUnavailable: another process has held the file for seconds.
        """
        place = None if folder is None else str(folder.absolute())
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(self._file.with_suffix(".lock"), timeout_s=_LOCK_TIMEOUT_S):
            known = self._read()
            if encoder_id not in known or known[encoder_id] != place:
                replace_file(self._file, encode_json({**known, encoder_id: place}))

    def folders(self) -> dict[str, Path | None]:
        """Return all that are known; folders may be gone or hold something else by now."""
        return {
            encoder_id: None if place is None else Path(place)
            for encoder_id, place in self._read().items()
        }

    def _read(self) -> dict[str, str | None]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            # Only the way back to an older index is lost: postings are encoded anew all the same.
            logger.warning("encoders.unreadable file=%s", self._file)
            return {}
        return {str(name): place for name, place in found.items()} if _is_ours(found) else {}


def _is_ours(found: object) -> bool:
    return isinstance(found, dict) and all(
        place is None or isinstance(place, str) for place in found.values()
    )
