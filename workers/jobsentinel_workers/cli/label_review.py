"""`jobsentinel label review`: labels that are worth a second look."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from jobsentinel.cli.exit_codes import complain
from jobsentinel.cli.output import json_option, percent, plural, print_json, print_table
from jobsentinel.cli.session import Session, pass_session
from jobsentinel_workers.cli.label_options import class_option, kind_option, open_store, question_of
from jobsentinel_workers.cli.showing import limit_option

if TYPE_CHECKING:
    from jobsentinel_workers.labelling.questions import Question
    from jobsentinel_workers.labelling.suspicious import Review


@click.command("review")
@kind_option
@class_option
@click.option("--seed", type=int, default=0, show_default=True, help="Of the cross-validation.")
@limit_option
@json_option
@pass_session
def review(
    session: Session,
    /,
    *,
    kind: str,
    classes: tuple[str, ...],
    seed: int,
    limit: int,
    as_json: bool,
) -> None:
    """List labels that are probably wrong, worst first, and those that contradict each other.

    The model in service may have learnt from a wrong label and agree with it. So each label is
    judged by a regression over stored embeddings that has not seen it (confident learning).
    """
    from jobsentinel_workers.labelling.suspicious import review_labels

    with open_store(session) as database:
        question = question_of(database, kind, classes)
        with database.connect() as connection:
            found = review_labels(connection, question, seed=seed)
    if as_json:
        _print_json(found, limit)
    else:
        _print_tables(found, question, limit)
    _tell(found, limit)


def _print_json(found: Review, limit: int) -> None:
    for each in found.suspicious[:limit]:
        print_json({"what": "suspicious", **asdict(each)})
    for against in found.contradictions[:limit]:
        print_json({"what": "contradiction", **asdict(against)})


def _print_tables(found: Review, question: Question, limit: int) -> None:
    if found.suspicious:
        print_table(
            ["posting", "~title", "~label", ">sure", "~held for", ">sure", "~by"],
            [
                [
                    each.posting_id,
                    each.title,
                    question.told(each.value),
                    percent(each.label_probability),
                    question.told(each.likeliest),
                    percent(each.likeliest_probability),
                    ", ".join(each.annotators),
                ]
                for each in found.suspicious[:limit]
            ],
        )
    if found.contradictions:
        print_table(
            ["posting", "~title", "~~annotators say"],
            [
                [
                    against.posting_id,
                    against.title,
                    "\n".join(
                        f"{name}: {question.told(value)}" for name, value in against.values.items()
                    ),
                ]
                for against in found.contradictions[:limit]
            ],
        )


def _tell(found: Review, limit: int) -> None:
    if found.wrong_share is not None:
        complain(
            f"{plural(len(found.suspicious), 'suspicious label')} out of {found.judged:,} judged; "
            f"about {percent(found.wrong_share)} of all are probably wrong"
        )
    complain(
        f"{plural(len(found.contradictions), 'posting')} on which annotators contradict each other"
    )
    for reason, count in found.not_judged.items():
        complain(f"not judged: {plural(count, 'posting')} {reason}")
    if max(len(found.suspicious), len(found.contradictions)) > limit:
        complain(f"only {limit:,} of each are listed; --limit shows more")
