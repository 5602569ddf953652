"""The bytes of the contract: msgpack, versioned, bounded.

A request on the wire is the map ``{"v": 1, "task": name, "request": {...}}``. A reader refuses
versions it does not know instead of guessing.
"""

from __future__ import annotations

from typing import Any

import msgpack

from jobsentinel.contract import limits
from jobsentinel.contract.base import CONTRACT_VERSION, Message, dump, kind_of
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.tasks import TASKS, TaskType


def encode_request(task: TaskType, request: Message) -> bytes:
    """Return ``request`` as bytes for the wire.

    Raises:
        InvalidInput: the bytes exceed `limits.MAX_PAYLOAD_BYTES`.
    """
    payload: bytes = msgpack.packb(
        {"v": CONTRACT_VERSION, "task": task.name, "request": dump(request)}, use_bin_type=True
    )
    _check_size(payload)
    return payload


def decode_request(payload: bytes) -> tuple[TaskType, Message]:
    """Return the task and the validated request in ``payload``.

    Raises:
        InvalidInput: the bytes are not msgpack, too many, of an unknown version or task, or the
            request breaks the contract.
    """
    envelope = unpack(payload)
    if not isinstance(envelope, dict):
        raise InvalidInput("payload", f"is a {kind_of(envelope)}, not a map")
    version = envelope.get("v")
    if not isinstance(version, int) or version != CONTRACT_VERSION:
        raise InvalidInput("v", f"is {version!r}; this side reads contract {CONTRACT_VERSION}")
    name = envelope.get("task")
    if not isinstance(name, str) or name not in TASKS:
        raise InvalidInput("task", f"is {name!r}, not one of {', '.join(TASKS)}")
    task = TASKS[name]
    return task, task.request.parse(envelope.get("request"))


def unpack(payload: bytes) -> Any:
    """Return the plain data in msgpack bytes, refusing what is too large or malformed.

    Raises:
        InvalidInput: see above.
    """
    _check_size(payload)
    try:
        return msgpack.unpackb(payload, raw=False, strict_map_key=True)
    except (ValueError, msgpack.UnpackException) as error:
        raise InvalidInput(
            "payload", f"is not msgpack ({str(error) or type(error).__name__})"
        ) from None


def _check_size(payload: bytes) -> None:
    if len(payload) > limits.MAX_PAYLOAD_BYTES:
        raise InvalidInput(
            "payload", f"has {len(payload):,} bytes; at most {limits.MAX_PAYLOAD_BYTES:,} are taken"
        )
