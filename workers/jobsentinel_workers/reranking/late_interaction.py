"""Late interaction as a stage: each word of the query is compared with its best match in the text.

O. Khattab and M. Zaharia, "ColBERT: efficient and effective passage search via contextualized late
interaction over BERT", SIGIR 2020. Costs an encoding a text, as a bi-encoder, and sees more.
"""

from __future__ import annotations

from typing import ClassVar

from jobsentinel_workers.reranking.library_models import LibraryScorer


class LateInteractionScorer(LibraryScorer):
    """A ``MultiVectorEncoder`` folder of sentence-transformers as the scorer of a `Stage`."""

    stage_name: ClassVar[str] = "late_interaction"
    library_class: ClassVar[str] = "MultiVectorEncoder"
