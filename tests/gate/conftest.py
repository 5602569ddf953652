"""A tiny encoder that real models are trained on."""

from __future__ import annotations

import pytest
from tests.encoder_folders import write_encoder

from jobsentinel_workers.encoders import TextEncoder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    """A random encoder with the real tokenizer."""
    folder = write_encoder(
        tmp_path_factory.mktemp("tiny"),
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    return TextEncoder.load(folder, "fp32", max_tokens=32)
