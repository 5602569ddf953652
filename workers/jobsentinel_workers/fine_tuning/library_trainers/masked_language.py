"""Adapting an encoder to a field by guessing masked tokens (Gururangan et al. 2020,
arXiv 2004.10964), with transformers' trainer and masking.

The head over the encoder is new but for its last matrix, which is tied to the word embeddings; it
is thrown away afterwards.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final

import torch
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    TrainingArguments,
)

from jobsentinel.contract.errors import ModelUnavailable
from jobsentinel_workers.encoders import packaged_model_path
from jobsentinel_workers.encoders.loading import quiet_transformers
from jobsentinel_workers.fine_tuning.curriculum import OrderOfRows
from jobsentinel_workers.fine_tuning.library_trainers.epoch_batches import EpochBatches
from jobsentinel_workers.fine_tuning.library_trainers.kept_trainer import (
    KeptTrainer,
    optimizers_of,
    run_trainer,
)
from jobsentinel_workers.fine_tuning.stages import Stage

MASKED_SHARE: Final = 0.15
BATCH_SIZE: Final = 16
LEARNING_RATE: Final = 5e-5

Row = dict[str, Any]


def adapt(stage: Stage, texts: Sequence[str]) -> None:
    """Train the encoder of ``stage`` to guess masked tokens of ``texts``."""
    encoder = stage.model.encoder
    folder = base_folder(encoder.backbone.folder)
    network = stage.own_network()
    whole = _with_masked_head(folder, network)
    whole.to(encoder.device)
    rows = [
        {"row": at, "input_ids": text.input_ids.tolist()}
        for at, text in enumerate(encoder.prepare(texts))
    ]
    order = OrderOfRows(len(rows), BATCH_SIZE, stage.config.seed)
    keeper = stage.keeper(whole, LEARNING_RATE, order.batches_an_epoch)
    collator = SteadyMasking(folder, stage.config.seed)

    def make(arguments: Row) -> KeptTrainer:
        return KeptTrainer(
            model=whole,
            args=TrainingArguments(**arguments),
            data_collator=collator,
            train_dataset=rows,
            optimizers=optimizers_of(keeper),
        )

    run_trainer(
        make,
        keeper,
        EpochBatches(order.batches, order.batches_an_epoch),
        validate=None,
        arithmetic=stage.arithmetic,
        device=encoder.device,
    )
    copy_encoder(whole.base_model, network)


def base_folder(folder: str | None) -> str:
    """Return where the files of an encoder lie."""
    return str(packaged_model_path()) if folder is None else folder


def _with_masked_head(folder: str, network: torch.nn.Module) -> Any:
    with quiet_transformers():
        try:
            whole = AutoModelForMaskedLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"{folder} cannot guess masked tokens: {error}") from error
    if whole.get_output_embeddings().weight is not whole.get_input_embeddings().weight:
        raise ModelUnavailable(f"{folder} does not tie its output to its word embeddings")
    return whole


@torch.no_grad()
def copy_encoder(trained: torch.nn.Module, network: torch.nn.Module) -> None:
    """Put the weights of a trained network into ``network``, which has the same layers."""
    state = trained.state_dict()
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    network.eval()


class SteadyMasking:
    """Masks as the library does, and a batch always alike, however often a run is broken off."""

    def __init__(self, folder: str, seed: int) -> None:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._mask = DataCollatorForLanguageModeling(tokenizer, mlm_probability=MASKED_SHARE)
        self._seed = seed

    def __call__(self, rows: Sequence[Row]) -> Row:
        """Return the tensors of a batch."""
        numbers = repr([self._seed, *(row["row"] for row in rows)])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(zlib.crc32(numbers.encode()))
            batch: Row = dict(self._mask([{"input_ids": row["input_ids"]} for row in rows]))
        return batch
