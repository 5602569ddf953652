"""The server loses everything, as when work fails over to one that is empty."""

from __future__ import annotations

from typing import ClassVar

from ..arena import Arena
from ..scenario import Scenario
from ..sizes import Size


class ServerEmptied(Scenario):
    """FLUSHALL in the middle of the work; producers keep their jobs until they are done."""

    name = "emptied"
    title = "server emptied"
    quick = Size.quick(150, 2)
    long = Size(2_000, 4)
    producer_changes: ClassVar = {"keep_until_done": True}

    def harm(self, arena: Arena) -> None:
        """Empty the server at each moment."""
        with arena.server.client() as client:
            for moment in arena.moments(arena.size.faults):
                arena.reach(moment)
                arena.faults.note("server emptied")
                client.flushall()
