"""Folders of small random models as sentence-transformers saves them: stages of a ranking."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from sentence_transformers import MultiVectorEncoder, SparseEncoder
from transformers import BertConfig, BertForMaskedLM

from jobsentinel_workers.encoders import packaged_model_path
from tests.encoder_folders import TOKENIZER_FILES, write_encoder


def write_sparse(folder: Path) -> Path:
    """Write a SPLADE model of one layer below ``folder`` and return where it is."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
        )
        BertForMaskedLM(config).save_pretrained(folder / "bert")
    for name in TOKENIZER_FILES:
        shutil.copyfile(packaged_model_path() / name, folder / "bert" / name)
    SparseEncoder(str(folder / "bert"), device="cpu").save_pretrained(str(folder / "tiny-splade"))
    return folder / "tiny-splade"


def write_late_interaction(folder: Path) -> Path:
    """Write a late-interaction model of one layer below ``folder`` and return where it is."""
    bert = write_encoder(folder / "bert", num_hidden_layers=1, num_attention_heads=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        MultiVectorEncoder(str(bert), device="cpu").save_pretrained(str(folder / "tiny-colbert"))
    return folder / "tiny-colbert"
