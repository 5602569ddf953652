"""A trained model on disk, in the registry, and as a SequenceModel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.encoders import (
    FloatArray,
    SequenceModel,
    TextEncoder,
    TextInput,
    run_directly,
)
from jobsentinel_workers.fine_tuning import (
    FineTunedBERT,
    FineTuningConfig,
    FineTuningTrainer,
    JobMatchingDataset,
)
from jobsentinel_workers.registry import ModelRegistry

Row = dict[str, Any]
TEXTS = ["nurse", "a driver with a truck and a long text about it", "python"]


def trained(rows: list[Row], task: str, method: str, folder: Path) -> FineTunedBERT:
    config = FineTuningConfig(
        task=task,  # type: ignore[arg-type]  # parametrised
        method=method,  # type: ignore[arg-type]  # parametrised
        epochs=2,
        max_tokens=32,
        precision="fp32",
        base_encoder=str(folder),
    )
    model = FineTunedBERT(config)
    FineTuningTrainer(model, config).train(JobMatchingDataset.from_rows(rows))
    return model


@pytest.fixture
def classifier(class_rows: list[Row], tiny_folder: Path) -> FineTunedBERT:
    return trained(class_rows, "classification", "head", tiny_folder)


@pytest.mark.parametrize(
    ("task", "method"),
    [
        ("classification", "head"),
        ("classification", "top2"),
        ("regression", "full"),
        ("similarity", "head"),
        ("similarity", "full"),
        ("classification", "lora"),
    ],
)
def test_a_saved_model_answers_the_same_when_loaded(
    request: pytest.FixtureRequest, tiny_folder: Path, tmp_path: Path, task: str, method: str
) -> None:
    fixture = {"classification": "class_rows", "regression": "value_rows"}.get(task, "pair_rows")
    model = trained(request.getfixturevalue(fixture), task, method, tiny_folder)
    loaded = FineTunedBERT.load(model.save(tmp_path / "saved"), precision="fp32")

    first, second = run_directly(model, TEXTS), run_directly(loaded, TEXTS)
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    assert loaded.config == model.config
    assert loaded.targets == model.targets
    assert (loaded.output_dim, loaded.max_tokens) == (model.output_dim, 32)
    assert isinstance(loaded, SequenceModel)
    assert (tmp_path / "saved" / "encoder").exists() == (method in {"top2", "full"})
    assert (tmp_path / "saved" / "adapter.safetensors").exists() == (method == "lora")


def test_a_head_is_small_and_names_its_encoder(classifier: FineTunedBERT, tmp_path: Path) -> None:
    saved = classifier.save(tmp_path / "saved")
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "model.safetensors"]
    assert sum(path.stat().st_size for path in saved.iterdir()) < 5_000
    described = json.loads((saved / "config.json").read_text())
    assert described["encoder"]["sha256"] == classifier.encoder.backbone.sha256


def test_a_head_shares_an_encoder_that_fits(
    classifier: FineTunedBERT, tiny_folder: Path, tmp_path: Path
) -> None:
    saved = classifier.save(tmp_path / "saved")
    same = TextEncoder.load(tiny_folder, "fp32", max_tokens=32)
    assert FineTunedBERT.load(saved, encoder=same).encoder is same

    longer = TextEncoder.load(tiny_folder, "fp32", max_tokens=48)
    shared = FineTunedBERT.load(saved, encoder=longer).encoder
    assert shared.network is longer.network
    assert shared.max_tokens == 32


def test_a_head_never_stands_on_another_encoder(
    classifier: FineTunedBERT, other_folder: Path, tmp_path: Path
) -> None:
    saved = classifier.save(tmp_path / "saved")
    other = TextEncoder.load(other_folder, "fp32", max_tokens=32)
    assert FineTunedBERT.load(saved, encoder=other, precision="fp32").encoder is not other

    described = json.loads((saved / "config.json").read_text())
    described["encoder"]["folder"] = str(other_folder)
    (saved / "config.json").write_text(json.dumps(described))
    with pytest.raises(ModelUnavailable, match="was trained on"):
        FineTunedBERT.load(saved)


def test_an_adapter_is_small_and_never_folded_into_another_encoder(
    class_rows: list[Row], tiny_folder: Path, other_folder: Path, tmp_path: Path
) -> None:
    model = trained(class_rows, "classification", "lora", tiny_folder)
    saved = model.save(tmp_path / "saved")
    weights = (tiny_folder / "model.safetensors").stat().st_size
    assert (saved / "adapter.safetensors").stat().st_size < weights / 20
    assert FineTunedBERT.load(saved, precision="fp32").model_id == model.model_id
    # Given an encoder to share, it is left as it is
    shared = TextEncoder.load(tiny_folder, "fp32", max_tokens=32)
    before = {name: tensor.clone() for name, tensor in shared.network.state_dict().items()}
    loaded = FineTunedBERT.load(saved, encoder=shared, precision="fp32")
    assert all(torch.equal(shared.network.state_dict()[name], before[name]) for name in before)
    np.testing.assert_allclose(
        run_directly(model, TEXTS), run_directly(loaded, TEXTS), rtol=1e-4, atol=1e-5
    )

    described = json.loads((saved / "config.json").read_text())
    described["encoder"]["folder"] = str(other_folder)
    (saved / "config.json").write_text(json.dumps(described))
    with pytest.raises(ModelUnavailable, match="the adapter was trained on an encoder with SHA"):
        FineTunedBERT.load(saved)
    (saved / "adapter.safetensors").write_bytes(b"\x80\x04\x95 a pickle")
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        FineTunedBERT.load(saved)


def test_a_changed_encoder_travels_with_the_model(
    class_rows: list[Row], tiny_folder: Path, tmp_path: Path
) -> None:
    model = trained(class_rows, "classification", "top2", tiny_folder)
    saved = model.save(tmp_path / "saved")
    assert TextEncoder.load(saved / "encoder", "fp32").output_dim == 32
    described = json.loads((saved / "config.json").read_text())
    described["encoder"]["folder"] = "/nowhere"
    (saved / "config.json").write_text(json.dumps(described))
    loaded = FineTunedBERT.load(saved, precision="fp32")
    np.testing.assert_allclose(
        run_directly(model, TEXTS), run_directly(loaded, TEXTS), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("method", ["head", "full", "lora"])
def test_the_registry_takes_a_saved_model(
    class_rows: list[Row], tiny_folder: Path, tmp_path: Path, method: str
) -> None:
    model = trained(class_rows, "classification", method, tiny_folder)
    registry = ModelRegistry(tmp_path / "models")
    registry.register("mine", model.save(tmp_path / "saved"), kind="classification", move=True)
    registry.promote("mine", 1)
    loaded = FineTunedBERT.load(registry.get("mine").path, precision="fp32")
    assert loaded.predict_batch(TEXTS)[0].keys() == {"class", "probability", "probabilities"}


def test_an_untrained_model_neither_answers_nor_saves(encoder: TextEncoder, tmp_path: Path) -> None:
    model = FineTunedBERT(FineTuningConfig(max_tokens=32), encoder)
    assert not model.is_trained
    with pytest.raises(ModelUnavailable, match="not trained"):
        model.predict_batch(["text"])
    with pytest.raises(ModelUnavailable, match="untrained"):
        model.save(tmp_path / "saved")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", b"not json"),
        ("config.json", b'{"format": "jobsentinel-fine-tuned", "format_version": 99}'),
        ("config.json", b'{"format": "jobsentinel-fine-tuned", "format_version": 1}'),
        ("config.json", b"[]"),
        ("model.safetensors", b"\x80\x04not tensors"),
        ("model.safetensors", None),
    ],
)
def test_a_damaged_folder_is_reported(
    classifier: FineTunedBERT, tmp_path: Path, file: str, content: bytes | None
) -> None:
    saved = classifier.save(tmp_path / "saved")
    (saved / file).unlink()
    if content is not None:
        (saved / file).write_bytes(content)
    with pytest.raises(ModelUnavailable):
        FineTunedBERT.load(saved, encoder=classifier.encoder)


def test_predictions_go_through_the_runner_that_is_given(classifier: FineTunedBERT) -> None:
    seen: list[Sequence[TextInput]] = []

    def runner(model: SequenceModel, inputs: Sequence[TextInput]) -> FloatArray:
        seen.append(inputs)
        return run_directly(model, inputs)

    answers = classifier.predict_batch(TEXTS, runner=runner)
    assert seen == [TEXTS]
    assert answers == classifier.predict_batch(TEXTS)
    assert classifier.predict_batch([]) == []


def test_an_answer_does_not_depend_on_batch_mates(classifier: FineTunedBERT) -> None:
    together = run_directly(classifier, TEXTS)
    alone = np.concatenate([run_directly(classifier, [text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_cached_embeddings_give_the_same_answers(classifier: FineTunedBERT) -> None:
    embeddings = run_directly(classifier.encoder, TEXTS)
    outputs = classifier.outputs_from_embeddings(embeddings)
    np.testing.assert_allclose(outputs, run_directly(classifier, TEXTS), rtol=1e-5, atol=1e-6)
    assert classifier.to_answers(outputs)[0]["class"] in {"care", "road", "code"}


def test_similarity_wants_pairs(pair_rows: list[Row], tiny_folder: Path) -> None:
    model = trained(pair_rows, "similarity", "head", tiny_folder)
    with pytest.raises(InvalidInput, match=r"texts\.1"):
        model.predict_batch([("a", "b"), "only one"])
    [answer] = model.predict_batch([("a text", "a text")])
    assert answer["value"] == pytest.approx(1, abs=1e-5)


def test_the_id_changes_with_the_weights(
    class_rows: list[Row], classifier: FineTunedBERT, tiny_folder: Path
) -> None:
    same = trained(class_rows, "classification", "head", tiny_folder)
    other = trained(class_rows[3:], "classification", "head", tiny_folder)
    assert same.model_id == classifier.model_id
    assert other.model_id != classifier.model_id
