"""Learned sparse retrieval as a stage: texts become weights over a vocabulary, compared by product.

T. Formal, B. Piwowarski and S. Clinchant, "SPLADE: sparse lexical and expansion model for first
stage ranking", 2021, arXiv:2107.05720. Unlike BM25 it gives weight to words that a text implies.
"""

from __future__ import annotations

from typing import ClassVar

from jobsentinel_workers.reranking.library_models import LibraryScorer


class SparseScorer(LibraryScorer):
    """A ``SparseEncoder`` folder of sentence-transformers as the scorer of a `Stage`."""

    stage_name: ClassVar[str] = "sparse"
    library_class: ClassVar[str] = "SparseEncoder"
