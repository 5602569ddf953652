"""Roles that tests give to processes of their own: ``python store_process.py ROLE ADDRESS ...``."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

import numpy as np
from sqlalchemy import insert, update

from jobsentinel_workers.store import Database, changes, embeddings, postings, results
from jobsentinel_workers.store.schema import change_counter, metadata
from jobsentinel_workers.store.schema import postings as postings_table

ENCODER = "tiny"
ROUNDS = 15
DELIVERED_JOBS = 20


def posting(id_: str) -> dict[str, str]:
    """A posting as the store takes it."""
    return {
        "id": id_,
        "title": f"Title of {id_}",
        "description": "",
        "content_hash": f"hash-of-{id_}",
        "text": f"Text of {id_}",
    }


def vector(id_: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """An embedding (8,) that belongs to ``id_`` alone."""
    return np.random.default_rng(list(id_.encode())).normal(size=8).astype(np.float32)


def empty(database: Database) -> None:
    """Take everything out of the store and set its clock back to 0."""
    with database.begin() as connection:
        for table in metadata.sorted_tables:
            if table is not change_counter:
                connection.execute(table.delete())
        connection.execute(update(change_counter).values(value=0))


def write(address: str, name: str, rounds: int) -> None:
    """Commit postings, embeddings and results in many short transactions; roll some back."""
    database, chance = Database.open(address), random.Random(name)
    for number in range(rounds):
        ids = [f"{name}-{number}-{i}" for i in range(3)]
        chance.shuffle(ids)
        try:
            with database.begin() as connection:
                postings.upsert(connection, [posting(id_) for id_ in ids])
                time.sleep(chance.random() * 0.004)
                embeddings.put_many(connection, ENCODER, {f"hash-of-{i}": vector(i) for i in ids})
                embeddings.put_many(connection, ENCODER, {"shared": vector("shared")})
                results.commit_job(connection, f"job-{name}-{number}", 1)
                rows = [(id_, {"n": number}) for id_ in ids]
                results.save(connection, f"job-{name}-{number}", "score", rows, fencing_token=1)
                if number % 5 == 4:
                    raise InterruptedError("this round is not to be kept")
        except InterruptedError:
            pass


def deliver(address: str) -> None:
    """Commit the same jobs as every other process in this role, and print how many were ours."""
    database, first = Database.open(address), 0
    for number in range(DELIVERED_JOBS):
        with database.begin() as connection:
            if results.commit_job(connection, f"job-{number}", 1):
                first += 1
                results.save(
                    connection, f"job-{number}", "score", [("delivered", {})], fencing_token=1
                )
    print(first)


def write_and_deliver(address: str, name: str, rounds: int) -> None:
    """Both, one after the other: starting a process takes longer than what it does."""
    write(address, name, rounds)
    deliver(address)


def migrate(address: str) -> None:
    """Open the store and print its revision."""
    print(Database.open(address).revision())


def hang(address: str) -> None:
    """Write in a transaction that never ends, and say so."""
    with Database.open(address).begin() as connection:
        postings.upsert(connection, [posting("unfinished")])
        print("writing", flush=True)
        time.sleep(60)


def write_without_turn(address: str, name: str, rounds: int) -> None:
    """Write like another program would: without the writer's turn, but with the store's clock."""
    database, chance = Database.open(address), random.Random(name)
    engine = database._engines().writer.execution_options(jobsentinel_writes=False)
    for number in range(rounds):
        with engine.begin() as connection:
            first = changes.allocate(connection, 1)
            time.sleep(chance.random() * 0.01)
            row = posting(f"{name}-{number}")
            stamps = {"updated_at": "2026-01-01T00:00:00Z", "change_seq": first}
            connection.execute(insert(postings_table).values(**row, **stamps))


ROLES: dict[str, Callable[[str, str], None]] = {
    "write_and_deliver": lambda address, name: write_and_deliver(address, name, ROUNDS),
    "write_without_turn": lambda address, name: write_without_turn(address, name, ROUNDS),
    "migrate": lambda address, _name: migrate(address),
    "hang": lambda address, _name: hang(address),
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])
