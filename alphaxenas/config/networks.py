"""Parameters of a run's data, space and networks, by groups: name, type, default, what is allowed and what it means.

A parameter has one spelling in a profile (YAML), in a notebook's parameters cell, in `run_all.sh -p NAME VALUE` and in
the function that uses it. To declare one, add it to its group; see `alphaxenas.config.parameter`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from alphaxenas.config.parameter import FilePath, Group, Number, OneOf, Several, Text, parameter
from alphaxenas.data.formats import LAYOUTS
from alphaxenas.data.images import DATASETS
from alphaxenas.evaluators import REWARDS
from alphaxenas.networks.chain import FORMS
from alphaxenas.networks.devices import computes_bfloat16
from alphaxenas.networks.export import EXPORT_FORMATS
from alphaxenas.networks.training.recipe import OPTIMIZERS, PRECISIONS, SCHEDULES
from alphaxenas.spaces.from_parameters import SPACES
from alphaxenas.spaces.notation import COMBINATIONS, OPERATIONS

_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"


def _native(precision: str) -> str:
    """Resolves `auto`, so that records name what was computed with, and no other machine continues them differently."""
    return ("bfloat16" if computes_bfloat16() else "float32") if precision == "auto" else precision


Precision = Annotated[str, OneOf((*PRECISIONS, "auto")), AfterValidator(_native)]
Dataset = Annotated[str, OneOf(DATASETS)]
ImageLayout = Annotated[str, OneOf(LAYOUTS)]
SpaceName = Annotated[str, OneOf(tuple(SPACES))]
ChainForm = Annotated[str, OneOf(FORMS)]
Operation = Annotated[str, OneOf(OPERATIONS)]
Combination = Annotated[str, OneOf(COMBINATIONS)]
Stride = Annotated[int, OneOf((1, 2))]
ScheduleName = Annotated[str, OneOf(SCHEDULES)]
OptimizerName = Annotated[str, OneOf(OPTIMIZERS)]
RewardRule = Annotated[str, OneOf(REWARDS)]
ExportFormat = Annotated[str, OneOf(EXPORT_FORMATS)]


class RunConfig(Group):
    """Where a suite's runs lie and what makes them repeatable."""

    run: Text = parameter(
        "quick",
        "name of the suite; its records lie in exp/<run>/",
        pattern=rf"^{_NAME}$",
        notebooks="01* 02* 03* 04* 05* 06* 07* 08* 09*",
    )
    seed: int = parameter(
        0, "the one seed that all randomness is derived from", ge=0, notebooks="01* 02 03 04 07 08 09"
    )
    exp_dir: FilePath = parameter("exp", "folder of the run records", notebooks="01 05* 06 07", affects_results=False)
    tensorboard_dir: FilePath = parameter(
        "tensorboard_log", "folder of the TensorBoard event files", affects_results=False
    )
    overwrite: bool = parameter(
        False,
        "delete the stored runs that are met and start them anew",
        notebooks="01 02 03 04 06 07 08 09",
        affects_results=False,
    )
    threads: int = parameter(0, "CPU threads; 0 = all cores", ge=0, notebooks="02 03 04 08 09")
    precision: Precision = parameter(
        "float32",
        "arithmetic of the children in the search; auto = bfloat16 where the machine computes it natively",
        role="recipe",
    )
    memory_growth: bool = parameter(True, "GPU: take memory as needed instead of all at once", affects_results=False)


class DataConfig(Group):
    """Images: which, how many, how augmented."""

    role = "data"

    dataset: Dataset = parameter(
        "digits", "the data set; arrays = a file of your own, see arrays_path", notebooks="01* 02* 03* 04* 07* 08*"
    )
    data_dir: FilePath = parameter(
        "data", "folder of downloaded data sets", notebooks="01 02 03 04 06 07 08 09", affects_results=False
    )
    arrays_path: FilePath = parameter(
        "",
        "an .npz file with arrays x (images) and y (labels), for dataset arrays",
        notebooks="01",
        affects_results=False,
    )
    image_layout: ImageLayout = parameter(
        "auto",
        "axes of x in that file; auto = channels last, and what looks like channels first is refused",
        notebooks="01",
    )
    validation_size: int = parameter(0, "images for validation; 0 = the data set's standard", ge=0, notebooks="01")
    test_size: int = parameter(
        0, "images for test where the publisher gives none; 0 = the standard", ge=0, notebooks="01"
    )
    fraction: Number = parameter(
        1.0,
        "share of the training images kept at all, the same for each class",
        gt=0,
        le=1,
        notebooks="01* 02 03 04 07 08",
    )
    augment: bool = parameter(True, "random crop (pad 4) and mirror images while training", notebooks="01* 03 04")
    cutout: int = parameter(
        0, "side of the square cut out of each training image, pixels; 0 = off", ge=0, notebooks="01*"
    )
    crop_pad: int = parameter(0, "pixels a crop may reach beyond the image; 0 = an eighth of its side", ge=0)
    alternating_flip: bool = parameter(False, "mirror every image in every second epoch, instead of by chance")


class SpaceConfig(Group):
    """What can be built."""

    role = "space"

    space: SpaceName = parameter(
        "cell",
        "what is searched: cells, chains of convolutions (titu1994) or with pooling and dropout (wallarm), "
        "plain convolution nets (convnet), ENAS's micro or macro, cells of NAS-Bench-101 or 201",
    )
    layers: int = parameter(
        4, "layers of a chain, or of the macro space", ge=1, le=40, notebooks="07", defaults={"07": 12}
    )
    chain_skips: bool = parameter(False, "every layer of a chain chooses which earlier layers feed it")
    chain_form: ChainForm = parameter(
        "image", "mnist_chain: convolutions over the image, or along the flattened line of its pixels", notebooks="07"
    )
    blocks: int = parameter(
        4,
        "blocks of a cell, or of both cells of a pair (in papers: nodes)",
        ge=1,
        le=12,
        notebooks="02* 04 07 08* 09*",
        defaults={"07": 5, "09": 5},
    )
    operations: Several[Operation] = parameter(OPERATIONS, "operations a block may choose from")
    combinations: Several[Combination] = parameter(COMBINATIONS, "ways a block may combine its two branches")


class ChildConfig(Group):
    """The networks trained during the search."""

    role = "recipe"

    filters: int = parameter(8, "channels of the first cell; doubled at every reduction", ge=1, notebooks="02 08")
    cells: int = parameter(3, "cells of a child, of all its stages together", ge=1, notebooks="02 08")
    reductions: int = parameter(2, "how many times the image is halved", ge=0, notebooks="02")
    stem_stride: Stride = parameter(1, "stride of the first convolution; 2 halves the image at once")
    batch_size: int = parameter(
        32, "images, or streams of text, per training step", ge=1, notebooks="02 07 08 09", defaults={"09": 20}
    )
    optimizer: OptimizerName = parameter(
        "momentum",
        "of networks trained from scratch: Nesterov momentum, Adam (for chains with a learning rate near 0.001); for "
        "plain convolution nets decoupled (momentum with rates per 1,024 images, near 10) or muon (for their kernels)",
    )
    rate_schedule: ScheduleName = parameter(
        "cosine",
        "of the learning rate, where networks are trained from scratch: cosine, or triangle (up 23 %, then down)",
    )
    lookahead: bool = parameter(False, "slow weights that follow the trained ones (from scratch); they are validated")
    offset_rate: Number = parameter(
        1.0, "learning rate of the offsets of batch normalisations, times that of the rest (from scratch)", gt=0
    )
    child_teraflops: Number = parameter(
        0.0, "10^12 operations of a child's epoch: large children see fewer images; 0 = all see the same", ge=0
    )
    whitening_share: Number = parameter(
        1.0, "plain convolution nets: share of a training in which the whitening's bias is trained", ge=0, le=1
    )
    reward: RewardRule = parameter("last", "which epoch's validation accuracy rewards a child, where it trains several")
    learning_rate: Number = parameter(
        0.05, "highest learning rate of a child's schedule", gt=0, notebooks="02 08 09", defaults={"09": 10.0}
    )
    weight_decay: Number = parameter(0.0001, "decay of kernels per unit of learning rate", ge=0)
    momentum: Number = parameter(0.9, "Nesterov momentum", ge=0, lt=1)
    gradient_clip: Number = parameter(5.0, "bound on the global gradient norm; 0 = off", ge=0)
    label_smoothing: Number = parameter(0.0, "probability mass spread over all classes", ge=0, lt=1)


class BaselineConfig(Group):
    """DenseNet-BC, the hand-made network in the same harness."""

    densenet_depth: int = parameter(22, "layers: 4 + a multiple of 6 (Huang et al. 2017: 100)", ge=10, notebooks="03*")
    densenet_growth: int = parameter(12, "channels each layer adds", ge=1, notebooks="03*")
    densenet_compression: Number = parameter(0.5, "share of channels a transition keeps", gt=0, le=1, notebooks="03")
    densenet_dropout: Number = parameter(0.0, "dropout after each convolution", ge=0, lt=1, notebooks="03")
    densenet_epochs: int = parameter(15, "epochs", ge=1, notebooks="03*")


class TrainingConfig(Group):
    """Training the found architectures in full."""

    architecture: Text = parameter(
        "",
        "train this architecture (text, JSON, or a name of the zoo such as darts_v2); empty = the best of the search",
        notebooks="04*",
    )
    top_k: int = parameter(
        1, "how many of the best architectures are trained in full", ge=1, notebooks="04* 08*", defaults={"08": 5}
    )
    hand_made: Text = parameter(
        "", "train this architecture too, to compare with: it is tested, but never chosen", notebooks="04"
    )
    train_cells: int = parameter(6, "cells of the final network", ge=1, notebooks="04*")
    train_reductions: int = parameter(2, "how many times it halves the image", ge=0, notebooks="04")
    train_stem_stride: Stride = parameter(1, "stride of its first convolution", notebooks="04")
    train_filters: int = parameter(24, "channels of its first cell", ge=1, notebooks="04*")
    train_multiply_adds: Number = parameter(
        0.0, "millions per image: fewer filters where an architecture would cost more; 0 = off", ge=0, notebooks="04"
    )
    train_epochs: int = parameter(20, "epochs", ge=1, notebooks="04*")
    train_learning_rate: Number = parameter(
        0.05, "highest learning rate of the cosine schedule", gt=0, notebooks="03* 04*", role="recipe"
    )
    train_lowest_learning_rate: Number = parameter(0.0, "learning rate that every cosine ends at", ge=0, notebooks="04")
    train_restart_epochs: Number = parameter(
        0.0, "warm restarts (SGDR): epochs of the first cosine; 0 = one cosine without restarts", ge=0, notebooks="04"
    )
    train_restart_growth: Number = parameter(
        2.0, "warm restarts: each cosine lasts so many times as long as the one before it", ge=1, notebooks="04"
    )
    train_batch_size: int = parameter(64, "images per training step", ge=1, notebooks="03 04", role="recipe")
    warmup_epochs: Number = parameter(
        1.0, "epochs of rising learning rate at the start", ge=0, notebooks="03 04", role="recipe"
    )
    train_label_smoothing: Number = parameter(
        0.1, "probability mass spread over all classes", ge=0, lt=1, notebooks="03 04", role="recipe"
    )
    train_weight_decay: Number = parameter(
        0.0005, "decay of kernels per unit of learning rate", ge=0, notebooks="03 04", role="recipe"
    )
    train_drop_path: Number = parameter(
        0.0, "highest drop-path rate, reached at the last cell and epoch", ge=0, lt=1, notebooks="04"
    )
    train_dropout: Number = parameter(0.0, "dropout before the classifier", ge=0, lt=1, notebooks="04")
    train_auxiliary: bool = parameter(
        False, "a second classifier after the last reduction, while training", notebooks="04"
    )
    train_patience: int = parameter(
        0, "stop after so many epochs without a better validation accuracy; 0 = never", ge=0, notebooks="03 04"
    )
    train_cutout: int = parameter(
        0, "side of the square cut out of each training image, pixels; 0 = off", ge=0, notebooks="03 04", role="recipe"
    )
    train_gradient_clip: Number = parameter(5.0, "bound on the global gradient norm; 0 = off", ge=0, role="recipe")
    train_precision: Precision = parameter(
        "float32",
        "arithmetic of the final training; auto = bfloat16 where the machine computes it natively",
        notebooks="03 04",
        role="recipe",
    )
    train_average: Number = parameter(
        0.0,
        "decay of the moving average of weights that is validated and exported; 0 = off",
        ge=0,
        lt=1,
        notebooks="04",
    )
    train_devices: int = parameter(
        1, "GPUs (without any: CPU devices) that share every training step", ge=1, notebooks="04"
    )
    train_teraflops: Number = parameter(
        0.0,
        "10^12 operations of the training: large networks train fewer epochs, at most train_epochs; 0 = train_epochs",
        ge=0,
        notebooks="04",
        role="recipe",
    )
    train_minutes: Number = parameter(
        0.0, "refuse a training that would take more minutes, as its first steps tell; 0 = any", ge=0, notebooks="04"
    )
    test_views: bool = parameter(
        False,
        "test the network also with the mean over six views of every image: moved by a pixel, mirrored",
        notebooks="04",
    )
    export_formats: Several[ExportFormat] = parameter(
        ("keras",),
        "how the trained networks are stored beside their .keras file",
        notebooks="04",
        affects_results=False,
    )


class ReportConfig(Group):
    """Looking back at stored runs."""

    compare_with: Text = parameter(
        "",
        "other suites to show beside this one, with commas, e.g. an ablation",
        pattern=rf"^({_NAME}(, *{_NAME})*)?$",
        notebooks="05*",
    )
    truth_table: FilePath = parameter(
        "",
        "a table with published accuracies of the searched architectures; no search reads it",
        notebooks="05",
        affects_results=False,
    )
    truth_column: Text = parameter(
        "", "the column of truth_table that says how good an architecture is", notebooks="05", affects_results=False
    )
