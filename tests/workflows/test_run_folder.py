"""A resumed run is fed as it began: labels, pictures, teacher and backend."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from facekit.datasets.sources import open_attributes
from facekit.errors import InterruptedRunError, UsageError
from facekit.recipe.load import load_recipe
from facekit.workflows.pretrain.run import _fed
from facekit.workflows.run_folder import choose_folder, hash_arrays, occupied, start_folder
from facekit.workflows.sources import Source, crop_source

RECIPE = load_recipe("demo")
VECTORS = np.random.default_rng(0).normal(size=(55, 8)).astype(np.float32)

Open = Callable[[], Source]


@pytest.fixture
def folder(cartoon_celeba: Path, tmp_path: Path) -> Path:
    """A copy of the cartoon CelebA that may be changed."""
    return Path(shutil.copytree(cartoon_celeba, tmp_path / "celeba"))


@pytest.fixture
def fed(folder: Path, tmp_path: Path) -> Open:
    """Opens the folder's training and validation images."""

    def opened() -> Source:
        table = open_attributes("celeba", folder, ("train", "val"))
        frame = RECIPE.frame.build()
        return crop_source(table, frame, progress=False)

    return opened


def start(
    run: Path, source: Source, vectors: np.ndarray | None, backend: str, *, resume: bool
) -> None:
    start_folder(run, RECIPE, _fed(source, vectors, backend), resume=resume)


def refused(run: Path, source: Source, vectors: np.ndarray | None, backend: str) -> str:
    before = (run / "data.json").read_bytes()
    with pytest.raises(InterruptedRunError) as caught:
        start(run, source, vectors, backend, resume=True)
    line = str(caught.value)
    assert "\n" not in line and "--out" in line
    assert (run / "data.json").read_bytes() == before
    return line


def test_the_same_again_goes_on(fed: Open, tmp_path: Path) -> None:
    for vectors in (VECTORS, None):
        run = tmp_path / f"run-{vectors is None}"
        start(run, fed(), vectors, "jax", resume=False)
        before = (run / "data.json").read_bytes()
        start(run, fed(), vectors, "jax", resume=True)
        assert (run / "data.json").read_bytes() == before


def test_another_teacher_or_backend_is_refused(fed: Open, tmp_path: Path) -> None:
    run, source = tmp_path / "run", fed()
    start(run, source, VECTORS, "jax", resume=False)
    assert "--teacher-table" in refused(run, source, None, "jax")
    other = VECTORS.copy()
    other[7, 3] += 0.001
    assert "--teacher-table" in refused(run, source, other, "jax")
    assert "KERAS_BACKEND to jax" in refused(run, source, VECTORS, "tensorflow")


def test_other_labels_partitions_or_pictures_are_refused(
    fed: Open, folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    start(run, fed(), None, "jax", resume=False)

    path = folder / "list_attr_celeba.txt"
    text = path.read_text()
    lines = text.splitlines()
    name, first, *rest = lines[2].split()
    lines[2] = " ".join([name, str(-int(first)), *rest])
    path.write_text("\n".join(lines) + "\n")
    assert "other labels" in refused(run, fed(), None, "jax")
    path.write_text(text)

    path = folder / "list_eval_partition.txt"
    text = path.read_text()
    lines = text.splitlines()
    parts = [line.split()[1] for line in lines]
    for place, part in ((parts.index("0"), "1"), (parts.index("1"), "0")):  # as many of each
        lines[place] = f"{lines[place].split()[0]} {part}"
    path.write_text("\n".join(lines) + "\n")
    assert "other labels or partitions" in refused(run, fed(), None, "jax")
    path.write_text(text)

    start(run, fed(), None, "jax", resume=True)
    picture, *_, other = sorted((folder / "img_align_celeba").iterdir())
    shutil.copyfile(other, picture)
    assert "other image files" in refused(run, fed(), None, "jax")


def test_a_copy_with_new_times_is_the_same_data(fed: Open, folder: Path, tmp_path: Path) -> None:
    run, first = tmp_path / "run", fed()
    start(run, first, None, "jax", resume=False)
    for path in (folder / "img_align_celeba").iterdir():
        path.touch()
    copy = fed()
    assert copy.cache.key == first.cache.key
    start(run, copy, None, "jax", resume=True)


def test_a_run_whose_crops_had_another_key_goes_on_with_the_same_pixels(
    fed: Open, tmp_path: Path
) -> None:
    run, source = tmp_path / "run", fed()
    start(run, source, None, "jax", resume=False)
    facts = json.loads((run / "data.json").read_text())
    (run / "data.json").write_text(json.dumps(facts | {"crops": "of an earlier facekit"}))
    start(run, source, None, "jax", resume=True)


def test_a_run_of_an_older_facekit_goes_on(fed: Open, tmp_path: Path) -> None:
    run, source = tmp_path / "run", fed()
    start(run, source, VECTORS, "jax", resume=False)
    whole = json.loads((run / "data.json").read_text())
    old = {key: value for key, value in whole.items() if key not in {"labels", "identity"}}
    (run / "data.json").write_text(json.dumps(old))
    assert "KERAS_BACKEND" in refused(run, source, VECTORS, "tensorflow")
    start(run, source, VECTORS, "jax", resume=True)
    assert json.loads((run / "data.json").read_text()) == whole


FACTS = {"source": "fer", "images": {"train": 9, "test": 2}, "labels": "a", "crops": "b"}


def test_a_transfer_is_kept_to_its_data_too(tmp_path: Path) -> None:
    run, recipe = tmp_path / "run", load_recipe("fer-full")
    start_folder(run, recipe, FACTS, resume=False)
    start_folder(run, recipe, FACTS, resume=True)
    for other, words in (
        ({"images": {"train": 8, "test": 2}}, r"9 train, 2 test images, and --data has 8 train"),
        ({"labels": "c"}, "other labels"),
        ({"crops": "c"}, "other image files"),
    ):
        with pytest.raises(InterruptedRunError, match=words):
            start_folder(run, recipe, {**FACTS, **other}, resume=True)


def test_pixels_that_are_not_known_are_not_the_same(tmp_path: Path) -> None:
    run = tmp_path / "run"
    start_folder(run, RECIPE, {**FACTS, "pixels": ""}, resume=False)
    with pytest.raises(InterruptedRunError, match="other image files"):
        start_folder(run, RECIPE, {**FACTS, "crops": "c", "pixels": ""}, resume=True)


def test_a_new_start_forgets_the_epochs_of_a_killed_one(tmp_path: Path) -> None:
    run = tmp_path / "run"
    start_folder(run, RECIPE, FACTS, resume=False)
    (run / "metrics.jsonl").write_text('{"epoch": 1}\n')
    start_folder(run, RECIPE, FACTS, resume=True)
    assert (run / "metrics.jsonl").exists()
    start_folder(run, RECIPE, FACTS, resume=False)
    assert not (run / "metrics.jsonl").exists()
    assert load_recipe(run / "recipe.toml") == RECIPE


def test_where_a_run_may_begin_and_where_it_may_go_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert choose_folder(run, "demo", False) == run and not run.exists()
    with pytest.raises(InterruptedRunError, match="no checkpoint to resume"):
        choose_folder(run, "demo", True)
    run.mkdir()
    (run / "report.json").touch()  # a finished head: nothing to go on with
    with pytest.raises(InterruptedRunError, match="already: name another folder"):
        choose_folder(run, "demo", False)
    for mark in ("checkpoint.npz", "frozen"):
        (run / mark).touch()
        with pytest.raises(InterruptedRunError, match="go on with --resume, or name another"):
            choose_folder(run, "demo", False)
        assert choose_folder(run, "demo", True) == run
        (run / mark).unlink()
    with pytest.raises(UsageError, match="is a file"):
        choose_folder(run / "report.json", "demo", False)
    for inside in ("below", "far/below"):
        with pytest.raises(UsageError, match=r"lies in .*report\.json, which is a file"):
            choose_folder(run / "report.json" / inside, "demo", False)
    with pytest.raises(UsageError, match="--resume needs --out"):
        choose_folder(None, "demo", True)
    named = choose_folder(None, tmp_path / "mine.toml", False)
    assert named.parent == Path("runs") and named.name.startswith("mine-")


def test_hashes_follow_values_types_and_shapes() -> None:
    zeros = np.zeros(4, np.int32)
    made = [zeros, zeros.astype(np.float32), zeros.reshape(2, 2), zeros + 1]
    assert len({hash_arrays(array) for array in made}) == 4
    assert hash_arrays(zeros, made[3]) != hash_arrays(made[3], zeros)
    assert hash_arrays(zeros) == hash_arrays(np.zeros(4, np.int32))


#: Works in a run folder until its standard input ends, or it is killed.
WORKER = """
import sys
from facekit.workflows.run_folder import occupied
with occupied(sys.argv[1], "demo", False) as run:
    (run / "checkpoint.npz").touch()
    print("working", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that works in ``tmp_path / "run"``."""
    command = [sys.executable, "-c", WORKER, str(tmp_path / "run")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "working\n"
        yield process
        process.kill()


def test_two_processes_never_work_in_one_folder(
    worker: subprocess.Popen[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    before = sorted(path.name for path in run.iterdir())
    for resume in (True, False):
        with pytest.raises(InterruptedRunError) as caught, occupied(run, "demo", resume):
            raise AssertionError("two processes work in one folder")
        line = str(caught.value)
        assert line.startswith(f"another process is working in {run}: ")
        assert "--out" in line and "\n" not in line
    assert sorted(path.name for path in run.iterdir()) == before
    worker.communicate("")
    with occupied(run, "demo", True) as chosen:
        assert chosen == run
    assert [path.name for path in run.iterdir()] == ["checkpoint.npz"]


def test_a_killed_process_leaves_the_folder_free(
    worker: subprocess.Popen[str], tmp_path: Path
) -> None:
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    with occupied(tmp_path / "run", "demo", True):
        pass
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.npz"]


def test_a_folder_that_stays_empty_is_gone_again(tmp_path: Path) -> None:
    for _ in range(2):
        with occupied(tmp_path / "a" / "b", "demo", False) as run:
            assert run.is_dir()
        assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(ZeroDivisionError), occupied(tmp_path / "mine" / "run", "demo", False):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"] and not list(tmp_path.glob("mine/*"))
    with occupied(tmp_path / "mine", "demo", False) as run:
        (run / "file").touch()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


def test_a_run_that_another_has_just_finished_is_no_place_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first look and the lock another process starts and ends."""
    from facekit.workflows import run_folder

    make = run_folder.exclusive

    def later(path: Path) -> object:
        (path.parent / "report.json").touch()
        return make(path)

    monkeypatch.setattr(run_folder, "exclusive", later)
    starts = occupied(tmp_path / "run", "demo", False)
    with pytest.raises(InterruptedRunError, match="holds a run already"), starts:
        raise AssertionError("it began on top of another run")
