"""label export and label import over a real store."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result
from stored_postings import COOK, NURSE, category_of, name_of, store_scored, stored_labels

from jobsentinel_workers.store import Database, reservations

Run = Callable[..., Result]

OUT = {"label-studio": "tasks.json", "prodigy": "tasks.jsonl", "csv": "tasks.csv"}


def label_in_studio(path: Path) -> None:
    """Label every task as somebody in Label Studio would, and write its export."""
    tasks = json.loads(path.read_text("utf-8"))
    for task in tasks:
        number = int(task["data"]["ref_id"].removeprefix("job-"))
        said = {"choices": [category_of(number)]}
        region = {"from_name": "category", "to_name": "text", "type": "choices", "value": said}
        task["annotations"] = [
            {
                "id": 1000 + number,
                "result": [{"id": "Dx_aB91ISN", "origin": "manual", **region}],
                "was_cancelled": False,
                "ground_truth": False,
                "created_at": "2026-11-23T10:00:00.000001Z",
                "updated_at": "2026-11-23T10:00:05.000002Z",
                "lead_time": 4.3,
                "completed_by": 10 if number % 2 else {"id": 3, "email": "ann@example.org"},
            }
        ]
    path.write_text(json.dumps(tasks), "utf-8")


def label_in_prodigy(path: Path) -> None:
    """Label every line as Prodigy's choice interface would."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for row in rows:
        number = int(row["meta"]["posting_id"].removeprefix("job-"))
        row |= {"accept": [category_of(number)], "answer": "accept", "_timestamp": 1_795_428_005}
        row |= {"_annotator_id": "jobs-ann", "_session_id": "jobs-ann"}
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")


def label_in_a_spreadsheet(path: Path) -> None:
    """Fill the column in with display names, and save with semicolons."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        number = int(row["posting_id"].removeprefix("job-"))
        row["value"] = "Healthcare" if category_of(number) == NURSE else COOK
        row["annotator"] = "ann"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


LABEL_IN = {
    "label-studio": label_in_studio,
    "prodigy": label_in_prodigy,
    "csv": label_in_a_spreadsheet,
}


@pytest.mark.parametrize("format_name", OUT)
def test_postings_go_out_to_a_tool_and_come_back_labelled(
    run: Run, database: Database, tmp_path: Path, format_name: str
) -> None:
    # Given scored postings, of which some are exported
    store_scored(database, 12)
    out = tmp_path / OUT[format_name]
    options = ("--kind", "category", "--count", 6, "--strategy", "margin")
    exported = run("label", "export", out, *options)
    with database.connect() as connection:
        held = reservations.find(connection, annotator=format_name)

    # When they are labelled in the tool and imported, twice
    LABEL_IN[format_name](out)
    first = run("label", "import", out, "--json")
    again = run("label", "import", out, "--json")

    # Then all six labels are there, with where they came from, and none twice
    assert exported.exit_code == 0, exported.output
    assert "6 postings by margin, reserved for" in exported.stderr
    assert len(held) == 6
    assert (first.exit_code, json.loads(first.stdout)["stored"]) == (0, 6)
    assert json.loads(again.stdout) == {
        **{"stored": 0, "unchanged": 6, "skipped": 0},
        "without_label": {},
    }
    found = stored_labels(database)
    assert found.keys() == {each.posting_id for each in held}
    for each in held:
        label = found[each.posting_id]
        assert label["value"] == category_of(int(each.posting_id.removeprefix("job-")))
        assert (label["strategy"], label["chosen_by"]) == (each.strategy, each.chosen_by)
        assert (label["model_version"], label["source"]) == ("multi-task@7", format_name)
    # And what is handed out next is not among them
    more = run("label", "export", out, *options, "--count", 99)
    assert "6 postings by margin" in more.stderr


def test_label_studio_keeps_time_annotator_and_the_order_in_which_to_label(
    run: Run, database: Database, tmp_path: Path
) -> None:
    # Given an export for Label Studio
    store_scored(database, 6)
    out = tmp_path / "tasks.json"
    run("label", "export", out, "--kind", "category", "--strategy", "margin")
    tasks = json.loads(out.read_text("utf-8"))
    config = ElementTree.parse(tmp_path / "tasks.config.xml")

    # When it comes back
    label_in_studio(out)
    run("label", "import", out)

    # Then tasks had the form of its import, in the order of their scores
    scores = [task["predictions"][0]["score"] for task in tasks]
    assert scores == sorted(scores)
    assert len(set(scores)) == 6
    assert 0 < min(scores) <= max(scores) < 1
    prediction = tasks[0]["predictions"][0]
    assert prediction["model_version"] == "multi-task@7"
    region = prediction["result"][0]
    assert (region["from_name"], region["to_name"], region["type"]) == (
        "category",
        "text",
        "choices",
    )
    assert region["value"] == {"choices": [NURSE]}
    # And the configuration asks for what the tasks hold
    choices = config.find(".//Choices")
    assert choices is not None
    assert (choices.get("name"), choices.get("toName")) == ("category", "text")
    assert NURSE in {choice.get("alias") for choice in choices}
    # And each label has its annotator, its time and the seconds that it took
    found = stored_labels(database)
    assert {label["annotator"] for label in found.values()} == {"10", "ann@example.org"}
    assert {label["seconds_spent"] for label in found.values()} == {4.3}
    assert {label["created_at"] for label in found.values()} == {"2026-11-23T10:00:05.000002Z"}


def annotation(value: Any, *, name: str = "category", **changes: Any) -> dict[str, Any]:
    """Return an annotation of Label Studio."""
    region = {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": value}}
    when = {"created_at": "2026-11-23T10:00:00Z", "completed_by": 1}
    return {"result": [region], "was_cancelled": False, **when, **changes}


def test_a_label_studio_file_with_faults_names_each_task_and_the_rest_goes_in(
    run: Run, database: Database, tmp_path: Path
) -> None:
    # Given an export in which much is wrong
    store_scored(database, 4)
    good = annotation([NURSE])
    file = tmp_path / "export.json"
    tasks = [
        {"id": 1, "data": {"ref_id": "job-000"}, "annotations": [good]},
        {"id": 2, "data": {"ref_id": "of-another-project"}, "annotations": [good]},
        {"id": 3, "data": {"image": "x.png"}, "annotations": [good]},
        {"data": {"ref_id": "job-001"}, "annotations": [annotation(["x"], name="sentiment")]},
        {"id": 5, "data": {"ref_id": "job-001"}, "annotations": [annotation(["Baker"])]},
        {"id": 6, "data": {"ref_id": "job-001"}, "annotations": [annotation([NURSE, COOK])]},
        {"id": 7, "data": {"ref_id": "job-001"}, "annotations": [good, annotation([COOK])]},
        {"id": 8, "data": {"ref_id": "job-002"}, "annotations": [annotation([COOK], lead_time=-1)]},
        {"id": 9, "data": {"ref_id": "job-002"}, "annotations": [{**good, "was_cancelled": True}]},
        {"id": 10, "data": {"ref_id": "job-002"}, "annotations": []},
        ["no task"],
        {"id": 12, "data": {"ref_id": "job-003"}, "annotations": [annotation([COOK])]},
    ]
    file.write_text(json.dumps(tasks), "utf-8")

    # When it is imported
    result = run("label", "import", file)

    # Then every fault is named by its task, and the good ones are stored
    assert result.exit_code == 3
    told = result.stderr
    for fault in (
        "task 2 (id 2): posting_id: 'of-another-project' is not a stored posting",
        "task 3 (id 3): data.ref_id: is missing; it names the posting",
        "task 4: from_name: 'sentiment' is no kind of label here",
        "task 5 (id 5): value: must be one of software_it",
        "task 6 (id 6): choices: must be one, and there are 2",
        "task 7 (id 7), annotation 1: value: 'healthcare' contradicts 'retail_hospitality_food' at",
        "task 7 (id 7), annotation 2: value: 'retail_hospitality_food' contradicts 'healthcare' at",
        "task 8 (id 8): seconds_spent: must be 0 seconds or more",
        "task 11: is a list, not an object",
    ):
        assert f"skipped: export.json:{fault}" in told
    assert "without a label: 1 skipped, 1 not labelled" in told
    assert {id_: each["value"] for id_, each in stored_labels(database).items()} == {
        "job-000": NURSE,
        "job-003": COOK,
    }


def test_a_broken_line_in_a_prodigy_file_is_named_and_the_rest_goes_in_once(
    run: Run, database: Database, tmp_path: Path
) -> None:
    # Given lines of Prodigy, one of them torn
    store_scored(database, 6)

    def line(number: int, **changes: Any) -> str:
        row = {"text": "x", "meta": {"posting_id": name_of(number)}, "answer": "accept"}
        return json.dumps({**row, "label": "SCAM", "_timestamp": 1_795_428_005, **changes})

    lines = [
        line(0),
        line(1, answer="reject"),
        line(2)[:40],
        line(3, answer="ignore"),
        line(4, answer="maybe"),
        line(5, _timestamp="noon"),
        line(2),
    ]
    file = tmp_path / "annotations.jsonl"
    file.write_text("\n".join(lines), "utf-8")

    # When they are imported, and again after the torn one was mended
    first = run("label", "import", file, "--kind", "scam", "--by", "ann")
    lines[2] = line(3, answer="reject")
    file.write_text("\n".join(lines), "utf-8")
    second = run("label", "import", file, "--json")

    # Then rejecting is a no, ignoring no label, and the faults have their lines
    assert first.exit_code == 3
    assert "skipped: annotations.jsonl:3: line: is not JSON" in first.stderr
    assert "skipped: annotations.jsonl:5: answer: must be accept, reject or ignore" in first.stderr
    assert "skipped: annotations.jsonl:6: _timestamp: must be seconds since 1970" in first.stderr
    assert "3 labels new or changed" in first.stderr
    assert "without a label: 1 ignored" in first.stderr
    # And the second time only the mended one is new
    assert json.loads(second.stdout)["stored"] == 4
    found = stored_labels(database, "scam")
    assert {id_: each["value"] for id_, each in found.items()} == {
        **{"job-000": True, "job-001": False, "job-002": True, "job-003": False}
    }


def test_rejecting_one_class_of_many_is_named_and_is_no_label(
    run: Run, database: Database, tmp_path: Path
) -> None:
    store_scored(database, 2)
    row = {"text": "x", "label": NURSE, "meta": {"posting_id": "job-000"}, "answer": "reject"}
    file = tmp_path / "annotations.jsonl"
    file.write_text(json.dumps(row), "utf-8")

    many = run("label", "import", file, "--kind", "category")
    two = run("label", "import", file, "--kind", "ward", "--class", NURSE, "--class", "other")

    assert many.exit_code == 3
    assert "which of 19 others is not said" in many.stderr
    assert two.exit_code == 0
    assert stored_labels(database, "ward")["job-000"]["value"] == "other"


def test_a_csv_file_with_faults_names_each_line_and_the_rest_goes_in(
    run: Run, database: Database, tmp_path: Path
) -> None:
    store_scored(database, 4)
    file = tmp_path / "labels.csv"
    lines = [
        "posting_id,text,value,annotator,seconds_spent",
        'job-000,"two\nlines",52k,ann,3.5',
        "job-001,x,much,ann,",
        "job-001,x",
        "job-002,x,,ann,",
        'job-003,x,"60,000",ann,',
        "job-003,x,61000,ann,",
        'nobody,x,"$52,000",ann,',
    ]
    file.write_text("\n".join(lines), "utf-8")

    result = run("label", "import", file, "--kind", "salary")

    assert result.exit_code == 3
    for fault in (
        "labels.csv:4: value: must be a number",
        "labels.csv:5: line: has 2 cells, the first line 5",
        "labels.csv:7: value: 60000.0 contradicts 61000.0 at 8 for posting 'job-003'",
        "labels.csv:8: value: 61000.0 contradicts 60000.0 at 7 for posting 'job-003'",
        "labels.csv:9: posting_id: 'nobody' is not a stored posting",
    ):
        assert f"skipped: {fault}" in result.stderr
    (label,) = stored_labels(database, "salary").values()
    assert (label["posting_id"], label["value"], label["seconds_spent"]) == ("job-000", 52e3, 3.5)


def test_labels_without_a_time_are_as_old_as_their_file(
    run: Run, database: Database, tmp_path: Path
) -> None:
    # Given a file of labels without times, and a later label by the same annotator
    store_scored(database, 1)
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("posting_id,kind,value,annotator\njob-000,scam,yes,ann", "utf-8")
    new.write_text(
        "posting_id,kind,value,annotator,created_at\njob-000,scam,no,ann,2099-01-01T00:00:00Z",
        "utf-8",
    )

    # When the old file is imported once more after the new one
    results = [run("label", "import", file) for file in (old, new, old)]

    # Then the later label stays
    assert [result.exit_code for result in results] == [0, 0, 0]
    assert stored_labels(database, "scam")["job-000"]["value"] is False


@pytest.mark.parametrize("format_name", OUT)
def test_stored_labels_move_to_another_store_through_a_file(
    run: Run, database: Database, tmp_path: Path, format_name: str
) -> None:
    # Given labels of two annotators
    store_scored(database, 4)
    first = tmp_path / "first.csv"
    rows = [
        "posting_id,kind,value,annotator,seconds_spent,created_at,strategy,chosen_by,model_version",
        "job-000,category,healthcare,ann,1.25,2026-11-23T10:00:00.123456Z,hybrid,random,m@1",
        "job-000,category,legal,bob,,2026-11-23T11:00:00Z,margin,margin,m@2",
        "job-001,category,legal,=ann,,2026-11-23T11:00:00Z,,,",
    ]
    first.write_text("\n".join(rows), "utf-8")
    run("label", "import", first)
    before = all_labels(database)

    # When they are written for a tool, forgotten, and imported
    moved = tmp_path / OUT[format_name]
    exported = run("label", "export", moved, "--kind", "category", "--labelled")
    forget_labels(database)
    imported = run("label", "import", moved)

    # Then they are the same
    assert (exported.exit_code, imported.exit_code) == (0, 0), imported.stderr
    assert len(before) == 3
    assert all_labels(database) == before


def all_labels(database: Database) -> list[tuple[Any, ...]]:
    """Return all that labels in force say, but for where they came from."""
    from jobsentinel_workers.store import labels

    with database.connect() as connection:
        found = labels.find(connection)
    return sorted(
        (
            *(each.posting_id, each.kind, each.annotator, each.value, each.created_at),
            *(each.seconds_spent, each.strategy, each.chosen_by, each.model_version),
        )
        for each in found
    )


def forget_labels(database: Database) -> None:
    """Delete all labels."""
    from jobsentinel_workers.store.schema import labels

    with database.begin() as connection:
        connection.execute(labels.delete())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('[{"id": 1,\n oops', "is not JSON: Expecting property name"),
        ('{"id": 1}', "is a dict, not a list of Label Studio's tasks"),
        ("[1e999, NaN]", "is not JSON that can be read"),
        (b"\xff\xfe", "is not UTF-8 (byte 1)"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_refused(
    run: Run, database: Database, tmp_path: Path, content: str | bytes, told: str
) -> None:
    file = tmp_path / "export.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    result = run("label", "import", file)

    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("x.txt", "--kind", "category"), 2, "--format: is missing, and 'x.txt' ends in none of"),
        (("no/x.csv", "--kind", "category"), 2, "OUT: there is no folder"),
        (("x.csv", "--kind", "ward"), 2, "--kind: 'ward' is a kind of your own: name its answers"),
        (("x.csv", "--kind", "relevance"), 2, "belongs to a query"),
        (("x.csv", "--kind", "scam", "--class", "a"), 2, "--class: must not be given for the kind"),
        (("x.csv", "--kind", "category", "--strategy", "nope"), 2, "'nope' is none of"),
        (("x.csv", "--kind", "category", "--labelled"), 2, "has no labels whose posting is stored"),
        (("x.json", "--kind", "text", "--class", "a", "--class", "b", "--labelled"), 2, "has no"),
    ],
)
def test_an_export_that_is_asked_for_wrongly_writes_and_reserves_nothing(
    run: Run,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    arguments: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    store_scored(database, 2)

    result = run("label", "export", *arguments)

    assert result.exit_code == code
    assert told in " ".join(result.stderr.split())
    assert not list(tmp_path.glob("x.*"))
    with database.connect() as connection:
        assert reservations.find(connection) == []


def test_an_export_without_scores_says_what_is_missing(
    run: Run, database: Database, tmp_path: Path
) -> None:
    from jobsentinel_workers.store import postings

    row = {"id": "a", "title": "T", "description": "", "content_hash": "h", "text": "T"}
    with database.begin() as connection:
        postings.upsert(connection, [row])

    result = run("label", "export", tmp_path / "x.csv", "--kind", "category")

    assert result.exit_code == 2
    assert "1 without a stored score of the model" in result.stderr
    assert "`jobsentinel score` stores what is missing" in result.stderr
