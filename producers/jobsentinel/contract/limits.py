"""The bounds of every message, in one place. Counts are items, sizes are in the unit named.

They protect a worker's memory and a queue's latency; both sides enforce them.
"""

from __future__ import annotations

from typing import Final

MAX_ID_CHARS: Final = 200
MAX_SHORT_TEXT_CHARS: Final = 1_000
"""Titles, company names, locations and other one-line fields."""
MAX_TEXT_CHARS: Final = 100_000
"""Descriptions, résumés and queries; the longest real posting seen has some 15,000."""
MAX_URL_CHARS: Final = 4_000

MAX_POSTINGS_A_MESSAGE: Final = 128
DEFAULT_CHUNK_POSTINGS: Final = 64
MAX_COPIES_A_MESSAGE: Final = 10_000
"""Copies of postings that a request names; further ones are postings of their own."""
MAX_CHUNK_BYTES: Final = 4 * 1024 * 1024
"""A chunk of postings is cut earlier than its count says when its texts are this long."""
MAX_CANDIDATES: Final = 1_000
MAX_SAMPLES: Final = 10_000
MAX_LABELS_A_MESSAGE: Final = 1_000
MAX_SECONDS_SPENT: Final = 86_400.0
"""On one label; somebody who took longer had left."""
MAX_TRAINING_ROWS: Final = 50_000
MIN_TRAINING_ROWS: Final = 8
MAX_MODELS_A_REQUEST: Final = 8
MAX_CLASSES: Final = 1_000

MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024
"""A whole encoded request; Redis holds it until the job is done."""
