"""The stages of notebook 10, ENAS: from a checked configuration to a search, its best architectures, and their training
in full. Notebook 09 runs the same phases over recurrent cells (`alphaxenas.pipelines.recurrent`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alphaxenas.config import Config
from alphaxenas.config.other_searches import ENAS_SPACES
from alphaxenas.controllers.policy_gradient.attention_policy import AttentionPolicy, PolicySettings, PolicySpace
from alphaxenas.data import ImageData
from alphaxenas.networks.training.loop import EVALUATION_BATCH
from alphaxenas.pipelines.early_checks import check_children
from alphaxenas.pipelines.factory import child_network, image_weights, load_images, of_shared_weights
from alphaxenas.pipelines.final import train_ranked
from alphaxenas.pipelines.stages import open_stage, refuse_wishes
from alphaxenas.spaces.macro import MacroSpace
from alphaxenas.spaces.micro import MicroSpace
from alphaxenas.suggestions import invalid
from alphaxenas.supernet.enas import EnasSearch, Phases
from alphaxenas.supernet.shared_weights import ImageWeights, SharedWeights
from alphaxenas.supernet.supernetworks import MacroSupernetwork, MicroSupernetwork, Supernetwork

if TYPE_CHECKING:
    from alphaxenas.data.text import TextData

STAGE = "enas"
"""Stage of what notebook 10 concludes; its other stages begin with this word."""
PUBLISHED: dict[str, dict[str, Any]] = {
    "micro": {"tanh_constant": 1.1},
    "macro": {"tanh_constant": 1.5},
    "recurrent": {"tanh_constant": 2.5, "temperature": 5.0},
}
"""Settings of the policy by space that no parameter changes."""


def enas_space(config: Config, space_name: str) -> MicroSpace | MacroSpace:
    """The space that ENAS searches.

    Args:
        config: The configuration.
        space_name: `"micro"` or `"macro"`.

    Returns:
        The space with the configured number of nodes or layers.

    Raises:
        ValueError: Another name.
    """
    if space_name not in ENAS_SPACES:
        raise invalid("space_name", f"one of {', '.join(ENAS_SPACES)}", repr(space_name))
    return MicroSpace(config.space.blocks) if space_name == "micro" else MacroSpace(config.space.layers)


def enas_supernetwork(config: Config, space_name: str, num_classes: int) -> Supernetwork:
    """All networks of the space, of the size that children have in the search.

    Args:
        config: The configuration.
        space_name: `"micro"` or `"macro"`.
        num_classes: Number of classes of the data.

    Returns:
        The supernetwork.
    """
    kind: Callable[..., Supernetwork] = MicroSupernetwork if space_name == "micro" else MacroSupernetwork
    return kind(enas_space(config, space_name), child_network(config, num_classes))


def search(config: Config, space_name: str, seed: int | None = None, data: ImageData | None = None) -> dict[str, Any]:
    """Stage `enas-<space>-s<seed>`: a search with shared weights.

    Args:
        config: The configuration; its own seed splits the data.
        space_name: `"micro"` or `"macro"`.
        seed: Of weights and policy; None = the run's.
        data: The configured images, if they are loaded already.

    Returns:
        Results as of `EnasSearch.run`.
    """
    seed = config.run.seed if seed is None else seed
    refuse_wishes(config, "10")
    check_children(config, space_name == "micro")
    space = enas_space(config, space_name)
    size = {"blocks": config.space.blocks} if space_name == "micro" else {"layers": config.space.layers}
    parameters = {**of_shared_weights(config), **config.parameters("enas"), **size}
    parameters |= {"space_name": space_name, "search_seed": seed}
    data = data or load_images(config)

    def weights() -> ImageWeights:
        network = enas_supernetwork(config, space_name, data.num_classes)
        return image_weights(config, network, data, seed, EVALUATION_BATCH)

    return run_phases(config, _stage(space_name, seed), parameters, space, data, weights, seed, PUBLISHED[space_name])


def run_phases(
    config: Config,
    stage: str,
    parameters: Mapping[str, Any],
    space: PolicySpace,
    data: ImageData | TextData,
    weights: Callable[[], SharedWeights],
    seed: int,
    published: Mapping[str, Any],
) -> dict[str, Any]:
    """Runs or continues ENAS's phases in a stage of their own.

    Args:
        config: The configuration; its group `enas` says how long.
        stage: Name of the stage.
        parameters: For run.json.
        space: What is searched.
        data: What the weights are trained on.
        weights: Makes them; not called where the search has ended.
        seed: Of the policy.
        published: Further settings of it.

    Returns:
        Results as of `EnasSearch.run`.
    """
    enas = config.enas
    with open_stage(config, stage, parameters, data) as folder:
        stored = folder.read_results()
        if stored is not None:
            return stored
        settings = PolicySettings(
            entropy_weight=enas.enas_entropy, **enas.values_for(PolicySettings, "enas_"), **published
        )
        phases = Phases(**enas.values_for(Phases, "enas_"), derived=enas.enas_derive)
        policy = AttentionPolicy(space, seed, settings)
        return EnasSearch(space, weights(), policy, phases, folder, seed).run()


def derive(config: Config, space_name: str, seed: int | None = None, data: ImageData | None = None) -> list[Any]:
    """The best architectures of a search; the search is run or continued where it is not finished.

    Args:
        config: The configuration.
        space_name: `"micro"` or `"macro"`.
        seed: Of weights and policy; None = the run's.
        data: The configured images, if they are loaded already.

    Returns:
        Architectures, best first.
    """
    space = enas_space(config, space_name)
    return [space.parse(record["architecture"]) for record in search(config, space_name, seed, data)["best"]]


def train_derived(
    config: Config, space_name: str, seed: int | None = None, data: ImageData | None = None
) -> dict[str, Any]:
    """Stage `enas-<space>-s<seed>-final`: the `top_k` best architectures of a search in full.

    Args:
        config: The configuration.
        space_name: `"micro"` or `"macro"`.
        seed: Of the search; None = the run's.
        data: The configured images, if they are loaded already.

    Returns:
        Results as of `train_in_full`.
    """
    seed = config.run.seed if seed is None else seed
    chosen = derive(config, space_name, seed, data)[: config.training.top_k]
    parameters = config.parameters("data", "training") | config.only("momentum", "rate_schedule")
    parameters["trained"] = [str(one) for one in chosen]
    data = data or load_images(config)
    with open_stage(config, f"{_stage(space_name, seed)}-final", parameters, data) as folder:
        return train_ranked(config, chosen, data, folder)


def conclusions(found: Mapping[str, Mapping[str, Any]], trained: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The content of results.json of notebook 10.

    Args:
        found: Results of `search` by name of the space.
        trained: Results of `train_derived` by name of the space, for those that were trained in full.
    """
    results: dict[str, Any] = {"headline": "; ".join(f"{part}: {each['headline']}" for part, each in found.items())}
    for part, each in found.items():
        results[part] = {"headline": each["headline"], "best": each["best"][0]["architecture"]}
    for part, each in trained.items():
        results[part] |= {"final": each["headline"], "test_accuracy": each["test_accuracy"]}
    return results


def _stage(space_name: str, seed: int) -> str:
    return f"{STAGE}-{space_name}-s{seed}"
