"""The decision: whether a challenger replaces the champion without a person.

Both were judged on the same rows. The gate compares each task they answer:

* A task that was trained has to gain: its main metric's interval lies above 0. Where several were
  trained, **one has to gain and none may lose** more than is tolerated. That all of them gain is
  rarely seen even of a good training, since most labels are often of one task; a mean over them
  would add up scales that have nothing in common, and would let one task pay for another. With
  several chances, one gains by luck more often; so each interval is widened to 1 - (1 - c) / k for
  k trained tasks (Bonferroni), and the confidence holds for the training as a whole.
* Every task the champion answers is guarded: its main metric and its calibration error, whether it
  was trained or not. For all guards have to hold at once, they need no such widening.
* A task the champion does not answer has to beat the best constant answer, trained or not: what is
  no better than never reading the text is not shown as an answer. With no champion, that is so of
  all tasks.
* A task the champion answers and the challenger does not is a loss that no gain outweighs.
* Where the judged rows are too few, or do not define a metric, nothing is promoted by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.gate.comparing import TaskComparison, compare_latency
from jobsentinel_workers.gate.gains import Pair, constant_answer
from jobsentinel_workers.gate.latency import Latency
from jobsentinel_workers.gate.policy import GatePolicy
from jobsentinel_workers.gate.sufficiency import shortage, too_few
from jobsentinel_workers.gate.verdict import CONSTANT, Comparison, Verdict
from jobsentinel_workers.gate.writing import write_reason
from jobsentinel_workers.multi_task.assessment.bootstrap import Groups
from jobsentinel_workers.multi_task.assessment.catalogue import title
from jobsentinel_workers.multi_task.assessment.judged import Judged


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A model before the gate.

    Attributes:
        id: its name and version, such as ``multi-task@7``.
        judged: what it says of the rows that judge, by task.
        tasks: all tasks that it answers, also those of which no row has a label.
    """

    id: str
    judged: Mapping[str, Judged]
    tasks: Collection[str] = ()

    def answers(self, task: str) -> bool:
        """Return whether people get an answer to ``task`` from it."""
        return task in self.judged or task in self.tasks


def decide(
    challenger: Contender,
    champion: Contender | None,
    *,
    trained: Collection[str],
    latency: Latency | None,
    date: str,
    policy: GatePolicy | None = None,
    groups: Mapping[str, Groups] | None = None,
    clusters: Mapping[str, Groups] | None = None,
) -> Verdict:
    """Return whether ``challenger`` replaces ``champion`` by itself, and why.

    Args:
        challenger: the model that was trained.
        champion: the model in service; None where there is none.
        trained: the tasks whose answers the training was to improve.
        latency: of both, measured in turns; None only without a champion.
        date: ISO 8601.
        policy: the limits; the defaults where it is None.
        groups: near-duplicates among each task's judged rows, by task; tasks may lack.
        clusters: rows that are right or wrong together without being alike, such as those of one
            query, and so are drawn together; where a task lacks, its groups are.

    Raises:
        InvalidInput: no task was trained, the latency is missing, or the two were not judged on
            the same rows.
    """
    if not trained:
        raise InvalidInput("trained", "must name at least one task")
    if champion is not None and latency is None:
        raise InvalidInput("latency", "must be measured where there is a champion")
    groups = groups or {}
    drawn = {**groups, **(clusters or {})}
    trial = _Trial(challenger, champion, set(trained), policy or GatePolicy(), groups, drawn)
    for task in trial.tasks():
        trial.compare(task)
    if champion is not None and latency is not None:
        trial.comparisons.append(compare_latency(latency, champion.id, trial.policy))
    return trial.verdict(date, None if champion is None else latency)


@dataclass(slots=True)
class _Trial:
    """A verdict in the making.

    Attributes:
        drawn: which rows are drawn together.
        obstacles: what forbids promotion beside the comparisons.
        remarks: what a reader has to know besides.
    """

    challenger: Contender
    champion: Contender | None
    trained: set[str]
    policy: GatePolicy
    groups: Mapping[str, Groups]
    drawn: Mapping[str, Groups]
    comparisons: list[Comparison] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def tasks(self) -> list[str]:
        """Return every task that either answers or that was trained, trained ones first."""
        known = [*self.challenger.judged, *self.challenger.tasks]
        if self.champion is not None:
            known += [*self.champion.judged, *self.champion.tasks]
        names = dict.fromkeys([*known, *sorted(self.trained)])
        return sorted(names, key=lambda name: name not in self.trained)

    def compare(self, task: str) -> None:
        """Look at one task."""
        if self._champion_answers(task) and not self.challenger.answers(task):
            self.obstacles.append(f"{task}: the champion answers it, the challenger does not")
            return
        ours, other = self._judged(task)
        if ours is None:
            self._note_unjudged(task)
        else:
            self._compare_rows(task, ours, other)

    def verdict(self, date: str, latency: Latency | None) -> Verdict:
        """Return what all of it adds up to."""
        mains = [found for found in self.comparisons if found.role == "main"]
        guards = [found for found in self.comparisons if found.role == "guard"]
        failed = [found for found in guards if not found.passed]
        held = [] if failed or not guards else [f"all guards hold ({len(guards)})"]
        reasons = [*map(write_reason, mains), *map(write_reason, failed), *self.obstacles]
        has_gained = any(found.passed for found in mains)
        return Verdict(
            promote=has_gained and not failed and not self.obstacles,
            reasons=(*reasons, *held, *self.remarks),
            comparisons=tuple(self.comparisons),
            rows={task: judged.rows for task, judged in self.challenger.judged.items()},
            policy=self.policy,
            champion=None if self.champion is None else self.champion.id,
            challenger=self.challenger.id,
            date=date,
            latency=latency,
        )

    def _compare_rows(self, task: str, ours: Judged, other: Judged | None) -> None:
        groups = self.groups.get(task)
        pair = Pair.of(ours, other or constant_answer(ours), self.drawn.get(task), self.policy)
        is_untouched = task not in self.trained and other is not None and pair.says_the_same
        lack = None if is_untouched else shortage(ours, groups, self.policy)
        if lack is not None:
            self.obstacles.append(f"{task}: {lack}")
        against = CONSTANT if self.champion is None or other is None else self.champion.id
        chances = len(self.trained) if task in self.trained else 0
        found = TaskComparison(pair, self.policy, against, chances).comparisons()
        self.comparisons += found
        if not found and not is_untouched and lack is None:
            name = title(self.policy.main_metric(ours.task), ours.task)
            alone = "; all belong together, as those of one query" if pair.ours.trials < 2 else ""
            self.obstacles.append(f"{task}: {name} is not defined for the judged rows{alone}")

    def _champion_answers(self, task: str) -> bool:
        return self.champion is not None and self.champion.answers(task)

    def _judged(self, task: str) -> tuple[Judged | None, Judged | None]:
        """Return both sides' rows; None where there are none.

        Raises:
            InvalidInput: both answer the task and only one was judged.
        """
        ours = self.challenger.judged.get(task)
        other = None if self.champion is None else self.champion.judged.get(task)
        if (ours is None) != (other is None) and self._champion_answers(task):
            raise InvalidInput(f"judged.{task}", "must be judged for both models or for neither")
        return (ours if ours is not None and ours.rows else None), other

    def _note_unjudged(self, task: str) -> None:
        if task in self.trained:
            self.obstacles.append(f"{task}: {too_few(0, self.policy)}")
        else:
            self.remarks.append(f"{task}: not compared, for no judged row has a label of it")
