"""Training the encoder together with the heads.

After each epoch, and when asked to stop, the weights go to ``checkpoint/`` in the run folder under
a temporary name and are renamed when complete. A resumed run goes on with the next epoch; the
optimiser starts afresh.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from jobsentinel_workers.encoders import EncodedText, plan_batches
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
    stop_if_asked,
)

HEAD_RATE_FACTOR = 20.0
"""Heads start from little or nothing and may move faster than a trained encoder."""
MAX_TOKENS_A_BATCH = 4_096

Rows = tuple[Sequence[EncodedText], Mapping[str, torch.Tensor]]


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
        self.checkpoint = None if run_directory is None else run_directory / "checkpoint"
        self.heads = nn.ModuleDict({name: model.heads[name] for name in losses})
        self.trained = nn.ModuleDict({"network": model.network, "heads": self.heads})
        self.weights = {name: model.tasks[name].weight for name in losses}

    def fit(
        self, train: Rows, validation: Rows, on_progress: OnProgress, should_stop: ShouldStop
    ) -> dict[str, int]:
        """Train, keep the weights of the best epoch, and return that epoch for each task.

        Raises:
            TrainingStopped: ``should_stop`` said so; the run folder holds the finished epochs.
        """
        best, first = Best(), self._resume()
        best.update(self._validate(validation) if first else float("inf"), first - 1, self.trained)
        optimiser = self._optimiser()
        for epoch in range(first, self.schedule.epochs):
            self._train_epoch(optimiser, train, epoch, on_progress, should_stop)
            loss = self._validate(validation)
            best.update(loss, epoch, self.trained)
            self._save(epoch + 1)
            on_progress(self._progress(epoch + 1.0) | {"loss": loss})
            if epoch - best.epoch >= self.schedule.patience:
                break
        self.trained.load_state_dict(best.state or copy.deepcopy(self.trained.state_dict()))
        self.trained.eval()
        return dict.fromkeys(self.losses, best.epoch + 1)

    def _train_epoch(
        self,
        optimiser: torch.optim.Optimizer,
        train: Rows,
        epoch: int,
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> None:
        self.trained.train()
        batches = list(epoch_batches(len(train[0]), self.schedule, epoch))
        for number, rows in enumerate(batches):
            stop_if_asked(should_stop)
            self._step(optimiser, [train[0][row] for row in rows.tolist()], at_rows(train[1], rows))
            if number % 10 == 0:
                on_progress(self._progress(epoch + number / len(batches)))
        self.trained.eval()

    def _step(
        self,
        optimiser: torch.optim.Optimizer,
        batch: Sequence[EncodedText],
        targets: Mapping[str, torch.Tensor],
    ) -> None:
        embeddings = self.model.embed(batch)
        outputs = {name: head(embeddings) for name, head in self.heads.items()}
        loss = total_loss(outputs, targets, self.losses, self.weights)
        if loss is None:
            return
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.trained.parameters(), 1.0)
        optimiser.step()

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
        return {"fraction": epochs_done / epochs, "epoch": epochs_done, "epochs": epochs}

    def _optimiser(self) -> torch.optim.Optimizer:
        rate = self.schedule.learning_rate
        return torch.optim.AdamW(
            [
                {"params": list(self.model.network.parameters()), "lr": rate},
                {"params": list(self.heads.parameters()), "lr": rate * HEAD_RATE_FACTOR},
            ],
            weight_decay=self.schedule.weight_decay,
        )

    def _save(self, epochs_done: int) -> None:
        if self.checkpoint is None:
            return
        part = self.checkpoint.with_name(f"checkpoint.{os.getpid()}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        state = {k: v.cpu().contiguous() for k, v in self.trained.state_dict().items()}
        save_file(state, part / "weights.safetensors")
        (part / "state.json").write_text(json.dumps({"epochs_done": epochs_done}))
        # A stop between the two leaves no checkpoint, and the run starts afresh: safe, if slower.
        shutil.rmtree(self.checkpoint, ignore_errors=True)
        part.rename(self.checkpoint)

    def _resume(self) -> int:
        if self.checkpoint is None or not (self.checkpoint / "state.json").is_file():
            return 0
        self.trained.load_state_dict(load_file(self.checkpoint / "weights.safetensors"))
        state = json.loads((self.checkpoint / "state.json").read_text())
        return int(state["epochs_done"])


@torch.inference_mode()
def embed_rows(model: MultiTaskBERT, rows: Sequence[EncodedText]) -> torch.Tensor:
    """Return (n, d) embeddings of tokenised texts by the weights as they are now."""
    output = torch.zeros(len(rows), model.encoder.output_dim, device=model.encoder.device)
    plan = plan_batches(list(map(len, rows)), max_tokens_a_batch=MAX_TOKENS_A_BATCH, max_rows=64)
    for positions in plan:
        output[positions] = model.embed([rows[position] for position in positions])
    return output.clone()
