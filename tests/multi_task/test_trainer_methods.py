"""Each method trains what it says of the encoder, and leaves an ordinary model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_rows import make_rows, own_copy, trained_model
from transformers import (
    AlbertConfig,
    AlbertModel,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
)

from jobsentinel.contract.errors import ConfigurationError, ModelUnavailable
from jobsentinel_workers.encoders import EncodedText, PaddedBatch, TextEncoder
from jobsentinel_workers.encoders.layers import SplitNetwork
from jobsentinel_workers.multi_task import MultiTaskBERT, MultiTaskPredictor, MultiTaskTrainer
from jobsentinel_workers.multi_task.hidden_states import HiddenStates
from jobsentinel_workers.multi_task.model import create_job_matching_model
from jobsentinel_workers.multi_task.trained_encoders import make_trained_encoder

METHODS = ["top2", "full", "lora"]


@pytest.mark.parametrize(("method", "rate"), [("top2", 3e-3), ("full", 1e-3), ("lora", 1e-2)])
def test_training_changes_the_encoder_and_is_saved_with_it(
    deep_encoder: TextEncoder, tmp_path: Path, method: str, rate: float
) -> None:
    model = trained_model(deep_encoder, method, epochs=12, patience=12, learning_rate=rate)

    model.save(tmp_path / "model")
    loaded = MultiTaskBERT.load(tmp_path / "model")

    text = "attorney for contract law"
    assert model.encoder.model_id != deep_encoder.model_id
    assert loaded.encoder.model_id == model.encoder.model_id
    assert MultiTaskPredictor(loaded).predict(text) == MultiTaskPredictor(model).predict(text)
    assert MultiTaskPredictor(model).predict(text)["job_category"]["class"] == "legal"


def changed_weights(model: MultiTaskBERT, before: TextEncoder) -> set[str]:
    old = before.network.state_dict()
    assert model.network.state_dict().keys() == old.keys()
    return {name for name, new in model.network.state_dict().items() if not new.equal(old[name])}


def test_top2_changes_the_last_two_layers_only(deep_encoder: TextEncoder) -> None:
    changed = changed_weights(trained_model(deep_encoder, "top2"), deep_encoder)

    assert {name.split(".")[2] for name in changed} == {"2", "3"}
    assert all(name.startswith("encoder.layer.") for name in changed)


def test_lora_changes_the_matrices_of_all_layers_only(deep_encoder: TextEncoder) -> None:
    changed = changed_weights(trained_model(deep_encoder, "lora"), deep_encoder)

    assert {name.split(".")[2] for name in changed} == {"0", "1", "2", "3"}
    assert all(name.endswith(".weight") and "LayerNorm" not in name for name in changed)


def test_full_changes_embeddings_too(deep_encoder: TextEncoder) -> None:
    changed = changed_weights(trained_model(deep_encoder, "full"), deep_encoder)

    assert any(name.startswith("embeddings.") for name in changed)


def test_a_shared_encoder_is_not_changed(deep_encoder: TextEncoder) -> None:
    before = {name: w.clone() for name, w in deep_encoder.network.state_dict().items()}
    model = create_job_matching_model(deep_encoder, pretrained=False)

    MultiTaskTrainer(model, "full", epochs=1).train(make_rows(24))

    assert model.encoder is not deep_encoder
    assert all(w.equal(before[name]) for name, w in deep_encoder.network.state_dict().items())


@pytest.mark.parametrize("method", ["head", *METHODS])
def test_training_leaves_the_random_state_alone(deep_encoder: TextEncoder, method: str) -> None:
    model = create_job_matching_model(own_copy(deep_encoder), pretrained=False)
    before = torch.get_rng_state()

    MultiTaskTrainer(model, method, epochs=1).train(make_rows(24))  # type: ignore[arg-type]  # parametrised

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("method", METHODS)
def test_arithmetic_in_bf16_keeps_weights_in_fp32(deep_encoder: TextEncoder, method: str) -> None:
    model = trained_model(deep_encoder, method, precision="bf16", learning_rate=1e-6)

    # A step of 1e-6 would vanish in a bf16 weight.
    assert changed_weights(model, deep_encoder)
    assert all(weight.dtype is torch.float32 for weight in model.network.parameters())


SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
NETWORKS = {
    "bert": lambda: BertModel(BertConfig(**SIZES), add_pooling_layer=False),
    "mpnet": lambda: MPNetModel(MPNetConfig(**SIZES), add_pooling_layer=False),
    "modernbert": lambda: ModernBertModel(ModernBertConfig(**SIZES)),
    "distilbert": lambda: DistilBertModel(
        DistilBertConfig(dim=32, n_layers=4, n_heads=4, hidden_dim=64)
    ),
}


def batch_of(lengths: list[int]) -> PaddedBatch:
    mask = torch.tensor([[int(at < length) for at in range(max(lengths))] for length in lengths])
    ids = torch.randint(5, 200, mask.shape, generator=torch.Generator().manual_seed(0))
    return PaddedBatch(ids * mask, None if mask.all() else mask, None)


@pytest.mark.parametrize("lengths", [[9, 5, 2], [7, 7]], ids=["padded", "even"])
@pytest.mark.parametrize("kind", NETWORKS)
@torch.no_grad()
def test_upper_layers_from_hidden_states_give_what_the_whole_gives(
    kind: str, lengths: list[int]
) -> None:
    network, batch = NETWORKS[kind]().eval(), batch_of(lengths)
    split = SplitNetwork(network, 2, batch_of([4, 3]))

    parts = split.upper(split.lower(batch), batch.attention_mask)

    mask = batch.attention_mask
    real = slice(None) if mask is None else mask.bool()
    torch.testing.assert_close(parts[real], batch.run(network)[real], atol=1e-5, rtol=0.0)


def test_training_the_upper_part_trains_the_network_it_was_taken_from() -> None:
    network = NETWORKS["bert"]().eval()
    split, batch = SplitNetwork(network, 2, batch_of([4, 3])), batch_of([3, 2])

    split.upper(split.lower(batch).detach(), batch.attention_mask).sum().backward()

    layers = network.encoder.layer
    assert all(weight.grad is not None for weight in layers[3].parameters())
    assert all(weight.grad is None for weight in layers[1].parameters())


def test_an_encoder_that_cannot_be_split_is_refused() -> None:
    one_stack_of_shared_weights = AlbertModel(AlbertConfig(**SIZES), add_pooling_layer=False).eval()

    with pytest.raises(ModelUnavailable, match="no 2 layers"):
        SplitNetwork(one_stack_of_shared_weights, 2, batch_of([4, 3]))


TEXTS = ["registered nurse in a hospital ward", "attorney", "python developer " * 12]


@pytest.mark.parametrize("rows", [[0, 1, 2], [2], [1, 0]])
@torch.no_grad()
def test_kept_states_lose_less_than_a_thousandth(
    deep_encoder: TextEncoder, tmp_path: Path, rows: list[int]
) -> None:
    encoded = deep_encoder.prepare(TEXTS)
    upper = make_trained_encoder("top2", deep_encoder, encoded, "fp32", tmp_path)
    whole = make_trained_encoder("full", deep_encoder, encoded, "fp32", None)

    upper.prepare(lambda share: None)

    np.testing.assert_allclose(upper.embed(rows), whole.embed(rows), atol=1e-3)


def test_padded_tokens_take_no_room_on_the_disk(deep_encoder: TextEncoder, tmp_path: Path) -> None:
    encoded = deep_encoder.prepare(TEXTS)

    upper = make_trained_encoder("top2", deep_encoder, encoded, "fp32", tmp_path)
    upper.prepare(lambda share: None)

    [chunk] = (tmp_path / "hidden-states").iterdir()
    numbers = sum(map(len, encoded)) * 32
    assert numbers * 2 <= chunk.stat().st_size < numbers * 2 + 200


def encoded(tokens: int) -> EncodedText:
    return EncodedText(np.arange(tokens, dtype=np.int32))


def test_a_disk_without_room_is_noticed_before_anything_is_computed(tmp_path: Path) -> None:
    states = HiddenStates([encoded(8)], 10**14, tmp_path, ("key",))

    with pytest.raises(ConfigurationError, match="GB free"):
        states.compute(lambda batch: torch.zeros(0), torch.device("cpu"), 0, lambda share: None)


def test_states_beyond_float16_are_refused(tmp_path: Path) -> None:
    states = HiddenStates([encoded(8)], 4, tmp_path, ("key",))

    with pytest.raises(ModelUnavailable, match="float16"):
        states.compute(
            lambda batch: torch.full((1, 8, 4), 1e6), torch.device("cpu"), 0, lambda share: None
        )
