"""The stages of notebook 07: policy gradients on chains of layers, from a checked configuration to run folders with
results.

- `mnist`: REINFORCE with the NASCell searches the chains of wallarm/nascell-automl; the best is trained in full beside
  the network made by hand that its blog compares with, both alike, over several seeds, each tested once.
- `table`: controllers on the stored table of titu1994/neural-architecture-search's 1,296 networks, where seeds cost
  nothing.
- `chains`: the same space searched on the configured images, every child trained from scratch.

Children are trained with Adam and without augmentation, as in both seeds (a mirrored digit is another digit).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from alphaxenas.coach import Coach
from alphaxenas.config import Config
from alphaxenas.contracts import Budget
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.data import ImageData
from alphaxenas.evaluators.trained import TrainedEvaluator
from alphaxenas.networks.chain import ChainNetwork, convolution_chain, mnist_chain
from alphaxenas.networks.training.loop import Recipe
from alphaxenas.pipelines import search as stages
from alphaxenas.pipelines.full_training import Entry, train_in_full
from alphaxenas.pipelines.study import study_processes, table_choice
from alphaxenas.report.runs import NAMES, StoredRun, load_run
from alphaxenas.runs import RunFolder
from alphaxenas.spaces.chains.chain import Chain
from alphaxenas.spaces.chains.presets import MNIST_BY_HAND, convolution_chains, mnist_chains
from alphaxenas.spaces.chains.state_space import StateSpace
from alphaxenas.tabular.choices import parse_controllers
from alphaxenas.tabular.study import run_study

STAGE = "policy"
"""Stage of what notebook 07 concludes; its other stages begin with this word."""
NETWORKS = ("found", "made by hand")
"""What the comparison trains in full."""
_MNIST_CONTROLLER = "reinforce"


def chain_space(part: str) -> StateSpace:
    """The space that a part searches."""
    return mnist_chains() if part == "mnist" else convolution_chains()


def chain_network(config: Config, part: str, num_classes: int) -> Callable[[Chain], ChainNetwork]:
    """What a part builds from an architecture."""
    form = config.space.chain_form
    return (
        (lambda chain: mnist_chain(chain, num_classes, form))
        if part == "mnist"
        else (lambda chain: convolution_chain(chain, num_classes))
    )


def search_chains(config: Config, part: str, controller: str, seed: int, data: ImageData) -> dict[str, Any]:
    """Stage `policy-<part>-<controller>-<seed>`: a search over children from scratch; results as of `Coach.play`.

    All controllers pay the same for a child. Every child counts as the final of a round of its own: it was trained at
    that budget already, so that costs nothing more. AlphaXENAS keeps one tree and scores no child again, because
    rewards of children from scratch do not age.

    Args:
        config: The configuration.
        part: `"mnist"`, where the policy has Zoph & Le's cell, or `"chains"`.
        controller: One of `alphaxenas.controllers.CONTROLLERS`.
        seed: Of the controller and of the children's initial weights.
        data: The configured images.
    """
    chosen, space = config.chains, chain_space(part)
    budget = Budget(chosen.chain_epochs)
    settings = config.settings_of(controller)
    if part == "mnist":
        settings["cell"] = "nascell"
    if controller == "alphaxenas":
        settings |= {"uniform_share": 0.0, "tree_renewal": 0, "refresh_after": 0}
    parameters = config.parameters("data") | _chosen(
        config, "chain_trials", "chain_epochs", "chain_learning_rate", "batch_size"
    )
    parameters |= {"part": part, "controller": controller, "search_seed": seed, "settings": settings}
    parameters |= _chosen(config, "chain_form") if part == "mnist" else {}
    with stages.open_stage(config, f"{STAGE}-{part}-{controller}-{seed}", parameters) as folder:
        evaluator = None
        if folder.read_results() is None:
            build = chain_network(config, part, data.num_classes)
            evaluator = TrainedEvaluator(
                space, build, data, _recipe(config), config.child.batch_size, seed, share_weights=False, augment=False
            )
        player = make_controller(controller, space, seed, budget, budget, promote_every=1, **settings)
        return Coach(
            space,
            player,
            evaluator,
            folder,
            trials=chosen.chain_trials,
            checkpoint_every=config.search.checkpoint_every,
        ).play()


def search_mnist(config: Config, data: ImageData) -> dict[str, Any]:
    """The search of part `mnist`; see `search_chains`."""
    return search_chains(config, "mnist", _MNIST_CONTROLLER, config.run.seed, data)


def compare_with_hand_made(config: Config, found: Chain, data: ImageData) -> dict[str, dict[int, dict[str, Any]]]:
    """Stages `policy-found-<seed>` and `policy-hand-<seed>`: both networks in full, trained alike, each tested once.

    Args:
        config: The configuration.
        found: The architecture that the search chose by validation.
        data: The configured images; all trainings see the same parts.

    Returns:
        By name (`NETWORKS`) and seed the results of `train_in_full`.
    """
    chosen, space = config.chains, chain_space("mnist")
    hand = space.parse(MNIST_BY_HAND)
    networks = {
        NETWORKS[0]: ("found", found, chain_network(config, "mnist", data.num_classes)(found)),
        NETWORKS[1]: ("hand", hand, mnist_chain(hand, data.num_classes, "image")),
    }
    answers: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in networks}
    for seed in range(chosen.chain_seeds):
        for name, (word, chain, network) in networks.items():
            parameters = config.parameters("data") | _chosen(
                config, "chain_final_epochs", "chain_learning_rate", "batch_size"
            )
            parameters |= {"trained": str(chain), "form": network.form, "training_seed": seed}
            with stages.open_stage(config, f"{STAGE}-{word}-{seed}", parameters) as folder:
                entry = Entry(word, network, str(chain), json.loads(chain.to_json()))
                answers[name][seed] = train_in_full(
                    [entry],
                    data,
                    _recipe(config),
                    folder,
                    chosen.chain_final_epochs,
                    config.child.batch_size,
                    seed,
                    augment=False,
                )
    return answers


def play_table(config: Config) -> tuple[RunFolder, dict[str, str]]:
    """Stage `policy-table`: the controllers on the configured table; its folder, and why searches failed, by journal."""
    chosen = config.chains
    table = table_choice(config, chosen.chain_table)
    controllers, run = parse_controllers(chosen.chain_table_controllers), config.run
    parameters = {"cap": chosen.chain_table_cap, "table": table.description()}
    with RunFolder.open(
        run.run, f"{STAGE}-table", parameters, run.exp_dir, run.tensorboard_dir, run.overwrite
    ) as folder:
        return folder, run_study(
            folder,
            [table],
            controllers,
            range(chosen.chain_table_seeds),
            chosen.chain_table_cap,
            processes=study_processes(config),
        )


def stored_searches(config: Config, part: str) -> dict[str, tuple[StoredRun, ...]]:
    """The searches of a part as stored, by who searched, as the figures of searches take them."""
    suite = Path(config.run.exp_dir) / config.run.run
    found: dict[str, tuple[StoredRun, ...]] = {}
    who = (
        [(_MNIST_CONTROLLER, config.run.seed)]
        if part == "mnist"
        else [
            (controller, seed) for controller in config.chains.chain_controllers for seed in stages.search_seeds(config)
        ]
    )
    for controller, seed in who:
        run = replace(load_run(suite / f"{STAGE}-{part}-{controller}-{seed}"), stage=f"{controller}-seed{seed}")
        found[NAMES[controller]] = (*found.get(NAMES[controller], ()), run)
    return found


def stored_rounds(config: Config, space_name: str) -> list[dict[str, Any]]:
    """The rounds of a stored ENAS search with the run's seed."""
    run = load_run(Path(config.run.exp_dir) / config.run.run / f"enas-{space_name}-s{config.run.seed}")
    return [record for record in run.records if record["purpose"] == "round"]


def _recipe(config: Config) -> Recipe:
    return Recipe(config.chains.chain_learning_rate, weight_decay=0.0, gradient_clip=0.0, optimizer="adam")


def _chosen(config: Config, *names: str) -> dict[str, Any]:
    return {name: config.parameters()[name] for name in names}
