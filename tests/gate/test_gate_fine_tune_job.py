"""Users' own models of every kind learn from the rows that are not frozen, and these judge them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.encoder_folders import write_encoder

from jobsentinel_workers.fine_tuning import FineTunedBERT, FineTuningConfig, JobMatchingDataset
from jobsentinel_workers.gate import GatePolicy, Verdict
from jobsentinel_workers.gate.own_models import MAIN_METRICS
from jobsentinel_workers.registry import ModelRegistry, ModelVersion
from jobsentinel_workers.training.fine_tune_job import FineTuneJob
from jobsentinel_workers.training.trained import Trained

LOOSE = GatePolicy.from_json(
    {
        "min_rows": 10,
        "max_latency_ratio": 1_000.0,
        "max_calibration_loss": 1.0,
        "task_metrics": dict(MAIN_METRICS),
    }
)
TEXTS = {"care": "nurse on a ward", "law": "attorney for contracts", "code": "python developer"}
LETTERS = str.maketrans("0123456789", "abcdefghij")


@pytest.fixture(scope="module")
def base_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("base")
    shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.2}
    return str(write_encoder(folder, max_position_embeddings=64, **shape))


def word(number: int) -> str:
    return f"{str(number * number).translate(LETTERS)} {str(number).translate(LETTERS)}"


def class_rows(*labels: str, count: int = 100) -> list[dict[str, Any]]:
    return [
        {"text": f"{TEXTS[label]} {word(n)}", "label": label}
        for n in range(count)
        for label in labels
    ]


def job(
    rows: list[dict[str, Any]], base: str | None, folder: Path, task: str, **options: Any
) -> FineTuneJob:
    fields = {
        name: options.pop(name) for name in ("start", "new", "judged_before") if name in options
    }
    config = FineTuningConfig(
        task=task, base_encoder=base, max_tokens=32, precision="fp32", **options
    )
    dataset = JobMatchingDataset.from_rows(rows, task)
    fields.setdefault("judged_before", frozenset())
    return FineTuneJob("mine", config, dataset, LOOSE, folder=folder, **fields)


def train(work: FineTuneJob) -> Trained:
    return work.train(lambda progress: None, lambda: False)


def judge(trained: Trained, folder: Path, champion: ModelVersion | None = None) -> Verdict:
    trained.save(folder)
    return trained.judge(folder, champion)


def serve(trained: Trained, tmp_path: Path, name: str = "mine") -> ModelVersion:
    """Register a version and put it into service."""
    registry = ModelRegistry(tmp_path / "models")
    trained.save(tmp_path / "served")
    registry.register(name, tmp_path / "served", kind=trained.kind)
    return registry.promote(name, 1)


def test_a_first_classifier_is_held_against_a_constant_answer(
    base_encoder: str, tmp_path: Path
) -> None:
    rows = class_rows("care", "law", "code")

    trained = train(job(rows, base_encoder, tmp_path / "run", "classification", epochs=40))
    verdict = judge(trained, tmp_path / "staging")

    assert verdict.promote, verdict.to_text()
    assert verdict.champion is None
    assert verdict.rows == {"classification": len(trained.frozen)}
    assert trained.lineage["data_sha256"] == JobMatchingDataset.from_rows(rows).sha256


@pytest.mark.parametrize("method", ["head", "top2", "lora"])
def test_training_on_from_the_champion_says_what_became_of_the_old_rows(
    base_encoder: str, tmp_path: Path, method: str
) -> None:
    # Given a champion that knows two of three classes, and changed its encoder for them
    old = class_rows("care", "law")
    first = train(
        job(old, base_encoder, tmp_path / "one", "classification", method="top2", epochs=3)
    )
    champion = serve(first, tmp_path)

    # When it goes on with rows of the third, the old ones beside them
    new = class_rows("code")
    again = job(
        [*new, *old],
        base_encoder,
        tmp_path / "two",
        "classification",
        method=method,
        epochs=40 if method == "head" else 3,
        start=champion,
        new=len(new),
        judged_before=first.frozen,
    )
    trained = train(again)
    verdict = judge(trained, tmp_path / "staging", champion)

    # Then the verdict tells the two kinds of rows apart, and the version stands by itself
    assert verdict.champion == "mine@1"
    before, after = verdict.reasons[-2:]
    assert before.startswith(f"classification: on {len(first.frozen)} rows known before Macro F1")
    assert "new rows Macro F1 +" in after
    assert trained.lineage["base"] == "mine@1"
    saved = FineTunedBERT.load(tmp_path / "staging", precision="fp32")
    assert (tmp_path / "staging" / "encoder").is_dir()
    assert saved.encoder.revision != champion.path.name


def test_pairs_without_scores_are_judged_as_a_search(base_encoder: str, tmp_path: Path) -> None:
    kinds = list(TEXTS.values())
    rows = [
        {"text_a": f"{kinds[n % 3]} {word(n)}", "text_b": f"wanted {kinds[n % 3]} {word(n)}"}
        for n in range(100)
    ]

    work = job(rows, base_encoder, tmp_path / "run", "similarity", method="top2", epochs=1)
    trained = train(work)
    verdict = judge(trained, tmp_path / "staging")

    assert verdict.rows == {"pairs": len(trained.frozen)}
    assert [found.metric for found in verdict.comparisons if found.role == "main"] == ["accuracy"]


def test_a_reranker_is_judged_by_the_order_of_its_scores_beside_the_one_in_service(
    tmp_path: Path,
) -> None:
    # Given pairs of a query and a text, half of which fit
    kinds = list(TEXTS.values())
    rows = [
        {
            "query": f"{kinds[n % 3]} {word(n)}",
            "text": f"{kinds[(n + n % 2) % 3]} {word(n + 1)}",
            "score": float(n % 2 == 0),
        }
        for n in range(80)
    ]
    first = train(job(rows, None, tmp_path / "one", "reranker", epochs=1, method="head"))
    champion = serve(first, tmp_path, "reranker")

    # When one is trained on from the champion
    again = job(rows, None, tmp_path / "two", "reranker", epochs=1, method="head", start=champion)
    trained = train(again)
    verdict = judge(trained, tmp_path / "staging", champion)

    # Then Spearman's correlation decides, and the time a pair is compared
    assert {found.metric for found in verdict.comparisons} == {"spearman", "latency"}
    assert verdict.rows == {"reranker": len(trained.frozen)}
    assert trained.kind == "reranker"
