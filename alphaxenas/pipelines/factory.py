"""What a checked configuration stands for: space, networks, recipes, evaluator, controller; the one place that knows.

Pipelines, benchmarks and tests take their parts from here, so that a searched child, a final network and a network of
a comparison differ in the parameters that they are built with and in nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from alphaxenas.config import Config
from alphaxenas.contracts import Budget, Controller, SearchSpace
from alphaxenas.controllers import catalogue
from alphaxenas.controllers.pareto.objectives import Objectives
from alphaxenas.data import ImageData, load_data
from alphaxenas.networks.convnet.network import check_image_size
from alphaxenas.networks.densenet import DenseNet
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.registry import build_network, network_family
from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.spaces.from_parameters import shares_weights, space_from_parameters
from alphaxenas.suggestions import invalid

if TYPE_CHECKING:
    from alphaxenas.evaluators.trained import TrainedEvaluator
    from alphaxenas.networks.training.loop import Network
    from alphaxenas.supernet.shared_weights import ImageWeights
    from alphaxenas.supernet.supernetworks import Supernetwork

ORIGINAL_SEARCH_CHILDREN = 12
"""Children that the original trained per iteration; the others' round where AlphaXENAS's is not fixed."""

REGULARISATION = ("drop_path", "dropout", "auxiliary")
"""Options of networks in full; the parameters are called `train_drop_path` and so on."""

FROM_SCRATCH = {"rate_schedule": "schedule", "lookahead": "lookahead", "offset_rate": "offset_rate"}
FROM_SCRATCH |= {"whitening_share": "whitening"}
"""Parameters of recipes without shared weights, and what `Recipe` calls them."""
OF_CHILDREN = ("share_weights", "momentum", "optimizer", *FROM_SCRATCH)
"""Parameters of children that a training in full depends on, too."""

OF_SINGLE_CHILDREN = ("reward", "fixed_images", "child_teraflops", "share_weights", "width_share", "whitening_share")
"""Parameters of children that shared weights, which all of them train by turns, do not know."""


class ImageShape(NamedTuple):
    """What networks need to know of images.

    Attributes:
        image_shape: Height, width, channels.
        num_classes: Number of classes.
    """

    image_shape: tuple[int, int, int]
    num_classes: int


def load_images(config: Config) -> ImageData:
    """The configured data set, split by the run's seed.

    Raises:
        ValueError: It cannot be had, or a parameter does not suit the size of the images.
    """
    values = dict(config.data)
    used = inspect.signature(load_data).parameters
    images = load_data(**{name: values[name] for name in used if name in values}, seed=config.run.seed)
    check_sizes(config, images)
    return images


def check_sizes(config: Config, data: ImageShape | ImageData) -> None:
    """Refuses parameters that are too large for the images.

    Args:
        config: The configuration.
        data: Its image shape counts, and for plain convolution nets the number of its training images.

    Raises:
        ValueError: Names the parameter.
    """
    height, width, _ = data.image_shape
    shorter, training = min(height, width), config.training
    limits = [
        ("cutout", config.data.cutout, shorter),
        ("train_cutout", training.train_cutout, shorter),
        ("crop_pad", config.data.crop_pad, shorter - 1),
    ]
    what = f"images of {height} x {width} pixels"
    if config.space.space == "convnet":
        check_image_size(height, width)
        if isinstance(data, ImageData):
            count, search = len(data.train), config.search
            least = min(search.search_fraction, search.final_fraction) if config.child.fixed_images else 1.0
            limits += [("batch_size", config.child.batch_size, max(1, round(least * count)))]
            limits += [("train_batch_size", training.train_batch_size, count)]
            what = f"{count} {what}"
    for name, value, most in limits:
        if value > most:
            raise invalid(name, f"at most {most} for {what}", value)


def search_space(config: Config) -> SearchSpace:
    """The configured search space: `space` says which."""
    return space_from_parameters(config.parameters("space"))


def child_options(config: Config, num_classes: int) -> NetworkOptions:
    """Sizes of the children of a search.

    Args:
        config: The configuration.
        num_classes: Number of classes of the data.

    Returns:
        Options without regularisation.
    """
    sizes = config.child.values_for(NetworkOptions) | config.space.values_for(NetworkOptions)
    return NetworkOptions(num_classes, **sizes)


def child_network(config: Config, num_classes: int) -> Callable[[Any], Any]:
    """What a search builds around an architecture.

    Args:
        config: The configuration.
        num_classes: Number of classes of the data.

    Returns:
        A function from an architecture of any registered class to its network.
    """
    options = child_options(config, num_classes)
    return lambda architecture: build_network(architecture, options)


def regularised(config: Config, architecture: Any, options: NetworkOptions) -> NetworkOptions:
    """The options with the regularisation of a training in full.

    Args:
        config: Its parameters `train_drop_path`, `train_dropout` and `train_auxiliary` count.
        architecture: What the network is built around.
        options: Sizes.

    Returns:
        The options, changed.

    Raises:
        ValueError: Networks of such architectures have no place for what a parameter asks for.
    """
    values = {name: getattr(config.training, f"train_{name}") for name in REGULARISATION}
    used = network_family(architecture).options
    for name, value in values.items():
        if value and name not in used:
            why = f"because the network of a {type(architecture).__name__} has no place for it"
            raise invalid(f"train_{name}", f"{type(value)(0)!r}, {why}", repr(value))
    return replace(options, **values)


def final_network(config: Config, architecture: Any, data: ImageShape | ImageData) -> Network:
    """The network that the final training builds around an architecture.

    It has `train_filters` filters, or, where that would cost more than `train_multiply_adds` million multiply-adds an
    image, the largest multiple of 16 (below 16: of 4) that does not: architectures are then compared at one price.
    Chains choose their filters themselves, so their network is that of the search.

    Args:
        config: The configuration.
        architecture: An instance of a class in `alphaxenas.networks.registry.NETWORKS`.
        data: Its image shape and number of classes count.

    Returns:
        The network.

    Raises:
        ValueError: No number of filters is cheap enough, or a parameter does not suit the architecture.
    """
    training, family = config.training, network_family(architecture)
    if family.reductions is not None and training.train_reductions != family.reductions:
        expected = f"{family.reductions}, as every network of a {type(architecture).__name__} has"
        raise invalid("train_reductions", expected, training.train_reductions)
    sizes = training.values_for(NetworkOptions, "train_") | config.space.values_for(NetworkOptions)
    options = regularised(config, architecture, NetworkOptions(data.num_classes, **sizes))
    # Convolutions compute 16 channels at a time: measured on two cores, 24 filters take as long as 32.
    narrower = (size for size in range(training.train_filters - 1, 3, -1) if size % (16 if size > 16 else 4) == 0)
    for filters in (training.train_filters, *narrower):
        network = family.build(architecture, replace(options, filters=filters))
        if not training.train_multiply_adds or "filters" not in family.options:
            return network
        cost = outline_of(network, data.image_shape).multiply_adds
        if cost <= 1e6 * training.train_multiply_adds:
            return network
    least = f"at least {cost / 1e6:.1f}, what this architecture costs with {filters} filters"
    raise invalid("train_multiply_adds", least, f"{training.train_multiply_adds:g}")


def baseline_network(config: Config, num_classes: int) -> DenseNet:
    """The configured DenseNet.

    Args:
        config: The configuration.
        num_classes: Number of classes of the data.
    """
    return DenseNet(num_classes, **config.baseline.values_for(DenseNet, "densenet_"))


def recipe_from_config(config: Config, epochs: int | None = None, **published: Any) -> Recipe:
    """How networks are trained: the children of a search, or networks in full.

    Args:
        config: The configuration.
        epochs: Epochs of a training in full, where the parameters `train_...` count and shares of the training are
            given in epochs; None for children of a search.
        **published: Attributes of `Recipe` that a publication prescribes, which replace the configured ones.

    Returns:
        The recipe.
    """
    child, training = config.child, config.training
    shared = shares_weights(config.parameters())
    own = {} if shared else {name: getattr(child, given) for given, name in FROM_SCRATCH.items()}
    if epochs is None:
        recipe = Recipe(**{**child.values_for(Recipe), **own}, precision=config.run.precision)
        return replace(recipe, **published)
    highest = published.get("learning_rate", training.train_learning_rate)
    recipe = Recipe(
        **training.values_for(Recipe, "train_"),
        momentum=child.momentum,
        warmup=min(training.warmup_epochs / epochs, 0.5),
        final_learning_rate=min(training.train_lowest_learning_rate / highest, 1.0),
        restart=training.train_restart_epochs / epochs,
        optimizer="momentum" if shared else child.optimizer,
        **own,
    )
    return replace(recipe, **published)


def configured_controller(
    config: Config,
    name: str,
    space: SearchSpace,
    seed: int,
    shared: bool | None = None,
    objectives: Objectives | None = None,
) -> Controller:
    """A controller with both budgets, which are the same for all controllers.

    Args:
        config: The configuration.
        name: One of `alphaxenas.controllers.CONTROLLERS`.
        space: What it searches.
        seed: Of its random choices.
        shared: Whether children share weights; None: as the space has it, see `spaces.from_parameters.shares_weights`.
        objectives: What is looked for where that is more than accuracy.

    Returns:
        The controller with its configured settings.
    """
    search, settings = config.search, config.settings_of(name)
    children = search.search_children
    if name != "alphaxenas" or search.planning != "children":
        children = children or ORIGINAL_SEARCH_CHILDREN
    shared = shares_weights(config.parameters()) if shared is None else shared
    if name == "alphaxenas" and not shared:
        # Both are about weights that move under known children: from scratch, an accuracy stays true.
        settings |= {"refresh_after": 0, "uniform_share": float(search.uniform_share == 1.0)}
    elif name in catalogue.CONTROLS and not shared:
        settings |= {"uniform_share": 0.0}
    if name == "guided" and objectives is not None:
        del settings["reward_trust"]  # several objectives are searched by another class, which does not choose so
    return catalogue.make_controller(
        name,
        space,
        seed,
        search_budget=Budget(search.search_epochs, search.search_fraction),
        final_budget=Budget(search.final_epochs, search.final_fraction),
        promote_every=children,
        promotion=search.promotion,
        objectives=objectives,
        rewards_age=shared,
        **settings,
    )


def make_evaluator(
    config: Config,
    data: ImageData,
    seed: int,
    space: SearchSpace | None = None,
    recipe: Recipe | None = None,
    **changes: Any,
) -> TrainedEvaluator:
    """What rates the children of a search.

    Args:
        config: The configuration.
        data: Images to train and validate on.
        seed: Of initial weights, draws and augmentation.
        space: What is searched; None: the configured space.
        recipe: How children are trained; None: as configured.
        **changes: Attributes of `ChildTraining` that are not as configured, such as `share_weights`.

    Returns:
        The evaluator.
    """
    from alphaxenas.evaluators.trained import ChildTraining, TrainedEvaluator

    groups = (config.child, config.data, config.search)
    configured = {name: value for group in groups for name, value in group.values_for(ChildTraining).items()}
    configured |= {"share_weights": shares_weights(config.parameters()), "pad": config.data.crop_pad or None}
    configured |= {"alternating": config.data.alternating_flip, "teraflops": config.child.child_teraflops}
    settings = ChildTraining(**{**configured, **changes})
    build, recipe = child_network(config, data.num_classes), recipe or recipe_from_config(config)
    return TrainedEvaluator(space or search_space(config), build, data, recipe, settings, seed)


def image_weights(
    config: Config, network: Supernetwork, data: ImageData, seed: int, scoring_batch: int
) -> ImageWeights:
    """What searches with shared weights train and rate on images.

    Args:
        config: The configuration.
        network: All networks of the space.
        data: Images to train and validate on.
        seed: Of weights and draws.
        scoring_batch: Validation images at a time.

    Returns:
        The weights.
    """
    from alphaxenas.data.pipeline import Batches
    from alphaxenas.supernet.shared_weights import ImageWeights
    from alphaxenas.supernet.supernet import Supernet

    supernet = Supernet(network, data.image_shape, recipe_from_config(config), seed)
    images = config.data
    how = (images.augment, images.cutout, images.crop_pad or None, images.alternating_flip)
    training = Batches.of(data, "train", config.child.batch_size, *how)
    return ImageWeights(supernet, training, Batches.of(data, "validation", scoring_batch), seed)


def of_shared_weights(config: Config) -> dict[str, Any]:
    """The parameters that the results of `image_weights` depend on, for run.json."""
    parameters = config.parameters("data", "child")
    return {name: value for name, value in parameters.items() if name not in OF_SINGLE_CHILDREN}
