"""One step of a trained recurrent cell as a plain Keras model: word and state in, logits and next state out."""

from __future__ import annotations

from typing import Any

from alphaxenas.networks.export.plain_keras import keras
from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.spaces.recurrent import RecurrentCell


def export_step_model(model: LanguageModel, cell: RecurrentCell) -> keras.Model:
    """A model of Keras's own layers, which loads without this project.

    Args:
        model: Trained, with a core of this cell.
        cell: The cell.

    Returns:
        Inputs `word` (int32 `[batch]`) and `state` (`[batch, units]`), outputs logits `[batch, words]` and the next
        state. Feeding the state back step by step gives what the trained model predicts (tested).
    """
    arrays = model.arrays()
    words, units = arrays["embedding"].shape
    layers, filled = keras.layers, list[tuple[Any, list[Any]]]()

    def product(x: Any, name: str, weights: Any, bias: Any = None) -> Any:
        layer = layers.Dense(weights.shape[1], use_bias=bias is not None, name=name)
        filled.append((layer, [weights] if bias is None else [weights, bias]))
        return layer(x)

    def highway(before: Any, both: Any, activation: str) -> Any:
        gate, value = both[:, :units], both[:, units:]
        gate, value = layers.Activation("sigmoid")(gate), layers.Activation(_KERAS[activation])(value)
        return layers.Add()([before, layers.Multiply()([gate, layers.Subtract()([value, before])])])

    word, state = keras.Input((), dtype="int32", name="word"), keras.Input((units,), name="state")
    embedding = layers.Embedding(words, units, name="embedding")
    filled.append((embedding, [arrays["embedding"]]))
    entering = product(embedding(word), "input", arrays["input"])
    states = [highway(state, layers.Add()([entering, product(state, "first", arrays["first"])]), cell.first)]
    for number, node in enumerate(cell.nodes, 1):
        before = states[node.input]
        states.append(highway(before, product(before, f"node{number}", arrays["nodes"][number - 1]), node.activation))
    outputs = [states[number] for number in cell.output_nodes]
    after = layers.Average(name="next_state")(outputs) if len(outputs) > 1 else outputs[0]
    logits = product(after, "logits", arrays["embedding"].T, arrays["bias"])
    exported = keras.Model([word, state], [logits, after])
    for layer, weights in filled:
        layer.set_weights(weights)
    return exported


_KERAS = {"tanh": "tanh", "relu": "relu", "sigmoid": "sigmoid", "identity": "linear"}
