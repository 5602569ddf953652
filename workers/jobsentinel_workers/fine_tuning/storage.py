"""A fine-tuned model on disk: safetensors and JSON, nothing that runs code.

config.json           task, classes, units, settings, and which encoder it stands on
model.safetensors     the head
adapter.safetensors   low-rank changes to that encoder, only from the method lora
encoder/              a complete encoder folder, only where training changed its weights
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.encoders import TextEncoder, packaged_model_path
from jobsentinel_workers.fine_tuning.adapter import Adapter, load_adapted
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.targets import Targets

if TYPE_CHECKING:
    from jobsentinel_workers.fine_tuning.model import FineTunedBERT

FORMAT: Final = "jobsentinel-fine-tuned"
FORMAT_VERSION: Final = 1
CONFIG_FILE: Final = "config.json"
WEIGHTS_FILE: Final = "model.safetensors"
ADAPTER_FILE: Final = "adapter.safetensors"
ENCODER_FOLDER: Final = "encoder"
_TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "1_Pooling/config.json",
)

ModelT = TypeVar("ModelT", bound="FineTunedBERT")


def save(model: FineTunedBERT, directory: Path) -> Path:
    """Write ``model`` into ``directory``, which is created if need be; return it."""
    if not model.is_trained:
        raise ModelUnavailable("an untrained model is not worth saving: fine-tune it first")
    directory.mkdir(parents=True, exist_ok=True)
    head = {name: tensor.cpu().contiguous() for name, tensor in model.head.state_dict().items()}
    save_file(head, directory / WEIGHTS_FILE)
    if model.adapter is not None:
        save_file(model.adapter.tensors, directory / ADAPTER_FILE)
    elif model.encoder_changed:
        _save_encoder(model.encoder, directory / ENCODER_FOLDER)
    text = json.dumps(_describe(model), indent=2, sort_keys=True, ensure_ascii=False)
    (directory / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
    return directory


def load(
    kind: type[ModelT], directory: Path, encoder: TextEncoder | None, precision: str
) -> ModelT:
    """Return the model of class ``kind`` in ``directory``."""
    described = read_description(directory)
    try:
        config = FineTuningConfig.from_dict(described["config"])
        values = described["targets"]
        targets = Targets(tuple(values["classes"]), values["mean"], values["std"])
        base = described["encoder"]
        adapter = _read_adapter(base, directory)
        found = _find_encoder(base, directory, encoder, precision, adapter)
    except (KeyError, TypeError, InvalidInput) as error:
        raise ModelUnavailable(f"{directory / CONFIG_FILE} is incomplete: {error!r}") from error
    model = kind(config, found)
    model.begin(targets)
    model.encoder_changed = bool(base["changed"])
    model.adapter = adapter
    if adapter is not None:
        model.note_encoder_change()
    _fill(model.head, directory / WEIGHTS_FILE)
    model.head.eval()
    return model


def _read_adapter(base: dict[str, Any], directory: Path) -> Adapter | None:
    shape = base.get("adapter")
    if shape is None:
        return None
    return Adapter(shape["rank"], shape["alpha"], read_tensors(directory / ADAPTER_FILE))


def read_description(directory: Path) -> dict[str, Any]:
    """Return ``config.json`` of a saved model.

    Raises:
        ModelUnavailable: it is missing, damaged, or of a format that is not known here.
    """
    try:
        described = json.loads((directory / CONFIG_FILE).read_text(encoding="utf-8"))
        found = (described["format"], described["format_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(f"{directory} holds no readable fine-tuned model") from error
    if found != (FORMAT, FORMAT_VERSION):
        raise ModelUnavailable(f"{directory} has format {found}, not {(FORMAT, FORMAT_VERSION)}")
    return dict(described)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors in a safetensors file.

    Raises:
        ModelUnavailable: it is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}") from error


def _describe(model: FineTunedBERT) -> dict[str, Any]:
    encoder, adapter = model.encoder, model.adapter
    assert model.targets is not None  # a trained model has them
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": model.config.as_dict(),
        "targets": asdict(model.targets),
        "encoder": {
            "name": encoder.backbone.name,
            "folder": encoder.backbone.folder,
            "sha256": encoder.backbone.sha256,
            "max_tokens": encoder.max_tokens,
            "changed": model.encoder_changed,
            "adapter": adapter and {"rank": adapter.rank, "alpha": adapter.alpha},
        },
    }


def _save_encoder(encoder: TextEncoder, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    network: Any = encoder.network
    network.config.save_pretrained(folder)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    source = encoder.backbone.folder
    base = packaged_model_path() if source is None else Path(source)
    for name in _TOKENIZER_FILES:
        if (base / name).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(base / name, folder / name)


def _find_encoder(
    wanted: dict[str, Any],
    directory: Path,
    offered: TextEncoder | None,
    precision: str,
    adapter: Adapter | None,
) -> TextEncoder:
    max_tokens = wanted["max_tokens"]
    if adapter is not None:
        fits = offered is not None and offered.backbone.sha256 == wanted["sha256"]
        base = offered.backbone.folder if offered is not None and fits else wanted["folder"]
        return load_adapted(
            base, wanted["sha256"], adapter, precision=precision, max_tokens=max_tokens
        )
    if wanted["changed"]:
        return TextEncoder.load(directory / ENCODER_FOLDER, precision, max_tokens)
    if offered is not None and _has_weights(offered, wanted["sha256"]):
        return _with_max_tokens(offered, max_tokens)
    loaded = TextEncoder.load(wanted["folder"], precision, max_tokens)
    if not _has_weights(loaded, wanted["sha256"]):
        raise ModelUnavailable(
            f"the model was trained on encoder {wanted['name']} with SHA-256 {wanted['sha256']}, "
            f"but {wanted['folder'] or 'the packaged one'} has {loaded.backbone.sha256}"
        )
    return loaded


def _has_weights(encoder: TextEncoder, sha256: str) -> bool:
    # A revision of its own means that the weights in memory are no longer those of the file.
    unchanged = encoder.revision == encoder.backbone.sha256[:12]
    return unchanged and encoder.backbone.sha256 == sha256


def _with_max_tokens(encoder: TextEncoder, max_tokens: int) -> TextEncoder:
    """Return ``encoder`` or one that shares its weights but cuts texts elsewhere."""
    if encoder.max_tokens == max_tokens:
        return encoder
    return TextEncoder(
        encoder.backbone,
        precision=encoder.precision,
        max_tokens=max_tokens,
        device=encoder.device,
    )


def _fill(head: torch.nn.Module, path: Path) -> None:
    try:
        head.load_state_dict(read_tensors(path))
    except RuntimeError as error:
        raise ModelUnavailable(f"{path} does not fit the task: {error}") from error
