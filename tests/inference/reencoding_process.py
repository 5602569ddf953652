"""Re-encodes slowly until it is killed; arguments: data folder, encoder, Redis and namespace."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from jobsentinel.ledger import Ledger, connect
from jobsentinel_workers.encoders import (
    FloatArray,
    SequenceModel,
    TextEncoder,
    TextInput,
    run_directly,
)
from jobsentinel_workers.inference.fleet_lease import FleetLease
from jobsentinel_workers.inference.index_encoder import IndexEncoder
from jobsentinel_workers.inference.known_encoders import KnownEncoders
from jobsentinel_workers.inference.reencoding import ROLE, Reencoder
from jobsentinel_workers.store import Database

LEASE_S = 1.0


def slowly(model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
    """Take a while, so that there is a middle to be killed in."""
    time.sleep(0.2)
    return run_directly(model, inputs)


def load(folder: Path | None) -> TextEncoder:
    """Load an encoder's folder."""
    return TextEncoder.load(folder, precision="fp32", max_tokens=32)


def main(data: Path, folder: Path, redis_url: str, namespace: str) -> None:
    """Encode in the background for a minute at most."""
    database = Database.open(f"sqlite:///{data / 'store.db'}")
    known = KnownEncoders(data / "index")
    index = IndexEncoder(database, load(folder), folder, known=known, load=load)
    ledger = Ledger(connect(redis_url), namespace)
    lease = FleetLease(ledger, ROLE, "killed", LEASE_S)
    Reencoder(database, index, slowly, lease, chunk_texts=8).start()
    time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
