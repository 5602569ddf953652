"""The chaos suite in small: whatever is killed, no job is lost and none is stored twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from .disk import NotPossible
from .scenario import OURS, Scenario, run
from .scenarios import SCENARIOS
from .tally import Tally

SEED = 2
"""One with which the gap's traps of both kinds spring."""
QUICK = [scenario for scenario in SCENARIOS if scenario.quick is not None]


def outcome(scenario: Scenario, folder: Path) -> Tally:
    assert scenario.quick is not None
    try:
        return run(scenario, OURS, scenario.quick, seed=SEED, folder=folder / "run")
    except NotPossible as error:
        pytest.skip(str(error))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("scenario", QUICK, ids=[scenario.name for scenario in QUICK])
def test_no_job_is_lost_and_none_is_stored_twice(scenario: Scenario, tmp_path: Path) -> None:
    tally = outcome(scenario, tmp_path)

    assert (tally.lost_ids, tally.twice_ids) == ((), ())
    assert tally.stored == tally.sent
    for figure in scenario.shows:
        assert getattr(tally, figure) > 0, f"{figure}: the damage was not felt"
