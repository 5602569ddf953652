"""What labelling by a strategy would have saved: the circle replayed on texts that have labels.

`replay` hides the labels, lets each strategy ask for them batch by batch, trains a head after each
batch and judges it on rows set apart, for many seeds. What comes out is learning curves and the
labels saved against drawing at random. Plots and report are imported from their own modules, since
they need matplotlib and Jinja2.
"""

from __future__ import annotations

from jobsentinel_workers.replay.circle import CLASS_STRATEGIES, Circle, Curve, simulate
from jobsentinel_workers.replay.comparing import Found, compare
from jobsentinel_workers.replay.corpus import Corpus
from jobsentinel_workers.replay.label_files import read_labelled_rows
from jobsentinel_workers.replay.labelled_texts import LabelledTexts
from jobsentinel_workers.replay.learning_curves import LearningCurves
from jobsentinel_workers.replay.replaying import SEEDS, Plan, Replay, replay
from jobsentinel_workers.replay.savings import Saving, saving
from jobsentinel_workers.replay.table import to_table

__all__ = [
    "CLASS_STRATEGIES",
    "SEEDS",
    "Circle",
    "Corpus",
    "Curve",
    "Found",
    "LabelledTexts",
    "LearningCurves",
    "Plan",
    "Replay",
    "Saving",
    "compare",
    "read_labelled_rows",
    "replay",
    "saving",
    "simulate",
    "to_table",
]
