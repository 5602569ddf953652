"""Job ids: an equal request to equal models is the same job, and is worked on once."""

from __future__ import annotations

import hashlib
import uuid

from jobsentinel.contract import limits
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.ledger import digest_of

# Sending these twice means it: the store may have changed in between.
ALWAYS_NEW = frozenset({"index", "add_labels", "remove", "read_results", "check_loops"})


def job_id_for(
    task: str, key: str | None, payload: bytes, generation: str, *, always_new: bool
) -> str:
    """An equal request to equal models is the same job; a key of the caller's decides alone."""
    if key is not None:
        if not key or len(key) > limits.MAX_ID_CHARS or not key.isprintable():
            raise InvalidInput(
                "idempotency_key", f"must be 1 to {limits.MAX_ID_CHARS} printable characters"
            )
        seed = f"key:{key}"
    else:
        seed = f"{digest_of(payload)}:{uuid.uuid4().hex if always_new else generation}"
    return f"{task}-{hashlib.sha256(seed.encode()).hexdigest()[:24]}"
