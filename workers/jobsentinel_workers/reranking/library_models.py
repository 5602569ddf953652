"""Models that sentence-transformers wrote, as scorers; nothing in their folders is run.

A folder must say itself which kind of model it holds. The library would turn any other encoder into
that kind by adding a layer of random weights, whose scores look like scores.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import torch
from safetensors import SafetensorError

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import FloatArray, Runner, choose_device, run_directly
from jobsentinel_workers.encoders.loading import file_sha256, quiet_transformers
from jobsentinel_workers.encoders.precision import DTYPES

_CONFIG_FILE: Final = "config_sentence_transformers.json"
_RUNNABLE: Final = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth", ".py"})


class LibraryScorer:
    """A scorer of a `Stage` that encodes query and texts apart and compares what comes out.

    It computes in the calling thread, one call at a time.
    """

    stage_name: ClassVar[str]
    library_class: ClassVar[str]
    """The class of sentence-transformers that wrote the folder."""

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Return the scorer of the model in the folder ``path``.

        Raises:
            ModelUnavailable: it holds no ``library_class``, or files that could run code.
        """
        import sentence_transformers  # takes seconds

        kind = getattr(sentence_transformers, cls.library_class)
        return cls(*load_library_model(kind, path, device))

    def __init__(self, model: Any, model_id: str) -> None:
        self.model_id = model_id
        self._encoder = model
        self._one_at_a_time = threading.Lock()  # its tokenizer is not for several threads

    @property
    def precision(self) -> str:
        """The number format of the weights, as they were saved: ``fp32``, ``bf16`` or another."""
        dtype = next(self._encoder.parameters()).dtype
        names = {kind: name for name, kind in DTYPES.items()}
        return names.get(dtype, str(dtype).removeprefix("torch."))

    @torch.inference_mode()
    def score(self, query: str, texts: Sequence[str], runner: Runner = run_directly) -> FloatArray:
        """Return (n,) float32 similarities of ``texts`` and ``query``; ``runner`` is not used."""
        with self._one_at_a_time:
            asked = self._encoder.encode_query([query], show_progress_bar=False)
            read = self._encoder.encode_document(list(texts), show_progress_bar=False)
            similarities: torch.Tensor = self._encoder.similarity(asked, read)
        scores: FloatArray = similarities[0].float().cpu().numpy()
        return scores


def load_library_model(kind: Any, path: str | Path, device: str) -> tuple[Any, str]:
    """Return the model of ``kind`` in the folder ``path`` with its id.

    Raises:
        ModelUnavailable: the folder holds no such model, or files that could run code.
    """
    folder = Path(path)
    check_library_folder(folder, kind.__name__)
    try:
        with quiet_transformers():
            model = kind(
                str(folder),
                device=str(choose_device(device)),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailable(f"{folder} holds no readable {kind.__name__}: {error}") from error
    return model.eval(), _model_id(folder)


def check_library_folder(folder: Path, kind: str) -> None:
    """Raise ModelUnavailable unless ``folder`` says it holds a ``kind``, and has nothing to run."""
    try:
        found = _json(folder / _CONFIG_FILE)["model_type"]
        modules = [module["type"] for module in _json(folder / "modules.json")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(
            f"{folder} holds no model of sentence-transformers: {error!r}"
        ) from None
    if found != kind:
        raise ModelUnavailable(f"{folder} holds a {found!r:.80}, not a {kind}")
    for module in modules:
        if not str(module).startswith("sentence_transformers."):
            raise ModelUnavailable(f"{folder} wants the code {module!r:.80}, which is not run")
    refuse_runnable(folder)


def refuse_runnable(folder: Path) -> None:
    """Raise ModelUnavailable if ``folder`` holds a pickle or code."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in _RUNNABLE:
            name = file.relative_to(folder)
            raise ModelUnavailable(f"{folder} holds {name}; only safetensors and JSON are read")


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _model_id(folder: Path) -> str:
    """Return the folder's name with a hash over the weights of all modules."""
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*.safetensors")):
        total.update(f"{file.relative_to(folder).as_posix()} {file_sha256(file)}\n".encode())
    return f"{folder.name}@{total.hexdigest()[:12]}"
