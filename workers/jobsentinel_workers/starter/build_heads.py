"""Builds the starter multi-task model: functions, category, salary and scam, and the match scorer.

Category is learnt twice: first from occupations alone, then again with the real postings whose
category the first model finds clear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobsentinel_workers.encoders import Pooler, TextEncoder
from jobsentinel_workers.encoders.text_encoder import DEFAULT_MAX_TOKENS
from jobsentinel_workers.fine_tuning.random_state import own_random_state
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskPredictor,
    MultiTaskTrainer,
    create_job_matching_model,
)
from jobsentinel_workers.starter import (
    category_data,
    function_data,
    match_training,
    salary_data,
    scam_data,
)
from jobsentinel_workers.starter.embedding_memo import EmbeddingMemo
from jobsentinel_workers.starter.judged_part import JudgedPart, judge_part
from jobsentinel_workers.starter.open_data import (
    PostingRow,
    read_emscad,
    read_linkedin_postings,
    read_linkedin_titles,
    read_onet,
)
from jobsentinel_workers.starter.splits import split, split_by_group

TEST_SHARE = 0.15
VALIDATION_SHARE = 0.15
SCAM_FOLDS = 5
EPOCHS = 10
LEARNING_RATE = 5e-4
LENT_SHARE, FEW_LENT_SHARE = 0.4, 0.08
ONE_LINE_SHARE = 0.3
DESCRIBED_WEIGHT = 6
"""Real postings with description and salary are few: each counts so often."""

Log = Callable[[str], None]
Metrics = dict[str, float]
Examples = list[MultiTaskExample]


def starter_encoder() -> TextEncoder:
    """Return the packaged encoder as the starter's heads read it: the title beside the text."""
    encoder = TextEncoder.load(precision="fp32", max_tokens=DEFAULT_MAX_TOKENS)
    return encoder.with_pooler(Pooler(encoder.backbone.hidden_size, title=True))


@dataclass(frozen=True, slots=True)
class HeadsBuild:
    """One build of the model.

    Attributes:
        data: folder of the open data.
        encoder: frozen, with what the heads read beside the text's embedding.
        runner: remembers its embeddings.
        seed: fixes splits and training.
        log: told what is done.
        test_share: of each task's groups, never trained on and judged in the end; 0 trains on all.
        parts: what was judged, filled by ``run``.
    """

    data: Path
    encoder: TextEncoder
    runner: EmbeddingMemo
    seed: int
    log: Log
    test_share: float
    parts: list[JudgedPart] = field(default_factory=list)
    metrics: Metrics = field(default_factory=dict)

    def run(self) -> MultiTaskBERT:
        """Return the trained model; what it achieves on the rows set apart is in ``parts``."""
        model = self.new_model()
        for step in (self._functions, self._salary, self._scam, self._match, self._category):
            step(model)
            self.runner.save()
        return model

    def new_model(self) -> MultiTaskBERT:
        """Return a model whose heads begin with the weights that the seed draws."""
        with own_random_state(self.seed):
            model = create_job_matching_model(self.encoder, pretrained=False)
            model.add_task(function_data.functions_task())
        return model

    def _train(
        self,
        model: MultiTaskBERT,
        train: Sequence[MultiTaskExample],
        validation: Sequence[MultiTaskExample],
    ) -> None:
        trainer = MultiTaskTrainer(
            model,
            epochs=EPOCHS,
            batch_size=128,
            learning_rate=LEARNING_RATE,
            patience=EPOCHS,
            seed=self.seed,
            runner=self.runner,
        )
        metrics = trainer.train(train, validation)
        self.log(" ".join(f"{name}={value:.4f}" for name, value in metrics.items()))

    def _judge(
        self, part: str, model: MultiTaskBERT, task: str, train: Examples, test: Examples
    ) -> None:
        if test:
            found = judge_part(part, model, task, train=train, test=test, runner=self.runner)
            self.log(found.summary())
            self.parts.append(found)

    def _three_ways(
        self, rows: Sequence[PostingRow]
    ) -> tuple[list[PostingRow], list[PostingRow], list[PostingRow]]:
        """Return rows to train, to validate and to test with, copies of a title together."""
        keys = [salary_data.title_key(row) for row in rows]
        learnt, test = split_by_group(rows, keys, self.test_share, self.seed)
        keys = [salary_data.title_key(row) for row in learnt]
        train, validation = split_by_group(learnt, keys, VALIDATION_SHARE, self.seed + 1)
        return train, validation, test

    def _functions(self, model: MultiTaskBERT) -> None:
        train, validation, test = self._three_ways(read_linkedin_titles(self.data))
        lent = self._lent(model, train, train, FEW_LENT_SHARE)
        titles, texts = function_data.title_rows, function_data.text_rows
        self._train(
            model,
            titles(train) + texts(train) + texts(lent),
            titles(validation) + texts(validation),
        )
        self._judge("titles", model, function_data.TASK, titles(train), titles(test))

    def _salary(self, model: MultiTaskBERT) -> None:
        rows = salary_data.salary_postings(self.data)
        train, validation, test = self._three_ways(rows)
        self._train(
            model,
            self._salary_rows(model, train, train),
            self._salary_rows(model, validation, train),
        )
        learnt, name = salary_data.to_examples(train), salary_data.TASK
        linkedin = {row.text for row in read_linkedin_titles(self.data)}
        bare = [row for row in test if row.text in linkedin]
        self._judge("title and facts", model, name, learnt, salary_data.to_examples(bare))
        described = [row for row in test if row.description]
        self._judge("with description", model, name, learnt, salary_data.to_examples(described))

    def _salary_rows(
        self, model: MultiTaskBERT, rows: Sequence[PostingRow], lenders: Sequence[PostingRow]
    ) -> Examples:
        lent = self._lent(model, rows, lenders, LENT_SHARE)
        line = salary_data.on_one_line(rows, ONE_LINE_SHARE, self.seed)
        real = [row for row in rows if row.description] * DESCRIBED_WEIGHT
        return salary_data.to_examples([*rows, *line, *lent, *real])

    def _lent(
        self,
        model: MultiTaskBERT,
        rows: Sequence[PostingRow],
        lenders: Sequence[PostingRow],
        share: float,
    ) -> list[PostingRow]:
        known = {salary_data.title_key(row) for row in lenders}
        described = [
            row
            for row in read_linkedin_postings(self.data)
            if self.test_share == 0 or salary_data.title_key(row) in known
        ]
        onet = [occupation for occupation in read_onet(self.data) if occupation.tasks]
        descriptions = salary_data.Descriptions(described, onet, self.encoder.plain(), self.runner)
        return descriptions.lend(rows, share, self.seed)

    def _scam(self, model: MultiTaskBERT) -> None:
        data = scam_data.read_scam_data(self.data, self.encoder.plain(), self.runner)
        if self.test_share:
            folds = data.folds(SCAM_FOLDS, self.seed)
            found = [self._scam_fold(data.without(fold), data.only(fold)) for fold in folds]
            for parts in zip(*found, strict=True):
                self.parts.append(JudgedPart.pooled(parts))
                self.log(self.parts[-1].summary())
        self._train_scam(model, data)
        self.metrics["scam_flagged_of_linkedin"] = self._flagged(model)

    def _scam_fold(
        self, learnt: scam_data.ScamData, judged: scam_data.ScamData
    ) -> list[JudgedPart]:
        probe = create_job_matching_model(self.encoder, pretrained=False)
        self._train_scam(probe, learnt)
        brief = [scam_data.excerpt(row, self.seed + 1) for row in judged.rows]
        views = {
            "all text": (learnt.in_full().rows, judged.in_full().rows),
            "no company profile": (learnt.rows, judged.rows),
            "excerpts": (learnt.with_variants(self.seed).rows, brief),
        }
        examples = scam_data.to_examples
        return [
            judge_part(
                part,
                probe,
                scam_data.TASK,
                train=examples(train),
                test=examples(test),
                runner=self.runner,
            )
            for part, (train, test) in views.items()
        ]

    def _train_scam(self, model: MultiTaskBERT, data: scam_data.ScamData) -> None:
        apart = data.folds(SCAM_FOLDS, self.seed + 1)[0]
        postings, _ = self._linkedin_split()
        ordinary, unseen = split(postings, VALIDATION_SHARE, self.seed + 1)
        onet = [occupation for occupation in read_onet(self.data) if occupation.tasks][::3]
        made, unseen_made = split(onet, VALIDATION_SHARE, self.seed)
        presumably = scam_data.presumably_legitimate
        train = data.without(apart).with_variants(self.seed)
        train = train.plus(presumably(ordinary, made, self.seed))
        validation = data.only(apart).with_variants(self.seed)
        validation = validation.plus(presumably(unseen, unseen_made, self.seed))
        self._train(model, train.examples(), validation.examples())

    def _linkedin_split(self) -> tuple[list[PostingRow], list[PostingRow]]:
        return split(read_linkedin_postings(self.data), 2 * VALIDATION_SHARE, self.seed)

    def _flagged(self, model: MultiTaskBERT) -> float:
        """Return the share of unseen real postings, hardly any of them scams, called scams."""
        _, unseen = self._linkedin_split()
        texts = [text for row in unseen for text in (row.text, scam_data.excerpt(row, 1).text)]
        answers = MultiTaskPredictor(model, self.runner).predict_batch(texts)
        return float(np.mean([answer[scam_data.TASK]["prediction"] for answer in answers]))

    def _match(self, model: MultiTaskBERT) -> None:
        occupations = [occupation for occupation in read_onet(self.data) if occupation.tasks]
        train, test = split(occupations, self.test_share, self.seed)
        plain = self.encoder.plain()
        pairs = match_training.match_pairs(train, plain, self.runner, self.seed)
        match_training.train_pair_scorer(model.pair_scorer, pairs, self.seed)
        if test:
            unseen = match_training.match_pairs(test, plain, self.runner, self.seed + 1)
            self.metrics.update(match_training.measure_match(model.pair_scorer, unseen))

    def _category(self, model: MultiTaskBERT) -> None:
        occupations = category_data.labelled_occupations(self.data)
        learnt, test = split(occupations, self.test_share, self.seed)
        train, validation = split(learnt, VALIDATION_SHARE, self.seed + 1)
        titles = read_linkedin_titles(self.data)
        places = [row.text.partition("\n")[2].partition(" · ")[0] for row in titles[:2000]]
        places = [place for place in places if place]
        rows = [
            category_data.occupation_rows(part, places, self.seed)
            for part in (train, validation, test)
        ]
        self._train(model, rows[0], rows[1])
        real = self._real_postings(model, titles)
        # Both kinds judge: occupations for breadth, postings for what is served.
        self._train(model, [*rows[0], *real[0]], [*rows[1], *real[1]])
        name, everything = category_data.TASK, [*rows[0], *real[0]]
        self._judge("occupations", model, name, everything, rows[2])
        self._judge("clear postings", model, name, everything, real[2])

    def _real_postings(self, model: MultiTaskBERT, titles: Sequence[PostingRow]) -> list[Examples]:
        described = read_linkedin_postings(self.data)
        described += scam_data.legitimate(read_emscad(self.data))
        predictor = MultiTaskPredictor(model, self.runner)

        def classify(texts: Sequence[str]) -> npt.NDArray[np.float64]:
            answers = predictor.predict_batch(texts)
            rows = [list(a[category_data.TASK]["probabilities"].values()) for a in answers]
            return np.array(rows)

        parts = self._three_ways([*titles, *described])
        clear = [
            category_data.clear_postings(part, classify, self.seed) if part else []
            for part in parts
        ]
        return [category_data.posting_rows(part, self.seed) for part in clear]
