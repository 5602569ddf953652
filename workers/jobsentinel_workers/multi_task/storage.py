"""A multi-task model on disk: config.json and model.safetensors, nothing that runs code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import Pooler, TextEncoder, load_backbone
from jobsentinel_workers.multi_task.calibration import Calibration
from jobsentinel_workers.multi_task.evidence import JoinedCalibration
from jobsentinel_workers.multi_task.tasks import Task
from jobsentinel_workers.multi_task.word_networks import WordNetworks
from jobsentinel_workers.multi_task.words import Vocabulary, WordModel

if TYPE_CHECKING:
    from jobsentinel_workers.multi_task.model import MultiTaskBERT

FORMAT = "jobsentinel-multi-task"
FORMAT_VERSION = 3
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"

ModelT = TypeVar("ModelT", bound="MultiTaskBERT")
WordsT = TypeVar("WordsT", WordModel, WordNetworks)
Tensors = dict[str, torch.Tensor]


def save(model: MultiTaskBERT, directory: Path) -> Path:
    """Write ``model`` into ``directory``, which is created if need be; return it."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = head_tensors(model)
    if model.encoder_changed:
        tensors |= _prefixed("encoder", model.network)
    # Written by hand, since the library's own writer lets nobody else read the file.
    (directory / WEIGHTS_FILE).write_bytes(to_safetensors(tensors))
    text = json.dumps(_to_config(model), indent=2, sort_keys=True)
    (directory / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
    return directory


def head_tensors(model: MultiTaskBERT) -> Tensors:
    """Return the weights of all heads and of the pair scorer, by name."""
    tensors = _prefixed("heads", model.heads) | _prefixed("pair_scorer", model.pair_scorer)
    tensors |= _prefixed("pooler", model.encoder.pooler)
    tensors |= _word_tensors("words", model.word_models)
    return tensors | _word_tensors("word_networks", model.word_networks)


def _word_tensors(prefix: str, models: Mapping[str, WordModel | WordNetworks]) -> Tensors:
    tensors = {}
    for name, words in models.items():
        fields = asdict(words)
        for field, array in (fields | fields.pop("vocabulary")).items():
            tensors[f"{prefix}.{name}.{field}"] = torch.from_numpy(array)
    return tensors


def _word_models(prefix: str, kind: type[WordsT], tensors: Tensors) -> dict[str, WordsT]:
    fields: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        if key.startswith(f"{prefix}."):
            _, name, field = key.split(".")
            fields.setdefault(name, {})[field] = tensor.numpy()
    return {name: _word_model(kind, arrays) for name, arrays in fields.items()}


def _word_model(kind: type[WordsT], arrays: dict[str, Any]) -> WordsT:
    vocabulary = Vocabulary(arrays.pop("places"), arrays.pop("rarity"))
    return kind(vocabulary=vocabulary, **arrays)


def _joined(fields: dict[str, Any]) -> JoinedCalibration:
    return JoinedCalibration(**{**fields, "calibration": Calibration(**fields["calibration"])})


def fingerprint(model: MultiTaskBERT) -> str:
    """Return 12 hexadecimal digits that change with any weight or calibration of the heads."""
    digest = hashlib.sha256(json.dumps(_answers_config(model), sort_keys=True).encode())
    for name, tensor in sorted(head_tensors(model).items()):
        digest.update(name.encode())
        digest.update(tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def _prefixed(prefix: str, module: torch.nn.Module) -> Tensors:
    return {f"{prefix}.{k}": v.detach().cpu().contiguous() for k, v in module.state_dict().items()}


def _answers_config(model: MultiTaskBERT) -> dict[str, Any]:
    return {
        "tasks": [task.to_json() for task in model.tasks.values()],
        "calibrations": {name: asdict(c) for name, c in sorted(model.calibrations.items())},
        "joined_calibrations": {
            name: asdict(joined) for name, joined in sorted(model.joined_calibrations.items())
        },
        "pair_scorer_trained": model.pair_scorer.trained,
    }


def _to_config(model: MultiTaskBERT) -> dict[str, Any]:
    encoder = model.encoder
    return _answers_config(model) | {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "encoder": {
            "name": encoder.backbone.name,
            "folder": encoder.backbone.folder,
            "sha256": encoder.backbone.sha256,
            "revision": encoder.revision,
            "max_tokens": encoder.max_tokens,
            "pooling": encoder.pooler.to_json(),
            "changed": model.encoder_changed,
        },
    }


def load(
    kind: type[ModelT], directory: Path, encoder: TextEncoder | None, precision: str
) -> ModelT:
    """Return the model of class ``kind`` in ``directory``."""
    config = read_config(directory)
    tensors = _read_weights(directory)
    loaded = _encoder_for(config["encoder"], tensors, encoder, precision)
    pooler = Pooler(loaded.backbone.hidden_size, **config["encoder"]["pooling"])
    _fill(pooler, "pooler", tensors, directory)
    tasks = [Task.from_json(fields) for fields in config["tasks"]]
    model = kind(loaded.with_pooler(pooler), tasks)
    _fill(model.heads, "heads", tensors, directory)
    _fill(model.pair_scorer, "pair_scorer", tensors, directory)
    model.calibrations = {k: Calibration(**v) for k, v in config["calibrations"].items()}
    model.word_models = _word_models("words", WordModel, tensors)
    model.word_networks = _word_models("word_networks", WordNetworks, tensors)
    model.joined_calibrations = {
        name: _joined(fields) for name, fields in config["joined_calibrations"].items()
    }
    model.pair_scorer.trained = bool(config["pair_scorer_trained"])
    model.encoder_changed = bool(config["encoder"]["changed"])
    return model


def read_config(directory: Path) -> dict[str, Any]:
    """Return the configuration in ``directory``.

    Raises:
        ModelUnavailable: it is missing, damaged or of a format that is not known here.
    """
    try:
        config = json.loads((directory / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{directory} holds no readable multi-task model") from error
    found = (config.get("format"), config.get("format_version"))
    if found != (FORMAT, FORMAT_VERSION):
        raise ModelUnavailable(f"{directory} has format {found}, not {(FORMAT, FORMAT_VERSION)}")
    settings: dict[str, Any] = config
    return settings


def _read_weights(directory: Path) -> Tensors:
    try:
        return load_file(directory / WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"{directory / WEIGHTS_FILE} cannot be read: {error}") from error


def _fill(module: torch.nn.Module, prefix: str, tensors: Tensors, directory: Path) -> None:
    start = f"{prefix}."
    own = {key.removeprefix(start): t for key, t in tensors.items() if key.startswith(start)}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise ModelUnavailable(f"the {prefix} in {directory} do not fit: {error}") from error


def _encoder_for(
    wanted: dict[str, Any], tensors: Tensors, offered: TextEncoder | None, precision: str
) -> TextEncoder:
    if offered is not None and not wanted["changed"]:
        return _checked(offered, wanted)
    encoder = _base_encoder(wanted, offered, precision)
    if wanted["changed"]:
        _fill(encoder.network, "encoder", tensors, Path(wanted["name"]))
        encoder.revision = wanted["revision"]
    return encoder


def _base_encoder(
    wanted: dict[str, Any], offered: TextEncoder | None, precision: str
) -> TextEncoder:
    # Changed weights go into a fresh network: the offered one may be serving other models.
    if offered is None:
        loaded = TextEncoder.load(wanted["folder"], precision, wanted["max_tokens"])
        return _checked(loaded, wanted)
    return TextEncoder(
        load_backbone(offered.backbone.folder),
        precision=offered.precision,
        max_tokens=wanted["max_tokens"],
        device=offered.device,
    )


def _checked(encoder: TextEncoder, wanted: dict[str, Any]) -> TextEncoder:
    fields = {"sha256": encoder.backbone.sha256, "max_tokens": encoder.max_tokens}
    if encoder.revision != encoder.backbone.sha256[:12]:
        fields["sha256"] = encoder.revision
    for field, found in fields.items():
        if found != wanted[field]:
            raise ModelUnavailable(
                f"the model needs encoder {wanted['name']} with {field} {wanted[field]}, "
                f"but was given {encoder.model_id}"
            )
    return encoder
