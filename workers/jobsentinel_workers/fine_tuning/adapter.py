"""The low-rank adapter of a fine-tuned model: what lies on disk instead of a whole encoder.

It is kept beside the name and SHA-256 of its base and folded in when the model is loaded: a
version then takes a megabyte where a merged encoder takes ninety, and answers just as fast. What it
costs is that the base must be at hand; over another one the adapter is refused.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import (
    TextEncoder,
    choose_device,
    choose_precision,
    load_backbone,
)
from jobsentinel_workers.encoders.adapters import fold_adapters

ADAPTER_RANK: Final = 8
ADAPTER_ALPHA: Final = 16.0


@dataclass(frozen=True)
class Adapter:
    """Adapters of an encoder's linear layers: ``<layer>.down`` and ``<layer>.up``, on the CPU."""

    rank: int
    alpha: float
    tensors: dict[str, torch.Tensor]


def load_adapted(
    base: str | None, sha256: str, adapter: Adapter, *, precision: str, max_tokens: int
) -> TextEncoder:
    """Return the encoder in the folder ``base`` with ``adapter`` folded into its weights.

    Raises:
        ModelUnavailable: the folder holds another encoder than the adapter was trained on.
    """
    backbone = load_backbone(None if base is None else Path(base))
    if backbone.sha256 != sha256:
        raise ModelUnavailable(
            f"the adapter was trained on an encoder with SHA-256 {sha256}, "
            f"but {base or 'the packaged one'} has {backbone.sha256}"
        )
    # Folded in fp32, before the encoder takes the precision it serves with.
    network = copy.deepcopy(backbone.network)
    try:
        fold_adapters(network, adapter.tensors, rank=adapter.rank, alpha=adapter.alpha)
    except (AttributeError, KeyError, RuntimeError) as error:
        raise ModelUnavailable(f"the adapter does not fit its encoder: {error}") from error
    return TextEncoder(
        replace(backbone, network=network),
        precision=choose_precision(precision),
        max_tokens=max_tokens,
        device=choose_device("auto"),
    )
