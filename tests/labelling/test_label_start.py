"""label start at a real terminal, over a real store."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

from click.testing import Result
from stored_postings import COOK, NURSE, name_of, store_scored, stored_labels
from terminal import Terminal

from jobsentinel_workers.store import Database, labels, reservations

Sit = Callable[..., Terminal]
Run = Callable[..., Result]
NURSE_KEY, COOK_KEY = "5", "h"


def test_somebody_labels_undoes_skips_and_quits_at_a_terminal(sit: Sit, database: Database) -> None:
    # Given eight scored postings, handed out in an order that no strategy changes
    store_scored(database, 8)
    options = ("--kind", "category", "--strategy", "margin", "--batch", "4", "--annotator", "ann")

    # When somebody labels one, takes it back, labels it otherwise, skips one and labels a third
    with sit(*options, "--json") as terminal:
        first = terminal.wait_for("q quit")
        terminal.press(NURSE_KEY)
        terminal.wait_for("Healthcare stored")
        terminal.press("u")
        terminal.wait_for("taken back")
        terminal.press(COOK_KEY)
        terminal.wait_for("the model agrees on 0 of 1")
        terminal.press("s")
        terminal.wait_for("skipped; others may be given it")
        terminal.press("?")
        terminal.wait_for("'?' is no key here")
        terminal.press(NURSE_KEY)
        terminal.wait_for("4 of 4")
        terminal.press("q")
        code, last = terminal.end()
        assert terminal.process.stdout is not None
        printed = json.loads(terminal.process.stdout.read())

    # Then the screen has shown the posting, why it was chosen and what the model says
    assert "Which category is this job in?  1 of 4" in first
    assert "Mercy · $52,000" in first
    assert "why: margin 0.00 between" in first
    assert "Healthcare 50%, Retail, Hospitality & Food 50%" in first
    assert "says multi-task@7" in first
    assert " 5 Healthcare" in first
    # And the store has the two labels with all that is known of them, at once
    found = stored_labels(database)
    assert sorted(label["value"] for label in found.values()) == [NURSE, COOK]
    for label in found.values():
        assert label["annotator"] == "ann"
        assert 0 < label["seconds_spent"] < 60
        assert (label["strategy"], label["chosen_by"]) == ("margin", "margin")
        assert (label["model_version"], label["source"]) == ("multi-task@7", "terminal")
    # And what was not labelled stays in these hands, but for what was skipped
    with database.connect() as connection:
        held = reservations.find(connection, annotator="ann")
        (history,) = [labels.history(connection, id_, "category") for id_ in found if id_][:1]
    assert len(held) == 1
    assert [old.value for old in history] == [NURSE]
    assert (code, printed) == (0, {"labelled": 2, "skipped": 1, "agreed": 1, "compared": 2})
    assert "2 labels stored in" in last


def test_a_killed_terminal_loses_no_label_and_the_rest_comes_first_again(
    sit: Sit, database: Database
) -> None:
    # Given somebody who labelled two of four postings
    store_scored(database, 6)
    options = ("--kind", "category", "--batch", "4", "--annotator", "ann")
    with sit(*options) as terminal:
        terminal.wait_for("q quit")
        terminal.press(NURSE_KEY + NURSE_KEY)
        terminal.wait_for("3 of 4")

        # When the process is killed
        os.kill(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait()

    # Then both labels are there, and the other two come first for the same person
    done = set(stored_labels(database))
    assert len(done) == 2
    with database.connect() as connection:
        left = [each.posting_id for each in reservations.find(connection, annotator="ann")]
    with sit(*options) as terminal:
        assert "2 postings are left from the last time" in terminal.wait_for("1 of 4")
        terminal.press(NURSE_KEY * 4)
        code, last = terminal.end()
    assert code == 0
    assert "4 labels stored" in last
    assert set(left) < set(stored_labels(database)) - done
    assert len(stored_labels(database)) == 6


def test_numbers_are_typed_and_checked(sit: Sit, database: Database) -> None:
    store_scored(database, 2, description="Long shifts. We pay $52,000 a year, and more at night.")

    with sit("--kind", "salary", "--batch", "1", "--strategy", "random", "--blind") as terminal:
        shown = terminal.wait_for("q quit")
        terminal.press("12\n")
        terminal.wait_for("12: must be 1,000 to 10,000,000 USD a year")
        terminal.press("520\x7f\x7f2k\n")
        code, _ = terminal.end()

    assert "on pay:" in shown
    assert "multi-task" not in shown
    (label,) = stored_labels(database, "salary").values()
    assert (code, label["value"]) == (0, 52_000.0)


def test_a_long_text_is_shown_in_parts_and_steers_no_terminal(sit: Sit, database: Database) -> None:
    text = "\n".join(f"line {number} \x1b[31mred\x07" for number in range(60))
    store_scored(database, 1, description=text)

    with sit("--kind", "scam", "--batch", "1", rows=30) as terminal:
        first = terminal.wait_for("q quit")
        terminal.press(" ")
        second = terminal.wait_for("q quit")
        terminal.press("n")
        terminal.end()

    assert "line 0 \\x1b[31mred\\x07" in first
    assert "part 1 of" in first
    assert "line 0 " not in second
    assert [label["value"] for label in stored_labels(database, "scam").values()] == [False]


def test_ctrl_c_keeps_the_labels_and_gives_the_terminal_back(sit: Sit, database: Database) -> None:
    store_scored(database, 4)

    with sit("--kind", "category") as terminal:
        terminal.wait_for("q quit")
        terminal.press(NURSE_KEY)
        terminal.wait_for("2 of 4")
        while_labelling = terminal.modes()
        terminal.press("\x03")
        code, last = terminal.end()
        after = terminal.modes()

    assert code == 130
    assert while_labelling != terminal.modes_before
    assert after == terminal.modes_before
    assert "1 label stored" in last
    assert len(stored_labels(database)) == 1


def test_two_people_are_never_given_the_same_posting(sit: Sit, database: Database) -> None:
    store_scored(database, 6)

    with sit("--kind", "category", "--batch", "3", "--annotator", "ann") as ann:
        ann.wait_for("q quit")
        with sit("--kind", "category", "--batch", "6", "--annotator", "bob") as bob:
            bob.wait_for("1 of 3")
            bob.press(NURSE_KEY * 3)
            bob.end()

    found = stored_labels(database)
    with database.connect() as connection:
        held = {each.posting_id for each in reservations.find(connection, annotator="ann")}
    assert {label["annotator"] for label in found.values()} == {"bob"}
    assert held | set(found) == {name_of(number) for number in range(6)}
    assert not held & set(found)


def test_without_a_terminal_or_anything_to_label_it_says_so(run: Run, database: Database) -> None:
    result = run("label", "start", "--kind", "category")

    assert result.exit_code == 2
    assert "labelling needs a terminal; `label export` writes a file" in result.stderr
