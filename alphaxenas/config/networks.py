"""Parameters of a run's data, space and networks, by groups: name, type, default, what is allowed and what it means.

A parameter has one spelling in a profile (YAML), in a notebook's parameters cell, in `run_all.sh -p NAME VALUE` and in
the function that uses it. To declare one, add it to its group; see `alphaxenas.config.parameter`.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field

from alphaxenas.config.parameter import (
    Count,
    Different,
    FilePath,
    Folder,
    Group,
    Natural,
    NonNegative,
    Number,
    OneOf,
    PositiveNumber,
    Precision,
    Rate,
    Several,
    Share,
    Text,
    parameter,
)
from alphaxenas.data.formats import LAYOUTS
from alphaxenas.data.images import DATASETS, MIRRORING
from alphaxenas.evaluators import REWARDS
from alphaxenas.networks.chain import FORMS
from alphaxenas.networks.export import EXPORT_FORMATS
from alphaxenas.networks.options import LARGE_STRIDE
from alphaxenas.networks.training.recipe import OPTIMIZERS, SCHEDULES
from alphaxenas.spaces.from_parameters import SPACES
from alphaxenas.spaces.notation import COMBINATIONS, OPERATIONS

NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
"""Pattern of the name of a run."""

Dataset = Annotated[str, OneOf(DATASETS)]
ImageLayout = Annotated[str, OneOf(LAYOUTS)]
Mirroring = Annotated[str, OneOf(MIRRORING)]
SpaceName = Annotated[str, OneOf(tuple(SPACES))]
ChainForm = Annotated[str, OneOf(FORMS)]
Operation = Annotated[str, OneOf(OPERATIONS)]
Combination = Annotated[str, OneOf(COMBINATIONS)]
Stride = Annotated[int, OneOf((1, 2, LARGE_STRIDE))]
ScheduleName = Annotated[str, OneOf(SCHEDULES)]
OptimizerName = Annotated[str, OneOf(OPTIMIZERS)]
RewardRule = Annotated[str, OneOf(REWARDS)]
ExportFormat = Annotated[str, OneOf(EXPORT_FORMATS)]


_recipe = partial(parameter, role="recipe", notebooks="03 04")
_final = partial(parameter, notebooks="04")
_first_final = partial(parameter, notebooks="04*")
_baseline = partial(parameter, notebooks="03*")
Machine = Annotated[str, Field(pattern=r"^[^\s:]+:\d+$")]


class RunConfig(Group):
    """Where a run's records lie and what makes it repeatable."""

    run: Text = parameter(
        "quick",
        "name of the run; its records lie in exp/<run>/, those of every stage in a folder of their own",
        pattern=rf"^{NAME}$",
        notebooks="00* 01* 02* 03* 04* 05* 06* 07* 08* 09* 10*",
    )
    only: Text = parameter(
        "", "notebooks that run_all.sh runs: beginnings of names, with commas; empty = all", affects_results=False
    )
    seed: Natural = parameter(
        0, "the one seed that all randomness is derived from", notebooks="01* 02 03 04 07 08 09 10"
    )
    exp_dir: Folder = parameter(
        "exp", "folder of the run records", notebooks="00 01 05* 06 07 10", affects_results=False
    )
    tensorboard_dir: Folder = parameter(
        "tensorboard_log", "folder of the TensorBoard event files", affects_results=False
    )
    overwrite: bool = parameter(
        False,
        "delete the stored stages that are met and start them anew",
        notebooks="01 02 03 04 06 07 08 09 10",
        affects_results=False,
    )
    threads: Natural = parameter(0, "CPU threads; 0 = all cores", notebooks="02 03 04 08 09 10")
    precision: Precision = parameter(
        "float32",
        "arithmetic of the children in the search, and of the softmax's products where language models are trained; "
        "auto = bfloat16 where the machine computes it natively",
        role="recipe",
    )
    memory_growth: bool = parameter(True, "GPU: take memory as needed instead of all at once", affects_results=False)
    op_determinism: bool = parameter(
        False,
        "GPU: repeatable to the last bit; slower, and an operation that has no such kernel is refused; a CPU repeats "
        "itself to the last bit without it",
    )


class DataConfig(Group):
    """Images: which, how many, how augmented."""

    role = "data"

    dataset: Dataset = parameter(
        "digits",
        "the data set; of your own: arrays, see arrays_path; image_folder and parquet, see images_path",
        notebooks="01* 02* 03* 04* 07* 08* 10*",
    )
    data_dir: Folder = parameter(
        "data", "folder of downloaded data sets", notebooks="01 02 03 04 06 07 08 09 10", affects_results=False
    )
    arrays_path: FilePath = parameter(
        "",
        "an .npz file with arrays x (images) and y (labels), or an .npy file of images, for dataset arrays",
        notebooks="01",
        affects_results=False,
    )
    labels_path: FilePath = parameter(
        "", "the .npy file of labels that belongs to an .npy file of images", notebooks="01", affects_results=False
    )
    images_path: FilePath = parameter(
        "",
        "a folder with one folder of PNG or JPEG images for each class, for dataset image_folder; a Parquet file, or a "
        "folder of them, for dataset parquet",
        notebooks="01",
        affects_results=False,
    )
    image_size: Natural = parameter(
        0, "side that the images of images_path are brought to, pixels; 0 = as they are", notebooks="01"
    )
    label_column: Text = parameter("", "the column of labels in Parquet files; empty = the only one", notebooks="01")
    image_layout: ImageLayout = parameter(
        "auto",
        "axes of the images in arrays_path; auto = channels last, and what looks like channels first is refused",
        notebooks="01",
    )
    validation_size: Natural = parameter(0, "images for validation; 0 = the data set's standard", notebooks="01")
    test_size: Natural = parameter(
        0, "images for test where the publisher gives none; 0 = the standard", notebooks="01"
    )
    fraction: Share = parameter(
        1.0, "share of the training images kept at all, the same for each class", notebooks="01* 02 03 04 07 08 10"
    )
    mirror: Mirroring = parameter(
        "auto", "whether augment mirrors images; auto = where a mirrored image surely shows the same", notebooks="01"
    )
    augment: bool = parameter(True, "crop (crop_pad) and mirror images at random while training", notebooks="01* 03 04")
    cutout: Natural = parameter(
        0, "side of the square cut out of each training image, pixels; 0 = off", notebooks="01*"
    )
    crop_pad: Natural = parameter(0, "pixels a crop may reach beyond the image; 0 = an eighth of its side")
    alternating_flip: bool = parameter(False, "mirror every image in every second epoch, instead of by chance")


class SpaceConfig(Group):
    """What can be built."""

    role = "space"

    space: SpaceName = parameter(
        "cell",
        "what is searched: cells, chains of convolutions or with pooling and dropout (mnist_chain), plain "
        "convolution nets (convnet), ENAS's micro or macro, cells of NAS-Bench-101 or 201",
        notebooks="00* 02* 04",
    )
    layers: int = parameter(
        4, "layers of a chain, or of the macro space", ge=1, le=40, notebooks="10*", defaults={"10": 12}
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
        notebooks="00* 02* 04 08* 09* 10*",
        defaults={"09": 5, "10": 5},
    )
    operations: Several[Operation] = parameter(OPERATIONS, "operations a block may choose from")
    combinations: Several[Combination] = parameter(COMBINATIONS, "ways a block may combine its two branches")


class ChildConfig(Group):
    """The networks trained during the search."""

    role = "recipe"

    filters: Count = parameter(8, "channels of the first cell; doubled at every reduction", notebooks="02 08 10")
    cells: Count = parameter(3, "cells of a child, of all resolutions together", notebooks="02 08 10")
    reductions: Natural = parameter(2, "how many times the image is halved", notebooks="02 10")
    stem_stride: Stride = parameter(
        1, "stride of the stem: 2 halves the image at once, 8 = three convolutions, as for ImageNet"
    )
    batch_size: Count = parameter(
        32, "images, or streams of text, per training step", notebooks="02 07 08 09 10", defaults={"09": 20}
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
    rate_drops: Different[Rate] = parameter(
        (), "shares of a child's training at which its rate, constant otherwise, drops to a tenth; none = rate_schedule"
    )
    lookahead: bool = parameter(False, "slow weights that follow the trained ones (from scratch); they are validated")
    offset_rate: PositiveNumber = parameter(
        1.0, "learning rate of the offsets of batch normalisations, times that of the rest (from scratch)"
    )
    child_teraflops: Number = parameter(
        0.0,
        "10^12 operations of a child with all channels, times its epochs and its share of the images: large children "
        "see fewer; 0 = all see the same",
        ge=0,
    )
    share_weights: bool = parameter(
        True, "children share weights, but in chains and plain nets (notebook 02); false: each is trained from scratch"
    )
    fixed_images: bool = parameter(
        False, "the share of the images is drawn once, for all children, instead of for every epoch"
    )
    width_share: Number = parameter(
        1.0, "plain convolution nets: children have this share of the channels that are trained in full", gt=0, le=1
    )
    whitening_share: Number = parameter(
        1.0, "plain convolution nets: share of a training in which the whitening's bias is trained", ge=0, le=1
    )
    reward: RewardRule = parameter("last", "which epoch's validation accuracy rewards a child, where it trains several")
    learning_rate: PositiveNumber = parameter(
        0.05, "highest learning rate of a child's schedule", notebooks="02 08 09 10", defaults={"09": 10.0}
    )
    weight_decay: NonNegative = parameter(0.0001, "decay of kernels per unit of learning rate")
    momentum: Rate = parameter(0.9, "Nesterov momentum")
    gradient_clip: NonNegative = parameter(5.0, "bound on the global gradient norm; 0 = off")
    label_smoothing: Rate = parameter(0.0, "probability mass spread over all classes")


class BaselineConfig(Group):
    """DenseNet-BC, the hand-made network in the same harness."""

    densenet_depth: int = _baseline(22, "layers: 4 + a multiple of 6 (Huang et al. 2017: 100)", ge=10)
    densenet_growth: Count = _baseline(12, "channels each layer adds")
    densenet_compression: Share = parameter(0.5, "share of channels a transition keeps", notebooks="03")
    densenet_dropout: Rate = parameter(0.0, "dropout after each convolution", notebooks="03")
    densenet_epochs: Count = _baseline(15, "epochs of DenseNet's training")


class TrainingConfig(Group):
    """Training the found architectures in full."""

    architecture: Text = _first_final(
        "",
        "train this architecture (text, JSON, or a name of the zoo such as darts_v2; pareto:3 or pareto:knee of a "
        "search's front); empty = the best of the search",
    )
    top_k: Count = parameter(
        1, "how many of the best architectures are trained in full", notebooks="04* 08* 10*", defaults={"08": 5}
    )
    hand_made: Text = _final("", "train this architecture too, to compare with: it is tested, but never chosen")
    train_cells: Count = _first_final(6, "cells of the final network")
    train_reductions: Natural = _final(2, "how many times the final network halves the image")
    train_stem_stride: Stride = _final(1, "stride of the final network's stem")
    train_filters: Count = _first_final(24, "channels of the final network's first cell")
    train_multiply_adds: NonNegative = _final(
        0.0, "millions of multiply-adds per image: fewer filters where the final network would cost more; 0 = off"
    )
    train_epochs: Count = _first_final(20, "epochs of the final training")
    train_learning_rate: PositiveNumber = parameter(
        0.05, "highest learning rate of a training in full", notebooks="03* 04*", role="recipe"
    )
    train_lowest_learning_rate: NonNegative = _final(0.0, "learning rate that every cosine ends at")
    train_restart_epochs: NonNegative = _final(
        0.0, "warm restarts (SGDR): epochs of the first cosine; 0 = one cosine without restarts"
    )
    train_restart_growth: Number = _final(
        2.0, "warm restarts: each cosine lasts so many times as long as the one before it", ge=1
    )
    train_rate_drops: Different[Rate] = parameter(
        (),
        "shares of a training in full at which its learning rate, constant otherwise, drops to a tenth; none = cosines",
        role="recipe",
    )
    train_batch_size: Count = _recipe(64, "images per step of a training in full")
    warmup_epochs: NonNegative = _recipe(1.0, "epochs of rising learning rate at the start of a training in full")
    train_label_smoothing: Rate = _recipe(0.1, "probability mass spread over all classes")
    train_weight_decay: NonNegative = _recipe(0.0005, "decay of kernels per unit of learning rate")
    train_drop_path: Rate = _final(0.0, "highest drop-path rate, reached at the last cell and epoch")
    train_dropout: Rate = _final(0.0, "dropout before the classifier")
    train_auxiliary: bool = _final(False, "a second classifier after the last reduction, while training")
    train_patience: Natural = parameter(
        0, "stop after so many epochs without a better validation accuracy; 0 = never", notebooks="03 04"
    )
    train_cutout: Natural = _recipe(0, "side of the square cut out of each training image, pixels; 0 = off")
    train_gradient_clip: NonNegative = parameter(5.0, "bound on the global gradient norm; 0 = off", role="recipe")
    train_precision: Precision = _recipe(
        "float32", "arithmetic of the final training; auto = bfloat16 where the machine computes it natively"
    )
    train_average: Rate = _final(0.0, "decay of the moving average of weights that is validated and exported; 0 = off")
    train_devices: Count = _final(1, "GPUs (without any: CPU devices) that share every training step")
    train_machines: Different[Machine] = parameter(
        (),
        "HOST:PORT of all machines of the final training, the one that keeps the records first; empty = this one",
        affects_results=False,
    )
    train_machine: Natural = parameter(
        0, "which of train_machines this process is, 0 = the first; each is started with its own", affects_results=False
    )
    train_teraflops: NonNegative = parameter(
        0.0,
        "10^12 operations of the training: large networks train fewer epochs, at most train_epochs; those that would "
        "need more to use them up are not searched; 0 = train_epochs",
        notebooks="04",
        role="recipe",
    )
    train_minutes: NonNegative = _final(
        0.0, "refuse a training that would take more minutes, as its first steps tell; 0 = any", affects_results=False
    )
    test_views: bool = _final(
        False, "test the network also with the mean over six views of every image: moved by a pixel, mirrored"
    )
    export_formats: Several[ExportFormat] = _final(
        ("keras",),
        "how the trained networks are stored beside their .keras file; litert = .tflite in float32, float16 and int8",
        notebooks="04 09",
        affects_results=False,
    )
