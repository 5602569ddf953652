"""A random encoder of two small layers with the real tokenizer: quick, and shaped like the real."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from jobsentinel_workers.encoders import TextEncoder, packaged_model_path


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Keep to one core: other tests share the machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_encoder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random encoder, 32 wide."""
    folder = tmp_path_factory.mktemp("encoders") / "tiny"
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(packaged_model_path() / name, folder)
    return folder


@pytest.fixture
def tiny_encoder(tiny_encoder_path: Path) -> TextEncoder:
    """A random encoder that a test may change."""
    return TextEncoder.load(tiny_encoder_path, precision="fp32", max_tokens=64)
