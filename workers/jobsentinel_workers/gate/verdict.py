"""What the gate decided and why: plain values that are stored with the version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self

from jobsentinel_workers.gate.latency import Latency
from jobsentinel_workers.gate.policy import GatePolicy
from jobsentinel_workers.multi_task.assessment.catalogue import Form

Role = Literal["main", "guard"]
Needs = Literal["above", "at_least"]
LATENCY: Final = "latency"
CONSTANT: Final = "constant answer"
"""Stands for the champion where it has no such task."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of the challenger beside the champion's, as a gain: above 0 it is better.

    Attributes:
        task: the question; empty for the latency.
        metric: its key in the catalogue, or ``latency``.
        title: its name for people.
        form: how it is written.
        role: ``main`` has to gain, ``guard`` must not lose more than is tolerated.
        against: the champion's id, or ``constant answer`` where it has no such task.
        value: the gain; of the latency 1 less the ratio.
        low: lower end of its interval; None for the latency, which has none.
        high: upper end.
        confidence: of the interval.
        bound: what the gain is held against.
        needs: whether ``low`` has to lie above the bound, or what the policy's guards look at has
            to be at least the bound.
        passed: whether it does.
    """

    task: str
    metric: str
    title: str
    form: Form
    role: Role
    against: str
    value: float
    low: float | None
    high: float | None
    confidence: float | None
    bound: float
    needs: Needs
    passed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's decision about one challenger.

    Attributes:
        promote: whether the challenger replaces the champion by itself.
        reasons: why, in sentences; never empty.
        comparisons: all figures that were looked at.
        rows: how many rows were judged, by task.
        policy: the limits that were applied.
        champion: id of the model in service; None where there is none.
        challenger: id of the model that was trained.
        date: of the decision, ISO 8601.
        latency: median seconds a text of both; None where there is no champion.
    """

    promote: bool
    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    rows: Mapping[str, int]
    policy: GatePolicy
    champion: str | None
    challenger: str
    date: str
    latency: Latency | None = None

    @property
    def failed_guards(self) -> tuple[Comparison, ...]:
        """The guards that lost more than is tolerated."""
        return tuple(c for c in self.comparisons if c.role == "guard" and not c.passed)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        return {
            "promote": self.promote,
            "reasons": list(self.reasons),
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
            "rows": dict(self.rows),
            "policy": self.policy.to_json(),
            "champion": self.champion,
            "challenger": self.challenger,
            "date": self.date,
            "latency": None if self.latency is None else self.latency.to_json(),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the verdict that :meth:`to_json` wrote."""
        latency = fields["latency"]
        return cls(
            promote=fields["promote"],
            reasons=tuple(fields["reasons"]),
            comparisons=tuple(Comparison(**each) for each in fields["comparisons"]),
            rows=dict(fields["rows"]),
            policy=GatePolicy.from_json(fields["policy"]),
            champion=fields["champion"],
            challenger=fields["challenger"],
            date=fields["date"],
            latency=None if latency is None else Latency.from_json(latency),
        )

    def to_text(self) -> str:
        """Return the verdict for a terminal: the decision, its reasons, and all figures."""
        from jobsentinel_workers.gate.writing import write_text

        return write_text(self)

    def to_line(self) -> str:
        """Return the verdict as one line for logs."""
        from jobsentinel_workers.gate.writing import write_line

        return write_line(self)
