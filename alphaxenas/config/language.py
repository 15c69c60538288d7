"""Parameters of recurrent cells and language models, notebook 09; see `alphaxenas.config.networks`."""

from __future__ import annotations

from typing import Annotated

from alphaxenas.config.parameter import FilePath, Group, Number, OneOf, Several, parameter
from alphaxenas.data.text import TEXTS
from alphaxenas.spaces.recurrent import OUTPUTS
from alphaxenas.spaces.recurrent_zoo import RECURRENT_ZOO

FOUND, RANDOM, LSTM = "found", "random", "lstm"
SCHEDULES = ("linear", "constant")
TextName = Annotated[str, OneOf(TEXTS)]
CellOutput = Annotated[str, OneOf(OUTPUTS)]
Schedule = Annotated[str, OneOf(SCHEDULES)]
ModelName = Annotated[str, OneOf((FOUND, RANDOM, LSTM, *RECURRENT_ZOO))]


class LanguageConfig(Group):
    """Notebook 09: recurrent cells for language models (`blocks` nodes, `batch_size` streams, `learning_rate`)."""

    text: TextName = parameter(
        "grammar",
        "grammar = made sentences of known entropy; text = a file of your own, see text_path",
        notebooks="09*",
    )
    text_path: FilePath = parameter("", "a UTF-8 text, words between blanks, for text", notebooks="09")
    vocabulary_size: int = parameter(10_000, "words kept of a text of your own; others are <unk>", ge=3, notebooks="09")
    cell_output: CellOutput = parameter("all", "nodes whose mean is the hidden state", notebooks="09")
    choose_first: bool = parameter(False, "the activation of s0 is searched, too (ENAS)", notebooks="09")
    units: int = parameter(48, "numbers in a state, and in the embedding of a word", ge=1, notebooks="09*")
    window: int = parameter(35, "words through which gradients flow", ge=2, notebooks="09")
    clip: Number = parameter(0.25, "largest norm of all gradients together; 0 = any", ge=0, notebooks="09")
    decay: Number = parameter(0.0, "weight decay of language models", ge=0, notebooks="09")
    language_schedule: Schedule = parameter(
        "linear", "learning rate: falls to 0 with the last step, or stays", notebooks="09"
    )
    averaged_sgd: bool = parameter(
        False, "average the weights from when the validation loss no longer falls (final training)", notebooks="09"
    )
    embedding_dropout: Number = parameter(0.0, "words left out of a window", notebooks="09", ge=0, lt=1)
    input_dropout: Number = parameter(0.0, "dropout of embeddings, one mask a window", notebooks="09", ge=0, lt=1)
    state_dropout: Number = parameter(
        0.0, "dropout of states within the cell, one mask a window", notebooks="09", ge=0, lt=1
    )
    weight_dropout: Number = parameter(0.0, "dropout of recurrent weights, LSTMs only", notebooks="09", ge=0, lt=1)
    output_dropout: Number = parameter(0.0, "dropout of hidden states before the softmax", notebooks="09", ge=0, lt=1)
    activation_penalty: Number = parameter(0.0, "weight of the mean square of hidden states", ge=0, notebooks="09")
    temporal_penalty: Number = parameter(0.0, "weight of the mean square of their changes", ge=0, notebooks="09")
    shared_cells: bool = parameter(
        False, "children share weights, one matrix for each node, input, activation", notebooks="09"
    )
    shared_warmup: Number = parameter(
        1.0, "passes over the text that train the shared weights before the first child", ge=0, notebooks="09"
    )
    language_models: Several[ModelName] = parameter(
        (FOUND, LSTM, RANDOM),
        "what is trained in full, at equal parameters: the best cell of each search, LSTMs, drawn or published cells",
        notebooks="09*",
        affects_results=False,
    )
    language_epochs: Number = parameter(
        3.0, "passes over the text of the final training, where language_minutes is 0", gt=0, notebooks="09*"
    )
    language_minutes: Number = parameter(
        0.0,
        "minutes of each final training instead: as many windows as fit at the speed measured first",
        ge=0,
        notebooks="09",
    )
    language_seeds: int = parameter(1, "final trainings of every model, seeds 0, 1, 2 ...", ge=1, notebooks="09")
    random_cells: int = parameter(2, "drawn cells among the final trainings", ge=1, notebooks="09")
    lstm_layers: int = parameter(2, "layers of the LSTM", ge=1, notebooks="09")
