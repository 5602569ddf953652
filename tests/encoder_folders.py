"""Folders of small random models with the real tokenizer: quick, and whole in form."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel

from jobsentinel_workers.encoders import load_backbone, packaged_model_path
from jobsentinel_workers.encoders.adapters import add_adapters
from jobsentinel_workers.reranking import Fusion, PairLimits
from jobsentinel_workers.reranking.cross_encoder import save_reranker
from jobsentinel_workers.reranking.pair_scoring import PairNetwork

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


def write_reranker(folder: Path, encoder: Path) -> Path:
    """Write an untrained reranker over the encoder in ``encoder`` into ``folder``."""
    backbone = load_backbone(encoder)
    add_adapters(backbone.network, rank=2, alpha=4.0)
    return save_reranker(
        PairNetwork(backbone.network, backbone.hidden_size),
        backbone,
        folder,
        adapter={"rank": 2, "alpha": 4.0},
        limits=PairLimits(16, 64),
        fusion=Fusion(8.0, 0.5, -4.0),
    )
