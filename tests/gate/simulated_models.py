"""Two models of known quality on the same rows, as a champion and a challenger would answer."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from jobsentinel_workers.gate import Contender, GatePolicy, Latency, Verdict, decide
from jobsentinel_workers.multi_task.assessment import Judged
from jobsentinel_workers.multi_task.tasks import Task, TaskType

CATEGORY = Task("job_category", TaskType.CLASSIFICATION, classes=tuple("abcdefgh"))
SCAM = Task("scam_detection", TaskType.BINARY)
SALARY = Task("salary_prediction", TaskType.QUANTILE, transform="log", unit="USD a year")
SKILLS = Task("skills", TaskType.MULTILABEL, classes=("sql", "python", "welding", "care"))

QUICK = GatePolicy(resamples=200)
SAME_SPEED = Latency(0.002, 0.002)
DATE = "2026-11-23"


def judge_categories(rows: int, logits: float, *, seed: int = 0, own: int = 0) -> Judged:
    """Calibrated answers: of higher ``logits``, more are right.

    ``seed`` fixes the rows and how hard each is, ``own`` what a model makes of them by itself.
    """
    rng, mine = np.random.default_rng(seed), np.random.default_rng([seed, own, 1])
    targets = rng.integers(0, 8, rows)
    difficulty, luck = rng.normal(1.2, 1.2, rows), rng.random(rows)
    chance = 1 / (1 + np.exp(-(difficulty + logits + mine.normal(0, 0.4, rows))))
    luck = np.where(mine.random(rows) < 0.7, luck, mine.random(rows))
    said = np.where(luck < chance, targets, (targets + mine.integers(1, 8, rows)) % 8)
    confidence = np.maximum(chance, 0.2)
    answers = np.repeat(((1 - confidence) / 7)[:, None], 8, axis=1)
    answers[np.arange(rows), said] = confidence
    return Judged(CATEGORY, targets.astype(float), answers)


def judge_scams(rows: int, noise: float, *, seed: int = 0, own: int = 0) -> Judged:
    """Answers in which a third of the rows are scams; more ``noise`` ranks them worse."""
    targets = (np.arange(rows) % 3 == 0).astype(float)
    score = 3 * targets - 2 + np.random.default_rng([seed, own]).normal(scale=noise, size=rows)
    return Judged(SCAM, targets, 1 / (1 + np.exp(-score)))


def judge_salaries(rows: int, noise: float, *, width: float | None = None, own: int = 0) -> Judged:
    """Answers that are off by ``noise``, with intervals that hold eight in ten of the values.

    With ``width`` they go from value / width to value * width instead.
    """
    width = np.exp(1.2816 * noise) if width is None else width
    targets = np.exp(np.random.default_rng(0).normal(11, 0.5, rows))
    value = targets * np.exp(np.random.default_rng([1, own]).normal(0, noise, rows))
    return Judged(SALARY, targets, np.stack([value / width, value, value * width], axis=1))


def judge_skills(rows: int, noise: float, *, own: int = 0) -> Judged:
    """Answers to which of four classes are right."""
    targets = (np.random.default_rng(3).random((rows, 4)) < 0.3).astype(float)
    score = 3 * targets - 2 + np.random.default_rng([4, own]).normal(scale=noise, size=(rows, 4))
    return Judged(SKILLS, targets, 1 / (1 + np.exp(-score)))


def contender(identity: str, *judged: Judged, tasks: Collection[str] = ()) -> Contender:
    return Contender(identity, {each.task.name: each for each in judged}, tasks)


def decide_on(
    challenger: Collection[Judged],
    champion: Collection[Judged],
    *,
    trained: Collection[str] = ("job_category",),
    policy: GatePolicy = QUICK,
    latency: Latency | None = SAME_SPEED,
) -> Verdict:
    """Return the verdict on version 2 beside version 1, which has answers to ``champion``."""
    return decide(
        contender("jobs@2", *challenger),
        contender("jobs@1", *champion),
        trained=trained,
        latency=latency,
        date=DATE,
        policy=policy,
    )


def decide_contenders(challenger: Contender, champion: Contender) -> Verdict:
    """Decide between models whose rows of one task taught the challenger."""
    return decide(
        challenger,
        champion,
        trained=["job_category"],
        latency=SAME_SPEED,
        date=DATE,
        policy=QUICK,
    )
