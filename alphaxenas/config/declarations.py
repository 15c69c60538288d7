"""The declarations of every parameter, by groups: name, default, what is allowed and what it means.

A parameter has one spelling in a profile (YAML), in a notebook's parameters cell, in `run_all.sh -p NAME VALUE` and in
the function that uses it. To declare one, add a line to its group; `alphaxenas.config` checks values.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from alphaxenas.config.fields import choice, file_path, flag, name_list, number, text, text_list, whole, whole_list

PROJECT_ROOT = Path(__file__).resolve().parents[2]

DATASETS = ("digits", "cifar10", "cifar100", "mnist", "fashion_mnist", "arrays")
CONTROLLERS = (
    "alphaxenas",
    "random",
    "uct",
    "alphax",
    "evolution",
    "local",
    "guided",
    "reinforce",
    "controller_pool",
    "nao",
)
POLICY_PARTS = ("mnist", "table", "chains", "micro", "macro")
CHAINS_TABLE = "chains"
"""Names the stored table of titu1994's 1,296 networks."""
OPERATIONS = (
    "conv1x1",
    "conv3x3",
    "conv5x5",
    "conv7x7",
    "sep3x3",
    "sep5x5",
    "sep7x7",
    "identity",
    "maxpool3x3",
    "avgpool3x3",
)
COMBINATIONS = ("add", "concat")
SPACES = ("cell", "chain", "mnist_chain", "micro", "macro")
CHAIN_SPACES = ("chain", "mnist_chain")
"""Spaces of layer chains, whose children are all trained from scratch; in the others children share weights."""
CHAIN_FORMS = ("image", "line")
OPTIMIZERS = ("momentum", "adam")
REWARDS = ("last", "best")
"""Which epoch's validation accuracy is the reward."""
FINAL_WEIGHTS = ("scratch", "shared")
"""What the architecture that a game ends with starts from."""
PRECISIONS = ("float32", "bfloat16", "auto")
ZOO = tuple(sorted(file.stem for file in (PROJECT_ROOT / "alphaxenas" / "spaces" / "zoo").glob("*.json")))
EXPORT_FORMATS = ("keras", "savedmodel", "onnx")
NAME_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9._-]*"


@dataclass(frozen=True)
class RunConfig:
    """Where a suite's runs lie and what makes them repeatable."""

    run: str = text("quick", "name of the suite; its records lie in exp/<run>/", NAME_PATTERN)
    seed: int = whole(0, "the one seed that all randomness is derived from", low=0)
    exp_dir: str = file_path("exp", "folder of the run records", neutral=True)
    tensorboard_dir: str = file_path("tensorboard_log", "folder of the TensorBoard event files", neutral=True)
    overwrite: bool = flag(False, "delete the stored runs that are met and start them anew", neutral=True)
    threads: int = whole(0, "CPU threads; 0 = all cores", low=0)
    precision: str = choice(
        "float32",
        "arithmetic of the children in the search; auto = bfloat16 where the machine computes it natively",
        PRECISIONS,
    )
    memory_growth: bool = flag(True, "GPU: take memory as needed instead of all at once", neutral=True)


@dataclass(frozen=True)
class DataConfig:
    """Images: which, how many, how augmented."""

    dataset: str = choice("digits", "the data set; arrays = a file of your own, see arrays_path", DATASETS)
    data_dir: str = file_path("data", "folder of downloaded data sets", neutral=True)
    arrays_path: str = file_path("", "an .npz file with arrays x (images) and y (labels), for dataset arrays")
    validation_size: int = whole(0, "images for validation; 0 = the data set's standard", low=0)
    test_size: int = whole(0, "images for test where the publisher gives none; 0 = the standard", low=0)
    fraction: float = number(1.0, "share of the training images kept at all, the same for each class", above=0, high=1)
    augment: bool = flag(True, "random crop (pad 4) and mirror images while training")
    cutout: int = whole(0, "side of the square cut out of each training image, pixels; 0 = off", low=0)


@dataclass(frozen=True)
class SpaceConfig:
    """What can be built."""

    space: str = choice(
        "cell",
        "what is searched: cells, chains of convolutions (titu1994) or with pooling and dropout (wallarm), ENAS's micro or macro",
        SPACES,
    )
    chain_layers: int = whole(4, "layers of a chain, or of a macro chain", low=1, high=40)
    chain_skips: bool = flag(False, "every layer of a chain chooses which earlier layers feed it")
    chain_form: str = choice(
        "image", "mnist_chain: convolutions over the image, or along the flattened line of its pixels", CHAIN_FORMS
    )
    blocks: int = whole(4, "blocks of a cell, or of both cells of a pair", low=1, high=12)
    operations: tuple[str, ...] = name_list(OPERATIONS, "operations a block may choose from", OPERATIONS)
    combinations: tuple[str, ...] = name_list(COMBINATIONS, "ways a block may combine its two branches", COMBINATIONS)


@dataclass(frozen=True)
class ChildConfig:
    """The networks trained during the search."""

    filters: int = whole(8, "channels of the first cell; doubled at every reduction", low=1)
    cells: int = whole(3, "cells of a child", low=1)
    reductions: int = whole(2, "how many times the image is halved", low=0)
    stem_stride: int = choice(1, "stride of the first convolution; 2 halves the image at once", (1, 2))
    batch_size: int = whole(32, "images per training step", low=1)
    optimizer: str = choice(
        "momentum",
        "of the children: Nesterov momentum, or Adam (for chains with a learning rate near 0.001)",
        OPTIMIZERS,
    )
    reward: str = choice("last", "which epoch's validation accuracy rewards a child, where it trains several", REWARDS)
    learning_rate: float = number(0.05, "highest learning rate of a child's schedule", above=0)
    weight_decay: float = number(1e-4, "decay of kernels per unit of learning rate", low=0)
    momentum: float = number(0.9, "Nesterov momentum", low=0, below=1)
    gradient_clip: float = number(5.0, "bound on the global gradient norm; 0 = off", low=0)
    label_smoothing: float = number(0.0, "probability mass spread over all classes", low=0, below=1)


@dataclass(frozen=True)
class SearchConfig:
    """The search: who plays, how long, with which budgets."""

    controllers: tuple[str, ...] = name_list(
        ("alphaxenas", "random"), "who searches, one run each", CONTROLLERS, neutral=True
    )
    seeds: tuple[int, ...] = whole_list((), "seeds of the search runs; empty = only `seed`", neutral=True)
    iterations: int = whole(0, "stop after so many finished architectures; 0 = unlimited", low=0)
    trials: int = whole(56, "stop after so many trained children; 0 = unlimited", low=0)
    max_minutes: float = number(0.0, "stop after so many minutes, restarts included; 0 = unlimited", low=0)
    search_epochs: int = whole(1, "epochs of a child met inside the tree", low=0)
    search_fraction: float = number(0.5, "share of the training images drawn for those epochs", above=0, high=1)
    final_epochs: int = whole(6, "epochs of the architecture a game ends with", low=0)
    final_fraction: float = number(1.0, "share of the training images drawn for those epochs", above=0, high=1)
    final_weights: str = choice(
        "scratch", "what it starts from: scratch can be compared between searches, shared weights cannot", FINAL_WEIGHTS
    )
    search_children: int = whole(
        6, "children trained per iteration before its final; 0 = all that the tree meets", low=0
    )
    uniform_share: float = number(
        0.5, "share of those that is drawn uniformly and alone trains the shared weights; 0 = all do", low=0, high=1
    )
    num_simulations: int = whole(24, "tree simulations per move", low=1)
    exploration: float = number(1.0, "c of PUCT: weight of the prior against the value", low=0)
    promotion: str = choice(
        "best_unpromoted",
        "who gets the final budget: the best child without one, or the rollout the moves built",
        ("best_unpromoted", "rollout"),
    )
    temperature: float = number(0.0, "moves are drawn from visits ** (1 / temperature); 0 = most visited", low=0)
    prior: str = choice("lstm", "where move probabilities come from", ("lstm", "uniform"))
    warmup_iterations: int = whole(4, "iterations with a uniform prior, before the LSTM is asked", low=0)
    tree_renewal: int = whole(1, "a new tree every so many iterations; 0 = never", low=0)
    dirichlet_alpha: float = number(0.3, "concentration of the noise at the root", above=0)
    dirichlet_weight: float = number(0.25, "share of that noise in the root's prior; 0 = off", low=0, high=1)
    refresh_after: int = whole(50, "score known children again after so many trained ones; 0 = never", low=0)
    lstm_units: int = whole(100, "width of the LSTM", low=1)
    lstm_learning_rate: float = number(0.003, "Adam's learning rate for the LSTM", above=0)
    lstm_batch_size: int = whole(32, "examples per training step of the LSTM", low=1)
    lstm_steps: int = whole(40, "training steps of the LSTM per iteration", low=1)
    replay_capacity: int = whole(1000, "examples kept for training the LSTM", low=1)
    uct_exploration: float = number(0.15, "c of uct: weight of little visited edges against ranked rewards", low=0)
    alphax_rollouts: int = whole(10, "k of alphax: predicted completions per simulation", low=0)
    evolution_population: int = whole(20, "evolution: architectures alive", low=1)
    evolution_sample: int = whole(10, "evolution: of so many drawn ones the best is mutated", low=1)
    policy_cell: str = choice(
        "lstm",
        "reinforce and controller_pool: recurrent cell of the policy; nascell is Zoph and Le's",
        ("lstm", "nascell"),
    )
    policy_units: int = whole(32, "width of a policy", low=1)
    policy_batch: int = whole(10, "architectures drawn per update of a policy", low=1)
    policy_learning_rate: float = number(0.1, "Adam's learning rate for policies", above=0)
    policy_entropy: float = number(0.2, "weight of the entropy bonus that keeps policies from collapsing", low=0)
    policy_epsilon: float = number(
        0.0,
        "share of architectures first drawn uniformly instead of by the policy; falls by 1 % a batch",
        low=0,
        below=1,
    )
    pool_policies: int = whole(4, "controller_pool: policies that share their experience", low=1)
    nao_preset: str = choice(
        "small",
        "nao: constants for small budgets, those of the paper, or those of its code",
        ("small", "paper", "code"),
    )
    nao_pool: int = whole(12, "nao: architectures in the pool, all drawn uniformly at first; 0 = the preset's", low=0)
    nao_new: int = whole(5, "nao: architectures that a round decodes; 0 = the preset's", low=0)
    checkpoint_every: int = whole(1, "write a checkpoint after so many evaluated children", low=1, neutral=True)


@dataclass(frozen=True)
class EnasConfig:
    """ENAS: shared weights and a policy trained in turn, over the networks of the search (filters, cells, learning rate
    ...).
    """

    enas_nodes: int = whole(5, "micro space: nodes of each of the two cells", low=1, high=12)
    enas_layers: int = whole(12, "macro space: layers", low=1, high=40)
    enas_rounds: int = whole(10, "rounds: train the shared weights, then the policy", low=1)
    enas_fraction: float = number(1.0, "share of the training images drawn in a round", above=0, high=1)
    enas_sampling: str = choice(
        "policy", "who draws the architectures that train the shared weights", ("policy", "uniform")
    )
    enas_policy_steps: int = whole(10, "steps of the policy in a round", low=0)
    enas_samples: int = whole(5, "architectures rated for each of these steps", low=2)
    enas_reward_images: int = whole(
        1000, "validation images that each is rated on; the standard error is recorded", low=100
    )
    enas_learning_rate: float = number(0.0035, "Adam's learning rate for the policy", above=0)
    enas_entropy: float = number(1e-4, "weight of its entropy bonus", low=0)
    enas_skip_target: float = number(0.4, "macro: share of skip connections that it is drawn to", above=0, below=1)
    enas_skip_weight: float = number(0.8, "macro: how strongly", low=0)
    enas_retrain: bool = flag(
        False, "notebook 07: train the best derived architectures in full, the best of them tested once", neutral=True
    )
    enas_derive: int = whole(20, "architectures drawn at the end and ranked on all validation images", low=1)


@dataclass(frozen=True)
class BaselineConfig:
    """DenseNet-BC, the hand-made network in the same harness."""

    densenet_depth: int = whole(22, "layers: 4 + a multiple of 6 (Huang et al. 2017: 100)", low=10)
    densenet_growth: int = whole(12, "channels each layer adds", low=1)
    densenet_compression: float = number(0.5, "share of channels a transition keeps", above=0, high=1)
    densenet_dropout: float = number(0.0, "dropout after each convolution", low=0, below=1)
    densenet_epochs: int = whole(15, "epochs", low=1)


@dataclass(frozen=True)
class TrainingConfig:
    """Training the found architectures in full."""

    architecture: str = text(
        "",
        "train this architecture (text, JSON, or a name of the zoo such as darts_v2); empty = the best of the search",
    )
    top_k: int = whole(1, "how many of the best architectures are trained", low=1)
    train_cells: int = whole(6, "cells of the final network", low=1)
    train_reductions: int = whole(2, "how many times it halves the image", low=0)
    train_stem_stride: int = choice(1, "stride of its first convolution", (1, 2))
    train_filters: int = whole(24, "channels of its first cell", low=1)
    train_multiply_adds: float = number(
        0.0, "millions per image: fewer filters where an architecture would cost more; 0 = off", low=0
    )
    train_epochs: int = whole(20, "epochs", low=1)
    train_learning_rate: float = number(0.05, "highest learning rate of the cosine schedule", above=0)
    train_lowest_learning_rate: float = number(0.0, "learning rate that every cosine ends at", low=0)
    train_restart_epochs: float = number(
        0.0, "warm restarts (SGDR): epochs of the first cosine; 0 = one cosine without restarts", low=0
    )
    train_restart_growth: float = number(
        2.0, "warm restarts: each cosine lasts so many times as long as the one before it", low=1
    )
    train_batch_size: int = whole(64, "images per training step", low=1)
    warmup_epochs: float = number(1.0, "epochs of rising learning rate at the start", low=0)
    train_label_smoothing: float = number(0.1, "probability mass spread over all classes", low=0, below=1)
    train_weight_decay: float = number(5e-4, "decay of kernels per unit of learning rate", low=0)
    train_drop_path: float = number(0.0, "highest drop-path rate, reached at the last cell and epoch", low=0, below=1)
    train_dropout: float = number(0.0, "dropout before the classifier", low=0, below=1)
    train_auxiliary: bool = flag(False, "a second classifier after the last reduction, while training")
    train_patience: int = whole(0, "stop after so many epochs without a better validation accuracy; 0 = never", low=0)
    train_cutout: int = whole(0, "side of the square cut out of each training image, pixels; 0 = off", low=0)
    train_gradient_clip: float = number(5.0, "bound on the global gradient norm; 0 = off", low=0)
    train_precision: str = choice(
        "float32",
        "arithmetic of the final training; auto = bfloat16 where the machine computes it natively",
        PRECISIONS,
    )
    train_average: float = number(
        0.0, "decay of the moving average of weights that is validated and exported; 0 = off", low=0, below=1
    )
    train_devices: int = whole(1, "GPUs (without any: CPU devices) that share every training step", low=1)
    export_formats: tuple[str, ...] = name_list(
        ("keras",), "how the trained networks are stored beside their .keras file", EXPORT_FORMATS, neutral=True
    )
    evaluate_model: str = file_path(
        "", "evaluate this stored .keras model or checkpoint again instead of training", neutral=True
    )


@dataclass(frozen=True)
class NAOConfig:
    """Notebook 08: NAO in the micro space, without and with shared weights; `blocks` and the children's parameters
    count there, too.
    """

    nao_trials: int = whole(24, "children that the search from scratch trains", low=4)
    nao_child_epochs: int = whole(3, "epochs of each of them", low=1)
    nao_rounds: int = whole(4, "with shared weights: how often the pool is scored and renewed", low=1)
    nao_epochs: int = whole(6, "with shared weights: passes over the training images before each scoring", low=1)
    nao_policy: str = choice(
        "uniform", "whose turn it is to train shared weights", ("uniform", "parameters", "accuracy", "prediction")
    )
    nao_subset: int = whole(
        100, "validation images of the first scoring; more are taken until scores tell members apart", low=2
    )
    nao_best: int = whole(5, "how many of the best of both searches are trained in full", low=1)
    nao_best_epochs: int = whole(8, "epochs of that", low=1)
    nao_zoo: tuple[str, ...] = name_list(
        ("nasnet_a", "darts_v2"), "known cells trained beside them, with as many filters, cells and epochs", ZOO
    )


@dataclass(frozen=True)
class ReportConfig:
    """Looking back at stored runs."""

    compare_with: str = text(
        "",
        "other suites to show beside this one, with commas, e.g. an ablation",
        f"({NAME_PATTERN}(, *{NAME_PATTERN})*)?",
    )


@dataclass(frozen=True)
class StudyConfig:
    """Sample efficiency: controllers on tables of architectures that were trained before."""

    tables: tuple[str, ...] = text_list(
        ("digits",),
        "what is searched: digits = small networks really trained here, or FILE code=COLUMN signal=COLUMN [report=COLUMN] [cost=COLUMN] ...",
    )
    study_controllers: str = text(
        "random,evolution,local,uct,alphax,guided",
        "who searches, with commas; name:setting=value,setting=value changes settings",
    )
    ablation: str = text(
        "guided:plan=rollouts,guided:surrogate=none,guided:uncertainty=0,guided:surrogate=lstm,guided:prior=uniform",
        "variants shown in a comparison of their own, written likewise; empty = none",
    )
    study_seeds: int = whole(10, "seeds 0, 1, 2, ... of every controller on every table", low=1)
    cap: int = whole(20_000, "a search that has not succeeded after so many queries ends and counts as so many", low=1)
    target: str = text(
        "optimum",
        "when a search has succeeded: optimum, first-optimum where several are equal, a top share such as 0.001, or a signal such as 94.0 or >=0.94",
        r"optimum|first-optimum|0?\.[0-9]+|(>=)?[0-9]+(\.[0-9]+)?",
    )
    processes: int = whole(0, "searches at the same time; 0 = as many as there are cores", low=0)


@dataclass(frozen=True)
class ChainsConfig:
    """Policy gradients on declared spaces: chains of layers, notebook 07."""

    policy_parts: tuple[str, ...] = name_list(
        POLICY_PARTS[:2],
        "what notebook 07 runs: mnist, table, chains, micro, macro; the last two are ENAS and take minutes to trace",
        POLICY_PARTS,
        neutral=True,
    )
    chain_controllers: tuple[str, ...] = name_list(
        ("reinforce", "random", "alphaxenas"),
        "chains: who searches the 1,296 networks, one run each and seed",
        CONTROLLERS,
        neutral=True,
    )
    chain_trials: int = whole(20, "children trained per search", low=1)
    chain_epochs: int = whole(3, "epochs of each of them, from scratch", low=1)
    chain_seeds: int = whole(
        3, "mnist: trainings of either network in the comparison, seeds 0, 1, 2 ...", low=1, neutral=True
    )
    chain_final_epochs: int = whole(6, "mnist: their epochs", low=1)
    chain_learning_rate: float = number(0.001, "Adam's learning rate for chains", above=0)
    chain_table: str = text(
        CHAINS_TABLE,
        "table: what the controllers are compared on: chains = the stored table of the 1,296 networks, digits, or FILE code=COLUMN signal=COLUMN",
    )
    chain_table_controllers: str = text(
        "random,reinforce,reinforce:cell=nascell,controller_pool,uct",
        "table: who searches it, written as study_controllers",
    )
    chain_table_seeds: int = whole(10, "table: seeds 0, 1, 2, ... of every controller", low=1)
    chain_table_cap: int = whole(
        100, "table: queries of every search that does not meet its best architecture before", low=1
    )


GROUPS: dict[str, type] = {
    "run": RunConfig,
    "data": DataConfig,
    "space": SpaceConfig,
    "child": ChildConfig,
    "search": SearchConfig,
    "enas": EnasConfig,
    "baseline": BaselineConfig,
    "training": TrainingConfig,
    "nao": NAOConfig,
    "report": ReportConfig,
    "study": StudyConfig,
    "chains": ChainsConfig,
}
FIELDS: dict[str, dataclasses.Field] = {
    field.name: field for group in GROUPS.values() for field in dataclasses.fields(group)
}
