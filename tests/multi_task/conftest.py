"""An encoder with layers to freeze."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from jobsentinel_workers.encoders import TextEncoder, packaged_model_path


@pytest.fixture(scope="session")
def deep_encoder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random encoder of four layers, 32 wide, with dropout."""
    folder = tmp_path_factory.mktemp("encoders") / "deep"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64
        )
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(packaged_model_path() / name, folder)
    return folder


@pytest.fixture
def deep_encoder(deep_encoder_path: Path) -> TextEncoder:
    """A random encoder that a test may change."""
    return TextEncoder.load(deep_encoder_path, precision="fp32", max_tokens=64)
