"""The key of the audit log: the one set, or 32 random bytes in a file that only its owner reads.

The file appears whole or not at all. Processes that start together agree on one key: whoever
links the file first has made it, and the others read that one.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from jobsentinel.contract.errors import ConfigurationError
from jobsentinel.durable import flush
from jobsentinel.settings import Settings

KEY_BYTES: Final = 32
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def key_file(settings: Settings) -> Path:
    """Return where the key is kept when none is set."""
    return settings.data_dir / "audit.key"


def find_key(settings: Settings) -> bytes | None:
    """Return the key, or None when none is set and none was made yet.

    Raises:
        ConfigurationError: others may read the key's file, or it holds no key.
    """
    if settings.audit_key is not None:
        return settings.audit_key.get_secret_value().encode("utf-8")
    try:
        return _read(key_file(settings))
    except FileNotFoundError:
        return None


def find_or_make_key(settings: Settings) -> bytes:
    """Return the key; make its file when none is set and none was made yet.

    Raises:
        ConfigurationError: as `find_key`, or the file cannot be made.
    """
    found = find_key(settings)
    if found is not None:
        return found
    path = key_file(settings)
    try:
        _make(path)
        return _read(path)
    except OSError as error:
        raise ConfigurationError(
            f"the audit log's key cannot be made at {path}: {error.strerror}"
        ) from error


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    _write_private(temporary, secrets.token_bytes(KEY_BYTES))
    try:
        # A link, not a rename: it never replaces the key that another process has just made.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    flush(path.parent)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _read(path: Path) -> bytes:
    """Read the key after a look at the rights of the very file that was opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"the audit log's key at {path} cannot be read: {error.strerror}"
        ) from error
    with os.fdopen(descriptor, "rb") as stream:
        _refuse_unsafe(path, os.fstat(stream.fileno()).st_mode)
        content = stream.read(KEY_BYTES + 1)
    if len(content) != KEY_BYTES:
        raise ConfigurationError(
            f"{path} does not hold the audit log's key of {KEY_BYTES} bytes; restore it"
        )
    return content


def _refuse_unsafe(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise ConfigurationError(f"{path} is no plain file; the audit log's key must be one")
    if mode & _OTHERS:
        raise ConfigurationError(
            f"{path} has mode {stat.S_IMODE(mode):04o}, so others than its owner may use the audit "
            f"log's key; set it to 0600 (`chmod 600 {path}`)"
        )
