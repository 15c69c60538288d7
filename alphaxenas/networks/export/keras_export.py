"""A trained child as a plain Keras model: one `.keras` file that needs nothing of this project.

The network is walked a third time, over Keras layers instead of tensors. The model takes pixels as stored (0..255,
NHWC) and gives class probabilities; normalisation is inside. It computes in float32 whatever the training used.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from alphaxenas.data.images import ImageData
from alphaxenas.data.pipeline import views
from alphaxenas.networks.export.onnx_export import save_onnx
from alphaxenas.networks.export.plain_keras import keras
from alphaxenas.networks.layer_interface import Size
from alphaxenas.networks.layers import EPSILON, dilated
from alphaxenas.networks.pixels import along
from alphaxenas.networks.training.loop import CompiledChild, Network

PREDICTION_BATCH, LEAST_PROBABILITY = 250, 1e-30


class _KerasLayers:
    """The operations of `LayerInterface` over Keras layers, for prediction."""

    training = False

    def __init__(self) -> None:
        self.arrays: list[tuple[keras.layers.Layer, list[str]]] = []
        self._dilations: dict[str, int] = {}
        self._divisors: dict[str, float] = {}
        self._names: set[str] = set()

    def input(self, images: keras.KerasTensor) -> keras.KerasTensor:
        return images

    def line(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.Reshape((1, x.shape[1] * x.shape[2], x.shape[3]))(x)

    def conv(
        self,
        x: keras.KerasTensor,
        name: str,
        filters: int,
        size: Size,
        stride: int = 1,
        bias: bool = False,
        initial: str = "he",
    ) -> keras.KerasTensor:
        window, strides = (along(x, length) for length in (size, stride))
        named = {"padding": "same", "use_bias": bias, "name": self._name(name, "conv")}
        layer = keras.layers.Conv2D(filters, window, strides, **named)
        return self._with_arrays(layer, x, [f"{name}/kernel", *[f"{name}/bias"] * bias])

    def depthwise(
        self, x: keras.KerasTensor, name: str, size: int, stride: int = 1, dilation: int = 1
    ) -> keras.KerasTensor:
        named = {"padding": "same", "use_bias": False, "name": self._name(name, "depthwise")}
        layer = keras.layers.DepthwiseConv2D((size - 1) * dilation + 1, stride, **named)
        self._dilations[f"{name}/depthwise"] = dilation
        return self._with_arrays(layer, x, [f"{name}/depthwise"])

    def whiten(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        layer = keras.layers.Conv2D(8 * x.shape[-1], 2, name=self._name(name, "whiten"))
        return self._with_arrays(layer, x, [f"{name}/kernel", f"{name}/bias"])

    def batch_norm(self, x: keras.KerasTensor, name: str, scale: bool = True) -> keras.KerasTensor:
        layer = keras.layers.BatchNormalization(epsilon=EPSILON, scale=scale, name=self._name(name, "norm"))
        kinds = (*["scale"] * scale, "offset", "mean", "variance")
        return self._with_arrays(layer, x, [f"{name}/{kind}" for kind in kinds])

    def dense(self, x: keras.KerasTensor, name: str, units: int, divisor: float = 1.0) -> keras.KerasTensor:
        self._divisors |= {f"{name}/{kind}": divisor for kind in ("kernel", "bias")}
        layer = keras.layers.Dense(units, activation="softmax", name=self._name(name, "dense"))
        return self._with_arrays(layer, x, [f"{name}/kernel", f"{name}/bias"])

    def dense_of_parts(self, parts: Mapping[str, keras.KerasTensor], name: str, units: int) -> keras.KerasTensor:
        layer = keras.layers.Dense(units, activation="softmax", name=self._name(name, "dense"))
        kernels = [f"{name}/{part}/kernel" for part in parts]
        return self._with_arrays(layer, self.concat(list(parts.values())), [*kernels, f"{name}/bias"])

    def shifted(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.Cropping2D(((1, 0), (1, 0)))(keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(x))

    def zeros(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.Rescaling(0.0)(x)

    def relu(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.ReLU()(x)

    def activation(self, x: keras.KerasTensor, kind: str) -> keras.KerasTensor:
        if kind == "gelu":
            return keras.ops.gelu(x, approximate=True)
        return self.relu(x) if kind == "relu" else keras.layers.Activation(kind)(x)

    def add(self, parts: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        return parts[0] if len(parts) == 1 else keras.layers.Add()(list(parts))

    def concat(self, parts: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(list(parts))

    def first_channels(self, x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
        if x.shape[-1] == channels:
            return x
        # A fixed convolution, because a slice is no layer and would not be known to other programs.
        layer = keras.layers.Conv2D(channels, 1, use_bias=False, trainable=False)
        y = layer(x)
        layer.set_weights([np.eye(x.shape[-1], channels, dtype=np.float32)[None, None]])
        return y

    def max_pool(self, x: keras.KerasTensor, size: int, stride: int = 1, whole: bool = False) -> keras.KerasTensor:
        padding = "valid" if whole else "same"
        return keras.layers.MaxPooling2D(along(x, size), along(x, stride), padding=padding)(x)

    def min_pool(self, x: keras.KerasTensor, size: int, stride: int = 1) -> keras.KerasTensor:
        turned = keras.layers.Rescaling(-1.0)
        return keras.layers.Rescaling(-1.0)(self.max_pool(turned(x), size, stride))

    def average_pool(self, x: keras.KerasTensor, size: int, stride: int = 1) -> keras.KerasTensor:
        return keras.layers.AveragePooling2D(along(x, size), along(x, stride), padding="same")(x)

    def global_average(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.GlobalAveragePooling2D()(x)

    def global_max(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.GlobalMaxPooling2D()(x)

    def flatten(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.Flatten()(x)

    def dropout(self, x: keras.KerasTensor, rate: float) -> keras.KerasTensor:
        return x

    def drop_path(self, x: keras.KerasTensor, rate: float, depth: float) -> keras.KerasTensor:
        return x

    def values(self, names: list[str], arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The arrays of one layer as Keras wants them: kernels of parts joined, dilated kernels with their zeros,
        what is divided afterwards divided before.
        """
        found = [dilated(arrays[name], self._dilations.get(name, 1)) / self._divisors.get(name, 1.0) for name in names]
        return [np.concatenate(found[:-1]), found[-1]] if names[-1].endswith("/bias") else found

    def _with_arrays(self, layer: keras.layers.Layer, x: keras.KerasTensor, names: list[str]) -> keras.KerasTensor:
        self.arrays.append((layer, names))
        return layer(x)

    def _name(self, name: str, kind: str) -> str:
        unique = f"{name}_{kind}".replace("/", "_")
        if unique in self._names:
            raise ValueError(f"Cannot export: `{name}` is used twice, and a Keras layer cannot be.")
        self._names.add(unique)
        return unique


def export_keras(child: CompiledChild, network: Network, data: ImageData) -> keras.Model:
    """The child with its present weights as a plain Keras model.

    Args:
        child: A trained child.
        network: What it was built from.
        data: For the normalisation and the shape of the images.

    Returns:
        A functional model from pixels `[B, h, w, c]` in 0..255 to probabilities `[B, num_classes]`.
    """
    layers, arrays = _KerasLayers(), child.arrays()
    pixels = keras.Input(data.image_shape, name="pixels")
    mean, variance = 255.0 * data.mean, (255.0 * data.std) ** 2
    normalised = keras.layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), name="normalise")(pixels)
    model = keras.Model(pixels, network(layers, normalised)[0])
    for layer, names in layers.arrays:
        layer.set_weights(layers.values(names, arrays))
    return model


def save_keras(model: keras.Model, path: Path) -> None:
    """Writes a model as a `.keras` file: to a temporary name first, then renamed.

    Args:
        model: Any Keras model.
        path: Of the file; its folder is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.partial.keras")
    model.save(temporary)
    temporary.replace(path)


def save_savedmodel(model: keras.Model, path: Path) -> None:
    """Writes a model as a TensorFlow SavedModel, a folder: under another name first, then renamed.

    It needs plain TensorFlow alone. Its signatures `serve` and `serving_default` take pixels `[B, h, w, c]` and give
    probabilities `[B, num_classes]`.

    Args:
        model: Of `export_keras`, or one that it stored.
        path: Of the folder; one that exists is replaced.
    """
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    model.export(str(temporary), format="tf_saved_model", verbose=False)
    shutil.rmtree(path, ignore_errors=True)
    temporary.replace(path)


def hand_over(file: Path, formats: Sequence[str]) -> list[Path]:
    """Stores a `.keras` file in further formats beside it, each unless it is there and as new.

    Args:
        file: The `.keras` file.
        formats: Of `alphaxenas.networks.export.EXPORT_FORMATS`.

    Returns:
        What was written.
    """
    writers = {"savedmodel": save_savedmodel, "onnx": save_onnx}
    wanted = {file.with_suffix(f".{name}"): writers[name] for name in formats if name in writers}
    missing = [path for path in wanted if not path.exists() or path.stat().st_mtime < file.stat().st_mtime]
    if missing:
        model = keras.saving.load_model(file, compile=False)
        for path in missing:
            wanted[path](model, path)
    return missing


def test_accuracy(model: keras.Model, data: ImageData, with_views: bool = False) -> float:
    """Share of the test images that a stored or exported model classifies correctly.

    Args:
        model: From pixels `[B, h, w, c]` in 0..255 to probabilities `[B, num_classes]`.
        data: Its test part is used.
        with_views: Whether the logits of six views of an image are averaged, see `data.pipeline.views`.

    Returns:
        Accuracy in [0, 1].

    Raises:
        ValueError: The model takes images of another shape, or knows another number of classes.
    """
    expected, received = (data.image_shape, data.num_classes), (tuple(model.input_shape[1:]), model.output_shape[-1])
    if expected != received:
        raise ValueError(
            f"The model does not fit the data set {data.name}. Expected (image shape, classes) {expected}. "
            f"Received: {received}"
        )
    hits = []
    for start in range(0, len(data.test), PREDICTION_BATCH):
        pixels, labels = (one[start : start + PREDICTION_BATCH] for one in (data.test.images, data.test.labels))
        seen = views(pixels, data.flip) if with_views else [(1.0, pixels)]
        # Logarithms of probabilities are logits but for a constant of each view, which changes no maximum.
        scores = sum(
            weight * np.log(np.maximum(model.predict_on_batch(view.astype(np.float32)), LEAST_PROBABILITY))
            for weight, view in seen
        )
        hits.append(np.argmax(scores, axis=1) == labels)
    return float(np.mean(np.concatenate(hits)))


def evaluate_stored_model(path: str | Path, data: ImageData, with_views: bool = False) -> float:
    """Test accuracy of a `.keras` file.

    Args:
        path: The file.
        data: Its test part is used.
        with_views: As for `test_accuracy`.

    Returns:
        Accuracy in [0, 1].

    Raises:
        ValueError: There is no such file, it is no Keras model, or it does not fit the data.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"Invalid value for the model. Expected the path of a .keras file. Received: {path}, which does not exist"
        )
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError) as error:
        raise ValueError(f"Invalid value for the model. {path} is no readable .keras file: {error}") from error
    return test_accuracy(model, data, with_views)
