"""Which machine the figures are from."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from jobsentinel_workers.encoders import choose_precision


def facts() -> dict[str, object]:
    """Return processor, cores, instruction set, precision and versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "precision": choose_precision(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def describe() -> str:
    """Return the facts in one line."""
    return " · ".join(f"{name} {value}" for name, value in facts().items())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
