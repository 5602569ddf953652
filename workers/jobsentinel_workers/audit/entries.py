"""What an entry and the head of the log are, and the bytes that their HMACs are taken over.

The bytes are a JSON list in ASCII that begins with what it is for, so that no HMAC of one kind
passes for another kind, and no two lists of fields have the same bytes. Details are JSON with
sorted keys and without floats, kept as the text that was signed.

The construction is that of a forward-linked log with HMAC-SHA256 (RFC 2104, RFC 6234).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store.checks import checked_json

FIRST_PREVIOUS_MAC: Final = "0" * 64
"""What stands in the place of a predecessor's HMAC in entry 1."""

_ENTRY: Final = "jobsentinel audit entry 1"
_HEAD: Final = "jobsentinel audit head 1"
_KEY: Final = "jobsentinel audit key 1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: when, by whom, what, to what; ``details`` is canonical JSON."""

    seq: int
    at: str
    actor: str
    event: str
    subject: str
    details: str
    previous_mac: str
    mac: str = ""

    def mac_by(self, key: bytes, *, seq: int | None = None) -> str:
        """Return the HMAC of the fields under ``key``, as if the entry's number were ``seq``."""
        number = self.seq if seq is None else seq
        fields = [self.at, self.actor, self.event, self.subject, self.details, self.previous_mac]
        return _mac(key, [_ENTRY, number, *fields])

    def fits(self, key: bytes, *, seq: int | None = None) -> bool:
        """Whether the entry has the HMAC that ``key`` gives it."""
        return _equal(self.mac, self.mac_by(key, seq=seq))


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: the last entry's number and HMAC, sealed with the key.

    ``key_id`` tells logs of different keys apart and says nothing about the key.
    """

    seq: int
    mac: str
    key_id: str
    seal: str = ""

    def seal_by(self, key: bytes) -> str:
        """Return the HMAC of the head under ``key``."""
        return _mac(key, [_HEAD, self.seq, self.mac, self.key_id])

    def fits(self, key: bytes) -> bool:
        """Whether the head was written with ``key`` and is as it was written."""
        return _equal(self.seal, self.seal_by(key))


def key_id(key: bytes) -> str:
    """Return a name for ``key`` from which it cannot be computed."""
    return _mac(key, [_KEY])[:16]


def canonical(details: Mapping[str, Any]) -> str:
    """Return ``details`` as JSON of one fixed form.

    Raises:
        InvalidInput: what JSON cannot hold, or a float, whose digits differ between writers.
    """
    _refuse_floats("details", checked_json("details", dict(details)))
    return json.dumps(details, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _refuse_floats(field: str, value: Any) -> None:
    if isinstance(value, float):
        raise InvalidInput(field, "must not be a float; give a whole number or text")
    if isinstance(value, Mapping):
        for name, part in value.items():
            _refuse_floats(f"{field}.{name}", part)
    elif isinstance(value, list | tuple):
        for position, part in enumerate(value):
            _refuse_floats(f"{field}.{position}", part)


def _mac(key: bytes, fields: list[Any]) -> str:
    signed = json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return hmac.new(key, signed, hashlib.sha256).hexdigest()


def _equal(found: str, computed: str) -> bool:
    # As bytes, because what was found may hold anything; compare_digest takes ASCII text only.
    return hmac.compare_digest(found.encode("utf-8", "surrogateescape"), computed.encode("ascii"))
