"""A version as one file, to carry to another machine: a .tar.gz of its files and its manifest.

What is written is always the same for the same version: names in order, no times, no owners. What
is read is taken for hostile: plain files with plain names, so many and so large at most, each
written to a place of its own below the folder given, or nothing at all is taken.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final
from uuid import uuid4

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.durable import flush
from jobsentinel_workers.registry.durable_files import walk
from jobsentinel_workers.registry.manifest import MANIFEST_NAME, MAX_FILES, check_format

MAX_BYTES: Final = 4 * 1024**3
"""Of a version's files together, unless the caller allows more."""
MAX_MANIFEST_BYTES: Final = 16 * 1024**2
_PIECE_BYTES: Final = 1024**2
_PLAIN: Final = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE})


def write_archive(folder: Path, target: Path) -> None:
    """Write the files below ``folder`` to ``target``, which appears when it is complete."""
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        with temporary.open("xb") as stream:
            _write(folder, stream)
        flush(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    flush(target.parent)


def _write(folder: Path, stream: IO[bytes]) -> None:
    files = [path for path in walk(folder) if path.is_file()]
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in files:
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(entry, content)


def read_archive(archive: Path, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Write the files of ``archive`` below ``folder``, which is made.

    Raises:
        InvalidInput: it is damaged, too large, or holds anything but plain files of known formats.
    """
    folder.mkdir(parents=True)
    try:
        with archive.open("rb") as packed, gzip.GzipFile(fileobj=packed) as stream:
            for entry in _entries(stream, max_bytes):
                _take(stream, entry, folder)
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.HeaderError, UnicodeError) as error:
        raise InvalidInput(
            "archive", f"{archive.name} is damaged, or was not made by `models export` ({error})"
        ) from error


def _entries(stream: gzip.GzipFile, max_bytes: int) -> Iterator[tarfile.TarInfo]:
    """Yield each entry when the stream stands at its content.

    The headers are read one by one, since the library's own reader follows extensions of any length
    before it says what an entry is.
    """
    names: set[str] = set()
    taken = 0
    while True:
        entry = _next_entry(stream)
        if entry is None:
            return
        _check_entry(entry)
        taken += entry.size
        if entry.name in names or len(names) > MAX_FILES:
            raise InvalidInput("archive", f"holds {entry.name!r} twice, or over {MAX_FILES} files")
        if taken > max_bytes:
            raise InvalidInput("archive", f"holds more than {max_bytes} bytes; allow more")
        names.add(entry.name)
        yield entry


def _next_entry(stream: gzip.GzipFile) -> tarfile.TarInfo | None:
    header = stream.read(tarfile.BLOCKSIZE)
    if header == bytes(tarfile.BLOCKSIZE):
        return None
    return tarfile.TarInfo.frombuf(header, "utf-8", "strict")


def _check_entry(entry: tarfile.TarInfo) -> None:
    if entry.type not in _PLAIN or entry.size < 0:
        raise InvalidInput(
            "archive", f"holds {entry.name!r}, which is a link, folder or device; only plain files"
        )
    parts = entry.name.split("/")
    if not entry.name.isprintable() or "\\" in entry.name or {"", ".", ".."} & set(parts):
        raise InvalidInput("archive", f"holds {entry.name!r}, a name that could lead out of it")
    check_format(PurePosixPath(entry.name), "archive")
    if entry.name == MANIFEST_NAME and entry.size > MAX_MANIFEST_BYTES:
        raise InvalidInput("archive", f"has a manifest of over {MAX_MANIFEST_BYTES} bytes")


def _take(stream: gzip.GzipFile, entry: tarfile.TarInfo, folder: Path) -> None:
    target = folder / entry.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            _copy(stream, file, entry.size)
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidInput("archive", f"holds {entry.name!r} as file and folder") from error
    target.chmod(0o444)
    stream.read(-entry.size % tarfile.BLOCKSIZE)


def _copy(stream: gzip.GzipFile, file: IO[bytes], size_bytes: int) -> None:
    left = size_bytes
    while left:
        piece = stream.read(min(_PIECE_BYTES, left))
        if not piece:
            raise EOFError("it ends in the middle of a file")
        file.write(piece)
        left -= len(piece)
