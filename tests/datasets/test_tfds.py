"""CelebA through TFDS: its own builder, run on cartoons, and its own mock data."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.datasets.celeba import read_celeba
from facekit.datasets.tfds import read_tfds
from facekit.errors import DataError, MissingExtraError, UsageError

needs_tf = [
    pytest.mark.tf,
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow_datasets") is None,
        reason="tensorflow-datasets is not installed: pip install 'facekit-transfer[train]'",
    ),
    # TFDS and protobuf warn about their own future, not about ours.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

_LISTS = {
    "img_align_celeba": "img_align_celeba",
    "list_eval_partition": "list_eval_partition.txt",
    "list_attr_celeba": "list_attr_celeba.txt",
    "landmarks_celeba": "list_landmarks_align_celeba.txt",
    "identity_celeba": "identity_CelebA.txt",
}


class TestRealBuilder:
    """`celeb_a`'s own code prepares and reads the cartoons instead of a download."""

    pytestmark = needs_tf

    @pytest.fixture(scope="class")
    def data_dir(
        self, cartoon_celeba: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Path]:
        import tensorflow_datasets as tfds

        def download(_: object, urls: dict[str, str]) -> dict[str, str]:
            assert set(urls) == set(_LISTS)
            return {key: str(cartoon_celeba / name) for key, name in _LISTS.items()}

        def unpack(_: object, path: Any) -> Iterator[tuple[str, Any]]:
            for file in sorted(Path(path).iterdir()):
                yield f"img_align_celeba/{file.name}", io.BytesIO(file.read_bytes())

        folder = tmp_path_factory.mktemp("tfds")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tfds.download.DownloadManager, "download", download)
            patch.setattr(tfds.download.DownloadManager, "iter_archive", unpack)
            assert len(read_tfds(folder)) == 60
        yield folder

    def test_it_gives_what_the_folder_gives(self, data_dir: Path, cartoon_celeba: Path) -> None:
        table, folder = read_tfds(data_dir), read_celeba(cartoon_celeba)
        assert table.name == table.aligned == "celeba"
        assert table.labels.dtype == np.int8
        assert len(set(table.ids)) == 60
        rows = {Path(path).read_bytes(): i for i, path in enumerate(folder.images)}
        assert not isinstance(table.images, list)
        stream = table.images.stream(np.arange(60))  # type: ignore[union-attr]
        order = [rows[data] for data in stream]
        assert sorted(order) == list(range(60))
        assert (table.labels == folder.labels[order]).all()
        assert (table.split == folder.split[order]).all()
        assert table.person is not None
        assert folder.person is not None
        assert (table.person == folder.person[order]).all()

    def test_rows_across_splits(self, data_dir: Path) -> None:
        images: Any = read_tfds(data_dir).images
        every = list(images.stream(np.arange(60)))
        rows = np.array([3, 4, 48, 51, 54, 55, 59])
        assert list(images.stream(rows)) == [every[i] for i in rows]
        assert list(images.stream(np.array([], np.int64))) == []

    @pytest.mark.parametrize("rows", [[2, 1], [1, 1], [-1, 2], [59, 60]])
    def test_rows_that_cannot_be_streamed(self, data_dir: Path, rows: list[int]) -> None:
        images: Any = read_tfds(data_dir).images
        with pytest.raises(ValueError, match="rows"):
            list(images.stream(np.array(rows)))

    def test_other_splits_are_not_opened(self, data_dir: Path) -> None:
        import tensorflow_datasets as tfds

        opened = []
        real = tfds.core.GeneratorBasedBuilder.as_dataset

        def spy(self: Any, split: str, **options: Any) -> Any:
            opened.append(split)
            return real(self, split=split, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tfds.core.GeneratorBasedBuilder, "as_dataset", spy)
            table = read_tfds(data_dir, splits=("val", "train"), download=False)
            list(table.images.stream(np.arange(55)))  # type: ignore[union-attr]
        assert set(opened) == {"train", "validation"}
        assert table.split.tolist() == ["train"] * 50 + ["val"] * 5


class TestMockData:
    """tfds.testing.mock_data invents examples from the builder's features."""

    pytestmark = needs_tf

    def test_shapes(self, tmp_path: Path) -> None:
        import tensorflow_datasets as tfds

        with tfds.testing.mock_data(num_examples=4):
            table = read_tfds(tmp_path, splits=("train", "test"))
            images = list(table.images.stream(np.array([0, 5, 7])))  # type: ignore[union-attr]
        assert table.labels.shape == (8, 40)
        assert table.split.tolist() == ["train"] * 4 + ["test"] * 4
        assert len(set(table.ids)) == 8
        assert all(data.startswith(b"\xff\xd8\xff") for data in images)

    def test_data_sets_without_attributes_are_refused(self, tmp_path: Path) -> None:
        import tensorflow_datasets as tfds

        with (
            tfds.testing.mock_data(num_examples=1),
            pytest.raises(DataError, match="40 are missing"),
        ):
            read_tfds(tmp_path, name="mnist")


class TestTrouble:
    """One line each, and what to do."""

    pytestmark = needs_tf

    def test_nothing_prepared(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no prepared 'celeb_a'"):
            read_tfds(tmp_path, download=False)

    def test_a_failed_download(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import tensorflow_datasets as tfds

        def quota(*_: object) -> None:
            raise OSError("Google Drive: too many users\nmore lines")

        monkeypatch.setattr(tfds.download.DownloadManager, "download", quota)
        with pytest.raises(DataError, match="too many users") as caught:
            read_tfds(tmp_path)
        assert "\n" not in str(caught.value)
        assert "--source celeba --data DIR" in str(caught.value)

    def test_an_unknown_name(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="cannot prepare 'celeb_z'"):
            read_tfds(tmp_path, name="celeb_z")


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(MissingExtraError, match=r"facekit-transfer\[train\]"):
        read_tfds(tmp_path)


def test_names_that_are_no_split(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train, val, test"):
        read_tfds(tmp_path, splits=("validation",))
