"""A made text whose entropy is known: sentences of a small English-like grammar.

It serves to try language models out within seconds, and to see how far one is from the best that is possible. Nouns
and verbs agree in number, also across relative clauses, so a model has to remember. Every sentence has one derivation,
so the entropy of a sentence is the sum of the entropies of its choices, and that of a word is the entropy of a sentence
divided by the mean number of its words (sentences are independent).
"""

from __future__ import annotations

from functools import cache
from math import log

import numpy as np

_STEMS = (
    "cat dog fox owl bear wolf crow hare goat lion duck frog mole toad wren swan deer seal hawk crab clerk king queen "
    "cook guard judge nurse pilot baker miner"
).split()
_ADJECTIVES = "old young tall small quiet clever brave hungry sleepy proud angry happy".split()
_INTRANSITIVE = "sleep run sing jump wait dream laugh swim".split()
_TRANSITIVE = "see follow chase know like find help hear trust feed".split()
END = "<eos>"
DEPTH = 2
"""Relative clauses inside each other."""
_ADJECTIVE, _CLAUSE, _SUBJECT, _OBJECT = 0.3, 0.25, 0.5, 0.6


def _weights(count: int) -> np.ndarray:
    """Probabilities that fall with the rank, as those of words do (Zipf)."""
    weights = 1.0 / np.arange(1, count + 1)
    return weights / weights.sum()


def _flip(probability: float) -> float:
    return -probability * log(probability) - (1 - probability) * log(1 - probability)


def _pick(count: int) -> float:
    return float(-(_weights(count) * np.log(_weights(count))).sum())


@cache
def _phrase(depth: int) -> tuple[float, float]:
    """Entropy in nats and mean number of words of a noun phrase: the, adjective?, noun, relative clause?."""
    entropy = log(2) + _flip(_ADJECTIVE) + _ADJECTIVE * _pick(len(_ADJECTIVES)) + _pick(len(_STEMS))
    words = 2 + _ADJECTIVE
    if depth < DEPTH:
        (verb, verb_words), (noun, noun_words) = _predicate(depth + 1), _phrase(depth + 1)
        inside = _flip(_SUBJECT) + _SUBJECT * verb + (1 - _SUBJECT) * (noun + _pick(len(_TRANSITIVE)))
        entropy += _flip(_CLAUSE) + _CLAUSE * inside
        words += _CLAUSE * (1 + _SUBJECT * verb_words + (1 - _SUBJECT) * (noun_words + 1))
    return entropy, words


@cache
def _predicate(depth: int) -> tuple[float, float]:
    """Entropy and mean number of words of a verb, with its object if it has one."""
    noun, noun_words = _phrase(depth)
    entropy = _flip(_OBJECT) + _OBJECT * (_pick(len(_TRANSITIVE)) + noun) + (1 - _OBJECT) * _pick(len(_INTRANSITIVE))
    return entropy, 1 + _OBJECT * noun_words


def entropy() -> float:
    """Nats per word, the end of a sentence being a word: no model's mean loss on much text is lower."""
    (subject, subject_words), (verb, verb_words) = _phrase(0), _predicate(0)
    return (subject + verb) / (subject_words + verb_words + 1)


def sentences(count: int, rng: np.random.Generator) -> list[list[str]]:
    """Sentences, each ended by `END`.

    Args:
        count: How many.
        rng: Where the choices come from.

    Returns:
        Words of every sentence.
    """
    return [
        [*_say_phrase(rng, 0, plural := bool(rng.random() < 0.5)), *_say_predicate(rng, 0, plural), END]
        for _ in range(count)
    ]


def _word(rng: np.random.Generator, words: list[str]) -> str:
    return words[rng.choice(len(words), p=_weights(len(words)))]


def _say_phrase(rng: np.random.Generator, depth: int, plural: bool) -> list[str]:
    words = ["the"] + [_word(rng, _ADJECTIVES)] * (rng.random() < _ADJECTIVE) + [_word(rng, _STEMS) + "s" * plural]
    if depth < DEPTH and rng.random() < _CLAUSE:
        words.append("that")
        if rng.random() < _SUBJECT:
            words += _say_predicate(rng, depth + 1, plural)
        else:
            other = bool(rng.random() < 0.5)
            words += [*_say_phrase(rng, depth + 1, other), _word(rng, _TRANSITIVE) + "s" * (not other)]
    return words


def _say_predicate(rng: np.random.Generator, depth: int, plural: bool) -> list[str]:
    ending = "s" * (not plural)
    if rng.random() < _OBJECT:
        noun = bool(rng.random() < 0.5)
        return [_word(rng, _TRANSITIVE) + ending, *_say_phrase(rng, depth, noun)]
    return [_word(rng, _INTRANSITIVE) + ending]
