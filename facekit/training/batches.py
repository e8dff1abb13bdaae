"""Training batches, prepared in the background and the same after a resume."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from facekit.arrays import Float32, Float64, Int64, UInt8
from facekit.augment.batches import augment_batch
from facekit.augment.mixing import Mixer
from facekit.augment.targets import joined, summands
from facekit.recipe.schema import AugmentSpec

Batch = tuple[UInt8, dict[str, Float32]]


class Rows(Protocol):
    """What is learned, row by row beside the crops."""

    def rows(self, index: Int64) -> dict[str, Float32]:
        """The targets of some rows, by output."""
        ...


_AHEAD = 4  # batches kept ready; bounds the memory


class Teach(Protocol):
    """More targets of a batch of images, by output."""

    def __call__(self, images: UInt8) -> dict[str, Float32]:
        """Of uint8 images of shape (n, side, side, 3)."""
        ...

    def traced(self, images: Any) -> dict[str, Any]:
        """The same of a tensor, within a program that is compiled."""
        ...


class Batches:
    """All batches of a run; a batch follows from seed, epoch and step alone.

    Args:
        crops: uint8 RGB array of shape (n, side, side, 3), memory-mapped or not.
        rows: Positions in ``crops`` that may be trained on.
        targets: Rows beside ``crops``.
        spec: Augmentation.
        size: Rows a batch; the last incomplete batch of an epoch is left out.
        seed: The recipe's seed.
        mixer: Mixes images and targets of a batch, or None.
        chance: float64 array beside ``rows`` that sums to 1: how likely each is when
            the rows of an epoch are drawn, with replacement; None takes each once.
        stronger: float64 array beside ``crops``: factor of the augmentation of each;
            None is 1 everywhere.
        teach: Gives more targets, by output, of a batch of images as they are seen:
            augmented and mixed; None gives none.
    """

    def __init__(
        self,
        crops: UInt8,
        rows: Int64,
        targets: Rows,
        spec: AugmentSpec,
        size: int,
        seed: int,
        mixer: Mixer | None = None,
        chance: Float64 | None = None,
        stronger: Float64 | None = None,
        teach: Teach | None = None,
    ) -> None:
        self.crops, self.rows, self.targets, self.spec = crops, rows, targets, spec
        self.size = min(size, len(rows))
        self.seed, self.chance, self.stronger, self.teach = seed, chance, stronger, teach
        self.mixer = mixer if mixer is not None and mixer.active else None
        self.per_epoch = len(rows) // self.size

    def order(self, epoch: int) -> Int64:
        """Rows of an epoch in training order."""
        rng = np.random.default_rng([self.seed, epoch])
        if self.chance is None:
            return rng.permutation(self.rows)
        return rng.choice(self.rows, len(self.rows), p=self.chance)

    def make(self, order: Int64, epoch: int, step: int) -> Batch:
        """One batch; ``step`` counts from 0 within the epoch."""
        rows = order[step * self.size : (step + 1) * self.size]
        rng = np.random.default_rng([self.seed, epoch, step, 1])
        by_place = np.sort(rows)  # a memory map is read in order of place
        images = augment_batch(self.crops[by_place], self.specs(by_place), rng)
        return images, self.targets.rows(by_place)

    def specs(self, rows: Int64) -> AugmentSpec | list[AugmentSpec]:
        """How some rows are augmented: one for all, or one each."""
        if self.stronger is None:
            return self.spec
        return [self.spec.stronger(float(factor)) for factor in self.stronger[rows]]

    def _begin_mixing(self, epoch: int, start: int) -> None:
        if self.mixer is not None:
            parts = summands(self.targets.rows(self.rows[:1]))
            shape = (self.size, *self.crops.shape[1:])
            self.mixer.begin(epoch, start, shape, sum(x.shape[1] for x in parts.values()))

    def _mixed(self, batch: Batch, epoch: int, step: int) -> Batch:
        if self.mixer is None:
            return batch
        parts = summands(batch[1])  # side by side: one draw mixes them all
        ends = np.cumsum([values.shape[1] for values in parts.values()])
        together = np.concatenate(list(parts.values()), axis=1)
        images, together = self.mixer.mix(batch[0], together, epoch, step)
        return images, joined(dict(zip(parts, np.split(together, ends[:-1], 1), strict=True)))

    def _taught(self, batch: Batch) -> Batch:
        images, wanted = batch
        return batch if self.teach is None else (images, wanted | self.teach(images))

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from step ``start`` on.

        A thread prepares them: OpenCV releases the interpreter while it works.
        """
        ready: queue.Queue[Batch | BaseException | None] = queue.Queue(_AHEAD)
        stopped = threading.Event()

        def produce() -> None:
            try:
                order = self.order(epoch)
                self._begin_mixing(epoch, start)
                for step in range(start, self.per_epoch):
                    batch = self._taught(self._mixed(self.make(order, epoch, step), epoch, step))
                    _offer(ready, batch, stopped)
                _offer(ready, None, stopped)
            except BaseException as error:  # handed to the consumer, who raises it
                _offer(ready, error, stopped)

        thread = threading.Thread(target=produce, name="facekit-batches", daemon=True)
        thread.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            thread.join()


def _offer(
    ready: queue.Queue[Batch | BaseException | None],
    item: Batch | BaseException | None,
    stopped: threading.Event,
) -> None:
    """Put an item unless the consumer has gone."""
    while not stopped.is_set():
        try:
            return ready.put(item, timeout=0.1)
        except queue.Full:
            continue
