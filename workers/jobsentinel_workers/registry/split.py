"""Two versions of one model in service at once: the challenger answers a share of the postings.

Which arm a posting belongs to follows from the model's name, the split's seed and the posting's id
alone, so it is the same in every worker, in every batch and after every restart.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from jobsentinel.contract.errors import InvalidInput

Arm: TypeAlias = Literal["champion", "challenger"]

_SEED_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Split:
    """The version that is tried beside the champion, and how much of the work it gets.

    Attributes:
        share: of the postings that the challenger answers, between 0 and 1.
        seed: drawn anew for each challenger, so that it is tried on other postings.
    """

    model: str
    challenger: int
    share: float
    seed: str

    def __post_init__(self) -> None:
        check_share(self.share)

    def arm_of(self, posting_id: str) -> Arm:
        """Return which arm answers a posting, always the same one while the split lasts."""
        # JSON keeps the three apart: no model, seed and id run together into those of others.
        key = json.dumps([self.model, self.seed, posting_id]).encode("ascii")
        place = int.from_bytes(sha256(key).digest()[:8], "big") / 2**64
        return "challenger" if place < self.share else "champion"


def split_for(model: str, challenger: int, share: float, current: Split | None) -> Split:
    """Return the split to put on; with the challenger of ``current``, its seed stays.

    So a share that grows leaves every posting that the challenger has with the challenger.

    Raises:
        InvalidInput: the share is not between 0 and 1.
    """
    if current is not None and current.challenger == challenger:
        return replace(current, share=check_share(share))
    return Split(model, challenger, check_share(share), secrets.token_hex(_SEED_BYTES))


def check_share(share: float) -> float:
    """Return ``share`` if both arms get something of it.

    Raises:
        InvalidInput: it is no number between 0 and 1, these excluded.
    """
    number = isinstance(share, int | float) and not isinstance(share, bool)
    if not number or not 0 < share < 1:
        raise InvalidInput("share", "must be a number between 0 and 1, these excluded")
    return float(share)
