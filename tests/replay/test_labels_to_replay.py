"""What is read as labelled texts, and how faults are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobsentinel import InvalidInput, Settings
from jobsentinel.contract.text import content_hash
from jobsentinel_workers.replay import LabelledTexts, read_labelled_rows
from jobsentinel_workers.replay.stored_labels import stored_rows
from jobsentinel_workers.store import Database, labels, postings


def written(folder: Path, text: str, name: str = "labels.jsonl") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_json_lines_hold_names_truth_values_and_whole_numbers(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '{"text": "Cook", "label": "kitchen", "id": 7}\n\n{"text": "Spam", "label": true}\n'
        '{"text": "Baker", "label": 3}\n',
    )

    assert read_labelled_rows(file) == [("Cook", "kitchen"), ("Spam", "yes"), ("Baker", "3")]


def test_a_table_may_have_cells_of_several_lines(tmp_path: Path) -> None:
    file = written(
        tmp_path, 'label,text,more\nkitchen,"Cook\nin a hotel, nights",x\nward,Nurse,\n', "l.csv"
    )

    assert read_labelled_rows(file) == [("Cook\nin a hotel, nights", "kitchen"), ("Nurse", "ward")]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "Cook"}', "labels.jsonl:2: label: is missing"),
        ('{"text": "Cook", "label": ""}', "labels.jsonl:2: label: is missing"),
        ('{"text": "Cook", "label": "NaN"}', "labels.jsonl:2: label: is 'NaN', no class"),
        ('{"text": "Cook", "label": NaN}', "labels.jsonl:2: line: holds NaN"),
        ('{"text": "Cook", "label": 0.5}', "label: must be a class, not 0.5 of the kind float"),
        ('{"text": "Cook", "label": ["a"]}', "label: must be a class, not ['a'] of the kind list"),
        ('{"text": "  ", "label": "a"}', "labels.jsonl:2: text: is empty"),
        ('{"text": 5, "label": "a"}', "text: must be text, not 5 of the kind int"),
        ('{"text": "Cook", "label": "a"', "labels.jsonl:2: line: is not JSON"),
        ("17", "labels.jsonl:2: line: must be an object"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong(tmp_path: Path, line: str, told: str) -> None:
    file = written(tmp_path, f'{{"text": "Nurse", "label": "ward"}}\n{line}\n')

    with pytest.raises(InvalidInput) as caught:
        read_labelled_rows(file)

    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("text,category\nCook,a\n", "l.csv has no column 'label'"),
        ("", "l.csv has no column 'text'"),
        ("text,label\nCook,a\nNurse\n", "l.csv:3: label: is missing"),
        ("text,label\nCook,a\nNurse,b,c\n", "l.csv:3: line: has more cells than the header"),
        ('text,label\nCook,a\n"Nurse,b\n', "l.csv:3"),
    ],
)
def test_a_bad_table_is_named_with_what_is_wrong(tmp_path: Path, table: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_labelled_rows(written(tmp_path, table, "l.csv"))

    assert told in str(caught.value)


def test_all_bad_lines_are_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, '{"text": "Cook"}\n' * 30)

    with pytest.raises(InvalidInput) as caught:
        read_labelled_rows(file)

    assert "30 rows are wrong" in str(caught.value)
    assert "labels.jsonl:20:" in str(caught.value)
    assert "and 10 more" in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "labels: hold no row"),
        ([("Cook", "a"), ("Nurse", "a")], "labels: hold one class only, 'a'"),
        ([("Cook", "a"), ("Cook", "b"), ("Nurse", "a")], "labels: hold one class only, 'a'"),
    ],
)
def test_fewer_than_two_classes_are_refused(rows: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        LabelledTexts.of(rows)

    assert told in str(caught.value)


def test_repeats_count_once_and_contradictions_not_at_all() -> None:
    rows = [("Cook", "a"), ("Cook ", "a"), ("Nurse", "b"), ("Baker", "a"), ("Baker", "b")]

    found = LabelledTexts.of(rows)

    assert found.texts == ("Cook", "Nurse")
    assert found.notes == (
        "Rows that repeat the text of another and count once: 2.",
        "Texts that have two different labels and are left out: 1.",
    )


@pytest.mark.parametrize(
    ("given", "positive", "classes", "binary"),
    [
        (("yes", "no"), None, ("no", "yes"), True),
        (("1", "0"), None, ("0", "1"), True),
        (("True", "False"), None, ("False", "True"), True),
        (("fraud", "fine"), None, ("fine", "fraud"), False),
        (("fraud", "fine"), "fine", ("fraud", "fine"), True),
    ],
)
def test_a_yes_or_no_question_is_known_by_its_classes_or_by_saying(
    given: tuple[str, str], positive: str | None, classes: tuple[str, str], binary: bool
) -> None:
    found = LabelledTexts.of(zip("ab", given, strict=True), positive=positive)

    assert (found.classes, found.is_binary) == (classes, binary)
    assert [found.classes[code] for code in found.codes] == list(given)


def test_what_is_yes_must_be_one_of_two_classes() -> None:
    with pytest.raises(InvalidInput, match="positive: must be one of two classes, not 'x'"):
        LabelledTexts.of([("a", "one"), ("b", "two")], positive="x")
    with pytest.raises(InvalidInput, match="base_rate: is for yes-or-no labels"):
        LabelledTexts.of([("a", "one"), ("b", "two")]).task(base_rate=0.1)


@pytest.fixture
def store(settings: Settings) -> Iterator[Database]:
    """A store with three postings."""
    database = Database.open(settings.store_url)
    rows = [
        {
            "id": name,
            "title": text,
            "description": "",
            "text": text,
            "content_hash": content_hash(text),
        }
        for name, text in (("a", "Cook"), ("b", "Nurse"), ("c", "Baker"))
    ]
    with database.begin() as connection:
        postings.upsert(connection, rows)
    yield database
    database.close()


def labelled(
    posting: str, value: object, by: str, day: int, kind: str = "category"
) -> dict[str, object]:
    made = f"2026-01-{day:02}T00:00:00Z"
    return {
        "posting_id": posting,
        "kind": kind,
        "value": value,
        "annotator": by,
        "created_at": made,
    }


def test_of_several_people_the_newest_label_counts(store: Database) -> None:
    with store.begin() as connection:
        labels.add(
            connection, [labelled("a", "kitchen", "ann", 2), labelled("b", "ward", "ann", 3)]
        )
        labels.add(
            connection, [labelled("a", "hotel", "bob", 1), labelled("c", True, "x", 1, "scam")]
        )

    assert sorted(stored_rows(store, "category")) == [("Cook", "kitchen"), ("Nurse", "ward")]
    assert stored_rows(store, "scam") == [("Baker", "yes")]


def test_a_kind_without_labels_or_with_values_is_refused(store: Database) -> None:
    with store.begin() as connection:
        labels.add(connection, [labelled("a", 52_000.5, "ann", 2, "salary")])

    with pytest.raises(InvalidInput, match=r"kind: 'category' has no label .* salary \(1\)"):
        stored_rows(store, "category")
    with pytest.raises(InvalidInput, match="a value of the kind float for 'a'"):
        stored_rows(store, "salary")
