"""The second stage: a cross-encoder that reads query and posting together."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import (
    Backbone,
    FloatArray,
    QueryAdapter,
    Runner,
    SequenceModel,
    TextEncoder,
    choose_device,
    choose_precision,
    load_backbone,
    run_directly,
)
from jobsentinel_workers.encoders.adapters import adapter_state, fold_adapters
from jobsentinel_workers.encoders.loading import file_sha256
from jobsentinel_workers.encoders.precision import DTYPES
from jobsentinel_workers.reranking.fusion import Fusion
from jobsentinel_workers.reranking.library_cross_encoder import (
    is_library_cross_encoder,
    load_library_cross_encoder,
    write_fusion,
)
from jobsentinel_workers.reranking.pair_model import PairLimits, PairModel
from jobsentinel_workers.reranking.pair_scoring import PairNetwork

FORMAT, FORMAT_VERSION = "jobsentinel-reranker", 1
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
ADAPTER, HEAD, QUERY = "adapter.", "head.", "query."
Tensors = dict[str, torch.Tensor]


class CrossEncoderReranker:
    """A cross-encoder with the weights that join its score to a bi-encoder's.

    Example:
        >>> reranker = CrossEncoderReranker.load()
        >>> reranker.score("nurse", ["Registered nurse", "Truck driver"]).shape
        (2,)
    """

    def __init__(
        self, model: PairModel, fusion: Fusion, query_adapter: QueryAdapter | None = None
    ) -> None:
        self.model = model
        self.fusion = fusion
        self.query_adapter = query_adapter
        self._query_encoders: dict[str, SequenceModel] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        precision: str = "auto",
        device: str = "auto",
    ) -> CrossEncoderReranker:
        """Return the reranker in the folder ``path``, by default the starter one.

        A folder of sentence-transformers' ``CrossEncoder``, or of a transformers model for sequence
        classification with one output, is one as well.

        Raises:
            ModelUnavailable: the folder holds no readable reranker, or for another encoder.
        """
        folder = _starter_folder() if path is None else Path(path)
        config = _read_config(folder)
        if is_library_cross_encoder(config):
            return cls(*load_library_cross_encoder(folder, precision, device))
        tensors = _read_tensors(folder, config)
        backbone = _backbone(config["encoder"])
        network = _build(backbone, config, tensors, folder)
        chosen, place = choose_precision(precision), choose_device(device)
        # Only the transformer changes precision: the head adds up small differences.
        network.to(place).transformer.to(DTYPES[chosen])
        model = PairModel(
            network.eval(),
            backbone.tokenizer_json,
            model_id=f"{folder.name}@{file_sha256(folder / WEIGHTS_FILE)[:12]}",
            limits=PairLimits(**config["limits"]),
            precision=chosen,
            device=place,
            pad_id=backbone.pad_id,
        )
        return cls(model, Fusion(**config["fusion"]), read_query_adapter(config, tensors))

    def query_encoder(self, encoder: SequenceModel) -> SequenceModel:
        """Return what encodes queries where ``encoder`` encoded the documents.

        It is ``encoder`` itself, unless this reranker was trained with an adapter for its queries.
        """
        if self.query_adapter is None or not self.query_adapter.fits(encoder):
            return encoder
        with self._lock:
            if encoder.model_id not in self._query_encoders:
                adapted = self.query_adapter.applied_to(cast(TextEncoder, encoder))
                self._query_encoders[encoder.model_id] = adapted
            return self._query_encoders[encoder.model_id]

    def score(self, query: str, texts: Sequence[str], runner: Runner = run_directly) -> FloatArray:
        """Return (n,) float32 relevance logits of ``texts`` for ``query``; higher is better."""
        return runner(self.model, [(query, text) for text in texts])[:, 0]


def save_reranker(
    network: PairNetwork,
    backbone: Backbone,
    directory: Path,
    *,
    adapter: dict[str, float],
    limits: PairLimits,
    fusion: Fusion,
    query_adapter: QueryAdapter | None = None,
) -> Path:
    """Write adapters, head and configuration into ``directory``; ``adapter``: rank and alpha."""
    directory.mkdir(parents=True, exist_ok=True)
    adapters = adapter_state(network.transformer)
    tensors = {f"{ADAPTER}{name}": tensor.contiguous() for name, tensor in adapters.items()}
    tensors |= {
        f"{HEAD}{name}": tensor.detach() for name, tensor in network.head.state_dict().items()
    }
    if query_adapter is not None:
        tensors |= {f"{QUERY}{n}": t.clone() for n, t in query_adapter.tensors.items()}
    # Written by hand, since the library's own writer lets nobody else read the file.
    (directory / WEIGHTS_FILE).write_bytes(to_safetensors(tensors))
    encoder = {"name": backbone.name, "folder": backbone.folder, "sha256": backbone.sha256}
    write_config(
        directory,
        {
            "encoder": encoder,
            "adapter": adapter,
            "limits": asdict(limits),
            "fusion": asdict(fusion),
            "query_adapter": _describe(query_adapter),
        },
    )
    return directory


def _describe(adapter: QueryAdapter | None) -> dict[str, Any] | None:
    if adapter is None:
        return None
    told = ("encoder_sha256", "rank", "alpha")
    return {name: getattr(adapter, name) for name in told}


def tensors_under(tensors: Tensors, prefix: str) -> Tensors:
    """Return those of ``tensors`` whose name begins with ``prefix``, by the rest of the name."""
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


def read_query_adapter(config: dict[str, Any], tensors: Tensors) -> QueryAdapter | None:
    """Return the adapter for queries that a reranker's files hold, if they hold one."""
    described = config.get("query_adapter")
    if described is None:
        return None
    return QueryAdapter(**described, tensors=tensors_under(tensors, QUERY))


def write_config(directory: Path, settings: dict[str, Any]) -> None:
    """Write the configuration file of a reranker."""
    config = {"format": FORMAT, "format_version": FORMAT_VERSION} | settings
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (directory / CONFIG_FILE).write_text(text, encoding="utf-8")


def update_fusion(directory: Path, fusion: Fusion) -> None:
    """Replace the fusion weights of the reranker in ``directory``."""
    config = _read_config(directory)
    if is_library_cross_encoder(config):
        write_fusion(directory, fusion)
        return
    _check_format(directory, config)
    write_config(directory, config | {"fusion": asdict(fusion)})


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{folder} holds no readable reranker: {error}") from error
    return config


def _read_tensors(folder: Path, config: dict[str, Any]) -> Tensors:
    _check_format(folder, config)
    try:
        return load_file(folder / WEIGHTS_FILE)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelUnavailable(f"{folder} holds no readable reranker: {error}") from error


def _check_format(folder: Path, config: dict[str, Any]) -> None:
    found = (config.get("format"), config.get("format_version"))
    if found != (FORMAT, FORMAT_VERSION):
        raise ModelUnavailable(f"{folder} has format {found}, not {(FORMAT, FORMAT_VERSION)}")


def _backbone(wanted: dict[str, Any]) -> Backbone:
    backbone = load_backbone(wanted["folder"])
    if backbone.sha256 != wanted["sha256"]:
        raise ModelUnavailable(
            f"the reranker was trained on {wanted['name']} with SHA-256 {wanted['sha256']}, "
            f"found {backbone.sha256}"
        )
    return backbone


def _build(
    backbone: Backbone, config: dict[str, Any], tensors: Tensors, folder: Path
) -> PairNetwork:
    network = PairNetwork(backbone.network, backbone.hidden_size)
    try:
        fold_adapters(backbone.network, tensors_under(tensors, ADAPTER), **config["adapter"])
        network.head.load_state_dict(tensors_under(tensors, HEAD))
    except (AttributeError, KeyError, RuntimeError) as error:
        raise ModelUnavailable(f"the weights in {folder} do not fit: {error}") from error
    return network.requires_grad_(False)


def _starter_folder() -> Path:
    from jobsentinel_workers.starter import starter_path

    return starter_path("reranker")
