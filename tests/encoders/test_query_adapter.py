"""Queries have an encoder of their own, which leaves that of documents as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from jobsentinel_workers.encoders import (
    Pooler,
    QueryAdapter,
    TextEncoder,
    load_backbone,
    run_directly,
)
from jobsentinel_workers.encoders.adapters import adapter_state, add_adapters, layer_names

TEXTS = ["Registered nurse", "Lorry driver, nights"]


@pytest.fixture
def encoder(tiny_encoder_path: Path) -> TextEncoder:
    return TextEncoder.load(tiny_encoder_path, precision="fp32", max_tokens=32)


@pytest.fixture
def adapted(tiny_encoder_path: Path) -> TextEncoder:
    """The same encoder with adapters beside its layers that do something."""
    backbone = load_backbone(tiny_encoder_path)
    add_adapters(backbone.network, rank=2, alpha=4.0, first_layer=1)
    torch.manual_seed(0)
    for name, weight in backbone.network.named_parameters():
        if name.endswith("up"):
            torch.nn.init.normal_(weight, std=0.2)
    return TextEncoder(backbone, max_tokens=32)


@pytest.fixture
def adapter(adapted: TextEncoder) -> QueryAdapter:
    tensors = adapter_state(adapted.network)
    return QueryAdapter(adapted.backbone.sha256, rank=2, alpha=4.0, tensors=tensors)


def test_queries_are_encoded_as_the_adapted_network_does(
    encoder: TextEncoder, adapted: TextEncoder, adapter: QueryAdapter
) -> None:
    queries = adapter.applied_to(encoder)

    found = run_directly(queries, TEXTS)

    assert found == pytest.approx(run_directly(adapted, TEXTS), abs=1e-5)
    assert np.abs(found - run_directly(encoder, TEXTS)).max() > 0.01


def test_documents_are_encoded_as_before(encoder: TextEncoder, adapter: QueryAdapter) -> None:
    before = run_directly(encoder, TEXTS)

    adapter.applied_to(encoder)

    assert np.array_equal(run_directly(encoder, TEXTS), before)


def test_what_the_adapter_does_not_change_is_in_memory_once(
    encoder: TextEncoder, adapter: QueryAdapter
) -> None:
    queries = adapter.applied_to(encoder)

    mine = {name: weight.data_ptr() for name, weight in encoder.network.named_parameters()}
    theirs = {name: weight.data_ptr() for name, weight in queries.network.named_parameters()}
    own = {name for name in mine if mine[name] != theirs[name]}
    assert own == {f"{name}.weight" for name in layer_names(adapter.tensors)}
    assert all(".layer.0." not in name for name in own)


def test_embeddings_of_queries_have_a_model_id_of_their_own(
    encoder: TextEncoder, adapter: QueryAdapter
) -> None:
    other = QueryAdapter(
        adapter.encoder_sha256, 2, 4.0, {name: t + 1 for name, t in adapter.tensors.items()}
    )

    ids = {encoder.model_id} | {each.applied_to(encoder).model_id for each in (adapter, other)}

    assert len(ids) == 3


def test_it_fits_the_encoder_it_was_trained_beside_and_no_other(
    encoder: TextEncoder, adapter: QueryAdapter
) -> None:
    with_title = encoder.with_pooler(Pooler(encoder.backbone.hidden_size, title=True))
    moved = TextEncoder(encoder.backbone, max_tokens=32)
    moved.revision = "trained"

    assert adapter.fits(encoder)
    assert not adapter.fits(TextEncoder.load(precision="fp32"))
    assert not adapter.fits(with_title)
    assert not adapter.fits(moved)
    assert not adapter.fits(adapter.applied_to(encoder))
