"""Checkpoints of a run: complete or absent, checked when they are read.

    run.json                 what the run trains on; another run is refused
    embeddings/              finished chunks of fixed embeddings
    step-<n>/                weights, optimiser and random state (safetensors), state.json
    best-<n>/                the weights of the best epoch so far

The last two steps and what they name as best are kept. A best folder is on the disk before the
step that names it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from jobsentinel.contract.errors import ConfigurationError, ModelCorrupted, StoreUnavailable
from jobsentinel_workers.registry.durable_files import (
    discard_folder,
    encode_json,
    publish_folder,
    replace_file,
)

Tensors = Mapping[str, torch.Tensor]

KEPT_STEPS: Final = 2
STATE_FILE: Final = "state.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A run at one step: counters, trained weights, AdamW's moments, generators' states."""

    state: dict[str, Any]
    weights: Tensors
    optimiser: Tensors
    random: Tensors


class CheckpointFolder:
    """The checkpoints of one run in ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def embeddings(self) -> Path:
        """Where finished chunks of fixed embeddings are kept."""
        return self.root / "embeddings"

    def claim(self, identity: Mapping[str, Any]) -> None:
        """Bind the folder to the run that ``identity`` describes.

        Raises:
            ConfigurationError: it belongs to a run with other settings or data.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        for leftover in self.root.glob(".*"):
            shutil.rmtree(leftover, ignore_errors=True)
        path = self.root / "run.json"
        wanted = encode_json(identity)
        if not path.exists():
            replace_file(path, wanted)
        elif path.read_bytes() != wanted:
            raise ConfigurationError(
                f"{self.root} belongs to a run with other settings, data or encoder; "
                "give each run a directory of its own"
            )

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint durably and remove those that are no longer needed.

        Raises:
            StoreUnavailable: the disk is full; the checkpoints that are there stay.
        """
        groups: dict[str, Tensors] = {
            "weights.safetensors": checkpoint.weights,
            "optimiser.safetensors": checkpoint.optimiser,
            "random.safetensors": checkpoint.random,
        }
        path = self._publish(_step_name(checkpoint.state), groups, checkpoint.state)
        self._prune()
        return path

    def save_best(self, step: int, weights: Tensors) -> None:
        """Write the weights of the best epoch, unless they are there already."""
        name = f"best-{step:08d}"
        if not (self.root / name).exists():
            self._publish(name, {"weights.safetensors": weights}, {"step": step})

    def load_best(self, step: int) -> dict[str, torch.Tensor]:
        """Read the weights of the best epoch.

        Raises:
            ModelCorrupted: they are missing or damaged.
        """
        folder = self.root / f"best-{step:08d}"
        return _read_tensors(folder, "weights.safetensors", _read_state(folder))

    def latest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is sound, or None where there is none yet.

        Raises:
            ModelCorrupted: there are checkpoints and none is sound.
        """
        damaged: list[tuple[Path, ModelCorrupted]] = []
        for folder in reversed(self._steps()):
            try:
                checkpoint = self._read(folder)
            except ModelCorrupted as error:
                # The one before is as true, only older; the repeated steps cost time, not truth.
                logger.warning("checkpoint_damaged folder=%s problem=%s", folder, error)
                damaged.append((folder, error))
            else:
                for path, _ in damaged:
                    discard_folder(path)
                return checkpoint
        if damaged:
            raise damaged[0][1]
        return None

    def _read(self, folder: Path) -> Checkpoint:
        state = _read_state(folder)
        if state["best_step"] is not None:
            self.load_best(state["best_step"])
        return Checkpoint(
            state=state,
            weights=_read_tensors(folder, "weights.safetensors", state),
            optimiser=_read_tensors(folder, "optimiser.safetensors", state),
            random=_read_tensors(folder, "random.safetensors", state),
        )

    def _steps(self) -> list[Path]:
        return sorted(self.root.glob("step-*"))

    def _publish(self, name: str, groups: Mapping[str, Tensors], state: Mapping[str, Any]) -> Path:
        staged = self.root / f".{uuid4().hex}"
        try:
            _write(staged, groups, state)
            discard_folder(self.root / name)
            publish_folder(staged, self.root / name)
        except (OSError, SafetensorError) as error:
            # What is half-written takes room that the others need.
            shutil.rmtree(staged, ignore_errors=True)
            if _is_full(error):
                problem = f"no room for a checkpoint in {self.root}; the one before is kept"
                raise StoreUnavailable(problem) from error
            raise
        return self.root / name

    def _prune(self) -> None:
        steps = self._steps()
        for folder in steps[:-KEPT_STEPS]:
            discard_folder(folder)
        named = {_best_named_by(folder) for folder in steps[-KEPT_STEPS:]}
        for folder in self.root.glob("best-*"):
            if folder.name not in named:
                discard_folder(folder)


def _write(staged: Path, groups: Mapping[str, Tensors], state: Mapping[str, Any]) -> None:
    staged.mkdir()
    for file, tensors in groups.items():
        save_file(dict(tensors), staged / file)
    hashes = {file: _hash(staged / file) for file in groups}
    sealed = {**state, "sha256": hashes}
    (staged / STATE_FILE).write_bytes(encode_json(sealed | {"seal": _seal(sealed)}))


def _is_full(error: OSError | SafetensorError) -> bool:
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    # The library tells the number in words only.
    return f"os error {errno.ENOSPC}" in str(error) or f"os error {errno.EDQUOT}" in str(error)


def _step_name(state: Mapping[str, Any]) -> str:
    # The end of a run has a name of its own, so that it never replaces the step it follows.
    return f"step-{state['step']:08d}" + ("-final" if state["finished"] else "")


def _best_named_by(folder: Path) -> str | None:
    try:
        step = _read_state(folder).get("best_step")
    except ModelCorrupted:
        # A damaged step names nothing, and the newer one beside it is sound.
        return None
    return None if step is None else f"best-{step:08d}"


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((folder / STATE_FILE).read_bytes())
        seal = state.pop("seal")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelCorrupted(f"{folder / STATE_FILE} cannot be read: {error!r}") from error
    if seal != _seal(state):
        raise ModelCorrupted(f"{folder / STATE_FILE} was changed after it was written")
    return state


def _read_tensors(folder: Path, file: str, state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    path = folder / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelCorrupted(f"{path} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != state.get("sha256", {}).get(file):
        raise ModelCorrupted(f"{path} differs from the SHA-256 in its {STATE_FILE}")
    return load(content)


def _seal(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(encode_json(state)).hexdigest()


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
