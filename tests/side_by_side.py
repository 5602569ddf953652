"""Which tests stay together when pytest-xdist runs them in several processes (``make test``).

A folder's tests share what its fixtures start. All that starts fleets goes through one process,
which waits for them most of the time, while the other one computes. Whoever forgets a file here
gets a second fleet, and nothing worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import pytest

_FLEETS = "fleets"
_FOLDERS_OF_FLEETS = frozenset({"fleet", "chaos"})
_FILES_OF_FLEETS = frozenset(
    {
        "audit/test_audited_work.py",
        "docs/test_docs.py",
        "producer/test_producer_backpressure.py",
        "stored_datasets/test_datasets_command.py",
    }
)


def group_of(nodeid: str) -> str:
    """Return what a test is kept together with: its folder, or the fleets."""
    file = PurePosixPath(nodeid.partition("::")[0])
    folder = file.parent.name
    if folder in _FOLDERS_OF_FLEETS or f"{folder}/{file.name}" in _FILES_OF_FLEETS:
        return _FLEETS
    return folder


def by_group(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return tests in the order in which groups are handed out: fleets, then large folders.

    What comes last is small, so that no process is left with it for long.
    """
    groups = {item: group_of(item.nodeid) for item in items}
    sizes = Counter(groups.values())
    return sorted(
        items, key=lambda item: (groups[item] != _FLEETS, -sizes[groups[item]], groups[item])
    )


def scheduler(config: pytest.Config, log: Any) -> Any:
    """Return what hands a group of tests to the next free process."""
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return GroupScheduling(config, log)
