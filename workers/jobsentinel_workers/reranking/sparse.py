"""Learned sparse retrieval as a stage: texts become weights over a vocabulary, compared by product.

T. Formal, B. Piwowarski and S. Clinchant, "SPLADE: sparse lexical and expansion model for first
stage ranking", 2021, arXiv:2107.05720. Unlike BM25 it gives weight to words that a text implies.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from jobsentinel_workers.reranking.library_models import LibraryScorer, load_library_model


class SparseScorer(LibraryScorer):
    """A ``SparseEncoder`` folder of sentence-transformers as the scorer of a `Stage`."""

    stage_name: ClassVar[str] = "sparse"

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> SparseScorer:
        """Return the scorer of the model in the folder ``path``.

        Raises:
            ModelUnavailable: it holds no ``SparseEncoder``, or files that could run code.
        """
        from sentence_transformers import SparseEncoder

        return cls(*load_library_model(SparseEncoder, path, device))
