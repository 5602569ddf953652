"""The overlays of `deploy/kubernetes`, each rendered in a copy that has a stand-in for secrets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from deploy.checking.kustomize import Manifest, render

DEPLOY: Final = Path(__file__).resolve().parents[1]
KUBERNETES: Final = DEPLOY / "kubernetes"
OVERLAYS: Final = ("single-node", "production", "gpu")


@contextmanager
def filled_copy(kubernetes: Path = KUBERNETES) -> Iterator[Path]:
    """Give a copy of the manifests in which every ``X.example`` is there as ``X`` too."""
    with TemporaryDirectory() as folder:
        copied = Path(shutil.copytree(kubernetes, Path(folder) / "kubernetes"))
        for example in copied.rglob("*.example"):
            shutil.copy(example, example.with_suffix(""))
        yield copied


def rendered() -> dict[str, list[Manifest]]:
    """Return the manifests of each overlay.

    Raises:
        RenderError: one cannot be rendered.
    """
    with filled_copy() as kubernetes:
        return {name: render(kubernetes / "overlays" / name) for name in OVERLAYS}
