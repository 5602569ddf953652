"""The number format of a training's forward passes."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from jobsentinel_workers.encoders import choose_precision
from jobsentinel_workers.fine_tuning.config import FineTuningConfig


def training_arithmetic(
    config: FineTuningConfig, device: torch.device, *, trains_encoder: bool | None = None
) -> AbstractContextManager[object]:
    """Compute a trained encoder in bf16 where the machine is fast at it; weights stay fp32."""
    trains = config.trains_encoder if trains_encoder is None else trains_encoder
    enabled = trains and choose_precision(config.precision) == "bf16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
