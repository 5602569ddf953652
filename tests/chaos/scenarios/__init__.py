"""All scenarios in the order in which they are run and shown."""

from __future__ import annotations

from typing import Final

from ..scenario import Scenario
from .clock import ClockJumps
from .connections import ConnectionsCut
from .defaults import DefaultSettings
from .duplicates import Duplicates
from .emptied_servers import ServerEmptied
from .freezes import ServerFrozen, WorkerFrozen
from .full_disks import OutboxDiskFull, StoreDiskFull
from .gap import Gap
from .kills import Kills
from .producers import ScraperKills
from .server_restarts import PowerCuts, ServerKills, ServerRestarts
from .stops import Stops

SCENARIOS: Final[tuple[Scenario, ...]] = (
    Kills(),
    Gap(),
    Stops(),
    WorkerFrozen(),
    ServerRestarts(),
    ServerKills(),
    PowerCuts(),
    ServerEmptied(),
    ServerFrozen(),
    ConnectionsCut(),
    ClockJumps(),
    Duplicates(),
    ScraperKills(),
    StoreDiskFull(),
    OutboxDiskFull(),
    DefaultSettings(),
)
