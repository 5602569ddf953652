"""What importing and installing the light wing brings."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import jobsentinel
import jobsentinel_workers


def test_importing_the_light_wing_loads_neither_numpy_nor_torch_nor_celery() -> None:
    program = (
        "import sys, jobsentinel; jobsentinel.Producer; "
        "print([m for m in ('numpy', 'torch', 'celery', 'sqlalchemy') if m in sys.modules])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert printed.strip() == "[]"


@pytest.mark.parametrize("package", [jobsentinel, jobsentinel_workers])
def test_the_public_names_are_those_that_load(package: ModuleType) -> None:
    assert set(package.__all__) == set(package._HOME_OF)
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_every_public_name_is_there_and_is_documented() -> None:
    for name in jobsentinel.__all__:
        member = getattr(jobsentinel, name)
        assert not isinstance(member, type) or member.__doc__


def test_errors_share_one_root() -> None:
    for name in jobsentinel.__all__:
        member = getattr(jobsentinel, name)
        if isinstance(member, type) and issubclass(member, Exception):
            assert issubclass(member, jobsentinel.JobSentinelError)
