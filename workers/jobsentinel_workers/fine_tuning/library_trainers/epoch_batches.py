"""Batches that depend on the epoch's number alone, so that a resumed run takes the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch.utils.data import Sampler

Batches = list[list[int]]


class EpochBatches(Sampler[list[int]]):
    """The batches of one epoch after the other.

    Args:
        batches_of: from an epoch's number, from 0, to the rows of each batch.
        count: batches of every epoch, which the learning rate counts on.
    """

    def __init__(self, batches_of: Callable[[int], Batches], count: int) -> None:
        self._batches_of = batches_of
        self._count = count
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Take the batches of ``epoch`` from now on."""
        self._batches = _of_length(self._batches_of(epoch), self._count)

    def rows_of(self, batch: int) -> int:
        """Return how many rows a batch of this epoch has."""
        return len(self._batches[batch])

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)

    def __len__(self) -> int:
        return self._count


def _of_length(batches: Batches, count: int) -> Batches:
    """Return ``count`` batches: some again, or some left to the other epochs."""
    return [batches[at % len(batches)] for at in range(count)]
