"""Cross-encoders that sentence-transformers or transformers wrote, such as those of MS MARCO.

Such a folder holds a transformer with a classification layer of one output. It brings no weights to
join its logit with a cosine, so the logit alone decides until `write_fusion` puts some beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from torch import nn

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import PaddedBatch, choose_device, choose_precision
from jobsentinel_workers.encoders.loading import file_sha256, quiet_transformers
from jobsentinel_workers.encoders.precision import DTYPES
from jobsentinel_workers.reranking.fusion import Fusion
from jobsentinel_workers.reranking.library_models import refuse_runnable
from jobsentinel_workers.reranking.pair_model import PairLimits, PairModel

FUSION_FILE: Final = "jobsentinel_fusion.json"
LOGIT_ALONE: Final = Fusion(cosine_weight=0.0, cross_weight=1.0, bias=0.0)
LIMITS: Final = PairLimits(max_query_tokens=64, max_tokens=256)
"""They were trained with 512 tokens; the passages nearest to the query fit into half of that."""
_WEIGHTS_FILE: Final = "model.safetensors"
_ARCHITECTURE: Final = "ForSequenceClassification"


class ClassifierNetwork(nn.Module):
    """A transformer whose classification layer has one output: the relevance logit."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, batch: PaddedBatch) -> torch.Tensor:
        """Return (rows,) logits."""
        logits: torch.Tensor = batch.call(self.classifier).logits
        return logits[:, 0]


def is_library_cross_encoder(config: dict[str, Any]) -> bool:
    """Return whether ``config``, of a folder's config.json, is that of such a model."""
    architectures = config.get("architectures") or []
    return any(str(name).endswith(_ARCHITECTURE) for name in architectures)


def load_library_cross_encoder(
    folder: Path, precision: str = "auto", device: str = "auto"
) -> tuple[PairModel, Fusion]:
    """Return the model in ``folder`` and its weights.

    Raises:
        ModelUnavailable: it cannot be read, has other than one output, or holds a pickle or code.
    """
    refuse_runnable(folder)
    classifier, tokenizer = _read(folder)
    if classifier.config.num_labels != 1:
        raise ModelUnavailable(
            f"{folder} has {classifier.config.num_labels} outputs; a reranker has one"
        )
    chosen, place = choose_precision(precision), choose_device(device)
    positions = int(classifier.config.max_position_embeddings)
    model = PairModel(
        ClassifierNetwork(classifier).to(device=place, dtype=DTYPES[chosen]).eval(),
        tokenizer.backend_tokenizer.to_str(),
        model_id=f"{folder.name}@{file_sha256(folder / _WEIGHTS_FILE)[:12]}",
        limits=PairLimits(LIMITS.max_query_tokens, min(LIMITS.max_tokens, positions)),
        precision=chosen,
        device=place,
        pad_id=int(tokenizer.pad_token_id or 0),
    )
    return model, _read_fusion(folder)


def write_fusion(folder: Path, fusion: Fusion) -> None:
    """Put the weights beside the model in ``folder``."""
    text = json.dumps(asdict(fusion), indent=2, sort_keys=True)
    (folder / FUSION_FILE).write_text(f"{text}\n", encoding="utf-8")


def _read(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
            classifier, loading = AutoModelForSequenceClassification.from_pretrained(
                str(folder),
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                **options,
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailable(f"{folder} holds no readable cross-encoder: {error}") from error
    if loading["missing_keys"]:
        # The library puts random weights in their place, whose scores look like scores.
        missing = ", ".join(sorted(loading["missing_keys"])[:3])
        raise ModelUnavailable(f"{folder} lacks weights: {missing}")
    if not getattr(tokenizer, "is_fast", False):
        raise ModelUnavailable(f"{folder} has no fast tokenizer (tokenizer.json)")
    return classifier, tokenizer


def _read_fusion(folder: Path) -> Fusion:
    file = folder / FUSION_FILE
    if not file.is_file():
        return LOGIT_ALONE
    try:
        return Fusion(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnavailable(f"{file} holds no weights: {error}") from error
