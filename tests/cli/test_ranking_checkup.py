"""What `jobsentinel doctor` says of the scorers that settings put into rankings."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.library_folders import write_late_interaction

from jobsentinel.cli.session import Session
from jobsentinel_workers.cli.ranking_checkup import ranking_findings


def test_a_folder_of_the_right_kind_is_ok_and_another_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_late_interaction(tmp_path / "models")
    monkeypatch.setenv("JOBSENTINEL_LATE_INTERACTION_PATH", str(folder))
    monkeypatch.setenv("JOBSENTINEL_SPARSE_PATH", str(folder))

    sparse, late = ranking_findings(Session(data_dir=tmp_path))

    assert (sparse.name, sparse.level) == ("sparse stage", "FAIL")
    assert "holds a 'MultiVectorEncoder', not a SparseEncoder" in sparse.found
    assert "JOBSENTINEL_SPARSE_PATH" in sparse.advice
    assert (late.name, late.level, late.found) == ("late interaction stage", "ok", str(folder))


def test_nothing_set_is_nothing_told(tmp_path: Path) -> None:
    assert list(ranking_findings(Session(data_dir=tmp_path))) == []


def test_a_wrong_setting_is_left_to_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBSENTINEL_SPARSE_KEEP", "0")

    assert list(ranking_findings(Session(data_dir=tmp_path))) == []
