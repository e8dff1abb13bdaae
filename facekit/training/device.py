"""Train on the device: data, augmentation and steps in one program of JAX.

The step is Keras' own (``train_step``: the compiled losses, the optimiser, its clip and
decay), so a recipe means here what it means in ``training.loop``. What is random about a
step follows from the seed, the epoch and the step alone.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from facekit.arrays import Int64
from facekit.augment.device import augment, mix, mixing_draws, resampling, strengths
from facekit.augment.targets import joined, summands
from facekit.training.keras import assign_all
from facekit.training.loop import TrainingRun

#: Of the device's memory (of the machine's where a processor trains), crops and targets
#: may have this much; what is larger comes in blocks, two of which fit.
_SHARE: Final = 0.5
_UNKNOWN: Final = 8 << 30  # bytes of memory where nobody says how many there are

State = tuple[Any, ...]


@dataclass
class DeviceRun(TrainingRun):
    """A training in a run folder whose epochs run on the device.

    It saves at the end of a sitting and of its first epoch, and between them not more
    often than the recipe's ``checkpoint_minutes``: an epoch may take less time than its
    checkpoint. It can go on from any checkpoint of a ``TrainingRun``.
    Teachers look at the images as the network sees them (uint8, augmented and mixed)
    within the step.
    """

    _compiled: set[tuple[int, ...]] = field(default_factory=set)
    _saved: float = -math.inf  # when: the first epoch of a sitting is saved in any case

    def _train_epoch(self) -> dict[str, Any]:
        begun, first, before = time.monotonic(), self._step, self._spent
        state, waiting = self._state(), None
        pieces, self._aside = self._pieces(), {"input_seconds": 0.0}
        while (piece := self._timed("input_seconds", lambda: next(pieces, None))) is not None:
            state, logs = self._advance(state, *piece)
            if waiting is not None:  # only now: the device works while the next is made ready
                self._take(*waiting)
            waiting = logs, len(piece[1]["rows"])
            rate = (self._step - first) * self.batches.size / (time.monotonic() - begun)
            self.progress(self._epoch + 1, self._step, self.batches.per_epoch, rate)
        if waiting is not None:
            self._take(*waiting)
        self._put_back(state)
        self._spent = before + time.monotonic() - begun
        return self._finish_epoch()

    def _due(self) -> bool:
        return time.monotonic() - self._saved >= 60 * self.recipe.training.checkpoint_minutes

    def _save(self) -> None:
        super()._save()
        self._saved = time.monotonic()

    def _measured(self) -> dict[str, float]:
        measured: dict[str, float] = self._timed("validation_seconds", self.measure)
        return measured

    def _take(self, logs: dict[str, Any], steps: int) -> None:
        """Wait for some steps and add up their losses."""
        for name, values in logs.items():
            total = float(np.asarray(values, np.float64).sum())
            self._sums[name] = self._sums.get(name, 0.0) + total
        self._require_finite(self._sums["loss"])
        self._step += steps

    def _advance(self, state: State, data: Any, now: dict[str, Any]) -> tuple[State, Any]:
        """Start some steps; the first ones of their kind are compiled before."""
        shape = (len(data["crops"]), *now["rows"].shape)
        out: tuple[State, Any]
        if shape in self._compiled:
            out = self._program(state, data, now)
        else:
            self._compiled.add(shape)
            out = self._timed("compile_seconds", lambda: self._program(state, data, now))
        return out

    def _timed(self, name: str, do: Callable[[], Any]) -> Any:
        """Do something and add up its seconds beside those of the steps."""
        begun = time.monotonic()
        made = do()
        self._aside[name] = self._aside.get(name, 0.0) + time.monotonic() - begun
        return made

    @cached_property
    def _program(self) -> Any:
        """Many steps as one program.

        Not on a processor: in a loop of XLA its convolutions are fourteen times slower.
        """
        step = self._build_step()
        if is_processor():
            single = jax.jit(step)
            return lambda state, data, now: single(state, data, {k: v[0] for k, v in now.items()})

        def many(state: State, data: Any, now: Any) -> Any:
            return jax.lax.scan(lambda carried, one: step(carried, data, one), state, now)

        return jax.jit(many)

    def _build_step(self) -> Callable[[State, Any, dict[str, Any]], tuple[State, Any]]:
        """One step, from rows to losses."""
        model, spec, mixer = self.model, self.batches.spec, self.batches.mixer
        switched = frozenset(key for key, value in spec if value > 0)
        seed = int(np.random.default_rng([self.batches.seed, 5]).integers(1 << 31))
        self._build_losses()
        blank = [jnp.zeros_like(v.value) for v in model.metrics_variables]
        rate = _place(model.optimizer.variables, model.optimizer.learning_rate)

        def step(state: State, data: Any, now: dict[str, Any]) -> tuple[State, Any]:
            moving, still, optimizer, averaged = state
            rows, key = now["rows"], jax.random.fold_in(jax.random.key(seed), now["step"])
            numbers = data["numbers"]
            numbers = numbers if len(numbers) == 1 else numbers[rows]
            images = augment(data["crops"][rows], key, numbers, data["tables"], switched)
            wanted = {name: values[rows] for name, values in data["targets"].items()}
            if mixer is not None:
                images, sums = mix(images, summands(wanted), now)
                wanted = joined(sums)
            images = images.astype(jnp.uint8)
            if self.batches.teach is not None:
                wanted |= self.batches.teach.traced(images)
            optimizer = [*optimizer[:rate], now["rate"], *optimizer[rate + 1 :]]
            state = (moving, still, optimizer, blank)
            logs, (moving, still, optimizer, _) = model.train_step(state, (images, wanted))
            if averaged:
                pairs = zip(averaged, self._weights(moving, still), strict=True)
                averaged = [mean + now["share"] * (value - mean) for mean, value in pairs]
            return (moving, still, optimizer, averaged), logs

        return step

    def _build_losses(self) -> None:
        """Let Keras make the counters of its losses outside of any program."""
        few = np.resize(self.batches.rows, 2)
        images, wanted = self.batches.crops[few], dict(self.batches.targets.rows(few))
        if self.batches.teach is not None:
            wanted |= self.batches.teach.traced(jnp.asarray(images))
        outputs = self.model.output
        predicted = {name: jnp.zeros((2, *x.shape[1:])) for name, x in outputs.items()}
        self.model.compute_loss(x=images, y=wanted, y_pred=predicted)
        self.model.reset_metrics()

    # What a step carries on.

    def _state(self) -> State:
        """The model, its optimiser and the average, as they are."""
        model = self.model
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        parts = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        values = [[variable.value for variable in part] for part in parts]
        if not self._average.decay:
            return (*values, [])
        averaged = jax.device_put(self._average.values) or self._weights(*values[:2])
        return (*values, averaged)

    def _put_back(self, state: State) -> None:
        """Give the model, its optimiser and the average what the device has made."""
        moving, still, optimizer, averaged = state
        assign_all(self.model.trainable_variables, moving)
        assign_all(self.model.non_trainable_variables, still)
        assign_all(self.model.optimizer.variables, optimizer)
        if averaged:
            self._average.values = list(averaged)

    def _weights(self, moving: Any, still: Any) -> list[Any]:
        """Values in the order of ``model.weights``."""
        values = [*moving, *still]
        return [values[place] for place in self._order_of_weights]

    @cached_property
    def _order_of_weights(self) -> list[int]:
        variables = [*self.model.trainable_variables, *self.model.non_trainable_variables]
        return [_place(variables, weight) for weight in self.model.weights]

    # What a step reads.

    def _pieces(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Data on the device, and what some steps are told; the rest of the epoch in all."""
        batches = self.batches
        order, plan = batches.order(self._epoch), self._plan()
        per_block = self._steps_per_block()
        for begin in range(self._step, batches.per_epoch, per_block):
            end = min(begin + per_block, batches.per_epoch)
            picked = order[begin * batches.size : end * batches.size]
            if per_block == batches.per_epoch:
                data, places = self._whole, np.searchsorted(self._rows, picked)
            else:  # in order of place, as a memory map is read
                by_place = picked.argsort(kind="stable")
                data, places = self._load(picked[by_place]), by_place.argsort()
            told = {name: values[begin:end] for name, values in plan.items()}
            told["rows"] = places.astype(np.int32).reshape(end - begin, batches.size)
            length = 1 if is_processor() else end - begin
            for at in range(0, end - begin, length):
                yield data, {name: values[at : at + length] for name, values in told.items()}

    def _plan(self) -> dict[str, Any]:
        """What each step of the epoch is told beside its rows."""
        batches, steps = self.batches, self.batches.per_epoch
        done = np.arange(steps) + self._epoch * steps
        shares = np.array([self._average.share(int(step)) for step in done], np.float32)
        if self._average.decay and not self._average.values:  # it begins with the first weights
            shares[self._step + np.flatnonzero(shares[self._step :])[:1]] = 1.0
        told = {"step": done.astype(np.uint32), "share": shares}
        told["rate"] = np.array([self._rate(int(step)) for step in done], np.float32)
        if batches.mixer is not None:
            rng = np.random.default_rng([batches.seed, self._epoch, 4])
            told |= mixing_draws(batches.mixer.spec, rng, steps, batches.size)
        return told

    @cached_property
    def _rows(self) -> Int64:
        return np.sort(self.batches.rows)

    @cached_property
    def _whole(self) -> dict[str, Any]:
        return self._load(self._rows)

    def _load(self, rows: Int64) -> dict[str, Any]:
        """Crops, targets and strengths of rows, on the device."""
        batches = self.batches
        specs = batches.specs(rows)
        data = {
            "crops": batches.crops[rows],
            "targets": batches.targets.rows(rows),
            "numbers": strengths(specs if isinstance(specs, list) else [specs]),
        }
        return {**jax.device_put(data), "tables": self._tables}

    @cached_property
    def _tables(self) -> Any:
        return jax.device_put(resampling(self.batches.crops.shape[1]))

    def _steps_per_block(self) -> int:
        """Steps whose data fit into their share of the memory; all of an epoch if they do."""
        batches = self.batches
        targets = batches.targets.rows(batches.rows[:1]).values()
        row = int(batches.crops[0].nbytes) + sum(int(value.nbytes) for value in targets)
        room = int(_SHARE * device_memory())
        if row * len(batches.rows) <= room:
            return batches.per_epoch
        return max(1, min(room // 2 // (row * batches.size), batches.per_epoch - 1))


def _place(variables: list[Any], one: Any) -> int:
    """Where a variable stands in a list."""
    return next(i for i, variable in enumerate(variables) if variable is one)


def is_processor() -> bool:
    """Whether JAX has nothing better than a processor."""
    return str(jax.default_backend()) == "cpu"


def device_memory() -> int:
    """Bytes of the device's memory, or of the machine's where a processor trains."""
    stats: dict[str, int] = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"]
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _UNKNOWN
