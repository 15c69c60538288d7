"""The stages of notebook 07: policy gradients on chains of layers, from a checked configuration to run folders with
results.

- `mnist`: REINFORCE with the NASCell searches the chains of wallarm/nascell-automl; the best is trained in full beside
  the network made by hand that its blog compares with, both alike, over several seeds, each tested once.
- `table`: controllers on the stored table of titu1994/neural-architecture-search's 1,296 networks, where seeds cost
  nothing.
- `chains`: the same space searched on the configured images, every child trained from scratch.

Children are trained with Adam and without augmentation, weight decay, clipping or label smoothing, as in both seeds; so
are the two networks of the comparison, for which the other parameters of a training in full count: `warmup_epochs`,
`train_lowest_learning_rate`, `train_restart_epochs`, `train_restart_growth`, `train_average`, `train_precision`,
`train_patience`, `train_devices`, `train_teraflops`, `train_minutes`, `test_views`, `export_formats`. Others are
refused: `early_checks.REFUSED_IN_COMPARISON`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from alphaxenas.config import Config
from alphaxenas.contracts import Budget, Evaluator
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.data import ImageData
from alphaxenas.networks.chain import chain_network
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.pipelines.early_checks import check_comparison
from alphaxenas.pipelines.factory import FROM_SCRATCH, child_network, make_evaluator, recipe_from_config
from alphaxenas.pipelines.final import training_settings
from alphaxenas.pipelines.full_training import architecture_to_train, train_in_full
from alphaxenas.pipelines.raters.rating import Rating
from alphaxenas.pipelines.search import child_epochs, run_search
from alphaxenas.pipelines.stages import LIMITS, open_stage, refuse_wishes
from alphaxenas.pipelines.study import run_study_in, study_tables
from alphaxenas.runs import RunFolder
from alphaxenas.spaces.chains.chain import Chain
from alphaxenas.spaces.chains.presets import MNIST_BY_HAND, convolution_chains, mnist_chains
from alphaxenas.spaces.chains.state_space import StateSpace
from alphaxenas.tabular.choices import parse_controllers

STAGE = "policy"
"""Stage of what notebook 07 concludes; its other stages begin with this word."""
HONOURED_IN_COMPARISON = (
    "chain_final_epochs",
    "chain_learning_rate",
    "batch_size",
    "warmup_epochs",
    "train_lowest_learning_rate",
    "train_restart_epochs",
    "train_restart_growth",
    "train_average",
    "train_precision",
    "train_patience",
    "train_devices",
    "train_teraflops",
    "test_views",
    *FROM_SCRATCH,
)
"""Parameters that change the results of the comparison."""
HONOURED_IN_SEARCH = (
    "search_epochs",
    "chain_learning_rate",
    "batch_size",
    "reward",
    "fixed_images",
    "child_teraflops",
    *FROM_SCRATCH,
    *LIMITS,
)
"""Parameters that change the results of a search, besides those of its controller."""
AUGMENTATION = ("augment", "cutout", "crop_pad", "alternating_flip", "mirror")
"""Parameters of the data that chains do not know."""
NETWORKS = ("found", "made by hand")
"""What the comparison trains in full."""
_MNIST_CONTROLLER = "reinforce"


class Difference(Protocol):
    """A difference of accuracies, as `alphaxenas.report.statistics.Comparison`: its text says how large it is."""

    @property
    def verdict(self) -> str:
        """Whether it is shown."""


def chain_space(part: str) -> StateSpace:
    """The space that a part searches."""
    return mnist_chains() if part == "mnist" else convolution_chains()


def search_chains(config: Config, part: str, controller: str, seed: int, data: ImageData) -> dict[str, Any]:
    """Stage `policy-<part>-<controller>-<seed>`: a search over children from scratch; results as of `Coach.run`.

    All controllers pay the same for a child. Every child counts as the final of a round of its own: it was trained at
    that budget already, so that costs nothing more. AlphaXENAS keeps one tree and scores no child again, because
    rewards of children from scratch do not age.

    Args:
        config: The configuration.
        part: `"mnist"`, where the policy has Zoph & Le's cell, or `"chains"`.
        controller: One of `alphaxenas.controllers.CONTROLLERS`.
        seed: Of the controller and of the children's initial weights.
        data: The configured images.

    Returns:
        Results as of `Coach.run`.
    """
    refuse_wishes(config, "07")
    space, settings = chain_space(part), config.settings_of(controller)
    budget = Budget(child_epochs(config))
    if part == "mnist":
        check_comparison(config)
        settings["cell"] = "nascell"
    if controller == "alphaxenas":
        settings |= {"uniform_share": 0.0, "tree_renewal": 0, "refresh_after": 0}
    parameters = _chosen(config, *HONOURED_IN_SEARCH)
    parameters |= {"part": part, "controller": controller, "search_seed": seed, "settings": settings}
    if part == "mnist":
        parameters["chain_form"] = config.space.chain_form
    return run_search(
        config,
        f"{STAGE}-{part}-{controller}-{seed}",
        parameters,
        space,
        data,
        lambda: make_controller(
            controller, space, seed, search_budget=budget, final_budget=budget, promote_every=1, **settings
        ),
        Rating(f"{__name__}:chain_evaluator", {"part": part, "seed": seed}),
    )


def chain_evaluator(config: Config, data: ImageData, part: str, seed: int) -> Evaluator:
    """What rates the children of `search_chains`.

    Args:
        config: The configuration.
        data: The configured images.
        part: As of `search_chains`.
        seed: Of initial weights and training.
    """
    recipe = recipe_from_config(config, **published_recipe(config))
    alone = {"share_weights": False, "augment": False, "cutout": 0}
    return make_evaluator(config, data, seed, chain_space(part), recipe, **alone)


def search_mnist(config: Config, data: ImageData) -> dict[str, Any]:
    """The search of part `mnist`.

    Args:
        config: The configuration.
        data: The configured images.

    Returns:
        As `search_chains`.
    """
    return search_chains(config, "mnist", _MNIST_CONTROLLER, config.run.seed, data)


def compared_networks(searched: Mapping[str, Any] | None) -> list[Chain]:
    """The architecture that a search for `mnist` chose and the one made by hand; empty where nothing was searched.

    Args:
        searched: Results of `search_mnist`.
    """
    space = chain_space("mnist")
    return [space.parse(searched["best"][0]["architecture"]), space.parse(MNIST_BY_HAND)] if searched else []


def compare_with_hand_made(config: Config, found: Chain, data: ImageData) -> dict[str, dict[int, dict[str, Any]]]:
    """Stages `policy-found-<seed>` and `policy-hand-<seed>`: both networks in full, trained alike, each tested once.

    Args:
        config: The configuration.
        found: The architecture that the search chose by validation.
        data: The configured images; all trainings see the same parts.

    Returns:
        By name (`NETWORKS`) and seed the results of `train_in_full`.
    """
    check_comparison(config)
    chosen, space = config.chains, chain_space("mnist")
    hand = space.parse(MNIST_BY_HAND)
    networks: dict[str, tuple[str, Chain, Any]] = {
        NETWORKS[0]: ("found", found, child_network(config, data.num_classes)(found)),
        NETWORKS[1]: ("hand", hand, chain_network(hand, NetworkOptions(data.num_classes))),
    }
    epochs = chosen.chain_final_epochs
    recipe = recipe_from_config(config, epochs, **published_recipe(config))
    settings = replace(training_settings(config, epochs), batch_size=config.child.batch_size, augment=False, cutout=0)
    answers: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in networks}
    for seed in range(chosen.chain_seeds):
        for name, (word, chain, network) in networks.items():
            own = {"trained": str(chain), "form": network.form, "training_seed": seed}
            parameters = _chosen(config, *HONOURED_IN_COMPARISON) | own
            with open_stage(config, f"{STAGE}-{word}-{seed}", parameters, data) as folder:
                answers[name][seed] = train_in_full(
                    [architecture_to_train(word, network, chain)], data, recipe, settings, folder, seed
                )
    return answers


def tests_and_sizes(
    answers: Mapping[str, Mapping[int, Mapping[str, Any]]],
) -> tuple[dict[str, dict[int, float]], dict[str, int]]:
    """What the comparison measured: test accuracies by network and seed, and numbers of parameters by network.

    Args:
        answers: Of `compare_with_hand_made`.
    """
    tests = {
        name: {seed: answer["test_accuracy"] for seed, answer in by_seed.items()} for name, by_seed in answers.items()
    }
    return tests, {name: by_seed[0]["models"][0]["parameters"] for name, by_seed in answers.items()}


def conclusions(
    searched: Mapping[str, Any] | None,
    answers: Mapping[str, Mapping[int, Mapping[str, Any]]],
    difference: Difference | None,
    table: Mapping[str, Any] | None,
    chains: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The content of results.json of notebook 07; what is left out is not in it.

    Args:
        searched: Results of `search_mnist`; None where that part is left out.
        answers: Of `compare_with_hand_made`.
        difference: Of the test accuracies of `answers`; None where they are left out.
        table: `headline`, `queries` and `failures` of the study on tables; None where it is left out.
        chains: Results of the searches on the configured images by who searched.
    """
    results, lines = {}, []
    if searched is not None:
        tests, sizes = tests_and_sizes(answers)
        results["mnist"] = {
            "search": searched["headline"],
            "found": searched["best"][0]["architecture"],
            "test_accuracy": tests,
            "difference": str(difference),
            "verdict": difference.verdict if difference is not None else "",
            "parameters": sizes,
        }
        lines.append(f"mnist: found {difference} against made by hand")
    if chains:
        results["chains"] = {
            name: {"headline": found["headline"], "best": found["best"][0]["architecture"]}
            for name, found in chains.items()
        }
        lines.append(f"chains: {len(chains)} searches")
    if table is not None:
        results["table"] = {name: table[name] for name in ("queries", "failures")}
        lines.append(f"table: {table['headline']}")
    return {"headline": "; ".join(lines), **results}


def search_table(config: Config) -> tuple[RunFolder, dict[str, str]]:
    """Stage `policy-table`: the study on the configured tables; its folder, and why searches failed, by journal."""
    tables, controllers = study_tables(config), parse_controllers(config.study.study_controllers)
    described = [table.description() for table in tables]
    return run_study_in(config, f"{STAGE}-table", tables, controllers, {"tables": described})


def published_recipe(config: Config) -> dict[str, Any]:
    """What both seeds prescribe of the training of chains, for `recipe_from_config`."""
    return {
        "learning_rate": config.chains.chain_learning_rate,
        "optimizer": "adam",
        "weight_decay": 0.0,
        "gradient_clip": 0.0,
        "label_smoothing": 0.0,
    }


def _chosen(config: Config, *names: str) -> dict[str, Any]:
    """These parameters and those of the data that chains use, for run.json: nothing is recorded that does not count."""
    of_data = (name for name in config.parameters("data") if name not in AUGMENTATION)
    return config.only(*of_data, *names)
