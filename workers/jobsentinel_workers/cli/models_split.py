"""`jobsentinel models ab`: a challenger beside the champion, on a share of the postings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jobsentinel.cli.output import json_option, print_facts, print_json
from jobsentinel.cli.session import Session, pass_session
from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.cli.models_trial import try_out
from jobsentinel_workers.cli.models_versions import Version, announce
from jobsentinel_workers.models_in_service import SCORING, open_registry

if TYPE_CHECKING:
    from jobsentinel_workers.registry import ModelRegistry


@click.command("ab")
@click.argument("name")
@click.argument("version", type=Version(), required=False)
@click.option(
    "--share", type=float, metavar="SHARE", help="Of the postings, between 0 and 1: 0.2 is a fifth."
)
@click.option("--off", is_flag=True, help="Let the champion answer everything again.")
@json_option
@pass_session
def ab(
    session: Session,
    *,
    name: str,
    version: int | str | None,
    share: float | None,
    off: bool,
    as_json: bool,
) -> None:
    """Let VERSION answer a share of the postings, beside the champion.

    A posting keeps its arm as long as the split lasts, and its score says which version and arm
    answered. A promotion or a rollback ends the split. Without VERSION, the present split is shown.
    """
    from jobsentinel_workers.audit import recording

    registry = open_registry(session.settings)
    if off:
        _refuse_both(version, share)
        with recording(session.settings) as record:
            registry.end_split(name)
            record("split_changed", name, {"share": "0"})
        announce(session, registry)
    elif version is not None or share is not None:
        _begin(session, registry, name, version, share)
    _show(registry, name, as_json)


def _refuse_both(version: int | str | None, share: float | None) -> None:
    if version is not None or share is not None:
        raise click.UsageError("--off takes neither a version nor a share")


def _begin(
    session: Session,
    registry: ModelRegistry,
    name: str,
    version: int | str | None,
    share: float | None,
) -> None:
    from jobsentinel_workers.audit import recording

    if version is None or share is None:
        raise click.UsageError("a split needs both a version and --share")
    if name != SCORING:
        raise InvalidInput("name", f"only {SCORING!r} is served in two arms, not {name!r}")
    try_out(session, registry.get(name, version))
    with recording(session.settings) as record:
        registry.begin_split(name, version, share)
        record("split_changed", name, {"version": str(version), "share": str(share)})
    announce(session, registry)


def _show(registry: ModelRegistry, name: str, as_json: bool) -> None:
    aliases = registry.aliases(name)
    facts = {
        "model": name,
        "champion": aliases.champion,
        "challenger": aliases.challenger,
        "share": None if aliases.split is None else aliases.split.share,
    }
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)
