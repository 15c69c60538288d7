"""Text that a language model writes, because people want to see it."""

from __future__ import annotations

import numpy as np

from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.seeds import stream


def generate(model: LanguageModel, vocabulary: tuple[str, ...], count: int, seed: int = 0) -> str:
    """Words drawn one after the other from the model's predictions, beginning as a new line does.

    Args:
        model: A trained model of one cell.
        vocabulary: Word of every number.
        count: Words.
        seed: Of the draws.

    Returns:
        The text; `<eos>` ends a line.
    """
    rng, state, written = stream(seed, "generated text"), model.start(1), list[str]()
    word = vocabulary.index("<eos>") if "<eos>" in vocabulary else 0
    for _ in range(count):
        logits, state = model.next_word(np.array([[word]], np.int32), state)
        exact = logits[0].astype(np.float64)
        odds = np.exp(exact - exact.max())
        word = int(rng.choice(len(vocabulary), p=odds / odds.sum()))
        written.append(vocabulary[word])
    return " ".join(written).replace(" <eos>", "\n").replace("\n ", "\n").strip()
