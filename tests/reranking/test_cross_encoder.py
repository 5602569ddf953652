"""The cross-encoder: folded adapters, stable scores, and files that are checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.encoders import (
    QueryAdapter,
    SequenceModel,
    TextEncoder,
    ThreadTokenizer,
    load_backbone,
    pad_batch,
    run_directly,
)
from jobsentinel_workers.encoders.adapters import AdaptedLinear, adapter_state, add_adapters
from jobsentinel_workers.reranking import CrossEncoderReranker, Fusion, PairLimits
from jobsentinel_workers.reranking.cross_encoder import save_reranker, update_fusion
from jobsentinel_workers.reranking.pair_scoring import PairNetwork

TEXTS = ["Registered nurse", "Truck driver " * 80, "Nurse at night on a ward for dialysis"]


@pytest.fixture
def adapted(tiny_encoder_path: Path) -> PairNetwork:
    """A network with adapters that do something."""
    torch.manual_seed(1)
    backbone = load_backbone(tiny_encoder_path)
    add_adapters(backbone.network, rank=4, alpha=8.0)
    for module in backbone.network.modules():
        if isinstance(module, AdaptedLinear):
            torch.nn.init.normal_(module.up, std=0.3)
    return PairNetwork(backbone.network, backbone.hidden_size).eval()


@pytest.fixture
def folder(adapted: PairNetwork, tiny_encoder_path: Path, tmp_path: Path) -> Path:
    return save_reranker(
        adapted,
        load_backbone(tiny_encoder_path),
        tmp_path / "reranker",
        adapter={"rank": 4, "alpha": 8.0},
        limits=PairLimits(max_query_tokens=16, max_tokens=64),
        fusion=Fusion(5.0, 1.0, -2.0),
    )


def test_folded_adapters_score_as_the_adapted_network_does(
    adapted: PairNetwork, folder: Path, tiny_encoder_path: Path
) -> None:
    tokenizer = ThreadTokenizer(
        load_backbone(tiny_encoder_path).tokenizer_json, max_tokens=64, max_query_tokens=16
    )
    pairs = tokenizer.encode([("nurse", TEXTS[0]), ("nurse", TEXTS[2])])
    with torch.inference_mode():
        expected = adapted(pad_batch(pairs)).numpy()

    model = CrossEncoderReranker.load(folder, precision="fp32").model

    np.testing.assert_allclose(model.compute(pairs)[:, 0], expected, atol=1e-4)


def test_an_adapter_starts_as_the_frozen_network(tiny_encoder_path: Path) -> None:
    plain, adapted = (load_backbone(tiny_encoder_path) for _ in range(2))
    names = add_adapters(adapted.network, rank=4, alpha=8.0)
    batch = pad_batch(ThreadTokenizer(plain.tokenizer_json, max_tokens=32).encode(["nurse"]))

    with torch.inference_mode():
        torch.testing.assert_close(batch.run(adapted.network), batch.run(plain.network))
    assert len(names) == 12


def test_adapters_can_be_kept_out_of_the_lower_blocks(tiny_encoder_path: Path) -> None:
    names = add_adapters(load_backbone(tiny_encoder_path).network, rank=4, alpha=8.0, first_layer=1)

    assert len(names) == 6
    assert all(".1." in name for name in names)


def test_only_adapters_and_head_are_trained(adapted: PairNetwork) -> None:
    trained = [name for name, p in adapted.named_parameters() if p.requires_grad]

    assert all(name.endswith((".up", ".down")) or name.startswith("head.") for name in trained)


def test_a_score_does_not_depend_on_its_batch_mates(folder: Path) -> None:
    reranker = CrossEncoderReranker.load(folder, precision="fp32")

    together = reranker.score("nurse on a ward", TEXTS)

    alone = [reranker.score("nurse on a ward", [text])[0] for text in TEXTS]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_model_is_a_sequence_model_of_one_number(folder: Path) -> None:
    model = CrossEncoderReranker.load(folder).model

    assert isinstance(model, SequenceModel)
    assert model.compute(model.prepare([("nurse", "nurse")])).shape == (1, 1)


def test_a_long_posting_is_read_within_the_limit(folder: Path) -> None:
    model = CrossEncoderReranker.load(folder).model

    prepared = model.prepare([("nurse " * 90, "ward of the clinic. " * 5_000)])

    assert len(prepared[0]) <= 64


@pytest.mark.parametrize("pair", ["nurse", ("nurse",), ("nurse", None), ("", "ward"), ("a", " ")])
def test_what_is_no_pair_of_texts_is_refused(folder: Path, pair: object) -> None:
    model = CrossEncoderReranker.load(folder).model

    with pytest.raises(InvalidInput, match=r"texts\.0"):
        model.prepare([pair])  # type: ignore[list-item]  # wrong on purpose


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors"])
def test_a_damaged_folder_is_refused(folder: Path, damage: str) -> None:
    (folder / damage).write_bytes(b"\x00garbage")

    with pytest.raises(ModelUnavailable):
        CrossEncoderReranker.load(folder)


def test_a_reranker_of_another_encoder_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["encoder"]["sha256"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))

    with pytest.raises(ModelUnavailable, match="was trained on"):
        CrossEncoderReranker.load(folder)


def test_fusion_weights_travel_with_the_reranker(folder: Path) -> None:
    update_fusion(folder, Fusion(9.0, 2.0, -1.0))

    assert CrossEncoderReranker.load(folder).fusion == Fusion(9.0, 2.0, -1.0)


@pytest.fixture
def query_adapter(adapted: PairNetwork, tiny_encoder_path: Path) -> QueryAdapter:
    tensors = adapter_state(adapted.transformer)
    sha256 = load_backbone(tiny_encoder_path).sha256
    return QueryAdapter(sha256, rank=4, alpha=8.0, tensors=tensors)


def test_an_adapter_for_queries_is_saved_with_the_reranker(
    adapted: PairNetwork,
    query_adapter: QueryAdapter,
    tiny_encoder: TextEncoder,
    tiny_encoder_path: Path,
    tmp_path: Path,
) -> None:
    folder = save_reranker(
        adapted,
        load_backbone(tiny_encoder_path),
        tmp_path / "reranker",
        adapter={"rank": 4, "alpha": 8.0},
        limits=PairLimits(max_query_tokens=16, max_tokens=64),
        fusion=Fusion(5.0, 1.0, -2.0),
        query_adapter=query_adapter,
    )

    reranker = CrossEncoderReranker.load(folder, precision="fp32")

    queries = reranker.query_encoder(tiny_encoder)
    expected = run_directly(query_adapter.applied_to(tiny_encoder), TEXTS)
    assert run_directly(queries, TEXTS) == pytest.approx(expected, abs=1e-6)
    assert reranker.query_encoder(tiny_encoder) is queries


def test_without_an_adapter_that_fits_queries_are_encoded_as_documents(
    folder: Path, tiny_encoder: TextEncoder, query_adapter: QueryAdapter
) -> None:
    plain = CrossEncoderReranker.load(folder, precision="fp32")
    stranger = CrossEncoderReranker(plain.model, plain.fusion, query_adapter)
    packaged = TextEncoder.load(precision="fp32")

    assert plain.query_encoder(tiny_encoder) is tiny_encoder
    assert stranger.query_encoder(packaged) is packaged
