"""The key: made once whoever comes first, kept from others, and never shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from test_audit_appending import outputs, started

from jobsentinel import Settings
from jobsentinel.contract.errors import ConfigurationError
from jobsentinel_workers.audit.keys import KEY_BYTES, find_key, find_or_make_key, key_file
from jobsentinel_workers.fleet import _as_environment

SECRET = "a secret that is longer than 32 characters"


def test_a_key_is_made_once_and_for_its_owner_alone(sqlite_settings: Settings) -> None:
    before = os.umask(0)
    try:
        made = find_or_make_key(sqlite_settings)
    finally:
        os.umask(before)

    assert len(made) == KEY_BYTES
    assert find_or_make_key(sqlite_settings) == find_key(sqlite_settings) == made
    assert stat.S_IMODE(key_file(sqlite_settings).stat().st_mode) == 0o600
    assert list(sqlite_settings.data_dir.iterdir()) == [key_file(sqlite_settings)]


def test_looking_for_a_key_makes_none(sqlite_settings: Settings) -> None:
    assert find_key(sqlite_settings) is None
    assert not sqlite_settings.data_dir.exists()


def test_processes_that_make_the_key_at_once_have_the_same(sqlite_settings: Settings) -> None:
    with started(sqlite_settings, "make_key", ("a", "b", "c", "d")) as processes:
        keys = outputs(processes)

    assert len(set(keys)) == 1
    assert list(sqlite_settings.data_dir.iterdir()) == [key_file(sqlite_settings)]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o777])
def test_a_key_that_others_may_use_is_refused_with_its_mode(
    sqlite_settings: Settings, mode: int
) -> None:
    find_or_make_key(sqlite_settings)
    key_file(sqlite_settings).chmod(mode)

    with pytest.raises(ConfigurationError, match=f"has mode {mode:04o}") as refused:
        find_key(sqlite_settings)
    assert "chmod 600" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"x" * (KEY_BYTES - 1), b"x" * (KEY_BYTES + 1)])
def test_a_file_that_holds_no_key_is_refused(sqlite_settings: Settings, content: bytes) -> None:
    find_or_make_key(sqlite_settings)
    key_file(sqlite_settings).write_bytes(content)

    with pytest.raises(ConfigurationError, match="does not hold"):
        find_key(sqlite_settings)


def test_a_link_in_the_place_of_the_key_is_refused(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_bytes(b"x" * KEY_BYTES)
    (tmp_path / "elsewhere").chmod(0o600)
    sqlite_settings.data_dir.mkdir()
    key_file(sqlite_settings).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigurationError, match="cannot be read"):
        find_key(sqlite_settings)


def test_a_key_that_is_set_goes_before_the_file_and_makes_none(sqlite_settings: Settings) -> None:
    settings = sqlite_settings.changed(audit_key=SECRET)

    assert find_or_make_key(settings) == SECRET.encode()
    assert not settings.data_dir.exists()


def test_a_key_that_is_set_is_not_shown(sqlite_settings: Settings) -> None:
    settings = sqlite_settings.changed(audit_key=SECRET)

    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_a_short_key_is_refused_without_being_quoted() -> None:
    with pytest.raises(ConfigurationError, match="JOBSENTINEL_AUDIT_KEY") as refused:
        Settings.load(audit_key="short one")

    assert "short one" not in str(refused.value)


def test_workers_that_a_fleet_starts_get_the_key_itself(sqlite_settings: Settings) -> None:
    settings = sqlite_settings.changed(audit_key=SECRET)

    assert _as_environment(settings, "redis://x")["JOBSENTINEL_AUDIT_KEY"] == SECRET
    assert "JOBSENTINEL_AUDIT_KEY" not in _as_environment(sqlite_settings, "redis://x")
