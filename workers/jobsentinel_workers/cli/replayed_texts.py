"""What `jobsentinel replay` replays: a file's labels or stored ones, embedded once and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jobsentinel.cli.waiting import bar, waiting_note
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.settings import Settings
from jobsentinel_workers.cli.opening import require_store
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.models_in_service import RERANKER, SCORING
from jobsentinel_workers.replay import Corpus, LabelledTexts, read_labelled_rows
from jobsentinel_workers.replay.stored_labels import stored_rows
from jobsentinel_workers.starter.embedding_memo import EmbeddingMemo
from jobsentinel_workers.store import Database

CACHE_FOLDER: Final = "replay-embeddings"
"""Below the data folder; may be removed at any time."""
TEXTS_A_STEP: Final = 64


def labelled_texts(
    settings: Settings, file: Path | None, kind: str | None, positive: str | None
) -> LabelledTexts:
    """Return the labelled texts of ``file``, or the stored ones of ``kind``.

    Raises:
        InvalidInput: rows are wrong, or hold one class.
        ConfigurationError: stored labels are wanted, and there is no store.
    """
    if file is not None:
        return LabelledTexts.of(read_labelled_rows(file), positive=positive)
    require_store(settings)
    database = Database.open(settings.store_url)
    try:
        return LabelledTexts.of(stored_rows(database, kind or ""), positive=positive)
    finally:
        database.close()


def gather(
    settings: Settings, labelled: LabelledTexts, model: str, base_rate: float | None
) -> Corpus:
    """Return the texts with embeddings of ``model``'s encoder; what is kept is not computed again.

    Raises:
        ModelUnavailable: there is no such model.
        InvalidInput: it has no encoder of texts.
    """
    with waiting_note("loading models"):
        encoder = _encoder(ServingModels(settings), model)
    memo = EmbeddingMemo(settings.data_dir / CACHE_FOLDER, encoder)
    texts = list(labelled.texts)
    try:
        with bar("reading texts", len(texts)) as shown:
            for start in range(0, len(texts), TEXTS_A_STEP):
                step = texts[start : start + TEXTS_A_STEP]
                memo(encoder, step)
                shown.advance(len(step))
    finally:
        memo.save()
    name = f"{encoder.model_id}-{encoder.precision}"
    return Corpus.of(labelled, memo(encoder, texts), model=name, base_rate=base_rate)


def _encoder(models: ServingModels, name: str) -> TextEncoder:
    if name == RERANKER:
        raise InvalidInput("model", f"is {name!r}, which reads pairs and has no embeddings")
    if name == SCORING:
        return models.scoring().model.encoder
    return models.fine_tuned(name).model.encoder
