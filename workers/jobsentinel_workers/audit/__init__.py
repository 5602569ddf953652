"""Who changed models and labels and who trained, in a chain that cannot be altered unnoticed.

Entries are rows of the store, each with an HMAC over its fields and over its predecessor's HMAC,
and are appended in the transaction of the change that they record::

    with database.begin() as connection:
        changed = labels.add(connection, rows)
        AuditLog(settings).record(connection, "labels_changed", job_id, {"changed": changed})

Whoever has both the key and the store can rewrite everything; docs/audit.md says what that means.
"""

from __future__ import annotations

from jobsentinel_workers.audit.entries import Entry
from jobsentinel_workers.audit.log import AuditLog, AuditLogBroken, Event
from jobsentinel_workers.audit.recording import recording
from jobsentinel_workers.audit.verification import Problem, Verdict, verify

__all__ = [
    "AuditLog",
    "AuditLogBroken",
    "Entry",
    "Event",
    "Problem",
    "Verdict",
    "recording",
    "verify",
]
