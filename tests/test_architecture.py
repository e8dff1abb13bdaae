"""docs/architecture.md says what import-linter holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def layers() -> list[set[str]]:
    """The contract's, high to low; names without the brackets of optional ones."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [
        one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers"
    ]
    assert contract["exhaustive"]
    return [set(re.findall(r"\w+", line)) for line in contract["layers"]]


def test_the_drawing_is_the_contract() -> None:
    drawn = re.search(r"```mermaid\n(.*?)```", TEXT, re.DOTALL)
    assert drawn is not None
    boxes = dict(re.findall(r'(\w+)\["([^"]+)"\]', drawn[1]))
    arrows = re.findall(r'(\w+)(?:\["[^"]+"\])? --> (\w+)', drawn[1])
    order = [arrows[0][0], *(below for _, below in arrows)]
    assert [above for above, _ in arrows] == order[:-1]  # one chain, top to bottom
    assert [set(re.findall(r"\w+", boxes[name])) for name in order] == layers()


def test_every_room_is_named_with_what_is_in_it() -> None:
    there = {
        path.stem for path in (ROOT / "facekit").iterdir()
        if (path / "__init__.py").exists() or path.suffix == ".py"
    } - {"__init__", "__main__", "_version"}  # fmt: skip
    named = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", TEXT, re.MULTILINE))
    assert set(named) == there
    assert all(len(words) > 20 for words in named.values())
