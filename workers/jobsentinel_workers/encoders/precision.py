"""Which number format the encoders compute in.

bf16 halves the work where the processor multiplies it in hardware. Without AMX or AVX512-BF16 it
is emulated, 10 to 100 times slower than fp32, so it is never chosen there on its own.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from jobsentinel.contract.errors import ConfigurationError

Precision = Literal["fp32", "bf16"]
RequestedPrecision = Literal["auto", "fp32", "bf16"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def choose_precision(requested: str = "auto") -> Precision:
    """Return the precision to compute in; ``auto`` is the fastest this machine has.

    Raises:
        ConfigurationError: ``requested`` is not one of auto, fp32, bf16.
    """
    if requested == "auto":
        return "bf16" if _multiplies_bf16_in_hardware() else "fp32"
    if requested == "bf16":
        return "bf16"
    if requested == "fp32":
        return "fp32"
    allowed = ", ".join(get_args(RequestedPrecision))
    raise ConfigurationError(f"precision {requested!r} is unknown; choose one of {allowed}")


def choose_device(requested: str = "auto") -> torch.device:
    """Return the device to compute on; ``auto`` is a CUDA device where there is one."""
    if requested != "auto":
        return torch.device(requested)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _multiplies_bf16_in_hardware() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    report: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(report.get("amx_bf16") or report.get("avx512_bf16"))
