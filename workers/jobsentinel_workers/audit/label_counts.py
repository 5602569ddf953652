"""What the log says about labels: how many of which kind by whom, and never what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jobsentinel_workers.store.labels import UNKNOWN_ANNOTATOR


def label_counts(rows: Sequence[Mapping[str, Any]], changed: int) -> dict[str, Any]:
    """Return how many labels came, by kind and annotator, and how many values in force changed."""
    kinds: dict[str, Counter[str]] = {}
    for row in rows:
        annotator = row.get("annotator") or UNKNOWN_ANNOTATOR
        kinds.setdefault(row["kind"], Counter())[annotator] += 1
    return {
        "changed": changed,
        "sent": len(rows),
        "kinds": {kind: dict(counts) for kind, counts in kinds.items()},
    }
