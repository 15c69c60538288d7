"""One seed per run; every consumer of randomness gets its own stream, derived from the seed by name."""

from __future__ import annotations

import hashlib

import numpy as np


def derived_seed(seed: int, *names: object) -> int:
    """A 63-bit seed for the consumer called `names`, independent of every other consumer's.

    Args:
        seed: The run's seed, from run.json.
        *names: Words and numbers that name the consumer, e.g. `("augment", trial, epoch)`.

    Returns:
        A whole number in [0, 2**63), the same on every machine.
    """
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: object) -> np.random.Generator:
    """A NumPy generator for the consumer called `names`; see `derived_seed`."""
    return np.random.default_rng(derived_seed(seed, *names))


def tensor_seed(seed: int, *names: object) -> tuple[int, int]:
    """A seed pair for `tf.random.stateless_*`; see `derived_seed`."""
    value = derived_seed(seed, *names)
    return value >> 32, value & 0x7FFFFFFF


def generator_state(rng: np.random.Generator) -> dict:
    """The state of a generator as JSON values (big whole numbers as text), for checkpoints."""
    state = rng.bit_generator.state
    return {**state, "state": {name: str(value) for name, value in state["state"].items()}}


def restore_generator(rng: np.random.Generator, state: dict) -> None:
    """Puts a generator back into an earlier state.

    Args:
        rng: The generator, of the same kind as the one whose state it was.
        state: As of `generator_state`.
    """
    rng.bit_generator.state = {**state, "state": {name: int(value) for name, value in state["state"].items()}}
