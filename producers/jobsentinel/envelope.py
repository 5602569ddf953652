"""The Celery message that announces a job: its id and a summary, never its payload.

Format: Celery's task message protocol 2 (https://docs.celeryq.dev/en/stable/internals/protocol.html)
inside kombu's envelope for Redis. It is written here, not by Celery, so that the message and the
ledger's entry are one atomic step and a producer need not load Celery.
"""

from __future__ import annotations

import base64
import json
import os
import socket
from functools import lru_cache

import msgpack

from jobsentinel.contract.tasks import TaskType

_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


@lru_cache(maxsize=1)
def _origin() -> str:
    return f"{os.getpid()}@{socket.gethostname()}"


def task_message(task: TaskType, job_id: str, queue: str, summary: str) -> str:
    """Return the message for ``queue`` as JSON; ``@TAG@`` stands where its delivery tag goes.

    ``summary`` is what people see in Flower's list of arguments.
    """
    body = msgpack.packb([[job_id], {"summary": summary}, _EMBED], use_bin_type=True)
    return json.dumps(
        {
            "body": base64.b64encode(body).decode("ascii"),
            "content-encoding": "binary",
            "content-type": "application/x-msgpack",
            "headers": {
                "lang": "py",
                "task": task.wire_name,
                "id": job_id,
                "root_id": job_id,
                "parent_id": None,
                "group": None,
                "argsrepr": repr((job_id,)),
                "kwargsrepr": summary,
                "origin": _origin(),
                "retries": 0,
                "eta": None,
                "expires": None,
                "timelimit": [None, None],
                "ignore_result": False,
            },
            "properties": {
                "correlation_id": job_id,
                "reply_to": "",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": "@TAG@",
            },
        }
    )
