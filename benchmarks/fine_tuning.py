"""What fine-tuning gains, and what it costs: on STS-B and on real titles.

``python -m benchmarks.fine_tuning --data DIR [--part NAME] [--rows N]`` runs it by itself; it takes
hours on two cores, so the other benchmarks do not wait for it. ``--rows`` cuts every set, to see
that it runs.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import fine_tuning_speed
from benchmarks.measure import Row
from benchmarks.single_function_titles import read_titles, split_titles
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fine_tuning import (
    FineTunedBERT,
    FineTuningConfig,
    JobMatchingDataset,
    train_fine_tuned,
)
from jobsentinel_workers.fine_tuning.metrics import similarity_metrics
from jobsentinel_workers.reranking import CrossEncoderReranker

FEW_A_CLASS = 8
UNLABELLED = 5_000
ADAPTED_ROWS = 1_000
RESAMPLES = 2_000
MAX_TOKENS = 128

Texts = list[str]
Marks = NDArray[np.bool_]


def stsb(data: Path, limit: int) -> Iterator[Row]:
    """Yield Spearman on STS-B's test pairs, before and after, of both kinds of model."""
    train, validation, test = (_read_stsb(data, part, limit) for part in ("train", "dev", "test"))
    truth = np.array([row["score"] for row in test])
    pairs = [(row["text_a"], row["text_b"]) for row in test]
    yield Row("STS-B similarity, before", _spearman_of_base(pairs, truth), "Spearman")
    for method, loss in (("full", "cosent"), ("full", "squared"), ("lora", "squared")):
        config = FineTuningConfig(task="similarity", method=method, pair_loss=loss)  # type: ignore[arg-type]  # from a list
        model = train_fine_tuned(config, _set(train), validation=_set(validation)).model
        assert isinstance(model, FineTunedBERT)
        answers = np.array([answer["value"] for answer in model.predict_batch(pairs)])
        yield Row(f"STS-B similarity, {method}, {loss}", _spearman(truth, answers), "Spearman")
    yield from _stsb_reranker(train, validation, pairs, truth)


def _stsb_reranker(
    train: list[Any], validation: list[Any], pairs: list[tuple[str, str]], truth: NDArray[Any]
) -> Iterator[Row]:
    before = CrossEncoderReranker.load()
    yield Row("STS-B cross-encoder, before", _spearman_of(before, pairs, truth), "Spearman")
    config = FineTuningConfig(task="reranker", method="lora")
    trained = train_fine_tuned(config, _set(_queries(train)), validation=_set(_queries(validation)))
    with TemporaryDirectory() as folder:
        after = CrossEncoderReranker.load(trained.save(folder))
    yield Row("STS-B cross-encoder, lora", _spearman_of(after, pairs, truth), "Spearman")


def titles(data: Path, limit: int) -> Iterator[Row]:
    """Yield the share of held-out titles whose function is right, and the gains' intervals."""
    learnt, held_out = split_titles(read_titles(data, limit))
    right = {}
    for name in ("words", "head", "top2", "full", "lora"):
        if name == "words":
            right[name] = _words_are_right(learnt, held_out)
        else:
            right[name] = _are_right({"method": name}, learnt, held_out)
        yield Row(f"titles, {name}", 100 * float(right[name].mean()), "% right")
    for name in ("head", "words"):
        yield from _gain(f"titles, full over {name}", right["full"], right[name])


def recipes(data: Path, limit: int) -> Iterator[Row]:
    """Yield what each recipe adds to the same training without it."""
    everything = read_titles(data, limit)
    learnt, held_out = split_titles(everything)
    few, some = _few_of_each(learnt), learnt[:ADAPTED_ROWS]
    texts = [row["text"] for row in learnt][:UNLABELLED]
    head = _are_right({"method": "head"}, few, held_out)
    yield from _gain("few-shot over head", _are_right({"few_shot": True}, few, held_out), head)
    plain = _are_right({"method": "head"}, some, held_out)
    for adapt in ("mlm", "tsdae"):
        adapted = _are_right({"method": "head", "adapt": adapt}, some, held_out, texts)
        yield from _gain(f"{adapt} before a head over none", adapted, plain)
    shuffled = _are_right({"method": "full"}, some, held_out)
    for curriculum in ("length", "loss"):
        sorted_first = _are_right({"method": "full", "curriculum": curriculum}, some, held_out)
        yield from _gain(f"curriculum by {curriculum} over none", sorted_first, shuffled)


PARTS: dict[str, Callable[[Path, int], Iterable[Row]]] = {
    "stsb": stsb,
    "titles": titles,
    "recipes": recipes,
    "speed": fine_tuning_speed.run,
}


def _read_stsb(data: Path, part: str, limit: int) -> list[dict[str, Any]]:
    [file] = (data / "stsb").glob(f"*{part}*.tsv.gz")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as stream:
        lines = csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        rows = [
            {"text_a": line[5], "text_b": line[6], "score": float(line[4]) / 5} for line in lines
        ]
    return rows[:limit]


def _few_of_each(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    seen: Counter[str] = Counter()
    few = []
    for row in rows:
        seen[row["label"]] += 1
        if seen[row["label"]] <= FEW_A_CLASS:
            few.append(row)
    return few


def _are_right(
    options: dict[str, Any],
    learnt: list[dict[str, str]],
    held_out: list[dict[str, str]],
    unlabelled: Sequence[str] = (),
) -> Marks:
    config = FineTuningConfig(**options)
    model = train_fine_tuned(config, _set(learnt), unlabelled=unlabelled).model
    assert isinstance(model, FineTunedBERT)
    answers = model.predict_batch([row["text"] for row in held_out])
    pairs = zip(answers, held_out, strict=True)
    return np.array([answer["class"] == row["label"] for answer, row in pairs])


def _words_are_right(learnt: list[dict[str, str]], held_out: list[dict[str, str]]) -> Marks:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=10, max_iter=1_000))
    model.fit([row["text"] for row in learnt], [row["label"] for row in learnt])
    answers = model.predict([row["text"] for row in held_out])
    return np.array([a == row["label"] for a, row in zip(answers, held_out, strict=True)])


def _gain(name: str, new: Marks, old: Marks) -> list[Row]:
    """Return the gain in percentage points with its 95 % interval, by a paired bootstrap."""
    gains = 100 * (new.astype(np.float64) - old)
    drawn = np.random.default_rng(0).integers(len(gains), size=(RESAMPLES, len(gains)))
    low, high = np.quantile(gains[drawn].mean(axis=1), [0.025, 0.975])
    return [
        Row(name, float(gains.mean()), "points"),
        Row(f"{name}, 95 % from", float(low), "points"),
        Row(f"{name}, 95 % to", float(high), "points"),
    ]


def _set(rows: list[Any]) -> JobMatchingDataset:
    return JobMatchingDataset.from_rows(rows)


def _queries(rows: list[Any]) -> list[dict[str, Any]]:
    return [{"query": r["text_a"], "text": r["text_b"], "score": r["score"]} for r in rows]


def _spearman_of_base(pairs: list[tuple[str, str]], truth: NDArray[Any]) -> float:
    from jobsentinel_workers.encoders import run_directly

    flat = [text for pair in pairs for text in pair]
    embeddings = run_directly(TextEncoder.load(max_tokens=MAX_TOKENS), flat)
    return _spearman(truth, (embeddings[0::2] * embeddings[1::2]).sum(axis=1))


def _spearman_of(
    reranker: CrossEncoderReranker, pairs: list[tuple[str, str]], truth: NDArray[Any]
) -> float:
    from jobsentinel_workers.encoders import run_directly

    return _spearman(truth, run_directly(reranker.model, pairs)[:, 0])


def _spearman(truth: NDArray[Any], answers: NDArray[Any]) -> float:
    found = similarity_metrics(truth, answers.astype(np.float64))["spearman"]
    return float("nan") if found is None else found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the rows of the parts asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.fine_tuning", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--rows", type=int, default=sys.maxsize)
    options = parser.parse_args(arguments)
    parts = [PARTS[options.part]] if options.part else list(PARTS.values())
    for part in parts:
        for row in part(options.data, options.rows):
            print(f"{row.name:58} {row.value:10.3f} {row.unit}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
