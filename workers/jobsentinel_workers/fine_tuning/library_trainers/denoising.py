"""Adapting an encoder to a field by restoring damaged texts: TSDAE (Wang et al. 2021,
arXiv 2104.06979), with sentence-transformers' loss.

Most words of a text are deleted; from the embedding of what is left, a decoder that shares the
encoder's weights shall write the whole text. So the embedding learns to hold what a text says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.losses import DenoisingAutoEncoderLoss
from sentence_transformers.sentence_transformer.modules import Pooling

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.encoders.loading import quiet_transformers
from jobsentinel_workers.fine_tuning.curriculum import OrderOfRows
from jobsentinel_workers.fine_tuning.library_trainers.epoch_batches import EpochBatches
from jobsentinel_workers.fine_tuning.library_trainers.kept_trainer import run_trainer
from jobsentinel_workers.fine_tuning.library_trainers.masked_language import (
    base_folder,
    copy_encoder,
)
from jobsentinel_workers.fine_tuning.library_trainers.sentence_trainer import sentence_trainer
from jobsentinel_workers.fine_tuning.stages import Stage

DELETED_SHARE: Final = 0.6
BATCH_SIZE: Final = 8
LEARNING_RATE: Final = 3e-5
"""These three as in the paper."""


def adapt(stage: Stage, texts: Sequence[str]) -> None:
    """Train the encoder of ``stage`` to keep in an embedding what restores a damaged text."""
    encoder = stage.model.encoder
    sentences = _library_model(encoder)
    loss = _loss(sentences).to(encoder.device)
    columns = {"damaged": damage(texts, stage.config.seed), "text": list(texts)}
    order = OrderOfRows(len(texts), BATCH_SIZE, stage.config.seed)
    keeper = stage.keeper(loss, LEARNING_RATE, order.batches_an_epoch)
    run_trainer(
        sentence_trainer(sentences, loss, columns, keeper),
        keeper,
        EpochBatches(order.batches, order.batches_an_epoch),
        validate=None,
        arithmetic=stage.arithmetic,
        device=encoder.device,
    )
    trained: Any = sentences.transformers_model
    copy_encoder(trained, stage.own_network())


def _library_model(encoder: TextEncoder) -> SentenceTransformer:
    """Return the library's own reading of the encoder's folder, which its loss asks for."""
    folder = base_folder(encoder.backbone.folder)
    local = {"local_files_only": True}
    with quiet_transformers():
        transformer = Transformer(
            folder,
            max_seq_length=encoder.max_tokens,
            model_kwargs=local | {"use_safetensors": True},
            processor_kwargs=local,
            config_kwargs=local,
        )
    pooling = Pooling(encoder.backbone.hidden_size, encoder.backbone.pooling)
    return SentenceTransformer(modules=[transformer, pooling], device=str(encoder.device))


def _loss(sentences: SentenceTransformer) -> DenoisingAutoEncoderLoss:
    with quiet_transformers():
        try:
            return DenoisingAutoEncoderLoss(sentences, tie_encoder_decoder=True)
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"the encoder cannot decode its own texts: {error}") from error


def damage(texts: Sequence[str], seed: int) -> list[str]:
    """Return ``texts`` with most of their words deleted; one word stays of each."""
    rng = np.random.default_rng(seed)
    return [_damage(text.split(), rng) for text in texts]


def _damage(words: list[str], rng: np.random.Generator) -> str:
    kept = [word for word, draw in zip(words, rng.random(len(words)), strict=True)
            if draw >= DELETED_SHARE]  # fmt: skip
    return " ".join(kept or [words[rng.integers(len(words))]])
