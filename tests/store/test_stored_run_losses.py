"""Loss curves in the store."""

from __future__ import annotations

import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.store import Database, run_losses
from jobsentinel_workers.store.run_losses import LossPoint


def add(database: Database, run_id: str, *points: tuple[int, float]) -> None:
    with database.begin() as connection:
        run_losses.add(connection, run_id, [LossPoint(*point) for point in points])


def curve(database: Database, run_id: str) -> list[tuple[int, float]]:
    with database.connect() as connection:
        return [tuple(point) for point in run_losses.curve(connection, run_id)]


def test_a_curve_is_read_by_step_and_belongs_to_its_run(database: Database) -> None:
    add(database, "a", (20, 0.5), (10, 0.75))
    add(database, "b", (10, 3.0))
    add(database, "a", (30, 0.25))

    assert curve(database, "a") == [(10, 0.75), (20, 0.5), (30, 0.25)]
    assert curve(database, "nobody") == []


def test_a_step_that_is_taken_again_replaces_its_point(database: Database) -> None:
    add(database, "a", (10, 0.75), (20, 0.5))
    add(database, "a", (20, 0.125))

    assert curve(database, "a") == [(10, 0.75), (20, 0.125)]


def test_a_run_that_begins_again_forgets_what_lies_ahead(database: Database) -> None:
    add(database, "a", (10, 0.75), (20, 0.5), (30, 0.25))
    add(database, "b", (30, 1.0))

    with database.begin() as connection:
        assert run_losses.cut(connection, "a", 20) == 10
        assert run_losses.cut(connection, "a", 1) is None

    assert (curve(database, "a"), curve(database, "b")) == ([], [(30, 1.0)])


def test_a_loss_that_is_no_number_is_refused_and_nothing_is_stored(database: Database) -> None:
    with pytest.raises(InvalidInput, match="loss: must be a finite number"):
        add(database, "a", (10, 0.5), (20, float("nan")))

    assert curve(database, "a") == []
