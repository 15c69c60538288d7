"""A stored Keras model as an ONNX file, written layer by layer with the `onnx` package alone.

Converters of whole TensorFlow graphs lag behind TensorFlow's and NumPy's releases; the networks of this project consist
of a dozen kinds of layers, which are quickly written. As the Keras model, the file takes pixels `[B, h, w, c]` in
0..255 and gives probabilities; inside, channels come first, as ONNX has it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.networks.export import require_formats
from alphaxenas.networks.export.plain_keras import keras

OPSET, IR_VERSION = 17, 8
"""Of 2022: runtimes since then read them."""


def save_onnx(model: keras.Model, path: Path) -> None:
    """Writes a model that `export.export_keras` made as an ONNX file, after onnx has checked it.

    Args:
        model: Made of the layers that `keras_export` uses.
        path: The file; written under another name first, then renamed.

    Raises:
        ValueError: A layer is of another kind, or onnx is not installed.
    """
    require_formats(["onnx"])
    graph = _Graph(model)
    keras.models.clone_model(model, graph.pixels, clone_function=lambda layer: layer, call_function=graph.add)
    store_onnx(graph.proto(model), path)


def store_onnx(made: Any, path: Path) -> None:
    """Writes an ONNX model after onnx has checked it.

    Args:
        made: An `onnx.ModelProto`.
        path: The file; written under another name first, then renamed.
    """
    import onnx

    onnx.checker.check_model(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    onnx.save(made, temporary)
    temporary.replace(path)


class _Graph:
    """ONNX nodes and constants, growing as the Keras layers are passed in order."""

    def __init__(self, model: keras.Model) -> None:
        self.pixels = keras.Input(model.input_shape[1:], name="pixels")
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._names = {id(self.pixels): self._node("Transpose", ["pixels"], "first", perm=[0, 3, 1, 2])}
        self._kept = [self.pixels]

    def add(self, layer: keras.layers.Layer, inputs: Any, **unused: Any) -> keras.KerasTensor:
        """Adds one layer; what Keras calls instead of it, with masks that nothing here has."""
        parts = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        output = layer(inputs)
        write = getattr(self, f"_{type(layer).__name__.lower()}", None)
        if write is None:
            raise ValueError(
                f"Cannot export to ONNX: the layer `{layer.name}` is a {type(layer).__name__}, which no network "
                "of this project has."
            )
        self._names[id(output)] = write(layer, [self._names[id(part)] for part in parts], parts[0].shape)
        # A tensor that is collected would leave its id to another.
        self._kept.append(output)
        return output

    def proto(self, model: keras.Model) -> Any:
        """The finished ONNX model."""
        from onnx import TensorProto, helper

        shapes = (("pixels", ["batch", *model.input_shape[1:]]), ("probabilities", ["batch", model.output_shape[-1]]))
        pixels, probabilities = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes
        )
        self._nodes.append(helper.make_node("Identity", [self._names[id(self._kept[-1])]], ["probabilities"]))
        graph = helper.make_graph(self._nodes, "alphaxenas", [pixels], [probabilities], self._constants)
        return helper.make_model(
            graph, producer_name="alphaxenas", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )

    def _node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def _constant(self, name: str, values: Any) -> str:
        from onnx import numpy_helper

        kind = np.float32 if np.asarray(values).dtype.kind == "f" else np.int64
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values, kind), name))
        return name

    def _weights(self, layer: Any) -> list[str]:
        return [self._constant(f"{layer.name}/{number}", values) for number, values in enumerate(layer.get_weights())]

    def _normalization(self, layer: Any, inputs: list[str], shape: Any) -> str:
        mean, variance = (np.asarray(value, np.float32).reshape(1, -1, 1, 1) for value in (layer.mean, layer.variance))
        centred = self._node("Sub", [*inputs, self._constant(f"{layer.name}/mean", mean)], f"{layer.name}/centred")
        return self._node("Div", [centred, self._constant(f"{layer.name}/deviation", np.sqrt(variance))], layer.name)

    def _conv2d(self, layer: Any, inputs: list[str], shape: Any) -> str:
        return self._convolution(layer, inputs, shape, layer.get_weights()[0].transpose(3, 2, 0, 1), 1)

    def _depthwiseconv2d(self, layer: Any, inputs: list[str], shape: Any) -> str:
        return self._convolution(layer, inputs, shape, layer.get_weights()[0].transpose(2, 3, 0, 1), shape[-1])

    def _convolution(self, layer: Any, inputs: list[str], shape: Any, kernel: np.ndarray, group: int) -> str:
        constants = [self._constant(f"{layer.name}/kernel", kernel)]
        if layer.use_bias:
            constants.append(self._constant(f"{layer.name}/bias", layer.get_weights()[1]))
        window = _window(shape, layer, layer.kernel_size)
        return self._node("Conv", [*inputs, *constants], layer.name, **window, group=group)

    def _batchnormalization(self, layer: Any, inputs: list[str], shape: Any) -> str:
        values = layer.get_weights()
        values = values if layer.scale else [np.ones_like(values[0]), *values]
        constants = [self._constant(f"{layer.name}/{number}", array) for number, array in enumerate(values)]
        return self._node("BatchNormalization", [*inputs, *constants], layer.name, epsilon=layer.epsilon)

    def _dense(self, layer: Any, inputs: list[str], shape: Any) -> str:
        logits = self._node("Gemm", inputs + self._weights(layer), f"{layer.name}/logits")
        return self._node("Softmax", [logits], layer.name, axis=1)

    def _relu(self, layer: Any, inputs: list[str], shape: Any) -> str:
        return self._node("Relu", inputs, layer.name)

    def _gelu(self, layer: Any, inputs: list[str], shape: Any) -> str:
        """x times the logistic function of 2 sqrt(2 / pi) (x + 0.044715 x^3), which is the tanh form."""
        root = 2.0 * math.sqrt(2.0 / math.pi)
        numbers = [
            self._constant(f"{layer.name}/{name}", np.float32(value))
            for name, value in (("cubic", 0.044715 * root), ("linear", root))
        ]
        squared = self._node("Mul", [*inputs, *inputs], f"{layer.name}/squared")
        scaled = self._node("Mul", [squared, numbers[0]], f"{layer.name}/scaled")
        slope = self._node("Add", [scaled, numbers[1]], f"{layer.name}/slope")
        return self._gated(layer.name, inputs, self._node("Mul", [*inputs, slope], f"{layer.name}/argument"))

    def _activation(self, layer: Any, inputs: list[str], shape: Any) -> str:
        """SiLU, the only function that `keras_export` writes as such a layer."""
        return self._gated(layer.name, inputs, inputs[0])

    def _gated(self, name: str, inputs: list[str], argument: str) -> str:
        return self._node("Mul", [*inputs, self._node("Sigmoid", [argument], f"{name}/share")], name)

    def _add(self, layer: Any, inputs: list[str], shape: Any) -> str:
        return self._node("Sum", inputs, layer.name)

    def _concatenate(self, layer: Any, inputs: list[str], shape: Any) -> str:
        # Channels are the second axis here, of images as of vectors.
        return self._node("Concat", inputs, layer.name, axis=1)

    def _maxpooling2d(self, layer: Any, inputs: list[str], shape: Any) -> str:
        return self._node("MaxPool", inputs, layer.name, **_window(shape, layer, layer.pool_size))

    def _averagepooling2d(self, layer: Any, inputs: list[str], shape: Any) -> str:
        window = _window(shape, layer, layer.pool_size)
        return self._node("AveragePool", inputs, layer.name, **window, count_include_pad=0)

    def _globalaveragepooling2d(self, layer: Any, inputs: list[str], shape: Any) -> str:
        return self._node("Flatten", [self._node("GlobalAveragePool", inputs, f"{layer.name}/mean")], layer.name)

    def _globalmaxpooling2d(self, layer: Any, inputs: list[str], shape: Any) -> str:
        return self._node("Flatten", [self._node("GlobalMaxPool", inputs, f"{layer.name}/max")], layer.name)

    def _rescaling(self, layer: Any, inputs: list[str], shape: Any) -> str:
        scale, offset = (
            self._constant(f"{layer.name}/{kind}", np.float32(getattr(layer, kind))) for kind in ("scale", "offset")
        )
        return self._node("Add", [self._node("Mul", [*inputs, scale], f"{layer.name}/scaled"), offset], layer.name)

    def _zeropadding2d(self, layer: Any, inputs: list[str], shape: Any) -> str:
        (top, bottom), (left, right) = layer.padding
        pads = self._constant(f"{layer.name}/pads", [0, 0, top, left, 0, 0, bottom, right])
        return self._node("Pad", [*inputs, pads], layer.name)

    def _cropping2d(self, layer: Any, inputs: list[str], shape: Any) -> str:
        (top, bottom), (left, right) = layer.cropping
        ends = {"starts": [top, left], "ends": [shape[1] - bottom, shape[2] - right], "axes": [2, 3]}
        constants = [self._constant(f"{layer.name}/{name}", values) for name, values in ends.items()]
        return self._node("Slice", inputs + constants, layer.name)


def _window(shape: Any, layer: Any, size: tuple[int, int]) -> dict[str, list[int]]:
    """Attributes of a convolution or pooling; padded as TensorFlow's `"SAME"`, what is missing, the odd pixel at the
    end, or not at all.
    """
    strides, windows = layer.strides, zip(shape[1:3], size, layer.strides)
    missing = [max((math.ceil(side / stride) - 1) * stride + width - side, 0) for side, width, stride in windows]
    if layer.padding == "valid":
        missing = [0, 0]
    pads = [pixels // 2 for pixels in missing] + [pixels - pixels // 2 for pixels in missing]
    return {"kernel_shape": list(size), "strides": list(strides), "pads": pads}
