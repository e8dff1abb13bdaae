"""Train in sittings: steps, checkpoints, validation, early stopping."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from facekit.arrays import Float32
from facekit.errors import InterruptedRunError
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.transfer import TransferRecipe
from facekit.report.record import read_history
from facekit.system.files import write_atomically
from facekit.training.batches import Batches
from facekit.training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights
from facekit.training.keras import assign_all, copies, to_numpy
from facekit.training.schedule import Plateau, learning_rate

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Sitting:
    """What one call of ``TrainingRun.sit`` did.

    Attributes:
        epoch: Epochs finished since the run began.
        finished: Whether the recipe's length or early stopping was reached.
        history: One row an epoch of this sitting, as in ``metrics.jsonl``.
    """

    epoch: int
    finished: bool
    history: list[dict[str, Any]]


@dataclass
class TrainingRun:
    """A training in a run folder.

    Attributes:
        folder: Run folder; holds ``checkpoint.npz``, ``best.npz``, ``metrics.jsonl``.
        recipe: The resolved recipe.
        model: Compiled trainer.
        batches: Training batches.
        measure: Measures the model as it is on validation rows; gives ``val_loss``.
        watch: Which of those numbers says what the best epoch is: a loss should
            fall, a share in [0, 1] rise.
        report: Called with every epoch's row.
        progress: Called with (epoch, step, steps, rows a second) during an epoch.
    """

    folder: Path
    recipe: PretrainRecipe | TransferRecipe
    model: keras.Model
    batches: Batches
    measure: Callable[[], dict[str, float]]
    watch: str = "val_loss"
    report: Report = lambda row: None
    progress: Callable[[int, int, int, float], None] = lambda *state: None
    _plateau: Plateau = field(default_factory=Plateau)
    _epoch: int = 0
    _step: int = 0  # within the epoch
    _better: list[Any] = field(default_factory=list)  # best weights that no file has yet
    _spent: float = 0.0  # seconds in the epoch, earlier sittings included
    _aside: dict[str, float] = field(default_factory=dict)  # of them for other than steps
    _sums: dict[str, float] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Path:
        """Where the state of the run is kept."""
        return self.folder / "checkpoint.npz"

    @property
    def best(self) -> Path:
        """Weights of the best epoch, as ``watch`` has it."""
        return self.folder / "best.npz"

    def __post_init__(self) -> None:
        self._average = Average(self.recipe.training.average)

    def resume(self) -> int:
        """Load the last checkpoint.

        Returns:
            Epochs finished before.

        Raises:
            InterruptedRunError: There is none, or it does not fit.
        """
        if not self.checkpoint.exists():
            raise InterruptedRunError(
                f"{self.folder} has no checkpoint to resume: leave --resume out to start there"
            )
        note = load_checkpoint(self.checkpoint, self.model)
        self._epoch, self._step = note["epoch"], note["step"]
        self._sums, self._spent = note["sums"], note.get("seconds", 0.0)
        self._plateau = Plateau(**note["plateau"])
        self._average.values = note["averaged"]
        _cut_history(self.folder / "metrics.jsonl", self._epoch)
        return self._epoch

    def sit(self, epochs: int | None = None) -> Sitting:
        """Train until the recipe's end, or for some epochs more.

        Args:
            epochs: How many more in this sitting; None trains to the end.

        Returns:
            What was done; everything is saved when this returns.
        """
        last = self.recipe.training.epochs
        if epochs is not None:
            last = min(last, self._epoch + epochs)
        history = []
        while self._epoch < last and not self._stopped_early():
            history.append(self._train_epoch())
            if self._due() or self._epoch >= last or self._stopped_early():
                self._save()
            self.report(history[-1])
        done = self._epoch >= self.recipe.training.epochs or self._stopped_early()
        return Sitting(self._epoch, done, history)

    def _due(self) -> bool:
        """Whether an epoch that ends now is saved; the last one of a sitting always is."""
        return True

    def restore_best(self) -> None:
        """Put the weights of the best epoch into the model."""
        assign_all(self.model.weights, load_weights(self.best))

    def _stopped_early(self) -> bool:
        patience = self.recipe.training.patience
        return bool(patience) and self._plateau.waited >= patience

    def _train_epoch(self) -> dict[str, Any]:
        begun = saved = time.monotonic()
        first, before = self._step, self._spent
        for inputs, wanted in self.batches.epoch(self._epoch, self._step):
            self._train_step(inputs, wanted)
            now = time.monotonic()
            self._spent = before + now - begun
            rate = (self._step - first) * self.batches.size / max(now - begun, 1e-9)
            self.progress(self._epoch + 1, self._step, self.batches.per_epoch, rate)
            minutes = self.recipe.training.checkpoint_minutes
            if minutes and now - saved > 60 * minutes and self._step < self.batches.per_epoch:
                self._save()
                saved = now
        self._spent = before + time.monotonic() - begun
        return self._finish_epoch()

    def _rate(self, done: int) -> float:
        """Learning rate after so many steps of the run."""
        return learning_rate(
            self.recipe.optimizer.learning_rate,
            self.recipe.schedule,
            done,
            self.batches.per_epoch,
            self.recipe.training.epochs,
            self._plateau.scale,
        )

    def _train_step(self, inputs: Any, wanted: Any) -> None:
        done = self._epoch * self.batches.per_epoch + self._step
        self.model.optimizer.learning_rate = self._rate(done)
        self.model.reset_metrics()  # Keras would give a running mean, lost on a resume
        losses = self.model.train_on_batch(inputs, wanted, return_dict=True)
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._require_finite(self._sums["loss"])
        self._average.update(self.model.weights, done)
        self._step += 1

    def _finish_epoch(self) -> dict[str, Any]:
        rate = float(to_numpy(self.model.optimizer.learning_rate))
        with self._average.applied(self.model.weights):
            measured = self._measured()
            self._require_finite(measured["val_loss"])
            watched = measured[self.watch]
            cost = watched if self.watch.endswith("loss") else 1 - watched
            if self._plateau.observe(cost, self.recipe.schedule):
                self._better = copies(self.model.weights)
        seconds, made = self._spent, self._step * self.batches.size
        means = {name: value / self._step for name, value in self._sums.items()}
        row = {"epoch": self._epoch + 1, "lr": rate, **means, **measured}
        speed = made / max(seconds - self._aside.get("compile_seconds", 0.0), 1e-9)
        row |= {"seconds": round(seconds, 2), "images_per_second": round(speed, 1)}
        row |= {name: round(value, 2) for name, value in self._aside.items()}
        self._epoch, self._step, self._spent, self._sums = self._epoch + 1, 0, 0.0, {}
        self._aside = {}
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        return row

    def _measured(self) -> dict[str, float]:
        return self.measure()

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise InterruptedRunError(
                f"the loss is no longer finite in epoch {self._epoch + 1}: "
                "resume with a lower learning rate, --set optimizer.learning_rate=..."
            )

    def _save(self) -> None:
        """Write the state, and before it the best weights that it knows of."""
        if self._better:
            save_weights(self.best, [keras.ops.convert_to_numpy(w) for w in self._better])
            self._better = []
        note = {
            "epoch": self._epoch,
            "step": self._step,
            "sums": self._sums,
            "seconds": self._spent,
            "plateau": vars(self._plateau),
            "averaged": self._average.values,
        }
        save_checkpoint(self.checkpoint, self.model, note)


def _cut_history(path: Path, epochs: int) -> None:
    """Drop rows of epochs that the checkpoint has not finished."""
    rows = [row for row in read_history(path) if row["epoch"] <= epochs]
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows))


# Exponential moving average of the weights.

_EVERY = 4  # steps between updates: the copy out of the backend costs milliseconds


class Average:
    """Averages weights over steps; with decay 0 it does nothing.

    Args:
        decay: Share of the old average kept at every step, in [0, 1).
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay**_EVERY if decay else 0.0
        self.values: list[Float32] = []

    def share(self, step: int) -> float:
        """How much of the weights goes in after a step; 0 where the average stays."""
        if not self.decay or step % _EVERY:
            return 0.0
        # Early on the average follows quickly, so that the first steps are soon forgotten.
        updates = step // _EVERY
        return 1 - min(self.decay, (1 + updates) / (10 + updates))

    def update(self, weights: Sequence[Any], step: int) -> None:
        """Take in the weights after a step, counted from the run's beginning."""
        share = self.share(step)
        if not share:
            return
        current = [to_numpy(w) for w in weights]
        if not self.values:
            self.values = current
            return
        for mean, value in zip(self.values, current, strict=True):
            mean += share * (value - mean)

    @contextmanager
    def applied(self, weights: Sequence[Any]) -> Iterator[None]:
        """Within the block, the model has the averaged weights."""
        if not self.decay or not self.values:  # a resumed run may have switched it off
            yield
            return
        kept = copies(weights)
        assign_all(weights, copies(self.values))  # Keras on JAX gives its own away
        try:
            yield
        finally:
            assign_all(weights, kept)
