"""What a training tells: a progress line, one line an epoch, TensorBoard."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from types import TracebackType
from typing import Any

#: Shares that a row may hold, and what they are called.
_SHARES = {"mean_accuracy": "accuracy", "val_accuracy": "accuracy", "val_macro_f1": "macro F1"}

_EVERY = 20.0  # seconds between progress lines where the output is no terminal


class Journal:
    """Shows and logs the course of a run; use it as a context manager.

    Where the package ``tensorboard`` is missing, its files are left out;
    ``metrics.jsonl`` has the same numbers.

    Args:
        run: Run folder; events go to ``tensorboard/`` in it.
        epochs: Length of the run.
    """

    def __init__(self, run: Path, epochs: int) -> None:
        self.epochs = epochs
        self._folder = run / "tensorboard"
        self._writer: Any = None
        self._shown = 0.0

    def __enter__(self) -> Journal:
        from rich.console import Console

        self._console = Console(stderr=True, soft_wrap=True)
        if importlib.util.find_spec("tensorboard") is not None:
            from tensorboard.summary import Writer  # type: ignore[import-untyped]

            self._writer = Writer(str(self._folder))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def progress(self, epoch: int, step: int, steps: int, rate: float) -> None:
        """Show how far an epoch is, a few times a minute.

        Args:
            epoch: From 1.
            step: Steps done.
            steps: Steps of an epoch.
            rate: Images a second.
        """
        now = time.monotonic()
        terminal = self._console.is_terminal
        if now - self._shown < (0.5 if terminal else _EVERY):
            return
        self._shown = now
        text = f"epoch {epoch}/{self.epochs}  step {step}/{steps}  {rate:.0f} images/s"
        self._console.print(text, end="\r" if terminal else "\n", highlight=False)

    def report(self, row: dict[str, Any]) -> None:
        """Print an epoch and add it to TensorBoard.

        Args:
            row: As in ``metrics.jsonl``.
        """
        parts = [
            f"epoch {row['epoch']}/{self.epochs}",
            f"loss {row['loss']:.4f}",
            f"val loss {row['val_loss']:.4f}",
        ]
        for name, words in _SHARES.items():
            if name in row:
                parts.append(f"{words} {100 * row[name]:.2f} %")
        if "identity_cosine" in row:
            parts.append(f"identity cosine {row['identity_cosine']:.3f}")
        parts.append(f"{row['images_per_second']:.0f} images/s")
        self._console.print("  ".join(parts), highlight=False)
        if self._writer is None:
            return
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()
