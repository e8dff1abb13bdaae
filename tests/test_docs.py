"""Pages name files, commands, options, recipes and benchmarks that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from benchmarks.registry import BENCHMARKS
from facekit.cli.app import app
from facekit.recipe.load import list_recipes

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    path
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
    if path.name != "CHANGELOG.md"  # it names what is gone
]
RECIPES = {recipe.name for recipe in list_recipes()}
#: What stands for the user's own words in an example.
OWN = re.compile(r"[A-Z_]+|.*\.toml|[./~].*|.*/.*")


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def commands(text: str) -> list[str]:
    """Lines of fenced shell blocks, joined where they are broken, and code in sentences."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = []
    for line in lines:
        for part in re.split(r" && |; ", line):
            found += re.findall(r"(?:^|\s|/)((?:facekit|python -m benchmarks) .*)$", part)
    return [re.sub(r"\s+#.*", "", one) for one in found]


def problem(line: str) -> str | None:
    """What is wrong with a command line; None where nothing is."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None  # half of a sentence
    if words[0] == "python":
        name = words[3] if len(words) > 3 else ""
        return None if name in BENCHMARKS or OWN.fullmatch(name) else f"no benchmark {name!r}"
    command, words = typer.main.get_command(app), words[1:]
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        if OWN.fullmatch(words[0]):
            return None
        if words[0] not in command.commands:
            return f"no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    known = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
    known |= {"--help", "-h"}
    for i, word in enumerate(words):
        if word.startswith("--") and word.split("=")[0] not in known:
            return f"{command.name} has no {word}"
        if word == "--recipe" and words[i + 1] not in RECIPES and not OWN.fullmatch(words[i + 1]):
            return f"no recipe {words[i + 1]!r}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_exist(page: Path) -> None:
    lines = commands(page.read_text(encoding="utf-8"))
    wrong = [f"{line}: {why}" for line in lines if (why := problem(line))]
    assert not wrong


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("facekit predict photo.jpg --jsn", "predict has no --jsn"),
        ("facekit predct photo.jpg", "no command 'predct'"),
        ("facekit transfer fer --recipe fer-frozzen", "no recipe 'fer-frozzen'"),
        ("python -m benchmarks idenity", "no benchmark 'idenity'"),
        ("facekit recipes show NAME --params", None),
    ],
)
def test_what_is_wrong_is_found(line: str, why: str | None) -> None:
    assert problem(line) == why


def test_the_first_page_is_short_and_every_page_is_listed() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index
