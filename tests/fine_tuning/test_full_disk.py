"""A disk that is full at a checkpoint: the run is given back, and goes on from the one before."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chaos.disk import NotPossible, filled, small_disk

from jobsentinel.contract.errors import StoreUnavailable
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fine_tuning import (
    FineTunedBERT,
    FineTuningConfig,
    FineTuningTrainer,
    JobMatchingDataset,
    Progress,
)

ROWS = [{"text": f"{word} {n}", "label": word} for word in ("cook", "nurse") for n in range(16)]


def train(encoder: TextEncoder, folder: Path, full_from_step: int | None = None) -> FineTunedBERT:
    """Train with a checkpoint every two steps, on a disk that is full from some step on."""
    config = FineTuningConfig(
        method="full", epochs=2, batch_size=4, checkpoint_every_steps=2, precision="fp32"
    )
    model = FineTunedBERT(config, encoder)

    def on_progress(progress: Progress) -> None:
        if progress.step == full_from_step:
            ballast.__enter__()

    ballast = filled(folder)
    trainer = FineTuningTrainer(model, config, folder / "run", on_progress)
    try:
        trainer.train(JobMatchingDataset.from_rows(ROWS))
    finally:
        if full_from_step is not None:
            ballast.__exit__(None, None, None)
    return model


def test_a_full_disk_leaves_nothing_half_written_and_the_run_goes_on_when_there_is_room(
    encoder: TextEncoder, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    try:
        with small_disk(disk, 60):
            # Given a run whose disk is full after its fifth step
            with pytest.raises(StoreUnavailable, match="no room for a checkpoint"):
                train(encoder, disk, full_from_step=5)

            # Then only whole checkpoints are there
            names = sorted(path.name for path in (disk / "run").iterdir())
            assert names == ["run.json", "step-00000002", "step-00000004"]

            # When there is room again, it ends like one that was never disturbed
            again = train(encoder, disk)
            undisturbed = train(encoder, tmp_path)
    except NotPossible as error:
        pytest.skip(str(error))
    texts = [row["text"] for row in ROWS[:4]]
    assert again.predict_batch(texts) == undisturbed.predict_batch(texts)
