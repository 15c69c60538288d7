"""Parameters of recurrent cells and language models, notebook 09; see `alphaxenas.config.networks`."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from alphaxenas.config.parameter import (
    Count,
    Different,
    FilePath,
    Group,
    Natural,
    NonNegative,
    OneOf,
    PositiveNumber,
    Rate,
    Several,
    parameter,
)
from alphaxenas.data.text import TEXTS
from alphaxenas.spaces.recurrent import OUTPUTS, RecurrentCell
from alphaxenas.spaces.recurrent_zoo import RECURRENT_ZOO

FOUND, RANDOM = "found", "random"
LSTM, PLAIN_LSTM, AWD_LSTM = LSTMS = ("lstm", "lstm_2x200", "awd_lstm")
SHARED_SEARCHES = ("enas", "nao_shared")
"""Searches of notebook 09 that are no controllers, because they train and rate shared weights themselves."""
SCHEDULES = ("linear", "constant")
TextName = Annotated[str, OneOf(TEXTS)]
CellOutput = Annotated[str, OneOf(OUTPUTS)]
Schedule = Annotated[str, OneOf(SCHEDULES)]
SharedSearch = Annotated[str, OneOf(SHARED_SEARCHES)]
MODELS = (FOUND, RANDOM, *LSTMS, *RECURRENT_ZOO)


def _model(value: str) -> str:
    if value not in MODELS:
        assert not re.fullmatch(r"\w+", value), "a name"
        RecurrentCell.parse(value)
    return value


ModelName = Annotated[
    str, AfterValidator(_model), WithJsonSchema({"type": "string", "enum": [*MODELS, "a cell in any text form"]})
]

_shown = partial(parameter, notebooks="09")
_shown_first = partial(parameter, notebooks="09*")


class LanguageConfig(Group):
    """Notebook 09: recurrent cells for language models (`blocks` nodes, `batch_size` streams, `learning_rate`)."""

    text: TextName = _shown_first(
        "grammar", "grammar = made sentences of known entropy; text = a file of your own, see text_path"
    )
    text_path: FilePath = _shown("", "a UTF-8 text, words between blanks, for text")
    vocabulary_size: int = _shown(10_000, "words kept of a text of your own; others are <unk>", ge=3)
    cell_output: CellOutput = _shown("all", "nodes whose mean is the hidden state")
    choose_first: bool = _shown(False, "the activation of s0 is searched, too (ENAS)")
    units: Count = _shown_first(48, "numbers in a state, and in the embedding of a word")
    search_units: Natural = _shown(0, "units of a cell in the searches, fewer than in full; 0 = as units")
    window: int = _shown(35, "words through which gradients flow", ge=2)
    clip: NonNegative = _shown(0.25, "largest norm of all gradients together; 0 = any")
    decay: NonNegative = _shown(0.0, "weight decay of language models")
    language_schedule: Schedule = _shown("linear", "learning rate: falls to 0 with the last step, or stays")
    averaged_sgd: bool = _shown(
        False, "average the weights from when the validation loss no longer falls (final training)"
    )
    embedding_dropout: Rate = _shown(0.0, "words left out of a window")
    input_dropout: Rate = _shown(0.0, "dropout of embeddings, one mask a window")
    state_dropout: Rate = _shown(0.0, "dropout of states within the cell, one mask a window")
    weight_dropout: Rate = _shown(0.0, "dropout of recurrent weights, LSTMs only")
    output_dropout: Rate = _shown(0.0, "dropout of hidden states before the softmax")
    activation_penalty: NonNegative = _shown(0.0, "weight of the mean square of hidden states")
    temporal_penalty: NonNegative = _shown(0.0, "weight of the mean square of their changes")
    shared_cells: bool = _shown(False, "children share weights, one matrix for each node, input, activation")
    shared_warmup: NonNegative = _shown(
        1.0, "passes over the text that train the shared weights before the first child"
    )
    shared_searches: Different[SharedSearch] = _shown(
        (),
        "who searches besides, over one set of shared weights: enas = the phases of ENAS, nao_shared = NAO's pool",
        affects_results=False,
    )
    language_models: Several[ModelName] = _shown_first(
        (FOUND, LSTM, RANDOM),
        "what is trained in full, at equal parameters: the best cell of each controller, LSTMs, drawn, published or "
        "own cells; lstm_2x200 = 200 units as in PyTorch's example, awd_lstm = the recipe of AWD-LSTM",
        affects_results=False,
    )
    language_epochs: PositiveNumber = _shown_first(
        3.0, "passes over the text of the final training, where language_minutes is 0"
    )
    language_minutes: NonNegative = _shown(
        0.0, "minutes of each final training, in place of language_epochs: as many windows as fit at the measured speed"
    )
    language_seeds: Count = _shown(1, "final trainings of every model, seeds 0, 1, 2 ...", affects_results=False)
    random_cells: Count = _shown(2, "drawn cells among the final trainings")
    lstm_layers: Count = _shown(2, "layers of `lstm`")
