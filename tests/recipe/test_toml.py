"""Recipes of absurd size: one line each, in bounded time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from facekit.errors import RecipeError
from facekit.recipe.load import load_recipe

ABSURD = {
    "depth of arrays": "a = " + "[" * 100_000,
    "depth that Python could still follow": "a = " + "[" * 400 + "]" * 400,
    "depth of tables in a line": "a = " + "{b = " * 30_000,
    "words of a key": "a." * 50_000 + "b = 1",
    "quoted words with quotes": r'"\"a".' * 20_000 + "b = 1",
    "words of a table": "[" + "a . " * 30_000 + "b]",
    "5,000 digits": "training.epochs = " + "9" * 5_000,
    "400 digits": "training.epochs = " + "9" * 400,
    "hexadecimal digits": "training.epochs = 0x" + "f" * 100_000,
    "an exponent": "optimizer.learning_rate = 1e" + "9" * 4_000,
    "infinity": "optimizer.learning_rate = inf",
    "a key": "k" * 100_000 + " = 1",
    "a name": 'name = "' + "x" * 100_000 + '"',
    "a base": 'extends = "' + "x" * 100_000 + '.toml"',
    "a file": "# " + "x" * 1_000_000,
}


def refusal(path: Path | str, overrides: tuple[str, ...] = ()) -> str:
    begun = time.process_time()
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    assert time.process_time() - begun < 3
    message = str(caught.value)
    assert "\n" not in message and len(message) < 800 + len(str(path))
    return message


@pytest.mark.parametrize("what", ABSURD)
def test_absurd_files_are_refused_in_one_line(what: str, tmp_path: Path) -> None:
    path = tmp_path / "absurd.toml"
    path.write_text(ABSURD[what])
    assert "absurd.toml" in refusal(path)


@pytest.mark.parametrize(
    "text",
    ["training.epochs=" + "9" * 5_000, "training.epochs=" + "9" * 30, "a." * 50_000 + "b=1",
     "training.epochs=" + "[" * 9_000, "data.x=" + "{a=" * 3_000, "x" * 90_000 + "=1",
     "training.epochs=" + "x" * 90_000, "optimizer.learning_rate=1e999"],
)  # fmt: skip
def test_absurd_overrides_are_refused_in_one_line(text: str) -> None:
    refusal("fer-frozen", (text,))


def test_the_largest_numbers_and_deepest_keys_that_make_sense_pass(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'extends = "fer-frozen"\r\nname = "own"\r\ntraining.seed = 9223372036854775807\r\n'
    )
    assert load_recipe(path).training.seed == 2**63 - 1  # type: ignore[union-attr]


def test_a_chain_of_bases_has_an_end(tmp_path: Path) -> None:
    for i in range(100):
        (tmp_path / f"r{i}.toml").write_text(f'extends = "r{i + 1}.toml"')
    (tmp_path / "r100.toml").write_text('kind = "transfer"')
    assert "32" in refusal(tmp_path / "r0.toml")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_recipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    assert "does not exist" in refusal(tmp_path / "pipe.toml")
