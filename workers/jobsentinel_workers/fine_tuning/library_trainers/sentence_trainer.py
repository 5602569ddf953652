"""sentence-transformers' trainer over one of our encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from torch import nn

from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fine_tuning.library_trainers.engine_module import (
    EngineModule,
    SetTraining,
)
from jobsentinel_workers.fine_tuning.library_trainers.kept_trainer import (
    KeptTrainer,
    MakeTrainer,
    optimizers_of,
)
from jobsentinel_workers.fine_tuning.run_keeper import RunKeeper

Columns = Mapping[str, Sequence[Any]]
MakeLoss = Callable[[SentenceTransformer], nn.Module]


class SentenceTrainer(KeptTrainer, SentenceTransformerTrainer):
    """The library's trainer for sentence encoders, without its model card."""

    def add_model_card_callback(self, *_: Any) -> None:
        """Nothing: a card would describe the machine and ask the hub."""


def sentence_model(encoder: TextEncoder, set_training: SetTraining) -> SentenceTransformer:
    """Return ``encoder`` as a model of the library; its weights are shared."""
    module = EngineModule(
        encoder.network,
        encoder,
        encoder.embed,
        output="sentence_embedding",
        set_training=set_training,
        pad_id=encoder.backbone.pad_id,
    )
    return SentenceTransformer(modules=[module], device=str(encoder.device))


def sentence_trainer(
    model: SentenceTransformer, loss: nn.Module, columns: Columns, keeper: RunKeeper
) -> MakeTrainer:
    """Return what makes the trainer; ``columns`` are the texts, in the loss's order, and labels."""
    dataset = Dataset.from_dict(dict(columns))

    def make(arguments: dict[str, Any]) -> KeptTrainer:
        return SentenceTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(**arguments),
            train_dataset=dataset,
            loss=loss,
            optimizers=optimizers_of(keeper),
        )

    return make
