"""The ONNX file computes what the Keras model computes, in onnxruntime and without this project."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import keras
import numpy as np
import pytest

from alphaxenas.data.images import ImageData, Part
from alphaxenas.networks.export import require_formats
from alphaxenas.networks.export.keras_export import export_keras, hand_over, save_keras
from alphaxenas.networks.export.onnx_export import save_onnx
from tests.networks.tiny import CLASSES, EVERYTHING, batch_of, child_of, network_of

SHAPE = (9, 7, 3)


def data_of(shape=SHAPE):
    rng = np.random.default_rng(0)
    parts = [
        Part(rng.integers(0, 256, (12, *shape), np.uint8), (np.arange(12) % CLASSES).astype(np.int32)) for _ in range(3)
    ]
    return ImageData(
        "random",
        *parts,
        np.full(shape[-1], 0.4, np.float32),
        np.full(shape[-1], 0.2, np.float32),
        ("a", "b", "c"),
        True,
    )


@pytest.fixture(scope="module")
def model():
    """Every operation and layer, odd image sizes, a strided stem, weights and statistics that were trained a little."""
    network = network_of(EVERYTHING, cells=2, reductions=1, stem_stride=2)
    child = child_of(network, shape=SHAPE)
    for step in range(2):
        child.train_step(*batch_of(8, SHAPE, step), 0.1)
    return export_keras(child, network, data_of())


@pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnx") is None,
    reason="onnx and onnxruntime are not installed (requirements-dev.txt)",
)
class TestWithOnnx:
    def test_it_gives_the_probabilities_of_the_keras_model(self, model, tmp_path):
        import onnxruntime

        save_onnx(model, tmp_path / "model.onnx")
        pixels = data_of().test.images.astype(np.float32)
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
        expected = model.predict_on_batch(pixels)
        for batch in (pixels, pixels[:1]):
            [received] = session.run(None, {"pixels": batch})
            np.testing.assert_allclose(received, expected[: len(batch)], atol=1e-5)
        assert np.ptp(expected, 0).max() > 1e-3

    def test_it_runs_without_keras_tensorflow_and_this_project(self, model, tmp_path):
        save_onnx(model, tmp_path / "model.onnx")
        np.save(tmp_path / "pixels.npy", data_of().test.images.astype(np.float32))
        script = (
            "import sys; sys.modules.update(dict.fromkeys(['alphaxenas', 'keras', 'tensorflow']))\n"
            "import numpy as np, onnxruntime\n"
            "session = onnxruntime.InferenceSession('model.onnx', providers=['CPUExecutionProvider'])\n"
            "np.save('out.npy', session.run(['probabilities'], {'pixels': np.load('pixels.npy')})[0])\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True)
        np.testing.assert_allclose(np.load(tmp_path / "out.npy").sum(1), 1.0, atol=1e-5)

    def test_another_kind_of_layer_is_refused_by_name(self, tmp_path):
        other = keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(3),
                keras.layers.ELU(name="odd"),
            ]
        )
        functional = keras.Model(other.inputs[0], other.outputs[0])
        with pytest.raises(ValueError, match="`odd` is a ELU"):
            save_onnx(functional, tmp_path / "model.onnx")
        assert not (tmp_path / "model.onnx").exists()


def test_without_onnx_the_parameter_is_refused_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="`export_formats`.*pip install onnx"):
        require_formats(["keras", "onnx"])


class TestSavedModel:
    def test_it_gives_the_same_probabilities_in_plain_tensorflow(self, model, tmp_path):
        save_keras(model, tmp_path / "model.keras")
        assert hand_over(tmp_path / "model.keras", ["keras", "savedmodel"]) == [tmp_path / "model.savedmodel"]
        pixels = data_of().test.images.astype(np.float32)
        np.save(tmp_path / "pixels.npy", pixels)
        script = (
            "import sys; sys.modules.update(dict.fromkeys(['alphaxenas', 'keras']))\n"
            "import numpy as np, tensorflow as tf\n"
            "model, pixels = tf.saved_model.load('model.savedmodel'), np.load('pixels.npy')\n"
            "signature = model.signatures['serving_default']\n"
            "[name] = signature.structured_input_signature[1]\n"
            "[signed] = signature(**{name: tf.constant(pixels)}).values()\n"
            "np.savez('out.npz', served=model.serve(pixels), signed=signed)\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, capture_output=True)
        with np.load(tmp_path / "out.npz") as out:
            for name in ("served", "signed"):
                np.testing.assert_allclose(out[name], model.predict_on_batch(pixels), atol=1e-5)

    def test_what_is_there_is_not_written_again(self, model, tmp_path):
        save_keras(model, tmp_path / "model.keras")
        assert hand_over(tmp_path / "model.keras", ["savedmodel"])
        assert hand_over(tmp_path / "model.keras", ["savedmodel", "keras"]) == []
