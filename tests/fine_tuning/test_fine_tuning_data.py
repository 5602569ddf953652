"""What may be learnt from: settings, rows, splits."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.limits import MAX_TEXT_CHARS, MIN_TRAINING_ROWS
from jobsentinel_workers.fine_tuning import FineTuningConfig, JobMatchingDataset
from jobsentinel_workers.fine_tuning.training_data import arrange

Row = dict[str, Any]


def rows_of(*labels: Any) -> list[Row]:
    return [{"text": f"text {at}", "label": label} for at, label in enumerate(labels)]


EIGHT = rows_of(*"abababab")


@pytest.mark.parametrize(
    "wrong",
    [
        {"task": "ranking"},
        {"method": "qlora"},
        {"epochs": 0},
        {"epochs": 1.5},
        {"batch_size": True},
        {"learning_rate": 0},
        {"learning_rate": math.nan},
        {"learning_rate": "fast"},
        {"max_tokens": 4},
        {"seed": -1},
        {"seed": None},
        {"checkpoint_every_steps": 0},
        {"validation_fraction": 1.0},
        {"early_stopping_patience": 0},
        {"weight_decay": -1},
        {"precision": "int8"},
        {"base_encoder": 7},
    ],
)
def test_settings_out_of_bounds_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        FineTuningConfig(**wrong)
    assert caught.value.field in wrong


def test_methods_have_schedules_of_their_own_that_can_be_overridden() -> None:
    head, full = FineTuningConfig().schedule, FineTuningConfig(method="full").schedule
    assert head.epochs > full.epochs
    assert head.learning_rate > full.learning_rate
    assert FineTuningConfig(epochs=3, learning_rate=0.5).schedule.epochs == 3


def test_a_config_survives_json() -> None:
    for config in (
        FineTuningConfig(task="similarity", method="top2", learning_rate=1e-4, pair_loss="cosent"),
        FineTuningConfig(classes=("b", "a"), few_shot=True, adapt="mlm", curriculum="loss"),
    ):
        assert FineTuningConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config
    with pytest.raises(InvalidInput, match="epoch_count"):
        FineTuningConfig.from_dict({"epoch_count": 3})


def test_fields_tell_the_task() -> None:
    assert JobMatchingDataset.from_rows(EIGHT).task == "classification"
    values = [{"text": f"t{at}", "value": at} for at in range(8)]
    assert JobMatchingDataset.from_rows(values).task == "regression"
    pairs = [{"text_a": f"a{at}", "text_b": "b", "score": at / 8, "id": at} for at in range(8)]
    dataset = JobMatchingDataset.from_rows(pairs)
    assert dataset.task == "similarity"
    assert dataset.texts[:4] == ["a0", "b", "a1", "b"]


def test_labels_become_text() -> None:
    dataset = JobMatchingDataset.from_rows(rows_of(1, 1.0, "1", True, False, "b", "b", " b "))
    assert dataset.classes == ("1", "False", "True", "b")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"label": "a"}, "rows.3.text"),
        ({"text": "x"}, "rows.3.label"),
        ({"text": "", "label": "a"}, "rows.3.text"),
        ({"text": " \u200b\n", "label": "a"}, "rows.3.text"),
        ({"text": 7, "label": "a"}, "rows.3.text"),
        ({"text": "\ud800", "label": "a"}, "rows.3.text"),
        ({"text": "x" * (MAX_TEXT_CHARS + 1), "label": "a"}, "rows.3.text"),
        ({"text": "x", "label": None}, "rows.3.label"),
        ({"text": "x", "label": 1.5}, "rows.3.label"),
        ({"text": "x", "label": math.nan}, "rows.3.label"),
        ({"text": "x", "label": ""}, "rows.3.label"),
        ({"text": "x", "label": 10**5000}, "rows.3.label"),
        ({"text": "x", "label": ["a"]}, "rows.3.label"),
        ({"text": "x", "label": "a", "lable": "b"}, "rows.3.lable"),
        (["x", "a"], "rows.3"),
        (None, "rows.3"),
    ],
)
def test_bad_rows_are_named_with_their_field(row: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        JobMatchingDataset.from_rows([*EIGHT[:3], row, *EIGHT[3:]])
    assert caught.value.field == field


@pytest.mark.parametrize("value", ["50k", None, True, math.nan, math.inf, 10**400])
def test_values_that_are_no_numbers_are_refused(value: Any) -> None:
    rows = [{"text": f"t{at}", "value": at} for at in range(8)]
    with pytest.raises(InvalidInput, match=r"rows\.8\.value"):
        JobMatchingDataset.from_rows([*rows, {"text": "x", "value": value}])


@pytest.mark.parametrize("score", [-0.1, 1.1, "high", math.nan])
def test_scores_outside_0_to_1_are_refused(score: Any) -> None:
    with pytest.raises(InvalidInput, match=r"rows\.0\.score"):
        JobMatchingDataset.from_rows([{"text_a": "a", "text_b": "b", "score": score}])


def test_too_few_rows_or_one_answer_for_all_are_refused() -> None:
    with pytest.raises(InvalidInput, match=f"at least {MIN_TRAINING_ROWS}"):
        JobMatchingDataset.from_rows(EIGHT[:7])
    with pytest.raises(InvalidInput, match="at least"):
        JobMatchingDataset.from_rows([])
    with pytest.raises(InvalidInput, match="label"):
        JobMatchingDataset.from_rows(rows_of(*"aaaaaaaa"))
    with pytest.raises(InvalidInput, match="value"):
        JobMatchingDataset.from_rows([{"text": f"t{at}", "value": 5} for at in range(9)])


def test_a_file_is_read_line_by_line_and_errors_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(row) for row in EIGHT]
    path.write_text("\n".join([*lines[:4], "", *lines[4:]]) + "\n", encoding="utf-8")
    assert JobMatchingDataset.from_jsonl(path) == JobMatchingDataset.from_rows(EIGHT)

    for bad, named in (('{"text": "x"', "line 2"), ('{"text": "x"}', r"line 2\.label")):
        path.write_text("\n".join([lines[0], bad, *lines]), encoding="utf-8")
        with pytest.raises(InvalidInput, match=named):
            JobMatchingDataset.from_jsonl(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(InvalidInput, match="line 1"):
        JobMatchingDataset.from_jsonl(path)
    with pytest.raises(InvalidInput, match="not a file"):
        JobMatchingDataset.from_jsonl(tmp_path / "nowhere.jsonl")


def test_the_hash_changes_with_any_text_or_label() -> None:
    first = JobMatchingDataset.from_rows(EIGHT)
    assert first.sha256 == JobMatchingDataset.from_rows(list(EIGHT)).sha256
    for changed in ({"text": "other", "label": "a"}, {"text": "text 0", "label": "b"}):
        assert JobMatchingDataset.from_rows([changed, *EIGHT[1:]]).sha256 != first.sha256


labels = st.lists(st.sampled_from("abcd"), min_size=16, max_size=80).filter(
    lambda drawn: len(set(drawn)) > 1
)


@settings(deadline=None)
@given(drawn=labels, texts=st.integers(6, 40), seed=st.integers(0, 99), data=st.data())
def test_a_split_never_tears_a_text_apart_nor_takes_a_whole_label(
    drawn: list[str], texts: int, seed: int, data: st.DataObject
) -> None:
    numbers = data.draw(st.lists(st.integers(0, texts), min_size=len(drawn), max_size=len(drawn)))
    rows = [{"text": f"Job {n}", "label": drawn[n % len(drawn)]} for n in numbers]
    assume(len({row["label"] for row in rows}) > 1)
    dataset = JobMatchingDataset.from_rows(rows)
    try:
        train, validation = dataset.split(0.25, seed)
    except InvalidInput:
        # Only where each label has one text, or the texts tie all labels together.
        return
    assert Counter(train.examples) + Counter(validation.examples) == Counter(dataset.examples)
    assert set(train.texts).isdisjoint(validation.texts)
    assert train.classes == dataset.classes
    assert len(validation) >= 1
    assert dataset.split(0.25, seed) == (train, validation)


def test_a_split_keeps_the_shares_of_labels() -> None:
    dataset = JobMatchingDataset.from_rows(rows_of(*"a" * 160, *"b" * 40, *"c" * 5))
    _, validation = dataset.split(0.2, seed=3)
    counted = Counter(example.target for example in validation.examples)
    assert (counted["a"], counted["b"], counted["c"]) == (32, 8, 1)
    assert dataset.split(0.2, seed=4)[1] != validation


def test_a_split_spreads_numbers() -> None:
    rows = [{"text": f"t{at}", "value": at} for at in range(100)]
    _, validation = JobMatchingDataset.from_rows(rows).split(0.2, seed=0)
    counted = np.histogram(validation.numbers(), bins=5, range=(0, 100))[0]
    assert counted.tolist() == [4] * 5


def test_reposts_that_differ_in_white_space_and_case_stay_together() -> None:
    rows = [
        {"text": text, "label": at % 2}
        for at in range(20)
        for text in (f"Job {at}", f" job   {at} ", f"JOB&nbsp;{at}")
    ]
    train, validation = JobMatchingDataset.from_rows(rows).split(0.3, seed=1)
    folded = [{text.casefold() for text in side.texts} for side in (train, validation)]
    assert folded[0].isdisjoint(folded[1])


def test_pairs_that_share_a_text_stay_together() -> None:
    rows = [{"text_a": f"a{at // 4}", "text_b": f"b{at}", "score": at % 5 / 4} for at in range(40)]
    train, validation = JobMatchingDataset.from_rows(rows).split(0.2, seed=0)
    assert set(train.texts).isdisjoint(validation.texts)


def test_one_resume_against_many_postings_can_still_be_split() -> None:
    rows = [{"text_a": "me", "text_b": f"b{at}", "score": at % 5 / 4} for at in range(40)]
    train, validation = JobMatchingDataset.from_rows(rows).split(0.2, seed=0)
    assert (len(train), len(validation)) == (32, 8)


def test_rows_that_cannot_be_split_are_refused() -> None:
    rows = [{"text": f"the text of {label}", "label": label} for label in "abababab"]
    with pytest.raises(InvalidInput, match="different texts"):
        JobMatchingDataset.from_rows(rows).split(0.2, seed=0)


def test_one_text_with_two_labels_is_refused_by_both_rows() -> None:
    rows = [*EIGHT, {"text": "Text  3", "label": "a"}]
    with pytest.raises(InvalidInput) as caught:
        JobMatchingDataset.from_rows(rows)
    assert caught.value.field == "rows.8.label"
    assert "is 'a', but rows.3 has the same text with 'b'" in caught.value.problem


def test_one_text_may_have_two_values() -> None:
    rows = [{"text": "the same", "value": at} for at in range(8)]
    assert len(JobMatchingDataset.from_rows(rows)) == 8


def test_rows_of_a_reranker_are_read_by_query() -> None:
    rows = [{"query": "q", "text": f"t{at}", "score": at / 8} for at in range(8)]
    dataset = JobMatchingDataset.from_rows(rows)
    assert (dataset.task, dataset.texts[:2]) == ("reranker", ["q", "t0"])
    with pytest.raises(InvalidInput, match=r"rows\.8\.text: is missing"):
        JobMatchingDataset.from_rows([*rows, {"query": "q", "score": 0.5}])


def test_a_set_of_positive_pairs_and_its_split_know_what_they_are() -> None:
    rows = [{"text_a": f"a{at}", "text_b": f"b{at}", "score": None} for at in range(20)]
    dataset = JobMatchingDataset.from_rows(rows)
    train, validation = dataset.split(0.2, seed=0)
    assert dataset.positive_pairs
    assert train.positive_pairs
    assert (len(train), len(validation)) == (16, 4)
    scored = [row | {"score": 1.0 - at / 20} for at, row in enumerate(rows)]
    assert JobMatchingDataset.from_rows(scored).sha256 != dataset.sha256


def test_a_label_that_was_not_declared_is_refused_with_its_row() -> None:
    dataset = JobMatchingDataset.from_rows(EIGHT)
    for classes, field, says in (
        (("a", "c"), "rows.1.label", "is 'b', not one of a, c"),
        (("a", "b", "c"), "classes", "'c', which no row has"),
    ):
        with pytest.raises(InvalidInput) as caught:
            arrange(dataset, None, FineTuningConfig(classes=classes))
        assert caught.value.field == field
        assert says in caught.value.problem
    targets = arrange(dataset, None, FineTuningConfig(classes=("b", "a"))).targets
    assert targets.classes == ("b", "a")
