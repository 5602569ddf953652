"""What heads read of a text, by each way of pooling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.multi_task.training_rows import make_rows, own_copy, trained_model

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import Pooler, TextEncoder, TokenStates, run_directly
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskPredictor,
    MultiTaskTrainer,
    Task,
    TaskType,
    create_job_matching_model,
    job_matching_tasks,
)

CHOICES = ("mean", "cls", "title", "attention")
POSTING = "registered nurse\nhospital ward for the night shift and for the day"


def states(rows: int = 3, tokens: int = 6, width: int = 4, seed: int = 0) -> TokenStates:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.arange(rows) % tokens + 1
    mask = (torch.arange(tokens) < lengths[:, None]).long()
    hidden = torch.randn(rows, tokens, width, generator=generator)
    return TokenStates(hidden, mask, torch.ones(rows, dtype=torch.long))


@pytest.mark.parametrize("choice", CHOICES)
def test_vectors_have_length_one_and_hold_the_texts_embedding(choice: Any) -> None:
    pooler = Pooler.of_choice(choice, 4, "mean", ["pay", "scam"])
    plain = Pooler(4, pooler.text)

    vectors = pooler(states())

    assert vectors.shape == (3, pooler.output_dim)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(pooler.first_block(vectors), plain(states()))


@given(st.integers(0, 1_000), st.integers(1, 5))
def test_padding_changes_no_vector(seed: int, padding: int) -> None:
    pooler = Pooler(4, title=True, readers=["pay"])
    torch.nn.init.normal_(pooler.queries["pay"])
    found = states(seed=seed)
    assert found.attention_mask is not None
    longer = TokenStates(
        torch.nn.functional.pad(found.hidden, (0, 0, 0, padding), value=9.0),
        torch.nn.functional.pad(found.attention_mask, (0, padding)),
        found.title_ends,
    )

    torch.testing.assert_close(pooler(longer), pooler(found))


def test_a_query_of_zeros_is_the_mean_and_a_learnt_one_picks_tokens() -> None:
    pooler = Pooler(4, readers=["pay"])
    found = states()
    mean = pooler(found)[:, :4]
    torch.testing.assert_close(pooler(found)[:, 4:], mean)

    # A query far along one token's state sees hardly anything but this token.
    wanted = found.hidden[2, 1]
    with torch.no_grad():
        pooler.queries["pay"].copy_(wanted * 1_000)
    picked = pooler(found)[2, 4:] * 2**0.5

    likest = (found.hidden[2, :3] @ wanted).argmax()
    expected = torch.nn.functional.normalize(found.hidden[2, likest], dim=0)
    torch.testing.assert_close(picked, expected)


def test_the_title_is_the_first_line_whatever_follows(tiny_encoder: TextEncoder) -> None:
    encoder = tiny_encoder.with_pooler(Pooler(32, title=True))
    alone, first, whole = encoder.prepare(["registered nurse", POSTING, POSTING.replace("\n", " ")])

    assert alone.title_end == first.title_end == len(alone) - 1
    assert whole.title_end == len(whole) - 1


def test_the_title_is_cut_with_its_text(tiny_encoder: TextEncoder) -> None:
    encoder = tiny_encoder.with_pooler(Pooler(32, title=True))

    (text,) = encoder.prepare(["nurse " * 400])

    assert len(text) == encoder.max_tokens
    assert 0 < text.title_end < len(text)


def test_model_ids_tell_poolings_apart(tiny_encoder: TextEncoder) -> None:
    tasks = job_matching_tasks()
    models = [MultiTaskBERT(tiny_encoder, tasks, choice) for choice in ("mean", "cls", "title")]
    attending = [MultiTaskBERT(tiny_encoder, tasks, "attention") for _ in range(2)]
    with torch.no_grad():
        attending[1].encoder.pooler.queries["scam_detection"] += 1

    ids = {model.encoder.model_id for model in models + attending}

    assert len(ids) == 5
    assert tiny_encoder.model_id in ids
    assert attending[0].encoder.text_model_id == tiny_encoder.model_id


@pytest.mark.parametrize("method", ["top2", "lora", "full"])
def test_attention_is_learnt_with_the_encoder(deep_encoder: TextEncoder, method: Any) -> None:
    model = create_job_matching_model(own_copy(deep_encoder), pretrained=False, pooling="attention")

    MultiTaskTrainer(model, method, epochs=2).train(make_rows(24))

    queries = model.encoder.pooler.queries
    assert queries["job_category"].any()
    assert queries["scam_detection"].any()
    # Nobody had a label of it.
    assert not queries["match_quality"].any()


def test_the_head_alone_cannot_learn_to_attend(tiny_encoder: TextEncoder) -> None:
    model = create_job_matching_model(tiny_encoder, pretrained=False, pooling="attention")

    with pytest.raises(InvalidInput, match="head trains no queries"):
        MultiTaskTrainer(model, "head")


@pytest.mark.parametrize("choice", CHOICES)
def test_a_saved_model_answers_as_before(
    deep_encoder: TextEncoder, choice: Any, tmp_path: Path
) -> None:
    model = trained_model(deep_encoder, "top2", pooling=choice)
    before = MultiTaskPredictor(model).predict_batch([POSTING, "attorney"])

    loaded = MultiTaskBERT.load(model.save(tmp_path / "model"), deep_encoder)

    assert MultiTaskPredictor(loaded).predict_batch([POSTING, "attorney"]) == before
    assert loaded.model_id == model.model_id
    assert loaded.encoder.pooler.choice == choice


def test_match_reads_the_texts_embedding_only(tiny_encoder: TextEncoder) -> None:
    plain = create_job_matching_model(tiny_encoder, pretrained=False)
    titled = create_job_matching_model(tiny_encoder, pretrained=False, pooling="title")
    plain.pair_scorer.trained = titled.pair_scorer.trained = True

    found = [
        MultiTaskPredictor(model).predict(POSTING, "night nurse")["match_quality"]["value"]
        for model in (plain, titled)
    ]

    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_another_pooling_begins_with_new_heads(tiny_encoder: TextEncoder) -> None:
    model = create_job_matching_model(tiny_encoder, pretrained=False)
    MultiTaskTrainer(model, epochs=1).train(make_rows(24))

    titled = model.with_pooling("title")

    assert model.with_pooling("encoder") is model
    assert model.with_pooling("mean") is model
    assert model.trained_tasks
    assert not titled.trained_tasks
    assert list(titled.tasks) == list(model.tasks)


def test_a_task_added_later_attends_too(tiny_encoder: TextEncoder) -> None:
    model = create_job_matching_model(tiny_encoder, pretrained=False, pooling="attention")
    before = run_directly(model.encoder, [POSTING])

    model.add_task(Task("company_size", TaskType.CLASSIFICATION, classes=("small", "large")))

    embeddings = run_directly(model.encoder, [POSTING])
    assert embeddings.shape[1] == before.shape[1] + 32
    raw = MultiTaskPredictor(model).raw_outputs(embeddings, "company_size")
    assert raw.shape == (1, 2)
    # What the others read is what it was.
    np.testing.assert_allclose(
        model.heads["job_category"](torch.from_numpy(embeddings)).detach(),
        model.heads["job_category"](torch.from_numpy(before)).detach(),
        atol=1e-5,
    )


def test_an_unknown_pooling_is_refused(tiny_encoder: TextEncoder) -> None:
    with pytest.raises(InvalidInput, match="pooling: must be one of encoder, mean"):
        MultiTaskBERT(tiny_encoder, job_matching_tasks(), "max")  # type: ignore[arg-type]
