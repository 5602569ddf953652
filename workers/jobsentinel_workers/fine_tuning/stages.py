"""What the encoder of a run goes through before its task: adapting to texts, contrasting rows."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager

import torch

from jobsentinel_workers.fine_tuning.arithmetic import training_arithmetic
from jobsentinel_workers.fine_tuning.checkpoints import CheckpointFolder
from jobsentinel_workers.fine_tuning.model import FineTunedBERT
from jobsentinel_workers.fine_tuning.progress import Phase
from jobsentinel_workers.fine_tuning.run_keeper import Hooks, Plan, RunKeeper
from jobsentinel_workers.fine_tuning.trained_weights import TrainedWeights
from jobsentinel_workers.fine_tuning.training_data import TrainingData
from jobsentinel_workers.fine_tuning.unlabelled import Unlabelled


class Stage:
    """One epoch over an encoder's weights, with checkpoints in a folder of its own."""

    def __init__(
        self,
        model: FineTunedBERT,
        phase: Phase,
        *,
        checkpoints: CheckpointFolder | None,
        hooks: Hooks,
    ) -> None:
        self.model = model
        self.config = model.config
        self._phase = phase
        self._hooks = hooks
        self._checkpoints = checkpoints and CheckpointFolder(checkpoints.root / phase)
        if self._checkpoints is not None:
            # The run's own folder is bound to its rows and settings already.
            self._checkpoints.claim({"stage": phase})
        # New layers are drawn alike, whatever came before in this process.
        torch.manual_seed(self.config.seed)

    def own_network(self) -> torch.nn.Module:
        """Give the model a copy of its encoder's network, open to training, and return it."""
        network = copy.deepcopy(self.model.encoder.network).float().requires_grad_(True)
        self.model.put_network(network)
        return network

    def keeper(self, module: torch.nn.Module, rate: float, steps: int) -> RunKeeper:
        """Return the keeper of all weights of ``module``, at its last checkpoint if it has one."""
        weights = dict(module.named_parameters())
        trained = TrainedWeights(weights, lambda _: rate, self.config.weight_decay)
        plan = Plan(1, steps, 1, self.config.checkpoint_every_steps, self._phase)
        keeper = RunKeeper(trained, plan, checkpoints=self._checkpoints, hooks=self._hooks)
        keeper.restore()
        return keeper

    def arithmetic(self) -> AbstractContextManager[object]:
        """Return the number format of forward passes."""
        return training_arithmetic(self.config, self.model.encoder.device, trains_encoder=True)


def prepare_encoder(
    model: FineTunedBERT,
    data: TrainingData,
    unlabelled: Unlabelled,
    *,
    checkpoints: CheckpointFolder | None,
    hooks: Hooks,
) -> None:
    """Give ``model`` the encoder that its task shall start from.

    Raises:
        TrainingInterrupted: the run shall stop; it goes on in the same stage.
    """
    config = model.config
    if config.adapt != "none":
        stage = Stage(model, "adapting", checkpoints=checkpoints, hooks=hooks)
        if config.adapt == "mlm":
            from jobsentinel_workers.fine_tuning.library_trainers.masked_language import adapt
        else:
            from jobsentinel_workers.fine_tuning.library_trainers.denoising import adapt
        adapt(stage, unlabelled.texts)
        model.note_encoder_change()
    if config.few_shot:
        from jobsentinel_workers.fine_tuning.library_trainers.contrast import contrast

        contrast(Stage(model, "contrasting", checkpoints=checkpoints, hooks=hooks), data.train)
        model.note_encoder_change()
    torch.manual_seed(config.seed)
