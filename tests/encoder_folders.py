"""Folders of small random encoders with the real tokenizer: quick, and whole in form."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel

from jobsentinel_workers.encoders import packaged_model_path

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def write_encoder(folder: Path, *, seed: int = 0, pooler: bool = False, **shape: Any) -> Path:
    """Write a BERT, 32 wide, into ``folder``; ``shape`` are further fields of its configuration."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = BertConfig(hidden_size=32, intermediate_size=64, **shape)
        BertModel(config, add_pooling_layer=pooler).save_pretrained(folder)
    for name in TOKENIZER_FILES:
        shutil.copyfile(packaged_model_path() / name, folder / name)
    return folder
