"""A trainer of the transformers library as a run like any other.

The library shuffles, steps and clips in its own loop; what is counted, written, restored and told
goes through the RunKeeper. Its own checkpoints would hold pickles and are not written.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerState

from jobsentinel_workers.encoders.loading import quiet_transformers
from jobsentinel_workers.fine_tuning.library_trainers.epoch_batches import EpochBatches
from jobsentinel_workers.fine_tuning.run_keeper import RunKeeper
from jobsentinel_workers.fine_tuning.trained_weights import MAX_GRADIENT_NORM

STATE_FILE = "trainer_state.json"
BATCH_SIZE = 8
"""What the library compares with its state; how many rows a batch has is up to EpochBatches."""

Arithmetic = Callable[[], AbstractContextManager[object]]
Validate = Callable[[], float]
MakeTrainer = Callable[[dict[str, Any]], "KeptTrainer"]
"""From the arguments that all runs share to a trainer of its kind."""


class KeptTrainer(Trainer):
    """What every library trainer of ours does otherwise than the library."""

    last_loss: float
    keeper: RunKeeper
    batches: EpochBatches
    arithmetic: Arithmetic

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        return cast("nn.Module", self.model)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the batches of the epoch; a generator of its own leaves the run's alone."""
        return DataLoader(
            cast("Dataset[Any]", self.train_dataset),
            batch_sampler=self.batches,
            collate_fn=self.data_collator,
            generator=torch.Generator(),
        )

    def training_step(self, *inputs: Any, **named: Any) -> torch.Tensor:
        """Compute gradients; a loss that is no number ends the run before it moves weights."""
        loss: torch.Tensor = super().training_step(*inputs, **named)
        self.last_loss = float(loss.item())
        self.keeper.check_loss(self.last_loss)
        return loss

    def compute_loss_context_manager(self) -> ExitStack:
        """Return the context of the forward pass, with the run's number format."""
        stack: ExitStack = super().compute_loss_context_manager()
        stack.enter_context(self.arithmetic())
        return stack

    def _load_from_checkpoint(self, *_: Any, **__: Any) -> None:
        """Nothing: the keeper has put the weights."""

    def _load_optimizer_and_scheduler(self, *_: Any) -> None:
        """Nothing: the keeper has put AdamW's moments and sets the rates."""

    def _load_scaler(self, *_: Any) -> None:
        """Nothing: there is no fp16."""

    def _load_rng_state(self, *_: Any) -> None:
        self.keeper.restore_random_state()


class _Keeping(TrainerCallback):
    """Ties the library's loop to the keeper's."""

    def __init__(self, trainer: KeptTrainer, validate: Validate | None) -> None:
        self._trainer = trainer
        self._validate = validate

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self._trainer.batches.set_epoch(self._trainer.keeper.state.epoch)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._trainer.keeper.before_step()

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        weights = self._trainer.keeper.trained.weights.values()
        nn.utils.clip_grad_norm_(list(weights), MAX_GRADIENT_NORM)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        trainer = self._trainer
        rows = trainer.batches.rows_of(trainer.keeper.steps_of_this_epoch)
        trainer.keeper.after_step(trainer.last_loss, rows)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.close_epoch()
        control.should_training_stop = self._trainer.keeper.is_over()

    def close_epoch(self) -> None:
        """Judge the epoch without dropout."""
        self._trainer.network.eval()
        self._trainer.keeper.close_epoch(self._validate() if self._validate else None)


def run_trainer(
    make_trainer: MakeTrainer,
    keeper: RunKeeper,
    batches: EpochBatches,
    *,
    validate: Validate | None,
    arithmetic: Arithmetic,
    device: torch.device,
) -> None:
    """Take a library trainer to the end of its run, or from its last checkpoint on.

    ``keeper.restore`` has been called. The weights that are kept at the end are those of the best
    epoch, or without ``validate`` the last ones.

    Raises:
        TrainingInterrupted: the run shall stop; a checkpoint was written.
    """
    with TemporaryDirectory() as folder, quiet_transformers():
        trainer = make_trainer(_arguments(Path(folder), keeper, device))
        trainer.remove_callback(PrinterCallback)
        trainer.keeper, trainer.batches, trainer.arithmetic = keeper, batches, arithmetic
        keeping = _Keeping(trainer, validate)
        trainer.add_callback(keeping)
        if keeper.steps_of_this_epoch == keeper.plan.steps_an_epoch:
            keeping.close_epoch()
        if not keeper.is_over():
            trainer.train(resume_from_checkpoint=_resume_folder(Path(folder), keeper))
        trainer.network.eval()
    keeper.finish()


def _arguments(folder: Path, keeper: RunKeeper, device: torch.device) -> dict[str, Any]:
    """Return arguments that turn off all that is not training; the keeper sets the rates."""
    return {
        "output_dir": str(folder),
        "num_train_epochs": keeper.plan.epochs,
        "per_device_train_batch_size": BATCH_SIZE,
        "use_cpu": device.type == "cpu",
        "save_strategy": "no",
        "eval_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "push_to_hub": False,
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "max_grad_norm": 0.0,
    }


def _resume_folder(folder: Path, keeper: RunKeeper) -> str | None:
    """Tell the library at which step it is, in the file where it looks for that."""
    state = keeper.state
    if state.step == 0:
        return None
    epoch = state.step / keeper.plan.steps_an_epoch
    told = TrainerState(global_step=state.step, epoch=epoch, train_batch_size=BATCH_SIZE)
    told.save_to_json(str(folder / STATE_FILE))
    return str(folder)


def optimizers_of(keeper: RunKeeper) -> tuple[torch.optim.Optimizer, Any]:
    """Return what a trainer takes as ``optimizers``; rates are the keeper's, none is scheduled."""
    optimiser = keeper.trained.optimiser
    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, lambda _: 1.0)
