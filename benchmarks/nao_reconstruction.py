"""How well NAO's decoder writes architectures of ENAS's micro space that it never saw: share written without a fault,
Hamming distance.

    python -m benchmarks.nao_reconstruction [--count 1000] [--epochs 200] [--seed 0]
    [--record]

Encoder, predictor and decoder are trained together on COUNT random architectures (normal and reduction cell of five
nodes, 40 tokens), with a learning rate that falls evenly to 0, and measured at the end on as many others; on the way on
64 further ones. No key occurs twice. What the predictor learns is a number that needs no training: how many
convolutions there are, those of later nodes counting more. Every sequence that is decoded, also after long steps in the
continuous space, is checked to be legal. Prints JSON last; exit code 1 where fewer than 99 % are written without a
fault or one is not legal.
"""

from __future__ import annotations

import sys
import time

from alphaxenas.controllers.nao.model import NAOModel
from alphaxenas.controllers.nao.quality import measured, scale_targets
from alphaxenas.controllers.nao.settings import PRESETS, NetworkSettings
from alphaxenas.controllers.nao.trajectory import ascent_directions
from alphaxenas.seeds import stream
from alphaxenas.spaces.micro import MicroSpace
from benchmarks.record import finish, parser

WANTED, WATCHED = 0.99, 64
SETTINGS = NetworkSettings(
    embedding=32, units=64, layers=(), dropout=0.0, trade_off=0.5, learning_rate=3e-3, weight_decay=0.0
)
STEPS = (1.0, 10.0, 100.0)


def merit(space: MicroSpace, tokens: tuple[int, ...]) -> float:
    """A target for the predictor: convolutions, those of later nodes counting more."""
    words = [space.vocabulary[token] for token in tokens]
    return sum((1 + place / len(words)) * word.startswith("sep") for place, word in enumerate(words))


def main(arguments: list[str] | None = None) -> int:
    """Trains, measures, prints; returns the exit code."""
    words = parser(__doc__)
    words.add_argument(
        "--count", type=int, default=1000, help="architectures trained on, and as many measured on [%(default)s]"
    )
    words.add_argument("--nodes", type=int, default=5, help="nodes of each cell [%(default)s]")
    words.add_argument("--epochs", type=int, default=200, help="passes [%(default)s]")
    words.add_argument(
        "--preset", default="", help="small, paper or code: that preset's network instead of the benchmark's"
    )
    words.add_argument("--seed", type=int, default=0)
    options, begin = words.parse_args(arguments), time.perf_counter()
    settings = PRESETS[options.preset].network if options.preset else SETTINGS
    space, rng = MicroSpace(options.nodes), stream(options.seed, "nao_reconstruction")
    sequences: dict[str, tuple[int, ...]] = {}
    while len(sequences) < 2 * options.count + WATCHED:
        architecture = space.sample(rng)
        sequences.setdefault(space.key(architecture), space.encode(architecture))
    count, everything = options.count, list(sequences.values())
    model = NAOModel(space, settings, options.seed, variants=4)
    targets = scale_targets([merit(space, tokens) for tokens in everything], "ranks")
    known, unseen, watched = slice(count), slice(count, 2 * count), slice(2 * count, None)
    started, curve = time.process_time(), []
    for begun in range(0, options.epochs, 10):
        until = min(begun + 10, options.epochs)
        rates = 1 - begun / options.epochs, 1 - until / options.epochs
        model.fit(everything[known], targets[known], until - begun, min(100, count), rates)
        quality = measured(model, everything[watched], targets[watched])
        curve.append(
            [
                model.steps,
                round(quality.exact, 4),
                round(quality.hamming, 3),
                round(quality.rank_correlation, 3),
                round(model.losses["cross_entropy"], 4),
            ]
        )
        print(*curve[-1], file=sys.stderr, flush=True)
    seconds = time.process_time() - started
    quality = measured(model, everything[unseen], targets[unseen])
    encoded = model.encode(everything[unseen][:200])
    directions = ascent_directions(model, encoded, unit=True)
    decoded = [tokens for step in STEPS for tokens in model.decode(encoded.moved(directions, step))]
    legal = sum(
        space.legal_actions(tokens) == () and space.encode(space.decode(tokens)) == tokens for tokens in decoded
    )
    result = {
        "trained_on": count,
        "measured_on": quality.held_out,
        "tokens": space.max_length,
        "exact": round(quality.exact, 4),
        "hamming": round(quality.hamming, 4),
        "rank_correlation": round(quality.rank_correlation, 3),
        "pairwise_accuracy": round(quality.pairwise_accuracy, 3),
        "decoded_after_steps": len(decoded),
        "of_them_legal": legal,
        "training_steps": model.steps,
        "cpu_seconds": round(seconds, 1),
    }
    finish("nao_reconstruction", options.record, begin, result, {"curve": curve})
    return int(quality.exact < WANTED or legal < len(decoded))


if __name__ == "__main__":
    sys.exit(main())
