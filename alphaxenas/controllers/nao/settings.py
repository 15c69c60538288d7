"""Constants of NAO as three presets: the paper's, the published code's, and our own for searches of a few dozen
evaluations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from alphaxenas.suggestions import check_fields

MEMORIES = ("pool", "all")
TARGETS = ("minmax", "ranks")
CHOICES = ("first", "predicted")
FEWEST = 4
"""Architectures without which no predictor can be fitted and measured."""


@dataclass(frozen=True)
class NetworkSettings:
    """What the network is and how it is trained; immutable, so that no use of it can change the next.

    Attributes:
        embedding: E.
        units: U, of both LSTMs, and the length of an architecture's embedding.
        layers: Units of the predictor's hidden layers; none: it is linear before its sigmoid.
        dropout: Share of the predictor's inputs and of the LSTMs' inputs set to 0 while training; never otherwise.
        trade_off: Weight of the squared error against the cross-entropy, in [0, 1].
        learning_rate: Of Adam.
        weight_decay: Weight of the squared weights in the loss.
        gradient_clip: Bound on the norm of the gradient of all weights.
    """

    embedding: int = 32
    units: int = 96
    layers: tuple[int, ...] = ()
    dropout: float = 0.1
    trade_off: float = 0.8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    gradient_clip: float = 5.0

    def __post_init__(self) -> None:
        check_fields(
            self,
            embedding=(self.embedding >= 1, "a whole number >= 1"),
            units=(self.units >= 1, "a whole number >= 1"),
            layers=(all(units >= 1 for units in self.layers), "whole numbers >= 1"),
            dropout=(0 <= self.dropout < 1, "a number in [0, 1)"),
            trade_off=(0 <= self.trade_off <= 1, "a number in [0, 1]"),
            learning_rate=(self.learning_rate > 0, "a number > 0"),
            weight_decay=(self.weight_decay >= 0, "a number >= 0"),
            gradient_clip=(self.gradient_clip > 0, "a number > 0"),
        )


@dataclass(frozen=True)
class NAOSettings:
    """What a round of NAO does; immutable.

    Attributes:
        pool: Members of the pool, and architectures drawn uniformly before the first round.
        tops: Best members that the gradient ascent starts from.
        new: Architectures that a round wants to decode.
        random: Architectures that a round draws uniformly; with the new ones they replace the worst members.
        steps: Step sizes of the gradient ascent, ascending; it ends with the last one even if fewer than `new` were
            found.
        unit_gradient: Scale the gradient of every sequence to one unit per place, so that step sizes mean the same
            whatever the predictor's slope.
        choose: `"first"`: the first `new` that decode are evaluated; `"predicted"`: all steps are taken, and of what
            decodes the `new` with the highest score are evaluated.
        memory: What the network is trained on: `"pool"`, or `"all"` that was ever evaluated.
        targets: Rewards laid between 0 and 1, `"minmax"`, or their ranks.
        samples: At every step, how many sequences are drawn from the decoder's distribution beside the most likely one.
        epochs: Passes over the training part of the split, per round; a quarter as many follow over all.
        most_steps: Training steps of those passes at most; 0 = unlimited.
        batch_size: Architectures per training step.
        held_out: Share of the architectures that the network's quality is measured on before it sees them.
        variants: Token sequences of equal key that stand for one another in training, at most; 1 = none.
        network: Sizes and training of the network.
    """

    pool: int = 32
    tops: int = 24
    new: int = 10
    random: int = 1
    steps: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5)
    unit_gradient: bool = True
    choose: str = "predicted"
    memory: str = "all"
    targets: str = "ranks"
    samples: int = 2
    epochs: int = 100
    most_steps: int = 120
    batch_size: int = 32
    held_out: float = 0.15
    variants: int = 8
    network: NetworkSettings = field(
        default_factory=lambda: NetworkSettings(embedding=16, units=32, layers=(32,), trade_off=0.9, learning_rate=1e-2)
    )

    def __post_init__(self) -> None:
        left = self.pool - self.new
        rising = bool(self.steps) and self.steps[0] > 0 and list(self.steps) == sorted(self.steps)
        check_fields(
            self,
            pool=(self.pool >= FEWEST, f"a whole number >= {FEWEST}, below which no predictor can be fitted"),
            tops=(1 <= self.tops <= self.pool, f"a whole number from 1 to pool ({self.pool})"),
            new=(self.new >= 1, "a whole number >= 1"),
            random=(0 <= self.random <= left, f"a whole number from 0 to pool - new ({left})"),
            steps=(rising, "numbers > 0, ascending"),
            choose=(self.choose in CHOICES, f"one of {', '.join(CHOICES)}"),
            memory=(self.memory in MEMORIES, f"one of {', '.join(MEMORIES)}"),
            targets=(self.targets in TARGETS, f"one of {', '.join(TARGETS)}"),
            epochs=(self.epochs >= 1, "a whole number >= 1"),
            samples=(self.samples >= 0, "a whole number >= 0"),
            most_steps=(self.most_steps >= 0, "a whole number >= 0"),
            batch_size=(self.batch_size >= 1, "a whole number >= 1"),
            held_out=(0 < self.held_out < 1, "a share between 0 and 1"),
            variants=(self.variants >= 1, "a whole number >= 1"),
        )


_PUBLISHED: dict[str, Any] = {
    "unit_gradient": False,
    "choose": "first",
    "targets": "minmax",
    "epochs": 1000,
    "samples": 0,
    "most_steps": 0,
    "batch_size": 100,
}
PRESETS: Mapping[str, NAOSettings] = MappingProxyType(
    {
        "small": NAOSettings(),
        # Luo et al. 2018, section 4: 600 first architectures, the best 200 are moved by a step of 10, 200 new ones a
        # round, all are trained on; embeddings of 32, units of 96, 1000 epochs, a trade-off of 0.9. The step grows
        # where 10 does not find enough.
        "paper": NAOSettings(
            pool=600,
            tops=200,
            new=200,
            random=0,
            steps=tuple(float(step) for step in range(10, 101, 10)),
            memory="all",
            held_out=1 / 12,
            network=NetworkSettings(32, 96, (), 0.1, 0.9),
            **_PUBLISHED,
        ),
        # The published code with shared weights (NAO-WS, CNN).
        "code": NAOSettings(
            pool=1000,
            tops=100,
            new=500,
            random=50,
            steps=tuple(float(step) for step in range(1, 102)),
            memory="pool",
            held_out=0.05,
            network=NetworkSettings(48, 96, (100, 100, 100), 0.1, 0.8),
            **_PUBLISHED,
        ),
    }
)
"""`"small"`: our own, see the module `nao`; `"paper"`; `"code"`."""
