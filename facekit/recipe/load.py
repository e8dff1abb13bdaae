"""Find, read, override and write recipes (TOML).

Recipes ship inside the wheel; an editable install reads the repository folder.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, overload

import tomli_w
from pydantic import BaseModel, ValidationError

from facekit.errors import RecipeError, nearest
from facekit.recipe.enroll import EnrollRecipe
from facekit.recipe.schema import PretrainRecipe
from facekit.recipe.toml import parse_value, read_toml, shorten
from facekit.recipe.transfer import TransferRecipe

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
            summary = str(read_toml(path).get("summary", ""))
            found.append(RecipeInfo(path.stem, kind, summary, path))
    return found


@overload
def load_recipe(name_or_path: str | Path, overrides: Sequence[str] = ...) -> Recipe: ...
@overload
def load_recipe(name_or_path: str | Path, overrides: Sequence[str], schema: type[R]) -> R: ...
def load_recipe(
    name_or_path: str | Path, overrides: Sequence[str] = (), schema: type[R] | None = None
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
    chain = read_chain(path, read_toml, find_recipe)
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
        raise RecipeError(
            f"recipe {path.name}: kind={shorten(repr(kind))} is not one of {', '.join(_KINDS)}"
        )
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
        with suppress(OSError):  # a name may be too long
            if path.is_file():
                return path
        raise RecipeError(f"recipe file {shorten(str(path), 300)} does not exist: check the path")
    files = {item.name: item.path for item in list_recipes()}
    if str(name_or_path) in files:
        return files[str(name_or_path)]
    raise RecipeError(
        f"no recipe is called {shorten(str(name_or_path))!r}{nearest(name_or_path, files)}"
    )


def base_recipes(name_or_path: str | Path) -> tuple[Path, ...]:
    """The files that a recipe extends, the nearest first.

    Args:
        name_or_path: As for ``load_recipe``.

    Raises:
        RecipeError: It, or one of them, cannot be read.
    """
    return tuple(
        path for path, _ in read_chain(find_recipe(name_or_path), read_toml, find_recipe)[1:]
    )


def to_toml(recipe: Recipe) -> str:
    """The whole recipe, defaults included, as TOML that ``load_recipe`` reads back."""
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))


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
    if not equals or not all(keys) or len(keys) > _MOST_WORDS:
        raise RecipeError(
            f"cannot read {shorten(text)!r}: write key=value, such as optimizer.learning_rate=0.001"
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
    try:
        place[keys[-1]] = _value(value.strip())
    except RecipeError as error:
        raise RecipeError(f"{dotted.strip()}: {error}") from None


def _value(text: str) -> object:
    """A TOML value, else the text itself, so that ``kind=cosine`` needs no quotes."""
    try:
        return parse_value(text)
    except tomllib.TOMLDecodeError:
        return text


#: Words of a key of an override; recipes have four.
_MOST_WORDS: Final = 8


# A recipe that extends another: the base first, then the file's own keys on top.

#: The key that names the base.
EXTENDS: Final = "extends"
_LONGEST: Final = 32

#: What a file never takes over: a base's name, and what the base has reached.
_OWN: Final = ("name", "summary", "expected")

#: Files and what they say, the recipe itself first, then its base, the base's base, …
Chain = list[tuple[Path, dict[str, Any]]]


def read_chain(
    path: Path, read: Callable[[Path], dict[str, Any]], find: Callable[[str | Path], Path]
) -> Chain:
    """A recipe and everything it extends.

    Args:
        path: The recipe's file.
        read: Gives the content of a file.
        find: Gives the file of a name, or of a path that ends in ``.toml``; a relative
            one starts at the folder of the file that names it.

    Returns:
        At least the recipe; ``extends`` is taken out of the contents.

    Raises:
        RecipeError: A base is missing, extends what extends it, or is of another kind.
    """
    chain: Chain = []
    while True:
        content = read(path)
        base = content.pop(EXTENDS, None)
        chain.append((path, content))
        if base is None:
            break
        if len(chain) > _LONGEST:
            raise RecipeError(f"recipe {chain[0][0].name} extends more than {_LONGEST} others")
        path = _find_base(path, base, find)
        if any(path.resolve() == one.resolve() for one, _ in chain):
            ring = " extends ".join([*(one.name for one, _ in chain), path.name])
            raise RecipeError(f"recipe {chain[0][0].name} never ends: {ring}; remove one extends")
    _require_one_kind(chain)
    return chain


def merge_chain(chain: Chain) -> dict[str, Any]:
    """What a recipe says with its bases: tables are merged, lists and values replaced.

    ``name``, ``summary`` and ``expected`` are those of the file itself, or missing.
    """
    merged: dict[str, Any] = {}
    for _, content in reversed(chain):
        inherited = {key: value for key, value in merged.items() if key not in _OWN}
        merged = _merge(inherited, content)
    return merged


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        below = base.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _find_base(path: Path, base: object, find: Callable[[str | Path], Path]) -> Path:
    if not isinstance(base, str) or not base.strip():
        raise RecipeError(
            f"recipe {path.name}: {EXTENDS}={shorten(repr(base))} must be the name of a recipe or "
            "the path of a TOML file"
        )
    try:
        return find(path.parent / base if base.endswith(".toml") else base)
    except RecipeError as error:
        raise RecipeError(f"recipe {path.name} extends {shorten(base)!r}: {error}") from None


def _require_one_kind(chain: Sequence[tuple[Path, dict[str, Any]]]) -> None:
    """A base gives its kind to a file that names none; one that names another is refused."""
    base, content = chain[-1]
    kind = content.get("kind", "pretrain")
    for path, content in reversed(chain[:-1]):
        own = content.get("kind", kind)
        if own != kind:
            raise RecipeError(
                f"recipe {path.name} is for `facekit {own}` and extends {base.name}, which is for "
                f"`facekit {kind}`: extend a recipe of its own kind"
            )
        base = path


# One line for the user out of what pydantic reports about a recipe.


def explain(error: ValidationError, schema: type[BaseModel]) -> str:
    """The first fault in words, and how many more there are.

    Args:
        error: What pydantic raised.
        schema: The model that was validated.

    Returns:
        One line: the dotted key, what is wrong, what is allowed.
    """
    faults = error.errors(include_url=False)
    # An unknown key is what the user has to mend first: it explains the others.
    faults.sort(key=lambda fault: fault["type"] != "extra_forbidden")
    text = _one(faults[0], schema)  # type: ignore[arg-type]
    more = len(faults) - 1
    return text + (f" (and {more} more)" if more else "")


def _one(fault: dict[str, Any], schema: type[BaseModel]) -> str:
    place = [str(part) for part in fault["loc"] if part != "[key]"]
    key = shorten(".".join(place))
    given = shorten(repr(fault["input"]))
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}{nearest(place[-1][:80], _names(schema, place[:-1]))}"
    if fault["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        wrong = f"{key}={given} is not allowed"
        if fault["loc"][-1] == "[key]":
            wrong = f"unknown key {key}"
        return wrong + nearest(fault["input"], allowed)
    if fault["type"] in {"model_type", "model_attributes_type", "dict_type"}:
        return f"{key}={given}: must be a table; set the keys inside it"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] in {"value_error", "missing"}:
        return f"{key}: {message}" if key else message
    return f"{key}={given}: {message[:1].lower()}{message[1:]}"


def _names(schema: type[BaseModel], place: list[str]) -> list[str]:
    """Field names of the model that lies at a place in the schema."""
    model = schema
    for part in place:
        field = model.model_fields.get(part)
        # A table whose keys are free (targets) is followed by one of its keys.
        inner = _model_in(field.annotation) if field else None
        model = inner or model
    own = [] if place else [EXTENDS]  # no field: it is gone when a recipe is checked
    return [*model.model_fields, *own]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The pydantic model inside ``X``, ``dict[str, X]`` or ``tuple[X, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found:
            return found
    return None


# Whether what a recipe expects still holds once some of its keys are changed.

#: Keys that say how long and where a system is trained, not what it is.
_CIRCUMSTANCES: Final = (
    "training.epochs",
    "training.seed",
    "training.checkpoint_minutes",
    "training.keras_file",
    "data.cross",
    "data.cross_sample",
    "data.validation",
    "backbone.weights",  # a file of the user's; but see _random
    "model",
)
_MISSING: Final = object()


def same_system(base: Mapping[str, Any], changed: Mapping[str, Any]) -> bool:
    """Compare two contents of a recipe.

    Args:
        base: As its file has it.
        changed: The same after overrides.

    Returns:
        Whether only circumstances differ: numbers published or measured for the one
        may stand beside a run of the other.
    """
    for key in _different(base, changed):
        if key not in _CIRCUMSTANCES or (key == "backbone.weights" and _random(changed)):
            return False
    return True


def _random(content: Mapping[str, Any]) -> bool:
    """Weights that were to be somebody's and are nobody's now."""
    return bool(content["backbone"].get("weights") == "none")


def _different(one: Mapping[str, Any], two: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key in {**one, **two}:
        a, b = one.get(key, _MISSING), two.get(key, _MISSING)
        if isinstance(a, Mapping) or isinstance(b, Mapping):
            yield from _different(_table(a), _table(b), f"{above}{key}.")
        elif a != b:
            yield f"{above}{key}"


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
