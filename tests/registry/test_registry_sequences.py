"""Whatever the order of calls, the registry behaves like this small model of it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from safetensors.numpy import save

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.registry import ModelRegistry


def tensors(content: bytes) -> bytes:
    return save({"weights": np.array(list(content), dtype=np.uint8)})


class RegistryMachine(RuleBasedStateMachine):
    """Registers, promotes, tries and rolls back at random, beside a list and three numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        builtin = self.folder / "builtin"
        builtin.mkdir()
        (builtin / "model.safetensors").write_bytes(tensors(b"builtin"))
        self.registry = ModelRegistry(self.folder / "models", builtin={"scam": builtin})
        self.versions: list[bytes] = []
        self.champion = 0
        self.previous: int | None = None
        self.challenger: int | None = None

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(weights=st.binary(max_size=8))
    def register(self, weights: bytes) -> None:
        checkpoint = self.folder / "checkpoint"
        checkpoint.mkdir(exist_ok=True)
        (checkpoint / "model.safetensors").write_bytes(tensors(weights))
        version = self.registry.register("scam", checkpoint, kind="classification", move=True)
        self.versions.append(weights)
        assert version.version == len(self.versions)

    @rule(data=st.data())
    def promote(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.versions)))
        self.registry.promote("scam", number)
        self.challenger = None
        if number != self.champion:
            self.champion, self.previous = number, self.champion

    @precondition(lambda self: self.previous is not None)
    @rule()
    def roll_back(self) -> None:
        assert self.registry.rollback("scam").version == self.previous
        assert self.previous is not None
        self.champion, self.previous = self.previous, self.champion
        self.challenger = None

    @rule(data=st.data(), share=st.floats(0.01, 0.99))
    def begin_split(self, data: st.DataObject, share: float) -> None:
        number = data.draw(st.integers(0, len(self.versions)))
        if number == self.champion:
            with pytest.raises(InvalidInput):
                self.registry.begin_split("scam", number, share)
        else:
            assert self.registry.begin_split("scam", number, share).share == share
            self.challenger = number

    @rule()
    def end_split(self) -> None:
        self.registry.end_split("scam")
        self.challenger = None

    @precondition(lambda self: self.previous is None)
    @rule()
    def roll_back_to_nothing(self) -> None:
        with pytest.raises(ModelUnavailable):
            self.registry.rollback("scam")

    @invariant()
    def everything_reads_back(self) -> None:
        assert self.registry.get("scam").version == self.champion
        assert self.registry.aliases("scam").challenger == self.challenger
        listed = self.registry.list("scam")
        assert [each.version for each in listed] == list(range(len(self.versions) + 1))
        assert all(each.problem is None for each in listed)
        for number, weights in enumerate(self.versions, start=1):
            path = self.registry.get("scam", number).path
            assert (path / "model.safetensors").read_bytes() == tensors(weights)


RegistryMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
TestRegistrySequences = RegistryMachine.TestCase
