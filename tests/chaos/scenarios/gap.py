"""Workers die where a queue is weakest: with a message in hand that they have told nobody of."""

from __future__ import annotations

from ..arena import Arena
from ..scenario import Scenario
from ..sizes import Size


class Gap(Scenario):
    """SIGKILL between pop and record, and between receiving and claiming; see `traps`."""

    name = "gap"
    title = "killed between pop and claim"
    quick = Size.quick(80, 0, pop_trap=40, claim_trap=40)
    long = Size(2_000, 0, workers=3, pop_trap=80, claim_trap=80)

    def harm(self, arena: Arena) -> None:
        """Nothing to do from outside: the traps are in the workers."""
