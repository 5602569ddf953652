"""Cross-encoders that other libraries wrote rank as their own library does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from tests.encoder_folders import write_encoder
from transformers import BertConfig, BertForSequenceClassification

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.reranking import Candidate, CrossEncoderReranker, Fusion, HybridRanker
from jobsentinel_workers.reranking.cross_encoder import update_fusion
from jobsentinel_workers.reranking.library_cross_encoder import LOGIT_ALONE

HEADS = {"num_hidden_layers": 2, "num_attention_heads": 2}
TEXTS = ["Registered nurse, dialysis", "Truck driver", "Nurse on nights, with much more to read"]


def write_classifier(folder: Path, outputs: int = 1) -> Path:
    """Write a small random BERT for sequence classification, with the real tokenizer."""
    write_encoder(folder, **HEADS)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        shape = {"hidden_size": 32, "intermediate_size": 64, **HEADS}
        config = BertConfig(**shape, num_labels=outputs)
        BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("models") / "ms-marco-tiny")


def test_its_logits_are_those_of_its_own_library(folder: Path) -> None:
    # Given what sentence-transformers says of the same pairs
    library = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    pairs = [("night nurse", text) for text in TEXTS]
    expected = library.predict(pairs, activation_fn=torch.nn.Identity())

    reranker = CrossEncoderReranker.load(folder, precision="fp32")

    np.testing.assert_allclose(reranker.score("night nurse", TEXTS), expected, atol=1e-5)
    assert reranker.model.model_id.startswith("ms-marco-tiny@")


def test_a_folder_that_the_library_saved_is_read(folder: Path, tmp_path: Path) -> None:
    CrossEncoder(str(folder), device="cpu", local_files_only=True).save_pretrained(str(tmp_path))

    saved, plain = (CrossEncoderReranker.load(each, "fp32") for each in (tmp_path, folder))

    assert (saved.score("nurse", TEXTS) == plain.score("nurse", TEXTS)).all()


def test_its_logit_decides_until_weights_are_put_beside_it(
    folder: Path, tmp_path: Path, tiny_encoder: TextEncoder
) -> None:
    own = write_classifier(tmp_path / "own")
    assert CrossEncoderReranker.load(own).fusion == LOGIT_ALONE
    ranker = HybridRanker(tiny_encoder, CrossEncoderReranker.load(own, "fp32"))
    ranked = ranker.rank("nurse", [Candidate(str(n), text) for n, text in enumerate(TEXTS)])
    assert [c.cross_encoder_rank for c in ranked.reranked_candidates] == [1, 2, 3]

    update_fusion(own, Fusion(4.0, 0.5, -2.0, 1.5))

    assert CrossEncoderReranker.load(own).fusion == Fusion(4.0, 0.5, -2.0, 1.5)


def test_more_than_one_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="has 3 outputs; a reranker has one"):
        CrossEncoderReranker.load(write_classifier(tmp_path / "three", outputs=3))


def test_a_pickle_beside_the_weights_is_refused(tmp_path: Path) -> None:
    own = write_classifier(tmp_path / "own")
    (own / "training_args.bin").write_bytes(b"\x80\x04.")

    with pytest.raises(ModelUnavailable, match=r"training_args\.bin; only safetensors"):
        CrossEncoderReranker.load(own)


def test_weights_that_lack_are_not_made_up(tmp_path: Path) -> None:
    # Given an encoder whose configuration claims a classification layer
    own = write_encoder(tmp_path / "encoder", **HEADS)
    config = json.loads((own / "config.json").read_text("utf-8"))
    claimed = config | {"architectures": ["BertForSequenceClassification"], "num_labels": 1}
    (own / "config.json").write_text(json.dumps(claimed), "utf-8")

    with pytest.raises(ModelUnavailable, match="lacks weights: "):
        CrossEncoderReranker.load(own)
