"""Sees a loop, waits for a word, and claims its training: ``claiming_process.py ADDRESS RUN``."""

from __future__ import annotations

import sys

from jobsentinel_workers.store import Database, loops

if __name__ == "__main__":
    database = Database.open(sys.argv[1])
    with database.connect() as connection:
        seen = loops.require(connection, "remote")
    print("seen", flush=True)
    sys.stdin.readline()
    with database.begin() as writing:
        print(loops.note_run(writing, seen, sys.argv[2], {}))
