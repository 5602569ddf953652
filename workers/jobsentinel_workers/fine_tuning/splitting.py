"""Setting rows apart for validation without letting the model have seen them.

Postings are reposted: rows that share a text form a group, and a group is never torn apart. Within
each label (or each fifth of the numbers) the same share of rows is set apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.fine_tuning.examples import Example
from jobsentinel_workers.fine_tuning.grouping import groups_of_pairs

NUMBER_STRATA = 5

Rows = list[int]


def split_examples(examples: Sequence[Example], fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Return the rows to train on and the rows to validate on, each ascending.

    Raises:
        InvalidInput: no group can be spared.
    """
    for joined, strata in _joinings(examples, fraction):
        rng = np.random.default_rng(seed)
        stratified = _stratify(_in_their_order(joined, examples), strata)
        apart = _set_apart([_shuffled(stratum, rng) for stratum in stratified], fraction)
        apart = _without_last_of_a_label(apart, examples)
        if apart:
            break
    else:
        raise InvalidInput("rows", "must hold at least two different texts for some label")
    validation = sorted(row for group in apart for row in group)
    kept = set(range(len(examples))) - set(validation)
    return sorted(kept), validation


def _without_last_of_a_label(apart: list[Rows], examples: Sequence[Example]) -> list[Rows]:
    """Give back groups that hold the only rows of a label: it could not be learnt."""
    left = Counter(example.target for example in examples)
    spared = []
    for group in apart:
        held = Counter(examples[row].target for row in group)
        labels = [target for target in held if isinstance(target, str)]
        if all(left[label] > held[label] for label in labels):
            left.subtract(held)
            spared.append(group)
    return spared


def _joinings(
    examples: Sequence[Example], fraction: float
) -> Iterator[tuple[list[Rows], list[Hashable]]]:
    """Yield which rows belong together, with each row's stratum, best first.

    Pairs are joined over either text. Where that ties nearly all together, as when several queries
    brought the same postings, they are joined over the first text, the query; each has all grades,
    so there are no strata. Where there is one résumé for all, only repetitions of the whole pair
    are joined.
    """
    strata = _strata_of_rows(examples)
    ways: list[tuple[Sequence[Example], list[Hashable]]] = [(examples, strata)]
    if len(examples[0].texts) > 1:
        queries = [Example(e.texts[:1], e.target) for e in examples]
        ways.append((queries, [0] * len(examples)))
    for rows, their in ways:
        joined = _join(rows)
        if max(map(len, joined)) <= (1 - fraction) * len(examples):
            yield joined, their
    yield _join([Example((" \n ".join(sorted(e.texts)),), e.target) for e in examples]), strata


def _in_their_order(joined: list[Rows], examples: Sequence[Example]) -> list[Rows]:
    """Return groups in an order that does not depend on that of the rows."""
    keys = [[text.casefold() for text in example.texts] for example in examples]
    return sorted(joined, key=lambda group: min(keys[row] for row in group))


def _join(examples: Sequence[Example]) -> list[Rows]:
    """Return the connected components of rows over shared texts."""
    first: dict[str, int] = {}
    shared = (
        (row, first.setdefault(text.casefold(), row))
        for row, example in enumerate(examples)
        for text in example.texts
    )
    components: dict[int, Rows] = defaultdict(list)
    for row, component in enumerate(groups_of_pairs(len(examples), shared)):
        components[component].append(row)
    return list(components.values())


def _strata_of_rows(examples: Sequence[Example]) -> list[Hashable]:
    if isinstance(examples[0].target, str):
        return [example.target for example in examples]
    numbers = np.array([float(example.target) for example in examples])
    edges = np.quantile(numbers, np.linspace(0, 1, NUMBER_STRATA + 1)[1:-1])
    return [int(stratum) for stratum in np.searchsorted(edges, numbers, side="right")]


def _stratify(groups: list[Rows], strata: list[Hashable]) -> list[list[Rows]]:
    members: dict[Hashable, list[Rows]] = defaultdict(list)
    for group in groups:
        [(stratum, _)] = Counter(strata[row] for row in group).most_common(1)
        members[stratum].append(group)
    return [members[stratum] for stratum in sorted(members, key=str)]


def _shuffled(stratum: list[Rows], rng: np.random.Generator) -> list[Rows]:
    return [stratum[at] for at in rng.permutation(len(stratum))]


def _set_apart(strata: list[list[Rows]], fraction: float) -> list[Rows]:
    """Take groups from each stratum until its share is reached, carrying roundings onward.

    One group of every stratum stays, so that each label can be learnt.
    """
    apart: list[Rows] = []
    owed = 0.0
    for stratum in strata:
        owed += fraction * sum(map(len, stratum))
        for group in stratum[1:]:
            if owed >= len(group) / 2:
                apart.append(group)
                owed -= len(group)
    spare = [group for stratum in strata for group in stratum[1:]]
    return apart or ([min(spare, key=len)] if spare else [])
