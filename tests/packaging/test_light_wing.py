"""What importing and installing the light wing brings."""

from __future__ import annotations

import subprocess
import sys

import jobsentinel


def test_importing_the_light_wing_loads_neither_numpy_nor_torch_nor_celery() -> None:
    program = (
        "import sys, jobsentinel; jobsentinel.Producer; "
        "print([m for m in ('numpy', 'torch', 'celery', 'sqlalchemy') if m in sys.modules])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert printed.strip() == "[]"


def test_every_public_name_is_there_and_is_documented() -> None:
    for name in jobsentinel.__all__:
        member = getattr(jobsentinel, name)
        assert not isinstance(member, type) or member.__doc__


def test_errors_share_one_root() -> None:
    for name in jobsentinel.__all__:
        member = getattr(jobsentinel, name)
        if isinstance(member, type) and issubclass(member, Exception):
            assert issubclass(member, jobsentinel.JobSentinelError)
