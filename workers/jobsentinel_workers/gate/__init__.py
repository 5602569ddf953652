"""The gate between a training and the service: who is better, how sure that is, and at what cost.

It decides and explains; it promotes nothing itself.
"""

from __future__ import annotations

from jobsentinel_workers.gate.decide import Contender, decide
from jobsentinel_workers.gate.frozen_rows import FrozenSplit, split_frozen
from jobsentinel_workers.gate.latency import Latency, measure_latency
from jobsentinel_workers.gate.policy import GatePolicy
from jobsentinel_workers.gate.stored_verdicts import read_verdict, write_verdict
from jobsentinel_workers.gate.verdict import Comparison, Verdict

__all__ = [
    "Comparison",
    "Contender",
    "FrozenSplit",
    "GatePolicy",
    "Latency",
    "Verdict",
    "decide",
    "measure_latency",
    "read_verdict",
    "split_frozen",
    "write_verdict",
]
