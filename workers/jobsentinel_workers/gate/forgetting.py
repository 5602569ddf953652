"""What a training on new rows cost on old ones: the same comparison, on each kind of row.

Of each task that both models answer, the challenger's gain in the main metric is given for rows
that were known before and for new ones. A loss on the old ones beside a gain on the new is what the
field calls forgetting (McCloskey and Cohen 1989).
"""

from __future__ import annotations

from jobsentinel_workers.gate.decide import Contender
from jobsentinel_workers.gate.gains import Pair
from jobsentinel_workers.gate.policy import GatePolicy
from jobsentinel_workers.multi_task.assessment.catalogue import METRICS, form, title
from jobsentinel_workers.multi_task.assessment.writing import write_difference

MIN_ROWS = 10
"""Fewer say nothing."""


def write_changes(
    challenger: Contender, champion: Contender, rows: str, policy: GatePolicy
) -> list[str]:
    """Return a sentence for each task that both were judged on.

    Args:
        challenger: judged on rows of one kind.
        champion: judged on the same.
        rows: what these are, such as ``rows known before``.
        policy: names the metrics and the draws.
    """
    return [
        _sentence(name, challenger, champion, rows, policy)
        for name in challenger.judged
        if name in champion.judged
    ]


def _sentence(
    name: str, challenger: Contender, champion: Contender, rows: str, policy: GatePolicy
) -> str:
    ours, other = challenger.judged[name], champion.judged[name]
    about = f"{name}: on {ours.rows} {rows}"
    if ours.rows < MIN_ROWS:
        return f"{about} nothing can be said; {MIN_ROWS} are needed"
    metric = policy.main_metric(ours.task)
    gain = Pair.of(ours, other, None, policy).gain(metric, policy.confidence)
    if gain is None:
        return f"{about} {title(metric, ours.task)} is not defined"
    unit = " points" if METRICS[metric].form == "share" else ""
    falls = " gain" if METRICS[metric].better == "lower" else ""
    size = write_difference(gain, form(metric, ours.task))
    return f"{about} {title(metric, ours.task)}{falls} {size}{unit}"
