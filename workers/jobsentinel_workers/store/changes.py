"""The store's clock: one counter row from which every change takes its number.

A reader that remembers number N must never miss a row that is committed later with a number up
to N. Database sequences cannot promise that: they hand out 5 and 6 at once, and 6 may commit
first. Here the counter's row stays locked from the update to the commit, so numbers
become visible in their order, and a rollback returns the unused ones.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from jobsentinel_workers.store.schema import change_counter as counter


def allocate(connection: Connection, count: int) -> int:
    """Take ``count`` numbers in this write transaction and return the first of them."""
    connection.execute(update(counter).values(value=counter.c.value + count))
    return current(connection) - count + 1


def current(connection: Connection) -> int:
    """Return the newest number that this connection's snapshot can see; 0 in an empty store."""
    return int(connection.execute(select(counter.c.value)).scalar_one())
