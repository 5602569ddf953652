"""Queries encoded another way than documents: low-rank changes to the encoder, for queries alone.

What people type is not written like what they look for. Training the query's side alone closes some
of that gap, and documents keep the embeddings they have: nothing stored is encoded again
(V. Karpukhin et al. 2020, "Dense Passage Retrieval", has two encoders; here one is the other plus
an adapter, and both share all weights that the adapter leaves alone).
"""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain

import torch
from torch import nn

from jobsentinel_workers.encoders.adapters import fold_adapters, layer_names
from jobsentinel_workers.encoders.sequence_model import SequenceModel
from jobsentinel_workers.encoders.text_encoder import TextEncoder


@dataclass(frozen=True, slots=True, eq=False)
class QueryAdapter:
    """Low-rank changes that turn an encoder of documents into one of queries.

    Attributes:
        encoder_sha256: of the weights of the encoder it was trained beside.
        rank: of the changes.
        alpha: their scale is ``alpha / rank``.
        tensors: ``<layer>.down`` and ``<layer>.up`` by name.
        digest: eight hexadecimal digits that change with the tensors.
    """

    encoder_sha256: str
    rank: int
    alpha: float
    tensors: dict[str, torch.Tensor]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        hashed = sha256()
        for name, tensor in sorted(self.tensors.items()):
            hashed.update(name.encode())
            hashed.update(tensor.float().contiguous().numpy().tobytes())
        object.__setattr__(self, "digest", hashed.hexdigest()[:8])

    def fits(self, encoder: SequenceModel) -> bool:
        """Return whether ``encoder`` is the one it was trained beside, just as it was."""
        return (
            isinstance(encoder, TextEncoder)
            and encoder.backbone.sha256 == self.encoder_sha256
            and encoder.model_id == encoder.text_model_id
            and encoder.revision == self.encoder_sha256[:12]
        )

    def applied_to(self, encoder: TextEncoder) -> TextEncoder:
        """Return the encoder of queries; it shares with ``encoder`` what it does not change.

        Raises:
            AttributeError: it changes a layer that the encoder does not have.
        """
        other = copy(encoder)
        other.network = _with_changes(encoder.network, self)
        other.revision = f"{encoder.revision}+{self.digest}"
        return other


def _with_changes(network: nn.Module, adapter: QueryAdapter) -> nn.Module:
    changed = {f"{name}.weight" for name in layer_names(adapter.tensors)}
    tensors = chain(network.named_parameters(), network.named_buffers())
    shared = {id(tensor): tensor for name, tensor in tensors if name not in changed}
    other: nn.Module = deepcopy(network, shared)
    place = next(network.parameters()).device
    state = {name: tensor.to(place) for name, tensor in adapter.tensors.items()}
    fold_adapters(other, state, rank=adapter.rank, alpha=adapter.alpha)
    return other
