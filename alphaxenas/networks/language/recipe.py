"""How a language model is regularised and trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LanguageRecipe:
    """Constants of a training; rates of dropout lie in [0, 1).

    Attributes:
        batch_size: Streams of text that are read side by side.
        window: Words of each through which gradients flow (truncated backpropagation).
        learning_rate: Of stochastic gradient descent, for the mean loss of a word.
        schedule: `"constant"`, or `"linear"`: falls to 0 with the last step.
        clip: Largest norm of all gradients together; 0 = any.
        decay: Weight decay: this times the weights is added to the gradient.
        average: Whether the weights are averaged from the moment when the validation loss has not fallen for
            `patience` validations (averaged SGD with a non-monotone trigger).
        patience: See there.
        embedding_dropout: Words whose embedding is 0 for a window.
        input_dropout: Of embeddings; one mask a window.
        state_dropout: Of states before they are multiplied with weights; one mask a window.
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
