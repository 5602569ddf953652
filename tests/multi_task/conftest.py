"""An encoder with layers to freeze."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.encoder_folders import write_encoder

from jobsentinel_workers.encoders import TextEncoder


@pytest.fixture(scope="session")
def deep_encoder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random encoder of four layers, 32 wide, with dropout."""
    folder = tmp_path_factory.mktemp("encoders") / "deep"
    return write_encoder(folder, num_hidden_layers=4, num_attention_heads=4)


@pytest.fixture
def deep_encoder(deep_encoder_path: Path) -> TextEncoder:
    """A random encoder that a test may change."""
    return TextEncoder.load(deep_encoder_path, precision="fp32", max_tokens=64)
