"""The documents are true: links, names, commands, defaults, and the code they show.

A Python block after a line ``<!-- runnable -->`` is run against real workers; every other one is
compiled, and what it imports from JobSentinel must be there.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from jobsentinel import Settings
from jobsentinel.cli.exit_codes import MEANINGS
from jobsentinel.cli.program import program
from jobsentinel.contract.tasks import TASKS
from jobsentinel.scrapy import PIPELINE_SETTINGS
from jobsentinel_workers.fleet import Fleet

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("docs", "examples", "benchmarks", "deploy", "producers", "workers")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for at in FOLDERS for page in (ROOT / at).rglob("*.md"))]
)
README, CLI = ROOT / "README.md", ROOT / "docs" / "cli.md"
MESSAGE_FORMAT = ROOT / "docs" / "message-format.md"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_RUNNABLE = "<!-- runnable -->\n"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def blocks(page: Path, *languages: str) -> Iterator[tuple[str, bool]]:
    """Yield each fenced block in one of the languages, and whether it is marked as runnable."""
    text = page.read_text("utf-8")
    for found in _FENCE.finditer(text):
        if found[1] in languages:
            yield found[2], text[: found.start()].endswith(_RUNNABLE)


def python_blocks() -> list[Any]:
    """Return each Python block with its mark as a parameter of a test."""
    return [
        pytest.param(code, runnable, id=f"{name_of(page)}-{number}")
        for page in PAGES
        for number, (code, runnable) in enumerate(blocks(page, "python"))
    ]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_an_anchor(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        destination = (page.parent / path).resolve() if path else page
        assert destination.exists(), f"{name_of(page)}: {target}"
        assert destination.is_relative_to(ROOT), f"{name_of(page)}: {target}"
        assert not anchor or anchor in anchors(destination), f"{name_of(page)}: {target}"


@pytest.mark.parametrize(("code", "runnable"), python_blocks())
def test_python_compiles_and_imports_what_there_is(code: str, runnable: bool) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jobsentinel"):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize(
    "code",
    [pytest.param(block.values[0], id=block.id) for block in python_blocks() if block.values[1]],
)
def test_runnable_python_runs(code: str, fleet: Fleet) -> None:
    environment = {
        **os.environ,
        "JOBSENTINEL_REDIS_URL": fleet.redis_url,
        "JOBSENTINEL_DATA_DIR": str(fleet.settings.data_dir),
    }

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@cache
def settings_table() -> dict[str, str]:
    """Return the README's settings and their defaults as it writes them."""
    rows = re.findall(r"^\| `JOBSENTINEL_(\w+)` \| (.*?) \|", README.read_text("utf-8"), re.M)
    return {name.lower(): default.strip("`") for name, default in rows}


def test_the_readme_lists_the_settings_with_their_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    fresh = Settings.load()
    table = settings_table()

    assert table.keys() == Settings.model_fields.keys()
    for name, default in table.items():
        value = getattr(fresh, name)
        if isinstance(value, int | float):
            assert float(default) == value, name
        elif isinstance(value, Path):
            assert Path(default).expanduser() == value, name
        else:
            assert default == ("none" if value is None else value), name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_named_anywhere_exists(page: Path) -> None:
    named = set(re.findall(r"JOBSENTINEL_([A-Z_]*[A-Z])", page.read_text("utf-8")))

    known = {f"JOBSENTINEL_{name.upper()}" for name in Settings.model_fields}
    assert {f"JOBSENTINEL_{name}" for name in named} <= known | PIPELINE_SETTINGS.keys()


def commands() -> dict[str, click.Command]:
    """Return all commands by what is typed, such as ``runs list``."""
    found: dict[str, click.Command] = {}
    context = click.Context(program)
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            inner = click.Context(command)
            for part in command.list_commands(inner):
                below = command.get_command(inner, part)
                assert below is not None
                found[f"{name} {part}"] = below
        else:
            found[name] = command
    return found


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Yield each ``jobsentinel ...`` of the shell blocks with its arguments."""
    for page in PAGES:
        for block, _ in blocks(page, "sh", "console"):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if "jobsentinel" in words:
                    yield name_of(page), _told(words[words.index("jobsentinel") + 1 :])


def _told(words: list[str]) -> list[str]:
    """Return what the command hears: the shell keeps ``< FILE`` and ``> FILE`` for itself."""
    taken = {at + more for at, word in enumerate(words) if word in {"<", ">"} for more in (0, 1)}
    return [word for at, word in enumerate(words) if at not in taken]


def test_command_lines_that_are_shown_are_understood() -> None:
    known = commands()
    shown = list(command_lines())

    assert shown
    for page, words in shown:
        name = next((n for n in known if words[: len(n.split())] == n.split()), None)
        assert name, f"{page}: jobsentinel {' '.join(words)}"
        command = known[name]
        context = click.Context(command, resilient_parsing=True)
        _, left, _ = command.make_parser(context).parse_args(words[len(name.split()) :])
        assert not left, f"{page}: jobsentinel {' '.join(words)} has {left} too many"


def test_commands_named_in_prose_exist() -> None:
    known = commands()
    groups = {name.split()[0] for name in known}
    for page in PAGES:
        for words in re.findall(r"`jobsentinel ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", prose(page)):
            first, _, second = words.partition(" ")
            assert first in groups, f"{name_of(page)}: jobsentinel {words}"
            if first not in known and second:
                assert words in known, f"{name_of(page)}: jobsentinel {words}"


def test_the_command_page_has_each_command_with_its_options() -> None:
    page = CLI.read_text("utf-8")
    sections = dict(re.findall(r"^## jobsentinel ([\w -]+)\n(.*?)(?=^## |\Z)", page, re.M | re.S))

    assert sections.keys() == commands().keys()
    for name, command in commands().items():
        written = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", sections[name]))
        options = {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
            if option.startswith("--")
        }
        assert written == options, f"{name}: {written ^ options}"


def test_the_command_page_has_the_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", CLI.read_text("utf-8"), re.M)

    assert {int(code): meaning for code, meaning in rows} == {
        int(code): meaning for code, meaning in MEANINGS.items()
    }


def test_every_guarantee_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
    promises = re.findall(r"^\| (.+) \| (`(?:tests/|chaos: ).*) \|$", page, re.M)
    sources = (ROOT / "tests" / "chaos" / "scenarios").glob("*.py")
    scenarios = {
        name
        for source in sources
        for name in re.findall(r'^    name = "([\w-]+)"$', source.read_text("utf-8"), re.M)
    }

    assert promises
    for promise, proofs in promises:
        for proof in re.findall(r"`([^`]+)`", proofs):
            path, _, test = proof.partition("::")
            if proof.startswith("chaos: "):
                assert proof.removeprefix("chaos: ") in scenarios, promise
            else:
                assert f"def {test}(" in (ROOT / path).read_text("utf-8") or not test, promise


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for page in PAGES:
        text = page.read_text("utf-8")
        shell = "\n".join(block for block, _ in blocks(page, "sh"))
        named = re.findall(r"`make (?:PYTHON=\S+ )?([a-z-]+)", text)
        named += re.findall(r"^make ([a-z-]+)", shell, re.M)
        assert set(named) <= targets, name_of(page)


def test_set_up_is_two_commands() -> None:
    (block, _), *_ = blocks(README, "sh")

    assert [line.split("#")[0].strip() for line in block.splitlines()] == ["make demo", "make test"]


def test_the_changelog_has_the_version_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)

    assert versions[0] == project["version"]


def test_the_message_format_has_every_task_and_field() -> None:
    words = set(re.findall(r"`([\w.]+)`", MESSAGE_FORMAT.read_text("utf-8")))
    for task in TASKS.values():
        assert {task.name, task.wire_name, task.queue} <= words
        for message in (task.request, task.result):
            missing = message.model_fields.keys() - words
            assert not missing, f"{message.__name__}: {missing}"


def test_decisions_are_numbered_without_gaps_and_have_their_parts() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. ")
        assert re.findall(r"^## (.*)$", text, re.M) == ["Context", "Choice", "Consequences"]
