"""How a language model is regularised and trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class LanguageRecipe:
    """Constants of a training; rates of dropout lie in [0, 1).

    Attributes:
        batch_size: Streams of text that are read side by side.
        window: Words of each through which gradients flow (truncated backpropagation).
        learning_rate: Of stochastic gradient descent, for the mean loss of a word.
        schedule: `"constant"`, or `"linear"`: falls to 0 with the last step.
        clip: Largest norm of all gradients together; 0 = any.
        decay: Weight decay: this times the weights is added to the gradient after it was clipped.
        average: Whether the weights are averaged from when the validation loss no longer falls; see
            `starts_averaging`.
        patience: Of the last so many validations the best does not count there.
        embedding_dropout: Words whose embedding is 0 for a window.
        input_dropout: Of embeddings; one mask a window.
        state_dropout: Of states before they are multiplied with weights, for LSTMs between two layers; one mask a
            window.
        weight_dropout: Of single recurrent weights, LSTMs only.
        output_dropout: Of the hidden states before the softmax; one mask a window.
        activation: Weight of the mean square of the hidden states after dropout.
        temporal: Weight of the mean square of their differences from step to step, before dropout.
        precision: `"float32"` or `"bfloat16"`: of the products of the softmax in training, see `softmax`.

    Sources: Gal and Ghahramani 2016 (one mask a window, embedding dropout); Merity et al. 2018 (weight dropout,
    activation and temporal regularisation, averaged SGD); Liu et al. 2019 and Luo et al. 2018 use the same recipe.
    """

    batch_size: int = 32
    window: int = 35
    learning_rate: float = 20.0
    schedule: str = "linear"
    clip: float = 0.25
    decay: float = 0.0
    average: bool = False
    patience: int = 5
    embedding_dropout: float = 0.0
    input_dropout: float = 0.2
    state_dropout: float = 0.0
    weight_dropout: float = 0.0
    output_dropout: float = 0.2
    activation: float = 0.0
    temporal: float = 0.0
    precision: str = "float32"

    def rate_at(self, progress: float) -> float:
        """Learning rate when this share of the training is over."""
        return self.learning_rate * (1.0 - progress) if self.schedule == "linear" else self.learning_rate

    def starts_averaging(self, losses: Sequence[float]) -> bool:
        """Whether the weights are averaged from now on: the non-monotone trigger of averaged SGD.

        Args:
            losses: Of all validations so far, the last of which was just made.

        Source: Merity et al. 2018, algorithm 1, as their code has it: the loss is above the best one of the validations
        before the last `patience`, of which there must be at least one.
        """
        *before, last = losses
        enough = len(before) > self.patience
        return self.average and enough and last > min(before[: len(before) - self.patience])


def plain_lstm_recipe(recipe: LanguageRecipe) -> LanguageRecipe:
    """That of the LSTM of PyTorch's example: dropout 0.2 of embeddings, between the layers and before the softmax.

    Source: pytorch/examples, word_language_model. Departures: one mask a window where the example draws one a step;
    streams, window and learning rate are those of the given recipe, where the example divides its rate by 4 whenever
    the validation loss rises.

    Args:
        recipe: That of the models it is compared with.
    """
    return replace(
        recipe,
        decay=0.0,
        average=False,
        embedding_dropout=0.0,
        input_dropout=0.2,
        state_dropout=0.2,
        weight_dropout=0.0,
        output_dropout=0.2,
        activation=0.0,
        temporal=0.0,
    )


def awd_lstm_recipe(recipe: LanguageRecipe, text: str) -> LanguageRecipe:
    """That of AWD-LSTM, with the dropout that its authors choose for the text.

    Source: Merity et al. 2018, section 5, and the commands that its authors publish with their code. Departures:
    streams and window are those of the given recipe, all windows are equally long (the authors draw their lengths and
    scale the learning rate with them), and the last weights count, not those of the best validation.

    Args:
        recipe: That of the models it is compared with.
        text: Name of the text; WikiText-2 has constants of its own.
    """
    wikitext = text == "wikitext2"
    return replace(
        recipe,
        learning_rate=30.0,
        schedule="constant",
        clip=0.25,
        decay=1.2e-6,
        average=True,
        embedding_dropout=0.1,
        input_dropout=0.65 if wikitext else 0.4,
        state_dropout=0.2 if wikitext else 0.25,
        weight_dropout=0.5,
        output_dropout=0.4,
        activation=2.0,
        temporal=1.0,
    )
