"""The documents that `jobsentinel eval ranking` ranks: stored postings, a file's, or judged texts.

Nothing is written: embeddings that the store has are taken from there, others are computed anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jobsentinel.cli.json_lines import Rows
from jobsentinel.cli.postings_input import candidate
from jobsentinel.cli.waiting import bar
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.text import normalise
from jobsentinel_workers.encoders import FloatArray, SequenceModel, run_directly
from jobsentinel_workers.reranking.judgements import Judgements

if TYPE_CHECKING:
    from jobsentinel_workers.store import Database

TEXTS_A_STEP = 256


def stored_documents(database: Database) -> dict[str, str]:
    """Return the texts of all stored postings by id, as the models see them."""
    from sqlalchemy import select

    from jobsentinel_workers.store.schema import postings

    with database.connect() as connection:
        rows = connection.execute(select(postings.c.id, postings.c.text))
        return {row.id: row.text for row in rows}


def documents_in(file: Path) -> dict[str, str]:
    """Return the texts of a file's postings, or of its rows with id and text, by id.

    Raises:
        InvalidInput: names the first bad line, or an id that is there twice.
    """
    documents: dict[str, str] = {}
    with Rows(file, candidate) as rows:
        for row in rows:
            if row.id in documents:
                raise InvalidInput("candidates", f"{rows.name} has {row.id!r:.80} twice")
            documents[row.id] = row.text() if isinstance(row, Posting) else row.text
        rows.settle()
    return documents


def with_judged_texts(
    documents: Mapping[str, str], judgements: Judgements
) -> tuple[dict[str, str], Judgements]:
    """Return the documents with the judged texts among them, and the judgements that fit.

    A text that is a document's already is that document, not another one.

    Raises:
        InvalidInput: such a document was judged by its id as well, and otherwise.
    """
    known = {normalise(text): name for name, text in sorted(documents.items(), reverse=True)}
    same = {
        name: known[normalise(text)]
        for name, text in judgements.texts.items()
        if normalise(text) in known
    }
    added = {name: text for name, text in judgements.texts.items() if name not in same}
    return {**documents, **added}, judgements.renamed(same)


def embed_texts(
    texts: Sequence[str], encoder: SequenceModel, database: Database | None, what: str
) -> FloatArray:
    """Return (n, d) embeddings of ``texts``, with a bar that says ``what`` they are."""
    parts: list[FloatArray] = [np.zeros((0, encoder.output_dim), dtype=np.float32)]
    with bar(f"reading {what}", len(texts)) as shown:
        for start in range(0, len(texts), TEXTS_A_STEP):
            step = list(texts[start : start + TEXTS_A_STEP])
            parts.append(_embedded(step, encoder, database))
            shown.advance(len(step))
    joined: FloatArray = np.concatenate(parts)
    return joined


def _embedded(texts: list[str], encoder: SequenceModel, database: Database | None) -> FloatArray:
    from jobsentinel_workers.inference.embeddings import embed

    if database is None:
        return run_directly(encoder, texts)
    return embed(database, encoder, texts, run_directly).vectors
