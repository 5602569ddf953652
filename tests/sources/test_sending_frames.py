"""Frames go straight into `Producer.score`."""

from __future__ import annotations

import pandas as pd
import pytest

from jobsentinel import InvalidInput, Producer


def test_a_frame_is_sent_and_equal_to_its_rows(producer: Producer) -> None:
    rows = [{"id": str(n), "title": f"Nurse {n}"} for n in range(70)]

    of_frame = producer.score(pd.DataFrame(rows).assign(rating=1.5))
    of_rows = producer.score(rows)

    assert [job.job_id for job in of_frame.jobs] == [job.job_id for job in of_rows.jobs]
    assert len(of_frame.jobs) == 2


def test_a_bad_row_or_a_missing_column_is_named_and_nothing_is_sent(producer: Producer) -> None:
    with pytest.raises(InvalidInput, match=r"postings\.1\.remote: must be true or false"):
        producer.score(pd.DataFrame({"id": ["a", "b"], "title": "x", "remote": [True, "?"]}))
    with pytest.raises(InvalidInput, match="frame: title: is missing"):
        producer.score(pd.DataFrame({"id": ["a"]}))

    assert producer.depths()["inference.bulk"] == 0
