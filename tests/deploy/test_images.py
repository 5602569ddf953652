"""What the images' build does, done in a clean environment; the Dockerfiles do just that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from deployed import KNOWN_NAMES, REPOSITORY

from jobsentinel_workers.health import QUESTIONS

IMAGES = REPOSITORY / "deploy" / "images"
DOCKERFILE = (IMAGES / "Dockerfile").read_text("utf-8")
KINDS = ("producer", "worker", "worker-gpu")


def install(*arguments: object, at: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", at / "deploy" / "images" / "install.sh", *map(str, arguments)],
        cwd=at,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


def stages() -> dict[str, str]:
    """Return the text of each stage by its name."""
    parts = re.split(r"(?m)^FROM \S+ AS (\S+)$", DOCKERFILE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def instructions(stage: str, name: str) -> list[str]:
    joined = stages()[stage].replace("\\\n", " ")
    return re.findall(rf"(?m)^{name} (.+)$", joined)


def copied_into_the_build(folder: Path) -> Path:
    """Make ``folder`` what the stage `source` is: only what its COPY lines name."""
    for line in instructions("source", "COPY"):
        *sources, target = line.split()
        for source in sources:
            found = REPOSITORY / source
            place = folder / (f"{target}{found.name}" if target.endswith("/") else target)
            place.parent.mkdir(parents=True, exist_ok=True)
            if found.is_dir():
                shutil.copytree(found, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(found, place)
    return folder


@pytest.mark.timeout(600)  # packages come over the network
def test_a_producers_image_installs_from_what_is_copied_and_nothing_else(tmp_path: Path) -> None:
    source, venv = copied_into_the_build(tmp_path / "src"), tmp_path / "venv"

    done = install("producer", venv, at=source)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("jobsentinel ")
    assert not (venv / "bin" / "pip").exists()
    for package in ("torch", "numpy", "sqlalchemy"):
        assert not list(venv.glob(f"lib/*/site-packages/{package}"))


def test_a_workers_environment_is_checked_for_its_kind_of_torch() -> None:
    cpu, gpu = (install("check", kind, sys.prefix) for kind in ("worker", "worker-gpu"))

    light = install("check", "producer", sys.prefix)

    assert (cpu.returncode, cpu.stderr) == (0, "")
    assert gpu.returncode == 1
    assert "is built without CUDA, so no GPU would be used" in gpu.stderr
    assert light.returncode == 1
    assert "a producer needs no torch" in light.stderr


@pytest.mark.parametrize("arguments", [(), ("all", "/tmp/x"), ("producer",), ("check", "worker")])
def test_a_wrong_call_says_how_it_is_right(arguments: tuple[str, ...]) -> None:
    done = install(*arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("usage: install.sh producer|worker|worker-gpu FOLDER")


def test_each_image_is_installed_by_the_script_of_these_tests() -> None:
    for kind in KINDS:
        (run,) = instructions(f"{kind}-install", "RUN")

        assert run.split()[-3:] == ["deploy/images/install.sh", kind, "/opt/jobsentinel"]
        assert "type=secret,id=pip_conf" in run
        assert f"--from={kind}-install /opt/jobsentinel /opt/jobsentinel" in stages()[kind]


def test_what_is_copied_is_what_the_context_lets_through() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()

    let_through = {line[1:] for line in lines if line.startswith("!")}
    copied = {name for line in instructions("source", "COPY") for name in line.split()[:-1]}

    assert "*" in lines
    assert let_through == copied


def test_images_run_as_nobody_special_under_an_init() -> None:
    for stage in ("producer", "worker-base"):
        assert instructions(stage, "USER") == ["10001:10001"]
        (entry,) = instructions(stage, "ENTRYPOINT")
        assert entry.startswith('["tini", "--", ')
    assert "tini=" in stages()["base"]


def test_environments_and_the_health_command_are_the_codes() -> None:
    names = set(re.findall(r"JOBSENTINEL_[A-Z_]+", stages()["base"] + stages()["worker-base"]))
    (health,) = instructions("worker-base", "HEALTHCHECK")

    asked = re.findall(r'"([^"]+)"', health)

    assert names <= KNOWN_NAMES
    assert asked[:3] == ["python", "-m", "jobsentinel_workers.health"]
    assert asked[3] in QUESTIONS


def test_no_image_is_of_whatever_version_and_no_host_is_named() -> None:
    bases = re.findall(r"(?m)^(?:ARG \w+=|FROM )(\S+:\S+)", DOCKERFILE)

    assert bases
    assert not any(base.endswith(":latest") for base in bases)
    assert not re.search(r"index-url|trusted-host|https?://", DOCKERFILE)
    assert "http" not in (IMAGES / "install.sh").read_text("utf-8")
