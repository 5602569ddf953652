"""Libraries that only some users need: which extra brings each, told where one is missing."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from jobsentinel.contract.errors import ConfigurationError

_EXTRA_OF: Final = MappingProxyType(
    {
        "datasketch": "dedup",
        "pyarrow": "tables",
        "scrapy": "scrapy",
        "selectolax": "html",
        "w3lib": "html",
    }
)


def optional_module(name: str, purpose: str) -> Any:
    """Return the module ``name``, such as ``pyarrow.parquet``; ``purpose`` is what needs it.

    Raises:
        ConfigurationError: it is not installed; the message names the extra that brings it.
    """
    package = name.partition(".")[0]
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ConfigurationError(
            f"{purpose} needs the package {package!r}: "
            f"pip install 'jobsentinel-ml[{_EXTRA_OF[package]}]'"
        ) from None
