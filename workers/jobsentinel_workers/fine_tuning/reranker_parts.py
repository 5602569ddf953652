"""A cross-encoder taken apart for training: base encoder, adapters, head, limits, fusion.

Its folder holds low-rank changes to a base encoder and a head, so that is what is trained: the head
alone, or the adapters too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import Backbone, QueryAdapter, choose_device, load_backbone
from jobsentinel_workers.encoders.adapters import add_adapters, fill_adapters
from jobsentinel_workers.fine_tuning.storage import read_tensors
from jobsentinel_workers.reranking import Fusion, PairLimits
from jobsentinel_workers.reranking.cross_encoder import (
    ADAPTER,
    CONFIG_FILE,
    FORMAT,
    FORMAT_VERSION,
    HEAD,
    WEIGHTS_FILE,
    read_query_adapter,
    save_reranker,
    tensors_under,
)
from jobsentinel_workers.reranking.pair_scoring import PairNetwork

FRESH_RANK: Final = 16
FRESH_ALPHA: Final = 32.0
FRESH_FUSION: Final = Fusion(cosine_weight=4.0, cross_weight=0.5, bias=-4.0, lexical_weight=1.5)
"""Near those fitted for the starter reranker; a new cross-encoder has none of its own."""


@dataclass
class RerankerParts:
    """A cross-encoder with its adapters beside the layers, open to training.

    The adapter for queries is not trained: it goes from the old reranker to the new.
    """

    backbone: Backbone
    network: PairNetwork
    rank: int
    alpha: float
    limits: PairLimits
    fusion: Fusion
    query_adapter: QueryAdapter | None = None

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    def save(self, directory: Path) -> Path:
        """Write a folder that ``CrossEncoderReranker.load`` reads."""
        self.network.cpu()
        return save_reranker(
            self.network,
            self.backbone,
            directory,
            adapter={"rank": self.rank, "alpha": self.alpha},
            limits=self.limits,
            fusion=self.fusion,
            query_adapter=self.query_adapter,
        )


def load_parts(start: str | None) -> RerankerParts:
    """Return the reranker to start from.

    Args:
        start: folder of a reranker, or of an encoder that shall become one; None is the starter
            reranker.

    Raises:
        ModelUnavailable: the folder holds neither, or a reranker for another encoder.
    """
    from jobsentinel_workers.starter import starter_path

    folder = starter_path("reranker") if start is None else Path(start)
    described = _describe(folder)
    if described.get("format") != FORMAT:
        return _fresh(load_backbone(folder))
    if described.get("format_version") != FORMAT_VERSION:
        raise ModelUnavailable(f"{folder} has format version {described.get('format_version')}")
    return _continued(folder, described)


def _describe(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problem = f"{folder} holds neither a reranker nor an encoder: {error}"
        raise ModelUnavailable(problem) from error
    return found


def _fresh(backbone: Backbone) -> RerankerParts:
    add_adapters(backbone.network, rank=FRESH_RANK, alpha=FRESH_ALPHA)
    network = PairNetwork(backbone.network, backbone.hidden_size).to(choose_device("auto"))
    limits = PairLimits(max_tokens=min(PairLimits().max_tokens, backbone.max_positions))
    return RerankerParts(backbone, network, FRESH_RANK, FRESH_ALPHA, limits, FRESH_FUSION)


def _continued(folder: Path, described: dict[str, Any]) -> RerankerParts:
    tensors = read_tensors(folder / WEIGHTS_FILE)
    try:
        backbone = load_backbone(described["encoder"]["folder"])
        if backbone.sha256 != described["encoder"]["sha256"]:
            raise ModelUnavailable(
                f"{folder} was trained on an encoder with SHA-256 "
                f"{described['encoder']['sha256']}, found {backbone.sha256}"
            )
        rank, alpha = described["adapter"]["rank"], described["adapter"]["alpha"]
        add_adapters(backbone.network, rank=rank, alpha=alpha)
        network = PairNetwork(backbone.network, backbone.hidden_size)
        _fill(network, tensors)
        limits, fusion = PairLimits(**described["limits"]), Fusion(**described["fusion"])
        queries = read_query_adapter(described, tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ModelUnavailable(f"the weights in {folder} do not fit: {error!r}") from error
    placed = network.to(choose_device("auto"))
    return RerankerParts(backbone, placed, rank, alpha, limits, fusion, queries)


@torch.no_grad()
def _fill(network: PairNetwork, tensors: dict[str, torch.Tensor]) -> None:
    """Put head and adapters; a layer that the folder has no adapter for keeps a new, empty one."""
    network.head.load_state_dict(tensors_under(tensors, HEAD))
    fill_adapters(network.transformer, tensors_under(tensors, ADAPTER))
