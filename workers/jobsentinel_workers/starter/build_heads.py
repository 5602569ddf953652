"""Builds the starter multi-task model: category, salary and scam heads, and the match scorer.

Category is learnt twice: first from occupations alone, then again with the real postings whose
category the first model finds clear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskPredictor,
    MultiTaskTrainer,
    create_job_matching_model,
    scored_text,
)
from jobsentinel_workers.multi_task.evaluation import Metrics, measure
from jobsentinel_workers.starter import category_data, match_training, salary_data, scam_data
from jobsentinel_workers.starter.embedding_memo import EmbeddingMemo
from jobsentinel_workers.starter.open_data import (
    PostingRow,
    read_emscad,
    read_linkedin_postings,
    read_linkedin_titles,
    read_onet,
)
from jobsentinel_workers.starter.splits import split, split_by_group

TEST_SHARE = 0.15
SCAM_FOLDS = 5
LENT_SHARE = 0.5
DESCRIBED_WEIGHT = 6
"""Real postings with description and salary are few: each counts so often."""

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class HeadsBuild:
    """One build: the data, the frozen encoder with its memo, and the seed."""

    data: Path
    encoder: TextEncoder
    runner: EmbeddingMemo
    seed: int
    log: Log

    def run(self) -> tuple[MultiTaskBERT, Metrics]:
        """Return the trained model and its metrics on rows held out of training."""
        model = create_job_matching_model(self.encoder, pretrained=False)
        metrics: Metrics = {}
        for step in (self._match, self._scam, self._salary, self._category):
            found = step(model)
            self.log(" ".join(f"{name}={value:.4f}" for name, value in found.items()))
            metrics |= found
            self.runner.save()
        return model, metrics

    def _train(
        self,
        model: MultiTaskBERT,
        train: Sequence[MultiTaskExample],
        validation: Sequence[MultiTaskExample] | None = None,
        *,
        learning_rate: float = 1e-3,
        batch_size: int = 128,
    ) -> Metrics:
        trainer = MultiTaskTrainer(
            model,
            epochs=60,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=self.seed,
            runner=self.runner,
            validation_share=0.2,
        )
        return trainer.train(train, validation)

    def _match(self, model: MultiTaskBERT) -> Metrics:
        occupations = [occupation for occupation in read_onet(self.data) if occupation.tasks]
        train, test = split(occupations, TEST_SHARE, self.seed)
        pairs = match_training.match_pairs(train, model.encoder, self.runner, self.seed)
        match_training.train_pair_scorer(model.pair_scorer, pairs, self.seed)
        unseen = match_training.match_pairs(test, model.encoder, self.runner, self.seed + 1)
        return match_training.measure_match(model.pair_scorer, unseen)

    def _scam(self, model: MultiTaskBERT) -> Metrics:
        data = scam_data.read_scam_data(self.data, model.encoder, self.runner)
        found: list[Metrics] = []
        for fold in data.folds(SCAM_FOLDS, self.seed):
            learnt, judged = data.without(fold), data.only(fold)
            probe = create_job_matching_model(model.encoder, pretrained=False)
            self._train_scam(probe, learnt)
            brief = [scam_data.excerpt(row, self.seed + 1) for row in judged.rows]
            whole = self._measure(probe, judged.examples(), scam_data.TASK)
            cut = self._measure(probe, scam_data.to_examples(brief), scam_data.TASK)
            found.append(whole | {f"of_excerpts_{name}": value for name, value in cut.items()})
        self._train_scam(model, data)
        means = {name: float(np.mean([fold[name] for fold in found])) for name in found[0]}
        metrics = {f"scam_detection_{name}": value for name, value in means.items()}
        return metrics | {"scam_detection_flagged_of_linkedin": self._flagged(model)}

    def _train_scam(self, model: MultiTaskBERT, data: scam_data.ScamData) -> None:
        apart = data.folds(SCAM_FOLDS, self.seed + 1)[0]
        train, validation = data.without(apart), data.only(apart)
        postings, _ = self._linkedin_split()
        ordinary, unseen = split(postings, TEST_SHARE, self.seed + 1)
        onet = [occupation for occupation in read_onet(self.data) if occupation.tasks][::3]
        made, unseen_made = split(onet, TEST_SHARE, self.seed)
        train = train.with_excerpts(self.seed).plus(
            scam_data.presumably_legitimate(ordinary, made, self.seed)
        )
        validation = validation.with_excerpts(self.seed).plus(
            scam_data.presumably_legitimate(unseen, unseen_made, self.seed)
        )
        model.word_models[scam_data.TASK] = train.fit_words()
        self._train(model, train.examples(), validation.examples())

    def _linkedin_split(self) -> tuple[list[PostingRow], list[PostingRow]]:
        return split(read_linkedin_postings(self.data), 2 * TEST_SHARE, self.seed)

    def _flagged(self, model: MultiTaskBERT) -> float:
        """Return the share of unseen real postings, hardly any of them scams, called scams."""
        _, unseen = self._linkedin_split()
        texts = [text for row in unseen for text in (row.text, scam_data.excerpt(row, 1).text)]
        answers = MultiTaskPredictor(model, self.runner).predict_batch(texts)
        return float(np.mean([answer[scam_data.TASK]["prediction"] for answer in answers]))

    def _salary(self, model: MultiTaskBERT) -> Metrics:
        rows = salary_data.salary_postings(self.data)
        keys = [salary_data.title_key(row) for row in rows]
        learnt, test = split_by_group(rows, keys, TEST_SHARE, self.seed)
        keys = [salary_data.title_key(row) for row in learnt]
        train, validation = split_by_group(learnt, keys, TEST_SHARE, self.seed + 1)
        self.log(f"salary: {len(train)} to train, {len(validation)} validation, {len(test)} test")
        self._train(
            model,
            self._with_descriptions(model, train, train),
            self._with_descriptions(model, validation, train),
        )
        metrics = self._measure_salary(model, test, "salary_prediction")
        described = [row for row in test if row.description]
        return metrics | self._measure_salary(model, described, "salary_described")

    def _measure_salary(
        self, model: MultiTaskBERT, rows: Sequence[PostingRow], prefix: str
    ) -> Metrics:
        found = self._measure(model, salary_data.to_examples(rows), salary_data.TASK)
        return {f"{prefix}_{name}": value for name, value in found.items()}

    def _with_descriptions(
        self, model: MultiTaskBERT, rows: Sequence[PostingRow], lenders: Sequence[PostingRow]
    ) -> list[MultiTaskExample]:
        known = {row.text for row in lenders}
        described = [row for row in read_linkedin_postings(self.data) if row.text in known]
        onet = [occupation for occupation in read_onet(self.data) if occupation.tasks]
        descriptions = salary_data.Descriptions(described, onet, model.encoder, self.runner)
        lent = descriptions.lend(rows, LENT_SHARE, np.random.default_rng(self.seed))
        real = [row for row in rows if row.description] * DESCRIBED_WEIGHT
        return salary_data.to_examples([*rows, *lent, *real])

    def _category(self, model: MultiTaskBERT) -> Metrics:
        occupations = category_data.labelled_occupations(self.data)
        train, test = split(occupations, TEST_SHARE, self.seed)
        titles = read_linkedin_titles(self.data)
        locations = [row.text.partition("\n")[2].partition(" · ")[0] for row in titles[:2000]]
        places = [place for place in locations if place]
        learnt = category_data.occupation_rows(train, places, self.seed)
        unseen = category_data.occupation_rows(test, places, self.seed)
        self._train(model, learnt, unseen)
        metrics = {
            f"job_category_first_{name}": value
            for name, value in self._measure(model, unseen, category_data.TASK).items()
        }
        real, real_test = self._real_postings(model, titles)
        self.log(f"category: {len(learnt)} texts of occupations, {len(real)} postings")
        # Both kinds judge: occupations for breadth, postings for what is served.
        self._train(model, [*learnt, *real], [*unseen, *real_test])
        self.runner.save()
        for prefix, rows in {"job_category": unseen, "job_category_postings": real_test}.items():
            found = self._measure(model, rows, category_data.TASK)
            metrics |= {f"{prefix}_{name}": value for name, value in found.items()}
        return metrics

    def _real_postings(
        self, model: MultiTaskBERT, titles: Sequence[PostingRow]
    ) -> tuple[list[MultiTaskExample], list[MultiTaskExample]]:
        described = read_linkedin_postings(self.data)
        described += scam_data.legitimate(read_emscad(self.data))
        postings = [*titles, *described]
        keys = [salary_data.title_key(posting) for posting in postings]
        train, test = split_by_group(postings, keys, TEST_SHARE, self.seed)
        predictor = MultiTaskPredictor(model, self.runner)

        def classify(texts: Sequence[str]) -> npt.NDArray[np.float64]:
            answers = predictor.predict_batch(texts)
            rows = [list(a[category_data.TASK]["probabilities"].values()) for a in answers]
            return np.array(rows)

        clear = (
            category_data.clear_postings(train, classify, self.seed),
            category_data.clear_postings(test, classify, self.seed),
        )
        return (
            category_data.posting_rows(clear[0], self.seed),
            category_data.posting_rows(clear[1], self.seed),
        )

    def _measure(
        self, model: MultiTaskBERT, rows: Sequence[MultiTaskExample], name: str
    ) -> Metrics:
        predictor = MultiTaskPredictor(model, self.runner)
        texts = [row.text for row in rows]
        raw, calibration = predictor.calibrated(
            predictor.get_embedding(texts), name, [scored_text(text) for text in texts]
        )
        targets = np.array([model.tasks[name].to_target(row.labels[name]) for row in rows])
        return measure(model.tasks[name], calibration, raw, targets)
