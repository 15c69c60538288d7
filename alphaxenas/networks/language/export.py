"""One step of a trained language model without this project: word and states in, logits and next states out.

The step is described once, over named operations that Keras's own layers and ONNX both have. Feeding the states back
step by step gives what the trained model predicts (tested), word by word as text arrives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from alphaxenas.networks.export import require_formats
from alphaxenas.networks.export.keras_export import save_keras, save_savedmodel
from alphaxenas.networks.export.onnx_export import IR_VERSION, OPSET, store_onnx
from alphaxenas.networks.export.plain_keras import keras
from alphaxenas.networks.language.cores import CellCore, LSTMCore
from alphaxenas.networks.language.model import LanguageModel

STEP = {
    "word": "int32 [batch]: number of a word in the vocabulary",
    "states": "float32 [batch, units] each: zeros before a text, then what the step before returned",
    "returns": "logits of the next word, float32 [batch, words], then the next states in the order of the states",
}
"""What a stored step takes and gives, for the file that lies beside it."""


class _Operations(Protocol):
    """What a step is made of; tensors are those of the target."""

    def embedding(self, word: Any, table: np.ndarray) -> Any: ...
    def product(self, x: Any, name: str, weights: np.ndarray, bias: np.ndarray | None = None) -> Any: ...
    def apply(self, function: str, *inputs: Any) -> Any: ...
    def split(self, x: Any, parts: int) -> list[Any]: ...


def export_step_model(model: LanguageModel) -> keras.Model:
    """The step as a plain Keras model.

    Returns:
        Inputs `word` (int32 `[batch]`) and the states (`[batch, units]` each), outputs logits `[batch, words]` and the
        next states.

    Raises:
        ValueError: The core is no single cell or LSTM.
    """
    names, operations = _state_names(model), _Keras()
    word = keras.Input((), dtype="int32", name="word")
    states = [keras.Input((model.core.units,), name=name) for name in names]
    logits, after = _step(operations, model, model.arrays(), word, states)
    exported = keras.Model([word, *states], [logits, *after])
    for layer, weights in operations.filled:
        layer.set_weights(weights)
    return exported


def save_step_onnx(model: LanguageModel, path: Path) -> None:
    """Writes the step as an ONNX file, after onnx has checked it.

    Args:
        model: Trained, with a core of one cell or of LSTMs.
        path: The file. Its inputs are `word` and the states (`state`, or `hidden0`, `memory0` ...), its outputs
            `logits` and, for every state, `next_` and its name.

    Raises:
        ValueError: The core is another, or onnx is not installed.
    """
    require_formats(["onnx"])
    from onnx import TensorProto, helper

    names, operations = _state_names(model), _Onnx()

    words, units = model.arrays()["embedding"].shape
    logits, after = _step(operations, model, model.arrays(), "word", names)
    outputs = {"logits": logits, **{f"next_{name}": tensor for name, tensor in zip(names, after)}}
    last = [helper.make_node("Identity", [tensor], [name]) for name, tensor in outputs.items()]
    infos = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]) for name, size in sizes.items()]
        for sizes in (dict.fromkeys(names, units), {name: words if name == "logits" else units for name in outputs})
    ]
    inputs = [helper.make_tensor_value_info("word", TensorProto.INT32, ["batch"]), *infos[0]]
    graph = helper.make_graph([*operations.nodes, *last], "step", inputs, infos[1], operations.constants)
    opsets = [helper.make_opsetid("", OPSET)]
    store_onnx(helper.make_model(graph, producer_name="alphaxenas", opset_imports=opsets, ir_version=IR_VERSION), path)


def hand_over(model: LanguageModel, path: Path, formats: Sequence[str]) -> dict[str, str]:
    """Stores the step in further formats, each unless it is there.

    Args:
        model: Trained.
        path: Without ending.
        formats: Of `alphaxenas.networks.export.EXPORT_FORMATS`; Keras's is stored in any case.

    Returns:
        Format to name of the file, or to why there is none.
    """
    writers = {
        "keras": lambda file: save_keras(export_step_model(model), file),
        "savedmodel": lambda file: save_savedmodel(export_step_model(model), file),
        "onnx": lambda file: save_step_onnx(model, file),
    }
    told = dict[str, str]()
    for name in dict.fromkeys(("keras", *formats)):
        file = path.with_suffix(f".{name}")
        if name in writers and not file.exists():
            writers[name](file)
        told[name] = file.name if name in writers else "not written: language models are not converted to this format"
    return told


def _state_names(model: LanguageModel) -> list[str]:
    if isinstance(model.core, CellCore):
        return ["state"]
    if isinstance(model.core, LSTMCore):
        return [f"{kind}{layer}" for layer in range(model.core.layers) for kind in ("hidden", "memory")]
    raise ValueError("Only a model of one cell or of LSTMs can be exported: shared weights are those of many cells.")


def _step(
    to: _Operations, model: LanguageModel, arrays: Mapping[str, np.ndarray], word: Any, states: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """Logits and next states."""
    x = to.embedding(word, arrays["embedding"])
    run = _cell if isinstance(model.core, CellCore) else _lstm
    hidden, after = run(to, model.core, arrays, x, states)
    return to.product(hidden, "logits", arrays["embedding"].T, arrays["bias"]), after


def _cell(to: _Operations, core: Any, arrays: Mapping[str, np.ndarray], x: Any, states: Sequence[Any]) -> Any:
    def highway(before: Any, both: Any, activation: str) -> Any:
        gate, value = to.split(both, 2)
        moved = to.apply("subtract", to.apply(activation, value), before)
        return to.apply("add", before, to.apply("multiply", to.apply("sigmoid", gate), moved))

    entering = to.product(x, "input", arrays["input"])
    first = to.apply("add", entering, to.product(states[0], "first", arrays["first"]))
    found = [highway(states[0], first, core.cell.first)]
    for number, node in enumerate(core.cell.nodes, 1):
        before = found[node.input]
        found.append(highway(before, to.product(before, f"node{number}", arrays["nodes"][number - 1]), node.activation))
    outputs = [found[number] for number in core.cell.output_nodes]
    hidden = to.apply("mean", *outputs) if len(outputs) > 1 else outputs[0]
    return hidden, [hidden]


def _lstm(to: _Operations, core: Any, arrays: Mapping[str, np.ndarray], x: Any, states: Sequence[Any]) -> Any:
    after: list[Any] = []
    for layer in range(core.layers):
        hidden, memory = states[2 * layer : 2 * layer + 2]
        entering = to.product(x, f"input{layer}", arrays[f"input{layer}"], arrays[f"bias{layer}"])
        gates = to.apply("add", entering, to.product(hidden, f"recurrent{layer}", arrays[f"recurrent{layer}"]))
        enter, forget, value, leave = to.split(gates, 4)
        kept = to.apply("multiply", to.apply("sigmoid", forget), memory)
        added = to.apply("multiply", to.apply("sigmoid", enter), to.apply("tanh", value))
        memory = to.apply("add", kept, added)
        x = to.apply("multiply", to.apply("sigmoid", leave), to.apply("tanh", memory))
        after += [x, memory]
    return x, after


class _Keras:
    """Layers of Keras, and the weights that each of them gets."""

    def __init__(self) -> None:
        self.filled = list[tuple[Any, list[np.ndarray]]]()

    def embedding(self, word: Any, table: np.ndarray) -> Any:
        return self._with(keras.layers.Embedding(*table.shape, name="embedding"), [table], word)

    def product(self, x: Any, name: str, weights: np.ndarray, bias: np.ndarray | None = None) -> Any:
        layer = keras.layers.Dense(weights.shape[1], use_bias=bias is not None, name=name)
        return self._with(layer, [weights] if bias is None else [weights, bias], x)

    def apply(self, function: str, *inputs: Any) -> Any:
        kinds = {"add": "Add", "multiply": "Multiply", "subtract": "Subtract", "mean": "Average"}
        if function in kinds:
            return getattr(keras.layers, kinds[function])()(list(inputs))
        return keras.layers.Activation("linear" if function == "identity" else function)(*inputs)

    def split(self, x: Any, parts: int) -> list[Any]:
        size = x.shape[1] // parts
        return [x[:, part * size : (part + 1) * size] for part in range(parts)]

    def _with(self, layer: Any, weights: list[np.ndarray], x: Any) -> Any:
        self.filled.append((layer, weights))
        return layer(x)


class _Onnx:
    """Nodes of ONNX and their constants; tensors are names."""

    def __init__(self) -> None:
        self.nodes, self.constants = list[Any](), list[Any]()

    def embedding(self, word: Any, table: np.ndarray) -> Any:
        return self._node("Gather", [self._constant("embedding", table), word])

    def product(self, x: Any, name: str, weights: np.ndarray, bias: np.ndarray | None = None) -> Any:
        further = [] if bias is None else [self._constant(f"{name}/bias", bias)]
        return self._node("Gemm", [x, self._constant(f"{name}/weights", weights), *further])

    def apply(self, function: str, *inputs: Any) -> Any:
        kinds = {"multiply": "Mul", "subtract": "Sub"}
        return self._node(kinds.get(function, function.capitalize()), list(inputs))

    def split(self, x: Any, parts: int) -> list[Any]:
        from onnx import helper

        names = [f"part{len(self.nodes)}/{part}" for part in range(parts)]
        self.nodes.append(helper.make_node("Split", [x], names, axis=1))
        return names

    def _node(self, kind: str, inputs: list[str]) -> str:
        from onnx import helper

        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name]))
        return name

    def _constant(self, name: str, values: np.ndarray) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name
