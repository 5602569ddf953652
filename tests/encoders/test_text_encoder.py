"""Embeddings: right, of unit length, and the same whatever else is in the batch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from jobsentinel.contract.errors import ConfigurationError, ModelCorrupted, ModelUnavailable
from jobsentinel_workers.encoders import (
    SequenceModel,
    TextEncoder,
    choose_precision,
    loading,
    packaged_model_path,
    run_directly,
)

TEXTS = [
    "Nurse",
    "Registered nurse for the night shift of our cardiology ward",
    "Software engineer " * 90,
    "Chauffeur poids lourd à Montréal 🚚",
    "看護師を募集しています",
]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder.load(precision="fp32")


def test_the_packaged_encoder_embeds_as_sentence_transformers_does(encoder: TextEncoder) -> None:
    peer = SentenceTransformer(str(packaged_model_path()), device="cpu")
    peer.max_seq_length = encoder.max_tokens

    embeddings = run_directly(encoder, TEXTS)

    np.testing.assert_allclose(embeddings, peer.encode(TEXTS), atol=2e-6)


def test_an_embedding_does_not_depend_on_its_batch_mates(encoder: TextEncoder) -> None:
    together = encoder.compute(encoder.prepare(TEXTS))

    alone = np.concatenate([encoder.compute(encoder.prepare([text])) for text in TEXTS])

    np.testing.assert_allclose(together, alone, atol=2e-6)


def test_bf16_stays_close_to_fp32(tiny_encoder_path: Path) -> None:
    exact = TextEncoder.load(tiny_encoder_path, precision="fp32")
    rounded = TextEncoder.load(tiny_encoder_path, precision="bf16")

    cosines = (run_directly(exact, TEXTS) * run_directly(rounded, TEXTS)).sum(axis=1)

    assert (cosines > 0.999).all()


def test_embeddings_have_length_one_and_float32(tiny_encoder: TextEncoder) -> None:
    embeddings = run_directly(tiny_encoder, TEXTS)

    assert embeddings.dtype == np.float32
    assert embeddings.shape == (len(TEXTS), tiny_encoder.output_dim)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, rtol=1e-5)


def test_no_texts_give_no_rows(tiny_encoder: TextEncoder) -> None:
    assert run_directly(tiny_encoder, []).shape == (0, tiny_encoder.output_dim)


def test_rows_come_back_in_the_order_of_the_texts(tiny_encoder: TextEncoder) -> None:
    texts = [f"job {n} " * (1 + n * 7 % 50) for n in range(150)]

    forward = run_directly(tiny_encoder, texts)
    backward = run_directly(tiny_encoder, texts[::-1])

    np.testing.assert_allclose(forward, backward[::-1], atol=2e-6)


def test_the_encoder_is_a_sequence_model(tiny_encoder: TextEncoder) -> None:
    assert isinstance(tiny_encoder, SequenceModel)


def test_the_model_id_tells_weights_and_lengths_apart(tiny_encoder_path: Path) -> None:
    short = TextEncoder.load(tiny_encoder_path, max_tokens=32)
    long = TextEncoder.load(tiny_encoder_path, max_tokens=64)

    assert short.model_id != long.model_id
    assert short.model_id == TextEncoder.load(tiny_encoder_path, max_tokens=32).model_id


def test_auto_precision_is_one_that_this_machine_multiplies_fast() -> None:
    assert choose_precision("auto") in {"fp32", "bf16"}
    assert choose_precision("bf16") == "bf16"


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fp8"):
        choose_precision("fp8")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"model\.safetensors"):
        TextEncoder.load(tmp_path)


def test_a_folder_with_pickled_weights_only_is_refused(
    tiny_encoder_path: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_encoder_path, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").rename(tmp_path / "pickled" / "pytorch_model.bin")

    with pytest.raises(ModelUnavailable):
        TextEncoder.load(tmp_path / "pickled")


def test_damaged_weights_are_refused(tiny_encoder_path: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_encoder_path, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"not a model")

    with pytest.raises(ModelUnavailable):
        TextEncoder.load(tmp_path / "damaged")


def test_a_packaged_model_with_other_weights_is_refused(
    tiny_encoder_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "packaged_model_path", lambda: tiny_encoder_path)

    with pytest.raises(ModelCorrupted, match="expected 53aa51"):
        TextEncoder.load()


def test_the_pooling_a_folder_asks_for_is_used(tiny_encoder_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "first-token"
    shutil.copytree(tiny_encoder_path, folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))

    by_first_token = run_directly(TextEncoder.load(folder), ["Nurse at night"])
    by_mean = run_directly(TextEncoder.load(tiny_encoder_path), ["Nurse at night"])

    assert not np.allclose(by_first_token, by_mean, atol=1e-3)
