"""Find, read, override and write recipes (TOML).

Recipes ship inside the wheel; an editable install reads the repository folder.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, overload

import tomli_w
from pydantic import ValidationError

from facekit.errors import RecipeError
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.expected import same_system
from facekit.recipe.explain import explain, nearest
from facekit.recipe.extends import EXTENDS, merge_chain, read_chain
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.transfer import TransferRecipe

__all__ = [
    "Recipe",
    "RecipeInfo",
    "base_recipes",
    "find_recipe",
    "list_recipes",
    "load_recipe",
    "recipes_folder",
    "to_toml",
]

Recipe = PretrainRecipe | TransferRecipe | EnrollRecipe
R = TypeVar("R", PretrainRecipe, TransferRecipe, EnrollRecipe)

#: Folder of recipes, which is also the verb they are for -> their schema.
_KINDS: Final[dict[str, type[PretrainRecipe] | type[TransferRecipe] | type[EnrollRecipe]]] = {
    "pretrain": PretrainRecipe,
    "transfer": TransferRecipe,
    "enroll": EnrollRecipe,
}


@dataclass(frozen=True)
class RecipeInfo:
    """One shipped recipe.

    Attributes:
        name: What ``load_recipe`` takes.
        kind: What it is for, such as ``"pretrain"``.
        summary: One line of text; empty when the file has none.
        path: The file.
    """

    name: str
    kind: str
    summary: str
    path: Path


def recipes_folder() -> Path:
    """Where the shipped recipes lie.

    Returns:
        The folder inside the wheel, else the repository's ``recipes``.
    """
    package = Path(__file__).resolve().parents[1]
    inside = package / "_recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def list_recipes() -> list[RecipeInfo]:
    """All shipped recipes, by kind and name.

    Raises:
        RecipeError: A file is no TOML.
    """
    found = []
    for kind in _KINDS:
        for path in sorted((recipes_folder() / kind).glob("*.toml")):
            summary = str(_read(path).get("summary", ""))
            found.append(RecipeInfo(path.stem, kind, summary, path))
    return found


@overload
def load_recipe(name_or_path: str | Path, overrides: Sequence[str] = ...) -> Recipe: ...
@overload
def load_recipe(name_or_path: str | Path, overrides: Sequence[str], schema: type[R]) -> R: ...
def load_recipe(
    name_or_path: str | Path,
    overrides: Sequence[str] = (),
    schema: type[R] | None = None,
) -> Recipe:
    """Read a recipe, with what it extends, and put overrides on top of it.

    Args:
        name_or_path: A name from ``list_recipes`` or the path of a TOML file.
        overrides: Strings ``key.key=value``. The value is read as TOML and, where
            it is none, taken as a bare string.
        schema: The kind that is wanted; None takes any.

    Returns:
        The checked recipe. Its ``expected`` is left out where an override makes
        another system of it (``recipe.expected.same_system``).

    Raises:
        RecipeError: No such recipe or base, no TOML, an unknown key, or a value
            outside its range; the message has one line and names the nearest key.
    """
    path = find_recipe(name_or_path)
    chain = read_chain(path, _read, find_recipe)
    content = merge_chain(chain)
    as_it_is = copy.deepcopy(content)
    for text in overrides:
        _override(content, text)
    if not same_system(as_it_is, content):
        content.pop("expected", None)
    if "name" not in content:
        content["name"] = _name_of(path)
    kind = content.get("kind", "pretrain")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise RecipeError(f"recipe {path.name}: kind={kind!r} is not one of {', '.join(_KINDS)}")
    found = _KINDS[kind]
    if schema is not None and schema is not found:
        raise RecipeError(f"recipe {path.name} is for `facekit {kind}`: use it there")
    try:
        return found.model_validate(content)
    except ValidationError as error:
        bases = ", ".join(base.name for base, _ in chain[1:])
        told = f"{path.name} (extends {bases})" if bases else path.name
        raise RecipeError(f"recipe {told}: {explain(error, found)}") from None


def find_recipe(name_or_path: str | Path) -> Path:
    """The file of a recipe.

    Args:
        name_or_path: A shipped name or a path that ends in ``.toml``.

    Raises:
        RecipeError: There is none; the message names the nearest one.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if path.is_file():
            return path
        raise RecipeError(f"recipe file {path} does not exist: check the path")
    files = {item.name: item.path for item in list_recipes()}
    if str(name_or_path) in files:
        return files[str(name_or_path)]
    raise RecipeError(f"no recipe is called {str(name_or_path)!r}{nearest(name_or_path, files)}")


def base_recipes(name_or_path: str | Path) -> tuple[Path, ...]:
    """The files that a recipe extends, the nearest first.

    Args:
        name_or_path: As for ``load_recipe``.

    Raises:
        RecipeError: It, or one of them, cannot be read.
    """
    return tuple(path for path, _ in read_chain(find_recipe(name_or_path), _read, find_recipe)[1:])


def to_toml(recipe: Recipe) -> str:
    """The whole recipe, defaults included, as TOML that ``load_recipe`` reads back."""
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path} is not valid TOML: {error}") from None
    except OSError as error:
        raise RecipeError(f"recipe {path} cannot be read: {error.strerror}") from None


def _name_of(path: Path) -> str:
    """A recipe's name out of its file's, for a recipe that gives none."""
    name = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("._-")[:64]
    if not name:
        raise RecipeError(
            f"recipe {path.name} has no name and its file name has no letter a to z or digit: "
            'write name = "..." into it'
        )
    return name


def _override(content: dict[str, Any], text: str) -> None:
    """Put one ``key.key=value`` into the nested content."""
    dotted, equals, value = text.partition("=")
    keys = [key.strip() for key in dotted.split(".")]
    if not equals or not all(keys):
        raise RecipeError(
            f"cannot read {text!r}: write key=value, such as optimizer.learning_rate=0.001"
        )
    if keys[0] == EXTENDS:
        raise RecipeError(f"{EXTENDS} cannot be set: write it into a recipe file")
    place = content
    for depth, key in enumerate(keys[:-1]):
        inner = place.setdefault(key, {})
        if not isinstance(inner, dict):
            parent = ".".join(keys[: depth + 1])
            raise RecipeError(f"cannot set {dotted.strip()}: {parent} is a value, not a table")
        place = inner
    place[keys[-1]] = _value(value.strip())


def _value(text: str) -> object:
    """A TOML value, else the text itself, so that ``kind=cosine`` needs no quotes."""
    try:
        parsed: Mapping[str, object] = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if set(parsed) == {"value"} else text
