"""What a worker has of a search: the evaluator and the proxies, built from the checked configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from alphaxenas.config import from_values
from alphaxenas.contracts import Tokens
from alphaxenas.evaluators.proxies import with_proxies
from alphaxenas.networks.devices import prepare_tensorflow
from alphaxenas.pipelines.factory import child_network, load_images, search_space
from alphaxenas.pipelines.raters.rating import Rating
from alphaxenas.workers.serve import Parts


def parts(
    parameters: dict[str, Any], maker: str, arguments: dict[str, Any], proxies: Sequence[str], text: bool
) -> Parts:
    """What a worker has of a search.

    Args:
        parameters: All of the checked configuration.
        maker: As of `Rating`, and so are the next two.
        arguments: JSON values.
        proxies: Names.
        text: Whether the data is a text.

    Returns:
        The evaluator and what else a worker answers with.
    """
    config = from_values(parameters)
    prepare_tensorflow(max(1, int(config.workers.worker_cpus)), config.run.memory_growth, config.run.op_determinism)
    if text:
        from alphaxenas.pipelines.stages import load_configured_text

        data: Any = load_configured_text(config)
    else:
        data = load_images(config)
    identity = getattr(data, "identity", None)
    score: Callable[[Sequence[Tokens]], tuple[np.ndarray, dict[str, float]]] | None = None
    if proxies:
        space = search_space(config)
        build = child_network(config, data.num_classes)
        scores = with_proxies(proxies, space, build, data, arguments["seed"]).proxies

        def score(sequences: Sequence[Tokens]) -> tuple[np.ndarray, dict[str, float]]:
            before = scores.seconds()
            rows = scores.scores([space.decode(tokens) for tokens in sequences])
            return rows, {name: spent - before[name] for name, spent in scores.seconds().items()}

    evaluator = Rating(maker, arguments).evaluator(config, data)
    return Parts(evaluator, identity["fingerprint"] if identity else "", score)
