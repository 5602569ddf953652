"""Candidates by id: in whatever order they come, a selection sees them in the same one.

Ties, draws and sums all depend on the order of rows. With ids, strategies work on the rows sorted
by id, and what they answer is put back into the order in which the candidates came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.checks import Indices
from jobsentinel_workers.active_learning.picks import Selection
from jobsentinel_workers.active_learning.pool_input import PoolInput


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalOrder:
    """The way to the order of the ids and back.

    Attributes:
        size: how many ids there are, None without any.
        rows: (n,) the candidates by id, None where they stay as they are: sorted, or without ids.
    """

    size: int | None = None
    rows: Indices | None = None

    @classmethod
    def of(cls, ids: Sequence[str] | None) -> CanonicalOrder:
        """Return the order of ``ids``.

        Raises:
            InvalidInput: two are the same.
        """
        if ids is None:
            return cls()
        if all(one < next_ for one, next_ in pairwise(ids)):
            return cls(len(ids))
        order = sorted(range(len(ids)), key=ids.__getitem__)
        for one, next_ in pairwise(order):
            if ids[one] == ids[next_]:
                raise InvalidInput(f"ids.{max(one, next_)}", f"{ids[one]!r} is there twice")
        return cls(len(ids), np.array(order, dtype=np.intp))

    def arrange(self, given: PoolInput) -> PoolInput:
        """Return the candidates of ``given`` by id.

        Raises:
            InvalidInput: there are more ids than candidates.
        """
        if self.rows is None:
            return given
        try:
            return given.at(self.rows)
        except IndexError:
            problem = f"are {len(self.rows)}, more than there are candidates"
            raise InvalidInput("ids", problem) from None

    def restore(self, selection: Selection) -> Selection:
        """Return the selection with scores and picks by the rows in which the candidates came."""
        rows = self.rows
        if rows is None:
            return selection
        scores = np.empty_like(selection.scores)
        scores[rows] = selection.scores
        picks = (replace(each, index=int(rows[each.index])) for each in selection.picks)
        return replace(selection, scores=scores, picks=tuple(picks))
