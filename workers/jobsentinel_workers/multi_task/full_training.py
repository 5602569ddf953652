"""Training the encoder together with the heads.

After each epoch, every `CHECKPOINT_EVERY_STEPS`, and when asked to stop, everything that the next
step depends on goes to ``checkpoints/`` in the run folder. A resumed run goes on at that step and
ends with the same weights, bit for bit, as one that was never stopped.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from jobsentinel_workers.encoders import EncodedText, plan_batches
from jobsentinel_workers.fine_tuning.checkpoints import Checkpoint, CheckpointFolder
from jobsentinel_workers.fine_tuning.random_state import (
    get_random_state,
    own_random_state,
    set_random_state,
)
from jobsentinel_workers.multi_task.fitting import (
    Best,
    Schedule,
    at_rows,
    epoch_batches,
    total_loss,
    validation_losses,
)
from jobsentinel_workers.multi_task.losses import TaskLoss
from jobsentinel_workers.multi_task.model import MultiTaskBERT
from jobsentinel_workers.multi_task.run_control import (
    OnProgress,
    ShouldStop,
    TrainingStopped,
)

HEAD_RATE_FACTOR = 20.0
"""Heads start from little or nothing and may move faster than a trained encoder."""
MAX_TOKENS_A_BATCH = 4_096
CHECKPOINT_EVERY_STEPS = 200

Rows = tuple[Sequence[EncodedText], Mapping[str, torch.Tensor]]


@dataclass(slots=True)
class Position:
    """How far a run is: epochs that are over, batches of the one that is not, steps in all."""

    epoch: int = 0
    batch: int = 0
    step: int = 0


class FullTraining:
    """One run of training all weights of ``model`` in place."""

    def __init__(
        self,
        model: MultiTaskBERT,
        losses: Mapping[str, TaskLoss],
        schedule: Schedule,
        run_directory: Path | None,
    ) -> None:
        self.model = model
        self.losses = losses
        self.schedule = schedule
        self.checkpoints = (
            None if run_directory is None else CheckpointFolder(run_directory / "checkpoints")
        )
        self.heads = nn.ModuleDict({name: model.heads[name] for name in losses})
        self.trained = nn.ModuleDict({"network": model.network, "heads": self.heads})
        self.weights = {name: model.tasks[name].weight for name in losses}
        self.optimiser = self._make_optimiser()
        self.at = Position()
        self.best = Best()
        self.best_step: int | None = None

    def fit(
        self, train: Rows, validation: Rows, on_progress: OnProgress, should_stop: ShouldStop
    ) -> dict[str, int]:
        """Train, keep the weights of the best epoch, and return that epoch for each task.

        Raises:
            TrainingStopped: ``should_stop`` said so; the run folder holds the very step.
            ConfigurationError: the run folder belongs to other rows or another schedule.
        """
        with own_random_state(self.schedule.seed):
            self._resume(len(train[0]), len(validation[0]))
            while self.at.epoch < self.schedule.epochs and not self._is_stale():
                self._train_epoch(train, on_progress, should_stop)
                self._close_epoch(self._validate(validation), on_progress)
        self.trained.load_state_dict(self.best.state or copy.deepcopy(self.trained.state_dict()))
        self.trained.eval()
        return dict.fromkeys(self.losses, self.best.epoch + 1)

    def _is_stale(self) -> bool:
        """Whether the last epochs have brought nothing."""
        return self.at.epoch > 0 and self.at.epoch - 1 - self.best.epoch >= self.schedule.patience

    def _close_epoch(self, loss: float, on_progress: OnProgress) -> None:
        self.best.update(loss, self.at.epoch, self.trained)
        if self.best.epoch == self.at.epoch:
            self.best_step = self.at.step
        self.at.epoch, self.at.batch = self.at.epoch + 1, 0
        self._save()
        on_progress(self._progress(float(self.at.epoch)) | {"loss": loss})

    def _train_epoch(self, train: Rows, on_progress: OnProgress, should_stop: ShouldStop) -> None:
        self.trained.train()
        batches = list(epoch_batches(len(train[0]), self.schedule, self.at.epoch))
        for rows in batches[self.at.batch :]:
            if should_stop():
                self._save()
                raise TrainingStopped(f"training was stopped at step {self.at.step}")
            self._step([train[0][row] for row in rows.tolist()], at_rows(train[1], rows))
            if self.at.batch % 10 == 0:
                on_progress(self._progress(self.at.epoch + self.at.batch / len(batches)))
            self.at.batch += 1
            self.at.step += 1
            if self.at.step % CHECKPOINT_EVERY_STEPS == 0:
                self._save()
        self.trained.eval()

    def _step(self, batch: Sequence[EncodedText], targets: Mapping[str, torch.Tensor]) -> None:
        embeddings = self.model.embed(batch)
        outputs = {name: head(embeddings) for name, head in self.heads.items()}
        loss = total_loss(outputs, targets, self.losses, self.weights)
        if loss is None:
            return
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.trained.parameters(), 1.0)
        self.optimiser.step()

    def _validate(self, validation: Rows) -> float:
        embeddings = embed_rows(self.model, validation[0])
        found = validation_losses(
            lambda x: {name: head(x) for name, head in self.heads.items()},
            self.losses,
            embeddings,
            validation[1],
        )
        return sum(self.weights[name] * loss for name, loss in found.items())

    def _progress(self, epochs_done: float) -> dict[str, float]:
        epochs = float(self.schedule.epochs)
        return {
            "fraction": epochs_done / epochs,
            "epoch": epochs_done,
            "epochs": epochs,
            "step": float(self.at.step),
        }

    def _make_optimiser(self) -> torch.optim.Optimizer:
        rate = self.schedule.learning_rate
        return torch.optim.AdamW(
            [
                {"params": list(self.model.network.parameters()), "lr": rate},
                {"params": list(self.heads.parameters()), "lr": rate * HEAD_RATE_FACTOR},
            ],
            weight_decay=self.schedule.weight_decay,
        )

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        if self.best_step is not None:
            # First, because the step that follows names it.
            self.checkpoints.save_best(self.best_step, _on_cpu(self.best.state))
        self.checkpoints.save(
            Checkpoint(
                state={
                    **asdict(self.at),
                    "best_step": self.best_step,
                    "best_epoch": self.best.epoch,
                    "best_loss": None if self.best_step is None else self.best.loss,
                    "finished": False,
                },
                weights=_on_cpu(self.trained.state_dict()),
                optimiser=self._optimiser_tensors(),
                random=get_random_state(),
            )
        )

    def _resume(self, train_rows: int, validation_rows: int) -> None:
        if self.checkpoints is None:
            return
        self.checkpoints.claim(
            {
                "schedule": asdict(self.schedule),
                "tasks": sorted(self.losses),
                "train_rows": train_rows,
                "validation_rows": validation_rows,
            }
        )
        checkpoint = self.checkpoints.latest()
        if checkpoint is None:
            return
        state = checkpoint.state
        self.at = Position(state["epoch"], state["batch"], state["step"])
        self.trained.load_state_dict(dict(checkpoint.weights))
        self._put_optimiser_tensors(checkpoint.optimiser)
        set_random_state(checkpoint.random)
        self.best_step = state["best_step"]
        if self.best_step is not None:
            weights = self.checkpoints.load_best(self.best_step)
            self.best = Best(state["best_loss"], state["best_epoch"], weights)

    def _optimiser_tensors(self) -> dict[str, torch.Tensor]:
        """Return AdamW's moments and step counts, named ``weight:moment``."""
        return {
            f"{name}:{key}": value.detach().clone().cpu()
            for name, weight in self.trained.named_parameters()
            for key, value in self.optimiser.state[weight].items()
        }

    def _put_optimiser_tensors(self, tensors: Mapping[str, torch.Tensor]) -> None:
        weights = dict(self.trained.named_parameters())
        for full_name, value in tensors.items():
            name, _, key = full_name.rpartition(":")
            # AdamW keeps its step counts on the CPU, its moments beside the weights.
            place = "cpu" if key == "step" else weights[name].device
            self.optimiser.state[weights[name]][key] = value.to(place)


def _on_cpu(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


@torch.inference_mode()
def embed_rows(model: MultiTaskBERT, rows: Sequence[EncodedText]) -> torch.Tensor:
    """Return (n, d) embeddings of tokenised texts by the weights as they are now."""
    output = torch.zeros(len(rows), model.encoder.output_dim, device=model.encoder.device)
    plan = plan_batches(list(map(len, rows)), max_tokens_a_batch=MAX_TOKENS_A_BATCH, max_rows=64)
    for positions in plan:
        output[positions] = model.embed([rows[position] for position in positions])
    return output.clone()
