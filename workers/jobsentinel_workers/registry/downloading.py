"""Fetching an archive over HTTP: so large at most, and only the way the address says.

A server may send us on, but never to another scheme: not from HTTPS to HTTP, nor to local files.
"""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import IO, Any, Final
from urllib import request
from urllib.parse import urlsplit

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable

SCHEMES: Final = ("http", "https")
STALL_TIMEOUT_S: Final = 60.0
"""How long a server may be silent; a download that goes on may take as long as it needs."""
_PIECE_BYTES: Final = 1024**2


class _SameScheme(request.HTTPRedirectHandler):
    """Follows redirects that keep the scheme."""

    def redirect_request(  # noqa: PLR0917  # urllib's own signature
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> request.Request | None:
        if urlsplit(newurl).scheme != req.type:
            raise ModelUnavailable(
                f"{shown_url(req.full_url)} leads to {shown_url(newurl)}, another scheme; "
                "if you trust it, name that address yourself"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_url(source: str) -> bool:
    """Return whether ``source`` names a server rather than a folder."""
    return "://" in source


def shown_url(url: str) -> str:
    """Return an address without what may be secret: its log-in and its query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def download(url: str, target: Path, *, max_bytes: int) -> None:
    """Write what is at ``url`` to ``target``.

    Raises:
        InvalidInput: the address is not plain HTTP or HTTPS, or what is there is too large.
        ModelUnavailable: it cannot be fetched.
    """
    _check_url(url)
    try:
        with _opener().open(url, timeout=STALL_TIMEOUT_S) as response, target.open("xb") as file:
            _copy(response, file, max_bytes)
    except (OSError, http.client.HTTPException) as error:
        raise ModelUnavailable(f"{shown_url(url)} cannot be fetched: {error}") from error


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise InvalidInput("source", "must be a data folder, or an http or https address")
    if "@" in parts.netloc:
        raise InvalidInput("source", "must hold no log-in: other users of this machine can read it")


def _opener() -> request.OpenerDirector:
    """Return an opener that knows HTTP alone; the default one opens local files and FTP too."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.UnknownHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        _SameScheme(),
    ):
        opener.add_handler(handler)
    return opener


def _copy(response: http.client.HTTPResponse, file: IO[bytes], max_bytes: int) -> None:
    announced = response.length
    taken = 0
    while taken <= max_bytes and (announced or 0) <= max_bytes:
        piece = response.read(_PIECE_BYTES)
        if not piece:
            break
        file.write(piece)
        taken += len(piece)
    if max(taken, announced or 0) > max_bytes:
        raise InvalidInput("source", f"sends more than {max_bytes} bytes; allow more")
    if announced is not None and taken < announced:
        raise ModelUnavailable(f"the server sent {taken} of {announced} bytes; try again")
