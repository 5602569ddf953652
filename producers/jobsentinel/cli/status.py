"""`jobsentinel status`: what waits and what runs; the heavy wing adds its workers and its store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, plural, print_facts, print_json, printable
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.contract.tasks import QUEUES
from jobsentinel.flushing import outbox_of

if TYPE_CHECKING:
    from jobsentinel.settings import Settings

PLUGIN_GROUP: Final = "jobsentinel.status"

Report = Mapping[str, Any]


@click.command("status")
@json_option
@pass_session
def command(session: Session, as_json: bool) -> None:
    """Show how many jobs wait, run and failed, which workers answer, and what is stored."""
    waiting = _outbox(session.settings)
    with session.producer() as producer:
        counts = producer.depths()
    report: dict[str, Any] = {
        "redis": without_password(session.settings.resolve_redis_url()),
        "waiting": {queue: counts.pop(queue) for queue in QUEUES},
        **counts,
        **({"outbox": waiting} if waiting else {}),
        **_reports_of_plugins(session.settings),
    }
    if as_json:
        print_json(report)
        return
    serving = report.pop("serving", {})
    indexes = report.pop("index", {})
    print_facts(_flat({**report, **_served(serving), **_indexes(indexes)}))
    for worker, index in indexes.items():
        if index.get("note"):
            complain(f"{worker}: {printable(index['note'])}")
    for told in _refused(serving):
        complain(told)
    if report.get("workers") == []:
        complain("no worker answers; `jobsentinel up` starts some on this machine")


def _outbox(settings: Settings) -> Report:
    """Return how many jobs wait in the outbox and tell it, also in case Redis is away."""
    with closing(outbox_of(settings)) as outbox:
        held = outbox.contents()
    if held.waiting:
        complain(
            f"{plural(held.waiting, 'job')} left in the outbox {outbox.path}; "
            "`jobsentinel outbox flush` sends what is there"
        )
    return {"waiting": held.waiting, "kept": held.kept} if held.waiting or held.kept else {}


def without_password(url: str) -> str:
    """Return an address that may be shown to anybody."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    hidden = f"{user.partition(':')[0]}:***@" if at else ""
    return parts._replace(netloc=f"{hidden}{host}").geturl()


def _reports_of_plugins(settings: Settings) -> Report:
    found: dict[str, Any] = {}
    for entry in entry_points(group=PLUGIN_GROUP):
        try:
            report: Callable[[Settings], Report] = entry.load()
            found.update(report(settings))
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("jobsentinel"):
                raise
            complain('to see workers and store too: pip install "jobsentinel-ml[workers]"')
    return found


def _served(serving: Mapping[str, Report]) -> Report:
    """Return a line for each model in service of each worker."""
    return {
        f"{worker} {name}": _version_in_service(model)
        for worker, models in serving.items()
        for name, model in models.items()
    }


def _indexes(indexes: Mapping[str, Report]) -> Report:
    """Return a line for the index of each worker."""
    return {f"{worker} index": _index_state(index) for worker, index in indexes.items()}


def _index_state(index: Report) -> str:
    wanted, serving = printable(index["wanted"]), printable(index["serving"])
    text = f"{index['encoded']:,} of {index['postings']:,} postings by {wanted}, {index['state']}"
    return text if serving == wanted else f"{text}; {serving} answers meanwhile"


def _version_in_service(model: Report) -> str:
    text = f"version {model['version']} since {_minute(model['since'])}"
    if model.get("challenger") is not None:
        text += f", beside version {model['challenger']}"
    refused = model.get("refused")
    return text if refused is None else f"{text}; REFUSED: version {refused['version']}"


def _refused(serving: Mapping[str, Report]) -> Iterator[str]:
    """Yield what is to be known of versions that were chosen and cannot serve."""
    for worker, models in serving.items():
        for name, model in models.items():
            refused = model.get("refused")
            if refused is not None:
                yield (
                    f"{worker} keeps {name} {model['version']}: {refused['as']} "
                    f"{refused['version']} cannot be loaded since {_minute(refused['since'])}: "
                    f"{printable(refused['error'])}; `jobsentinel models rollback {name}`, or "
                    "promote another version"
                )


def _minute(timestamp: str) -> str:
    return timestamp[:16].replace("T", " ") + " UTC"


def _flat(report: Report) -> dict[str, object]:
    lines: dict[str, object] = {}
    for name, value in report.items():
        if isinstance(value, Mapping):
            lines.update({f"{name} {key}": inner for key, inner in value.items()})
        elif isinstance(value, list):
            lines[name] = ", ".join(map(str, value)) or None
        else:
            lines[name] = value
    return lines
