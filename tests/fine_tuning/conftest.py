"""A tiny encoder with the real tokenizer, and rows that even it can learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.encoder_folders import write_encoder

from jobsentinel_workers.encoders import TextEncoder

Row = dict[str, Any]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of three layers, 32 wide, with dropout, as a Hugging Face folder."""
    return make_tiny(tmp_path_factory.mktemp("tiny"), seed=0)


@pytest.fixture(scope="session")
def other_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with other weights."""
    return make_tiny(tmp_path_factory.mktemp("other"), seed=1)


def make_tiny(folder: Path, seed: int) -> Path:
    return write_encoder(
        folder,
        seed=seed,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.2,
    )


@pytest.fixture
def encoder(tiny_folder: Path) -> TextEncoder:
    return TextEncoder.load(tiny_folder, "fp32", max_tokens=32)


@pytest.fixture
def class_rows() -> list[Row]:
    words = {"care": "nurse hospital ward", "road": "driver truck haulage", "code": "python api"}
    return [
        {"text": f"{text} number {number}", "label": label}
        for number in range(12)
        for label, text in words.items()
    ]


@pytest.fixture
def value_rows() -> list[Row]:
    return [
        {"text": f"{level} clerk {number}", "value": salary}
        for number in range(10)
        for level, salary in (("junior", 30_000), ("plain", 50_000), ("senior principal", 90_000))
    ]


@pytest.fixture
def pair_rows() -> list[Row]:
    return [
        {"text_a": f"{a} {number}", "text_b": f"{b} opening {number}", "score": score}
        for number in range(8)
        for a, b, score in (
            ("nurse", "ward sister", 0.9),
            ("driver", "truck haulage", 0.8),
            ("nurse", "truck haulage", 0.1),
            ("python", "kitchen chef", 0.0),
        )
    ]
