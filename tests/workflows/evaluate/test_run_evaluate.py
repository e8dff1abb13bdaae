"""``facekit.evaluate``: one partition, the record, and whose majority it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import facekit
from facekit.bundle.load import load_bundle
from facekit.bundle.write import write_bundle
from facekit.datasets.celeba import read_celeba
from facekit.errors import BundleError, DataError, UsageError
from facekit.labels import ATTRIBUTES
from facekit.workflows.evaluate.answers import Answers, answer_attributes, measure
from facekit.workflows.evaluate.run import evaluate
from facekit.workflows.sources import crop_source

if TYPE_CHECKING:
    from facekit.bundle.write import BundleContents

METRICS = ["mean_accuracy", "balanced_accuracy", "average_precision", "ece", "majority_accuracy"]


@pytest.fixture(scope="module")
def one_partition(cartoon_celeba: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that lists and holds the test partition only."""
    whole = read_celeba(cartoon_celeba, splits=("test",))
    folder = tmp_path_factory.mktemp("test-only") / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    for image in whole.images:  # type: ignore[union-attr]
        shutil.copy2(image, folder / "img_align_celeba")
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt"):
        kept = set(whole.ids.tolist())
        lines = (cartoon_celeba / name).read_text().splitlines()
        rows = [line for line in lines if line.split()[0] in kept]
        head = [str(len(rows)), lines[1]] if name == "list_attr_celeba.txt" else []
        (folder / name).write_text("\n".join([*head, *rows]) + "\n")
    return folder


def test_one_partition_is_enough(one_partition: Path, tiny_bundle: Path) -> None:
    found = facekit.evaluate("celeba", one_partition, model=tiny_bundle)
    assert (found.dataset, found.split, found.n) == ("celeba", "test", 5)
    with pytest.raises(DataError, match="train"):
        facekit.evaluate("celeba", one_partition, split="train", model=tiny_bundle)


def test_the_result_is_typed_and_its_record_has_the_keys_in_order(
    cartoon_celeba: Path, tiny_bundle: Path
) -> None:
    found = facekit.evaluate("celeba", cartoon_celeba, split="val", model=tiny_bundle)
    assert isinstance(found, facekit.Evaluation)
    assert (found.task, found.dataset, found.model) == ("attributes", "celeba", "tiny")
    assert list(found.metrics) == list(found.intervals) == METRICS
    assert list(found.per_attribute) == list(ATTRIBUTES)
    record = found.record()
    assert list(record) == [
        "task", "dataset", "split", "n", "model", "metrics", "intervals", "per_attribute",
    ]  # fmt: skip
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record == evaluate("celeba", cartoon_celeba, split="val", model=tiny_bundle).record()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dataset": "celebba"}, r"'celebba'.*did you mean celeba\?"),
        ({"dataset": "tfds"}, r"'tfds'.*Allowed: celeba, fer, ckplus, folder, tfrecord$"),
        ({"source": "tdfs"}, r"'tdfs'.*did you mean tfds\?"),
    ],
)
def test_another_name_gets_the_nearest(
    cartoon_celeba: Path, tiny_bundle: Path, given: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        facekit.evaluate(data=cartoon_celeba, model=tiny_bundle, **given)


def test_mean_accuracy_is_the_share_of_right_answers(
    cartoon_celeba: Path, tiny_bundle: Path
) -> None:
    bundle = load_bundle(tiny_bundle)
    opened = crop_source(read_celeba(cartoon_celeba, splits=("train",)), bundle.frame)
    answers = answer_attributes(bundle, opened.cache.crops, opened.places("train"), opened.table)
    crops = np.asarray(opened.cache.crops)
    red, blue = crops[..., 0].mean((1, 2)), crops[..., 2].mean((1, 2))
    # The tiny bundle's first attribute is "redder than blue".
    assert np.array_equal(answers.probabilities[:, 0] > 0.5, red > blue)
    right = (answers.probabilities >= 0.5) == (opened.table.labels == 1)
    found = facekit.evaluate("celeba", cartoon_celeba, split="train", model=tiny_bundle)
    assert found.n == 50
    assert found.metrics["mean_accuracy"] == pytest.approx(right.mean())
    low, high = found.intervals["mean_accuracy"] or (1, 0)
    assert low < right.mean() < high


def test_the_majority_is_that_of_the_training_data(
    cartoon_celeba: Path, tiny_bundle: Path, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    labels = read_celeba(cartoon_celeba, splits=("test",)).labels
    always = {"attributes": {"train_majority": [1] * 40}}
    told = write_bundle(tmp_path / "told", replace(tiny_contents, head_metrics=always))
    found = facekit.evaluate("celeba", cartoon_celeba, model=told.folder)
    assert found.metrics["majority_accuracy"] == pytest.approx((labels == 1).mean())
    found = facekit.evaluate("celeba", cartoon_celeba, model=tiny_bundle)  # nobody told it
    share = (labels == 1).mean(0)
    wanted = np.maximum(share, 1 - share).mean()
    assert found.metrics["majority_accuracy"] == pytest.approx(wanted)


def test_intervals_count_people_where_they_are_known() -> None:
    """Ten photos of one person tell no more than one."""
    rng = np.random.default_rng(0)
    people = rng.integers(0, 2, (12, 40)).astype(np.int8)
    labels = np.repeat(people, 10, axis=0)
    guess = np.repeat(rng.random((12, 40)).astype(np.float32), 10, axis=0)
    persons = np.repeat(np.arange(12).astype(str), 10)
    widths = []
    for known in (persons, None):
        answers = Answers(ATTRIBUTES, labels, guess, None, known)
        measured = measure(answers, dataset="d", split="test", model="m", rounds=200)
        low, high = measured.record["intervals"]["mean_accuracy"]
        widths.append(high - low)
    assert widths[0] > 2 * widths[1]


def test_a_bundle_without_the_attributes_is_refused(
    cartoon_celeba: Path, tiny_contents: BundleContents, tmp_path: Path
) -> None:
    points = {"points": tiny_contents.heads["points"]}
    bundle = write_bundle(tmp_path / "points", replace(tiny_contents, heads=points, name="dots"))
    with pytest.raises(BundleError, match=r"dots.*40 attributes.*points.*--model") as caught:
        facekit.evaluate("celeba", cartoon_celeba, model=bundle.folder)
    assert "\n" not in str(caught.value)


def test_a_split_that_does_not_exist(cartoon_celeba: Path, tiny_bundle: Path) -> None:
    with pytest.raises(UsageError, match="train, val, test"):
        facekit.evaluate("celeba", cartoon_celeba, split="dev", model=tiny_bundle)
