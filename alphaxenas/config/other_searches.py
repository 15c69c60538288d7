"""Parameters of ENAS, NAO, searches on tables, policy gradients and reports; see `alphaxenas.config.networks`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo, WithJsonSchema

from alphaxenas.config.networks import NAME
from alphaxenas.config.parameter import (
    PROJECT_ROOT,
    Count,
    FilePath,
    Group,
    Natural,
    NonBlank,
    NonNegative,
    Number,
    OneOf,
    PositiveNumber,
    Several,
    Share,
    Text,
    parameter,
)
from alphaxenas.spaces.zoo import zoo_names
from alphaxenas.suggestions import invalid
from alphaxenas.supernet import SAMPLE_POLICIES, SAMPLING
from alphaxenas.tabular.choices import CHAINS_TABLE, DIGITS_TABLE, parse_controllers, parse_table, parse_target
from alphaxenas.workers.flight import DETERMINISTIC, ORDERS

PROCESSES = "processes"
"""The `cluster_address` of workers without Ray."""
POLICY_PARTS = ("mnist", "table", "chains")
"""What notebook 07 can run."""
ENAS_SPACES = ("micro", "macro")


def _contestants(text: str, info: ValidationInfo) -> str:
    parse_controllers(text, str(info.field_name))
    return text


def _target(text: str) -> str:
    parse_target(text)
    return text


def _table(text: str, info: ValidationInfo) -> str:
    words = (DIGITS_TABLE, CHAINS_TABLE)
    if text not in words and not Path(path := parse_table(text, PROJECT_ROOT).path).is_file():
        expected = f"{', '.join(words)}, or an existing file"
        raise invalid(str(info.field_name), expected, path)
    return text


ZooName = Annotated[str, OneOf(tuple(zoo_names()))]
EnasSampling = Annotated[str, OneOf(SAMPLING)]
PoolSampling = Annotated[str, OneOf(SAMPLE_POLICIES)]
PolicyPart = Annotated[str, OneOf(POLICY_PARTS)]
EnasSpace = Annotated[str, OneOf(ENAS_SPACES)]
Order = Annotated[str, OneOf(ORDERS)]
Contestants = Annotated[Text, AfterValidator(_contestants)]
"""Controllers with settings, see `parse_controllers`."""
TableText = Annotated[NonBlank, AfterValidator(_table), WithJsonSchema({"type": "string", "format": "table"})]
"""A table, see `parse_table`."""


_enas = partial(parameter, notebooks="09 10")
_chains = partial(parameter, notebooks="07")
_nao = partial(parameter, notebooks="08 09")
_workers = partial(parameter, affects_results=False)


class EnasConfig(Group):
    """ENAS: shared weights and a policy trained in turn, over the networks of the search (`filters`, `cells` ...)."""

    enas_spaces: Several[EnasSpace] = parameter(
        ENAS_SPACES[:1],
        "what notebook 10 searches: pairs of cells, or whole networks, which take minutes to trace",
        notebooks="10*",
        affects_results=False,
    )
    enas_rounds: Count = parameter(10, "rounds of ENAS: train the shared weights, then the policy", notebooks="09 10*")
    enas_fraction: Share = parameter(1.0, "share of the training images, or text, of a round of ENAS", notebooks="09")
    enas_sampling: EnasSampling = parameter("policy", "who draws the architectures that train ENAS's shared weights")
    enas_policy_steps: Natural = _enas(10, "steps of the policy in a round of ENAS")
    enas_samples: int = _enas(5, "architectures rated for each step of the policy", ge=2)
    enas_reward_images: int = _enas(
        1000, "validation images, or words, that an architecture is rated on; the standard error is recorded", ge=100
    )
    enas_learning_rate: PositiveNumber = parameter(0.0035, "Adam's learning rate for the policy of ENAS")
    enas_entropy: NonNegative = parameter(0.0001, "weight of the entropy bonus of ENAS's policy")
    enas_skip_target: Number = parameter(
        0.4, "macro: share of skip connections that ENAS's policy is drawn to", gt=0, lt=1
    )
    enas_skip_weight: NonNegative = parameter(
        0.8, "macro: how strongly ENAS's policy is drawn to that share (enas_skip_target)"
    )
    enas_retrain: bool = parameter(
        False,
        "train the best derived architectures (top_k) in full, the best of them tested once",
        notebooks="10*",
        affects_results=False,
    )
    enas_derive: Count = _enas(
        20, "architectures drawn at the end of ENAS and ranked on all validation images, or words"
    )


class NAOConfig(Group):
    """NAO: notebook 08 in the micro space, without and with shared weights; notebook 09 for the pool over cells."""

    nao_rounds: Count = parameter(
        4, "NAO with shared weights: how often the pool is scored, then renewed", notebooks="08* 09"
    )
    nao_epochs: Count = _nao(6, "NAO with shared weights: passes over the training data before each scoring")
    nao_policy: PoolSampling = _nao(
        "uniform", "how members of NAO's pool are drawn for a training step of the shared weights"
    )
    nao_subset: int = _nao(
        100,
        "validation images, or words, of the pool's first scoring; more are taken until scores tell members apart",
        ge=2,
    )
    nao_best_epochs: Count = parameter(
        8,
        "epochs of each training in full: of the best found cells (top_k), and of known ones (nao_zoo)",
        notebooks="08",
    )
    nao_zoo: Several[ZooName] = parameter(
        ("nasnet_a", "darts_v2"),
        "known cells trained beside the best found ones, with as many filters, cells and epochs",
        notebooks="08*",
    )


class WorkersConfig(Group):
    """Many evaluations at once, on workers; see docs/long-runs.md."""

    workers: Natural = _workers(
        0,
        "evaluations at once, each on a worker of its own (Ray); 0 or 1 = one after another in this process",
        notebooks="02 07 08 09",
    )
    cluster_address: Text = _workers(
        "",
        "where workers live: empty = a Ray of this machine; auto or HOST:PORT = a Ray cluster; processes = processes "
        "of this machine, without Ray",
    )
    worker_cpus: PositiveNumber = _workers(1.0, "CPUs of a worker, and its threads; Ray takes fractions")
    worker_gpus: NonNegative = _workers(0.0, "GPUs of a worker; 0.5 = two workers share one")
    trial_attempts: Count = _workers(3, "a trial whose worker dies is tried again elsewhere, so often in all")
    trial_minutes: NonNegative = _workers(0.0, "a trial that takes longer is stopped and counts as failed; 0 = never")
    in_flight: Natural = parameter(
        0,
        "proposals whose outcomes are awaited at once; 0 = as many as workers, and results then depend on workers",
        role="budget",
    )
    worker_order: Order = parameter(
        DETERMINISTIC,
        "in which order the controller hears of outcomes: that of its proposals, or as they arrive, which makes "
        "results depend on timing",
        role="budget",
    )


class StudyConfig(Group):
    """Sample efficiency: controllers on tables of architectures that were trained before."""

    tables: Several[TableText] = parameter(
        ("digits",),
        "what is searched: digits = small networks really trained here, chains = the stored table of "
        "1,296 convolution chains, or FILE code=COLUMN signal=COLUMN [report=COLUMN] [cost=COLUMN] ...",
        notebooks="06* 07",
        defaults={"07": (CHAINS_TABLE,)},
    )
    study_controllers: Contestants = parameter(
        "random,evolution,local,uct,alphax,guided",
        "who searches the tables, with commas; name:setting=value,setting=value changes settings",
        notebooks="06* 07",
        defaults={"07": "random,reinforce,reinforce:cell=nascell,controller_pool,uct"},
    )
    ablation: Contestants = parameter(
        "guided:plan=rollouts,guided:surrogate=none,guided:uncertainty=0,guided:surrogate=lstm,guided:prior=uniform",
        "variants shown in a comparison of their own, written in the same way; empty = none",
        notebooks="06*",
    )
    study_seeds: Count = parameter(10, "seeds 0, 1, 2, ... of every controller on every table", notebooks="06* 07")
    cap: Count = parameter(
        20_000,
        "a search that has not succeeded after so many queries ends and counts as so many",
        notebooks="06* 07",
        defaults={"07": 100},
    )
    target: Annotated[Text, AfterValidator(_target)] = parameter(
        "optimum",
        "when a search has succeeded: optimum, first-optimum where several are equal, a top share such as 0.001, "
        "or a signal such as 94.0 or >=0.94",
        notebooks="06*",
    )
    processes: Natural = parameter(0, "searches at the same time; 0 = as many as there are cores", notebooks="06* 07")


class ChainsConfig(Group):
    """Policy gradients on declared spaces: chains of layers, notebook 07."""

    policy_parts: Several[PolicyPart] = parameter(
        POLICY_PARTS[:2],
        "what notebook 07 runs; chains trains every child on your images",
        notebooks="07*",
        affects_results=False,
    )
    chain_seeds: Count = _chains(
        3, "mnist: trainings of either network in the comparison, seeds 0, 1, 2 ...", affects_results=False
    )
    chain_final_epochs: Count = _chains(6, "mnist: epochs of each of these trainings (chain_seeds)")
    chain_learning_rate: PositiveNumber = _chains(0.001, "Adam's learning rate for chains")


class ReportConfig(Group):
    """Looking back at stored runs."""

    compare_with: Text = parameter(
        "",
        "other runs to show beside this one, with commas, e.g. an ablation",
        pattern=rf"^({NAME}(, *{NAME})*)?$",
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
