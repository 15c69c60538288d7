"""Parameters of the search, those of its controllers included; see `alphaxenas.config.networks`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from alphaxenas.config.parameter import Different, Group, Number, OneOf, Several, parameter
from alphaxenas.controllers.alphaxenas.settings import PRIORS
from alphaxenas.controllers.catalogue import CONTROLLERS
from alphaxenas.controllers.nao.settings import PRESETS
from alphaxenas.controllers.policy_gradient.recurrent_cell import CELLS
from alphaxenas.controllers.promotion import PROMOTION_RULES
from alphaxenas.evaluators import FINAL_WEIGHTS

Controller = Annotated[str, OneOf(CONTROLLERS)]
Seed = Annotated[int, Field(ge=0)]
FinalWeights = Annotated[str, OneOf(FINAL_WEIGHTS)]
Promotion = Annotated[str, OneOf(PROMOTION_RULES)]
Prior = Annotated[str, OneOf(PRIORS)]
PolicyCell = Annotated[str, OneOf(tuple(CELLS))]
NaoPreset = Annotated[str, OneOf(tuple(PRESETS))]


class SearchConfig(Group):
    """The search: who searches, how long, with which budgets."""

    controllers: Several[Controller] = parameter(
        ("alphaxenas", "random"),
        "who searches, one run each and seed",
        notebooks="02* 04 07* 09*",
        defaults={"07": ("reinforce", "random", "alphaxenas")},
        affects_results=False,
    )
    seeds: Different[Seed] = parameter(
        (), "seeds of the search runs; empty = only `seed`", notebooks="02* 04 07* 09", affects_results=False
    )
    iterations: int = parameter(
        0, "stop after so many finished architectures; 0 = unlimited", ge=0, notebooks="02", role="limit"
    )
    trials: int = parameter(
        56,
        "stop after so many trained children; 0 = unlimited",
        ge=0,
        notebooks="02* 07* 08* 09*",
        defaults={"07": 20, "08": 24, "09": 8},
        role="limit",
    )
    max_minutes: Number = parameter(
        0.0, "stop after so many minutes, restarts included; 0 = unlimited", ge=0, notebooks="02* 09", role="limit"
    )
    search_epochs: int = parameter(
        1,
        "epochs of a child at the search budget",
        ge=0,
        notebooks="02 07* 08* 09",
        defaults={"07": 3, "08": 3, "09": 1},
        role="budget",
    )
    search_fraction: Number = parameter(
        0.5, "share of the training images drawn for those epochs", gt=0, le=1, notebooks="02 09", role="budget"
    )
    final_epochs: int = parameter(
        6,
        "epochs of the architecture that ends an iteration",
        ge=0,
        notebooks="02* 09",
        defaults={"09": 2},
        role="budget",
    )
    final_fraction: Number = parameter(
        1.0, "share of the training images drawn for those epochs", gt=0, le=1, notebooks="02 09", role="budget"
    )
    final_weights: FinalWeights = parameter(
        "scratch",
        "what it starts from: scratch can be compared between searches, shared weights cannot",
        notebooks="02",
        role="budget",
    )
    search_children: int = parameter(
        6,
        "children trained per iteration before its final; 0 = all that the tree meets",
        ge=0,
        notebooks="02",
        role="method",
    )
    uniform_share: Number = parameter(
        0.5,
        "share of those that is drawn uniformly and alone trains the shared weights; 0 = all do",
        ge=0,
        le=1,
        notebooks="02",
        controllers=("alphaxenas",),
    )
    num_simulations: int = parameter(24, "tree simulations per move", ge=1, notebooks="02", controllers=("alphaxenas",))
    exploration: Number = parameter(
        1.0, "c of PUCT: weight of the prior against the value", ge=0, notebooks="02", controllers=("alphaxenas",)
    )
    promotion: Promotion = parameter(
        "best_unpromoted",
        "who gets the final budget: the best child without one, or the rollout that the moves built",
        notebooks="02",
        role="method",
    )
    temperature: Number = parameter(
        0.0,
        "moves are drawn from visits ** (1 / temperature); 0 = most visited",
        ge=0,
        notebooks="02",
        controllers=("alphaxenas",),
    )
    prior: Prior = parameter("lstm", "where move probabilities come from", notebooks="02", controllers=("alphaxenas",))
    warmup_iterations: int = parameter(
        4,
        "iterations with a uniform prior, before the LSTM is asked",
        ge=0,
        notebooks="02",
        controllers=("alphaxenas",),
    )
    tree_renewal: int = parameter(
        1, "a new tree every so many iterations; 0 = never", ge=0, notebooks="02", controllers=("alphaxenas",)
    )
    dirichlet_alpha: Number = parameter(
        0.3, "concentration of the noise at the root", gt=0, notebooks="02", controllers=("alphaxenas",)
    )
    dirichlet_weight: Number = parameter(
        0.25,
        "share of that noise in the root's prior; 0 = off",
        ge=0,
        le=1,
        notebooks="02",
        controllers=("alphaxenas",),
    )
    refresh_after: int = parameter(
        50,
        "score known children again after so many trained ones; 0 = never",
        ge=0,
        notebooks="02",
        controllers=("alphaxenas",),
    )
    lstm_units: int = parameter(100, "width of the LSTM", ge=1, notebooks="02", controllers=("alphaxenas",))
    lstm_learning_rate: Number = parameter(
        0.003, "Adam's learning rate for the LSTM", gt=0, notebooks="02", controllers=("alphaxenas",)
    )
    lstm_batch_size: int = parameter(
        32, "examples per training step of the LSTM", ge=1, notebooks="02", controllers=("alphaxenas",)
    )
    lstm_steps: int = parameter(
        40, "training steps of the LSTM per iteration", ge=1, notebooks="02", controllers=("alphaxenas",)
    )
    replay_capacity: int = parameter(
        1000, "examples kept for training the LSTM", ge=1, notebooks="02", controllers=("alphaxenas",)
    )
    uct_exploration: Number = parameter(
        0.15,
        "c of uct: weight of little visited edges against ranked rewards",
        ge=0,
        notebooks="02",
        controllers=("uct",),
        setting="exploration",
    )
    alphax_rollouts: int = parameter(
        10,
        "k of alphax: predicted completions per simulation",
        ge=0,
        notebooks="02",
        controllers=("alphax",),
        setting="rollouts",
    )
    evolution_population: int = parameter(
        20, "evolution: architectures alive", ge=1, notebooks="02", controllers=("evolution",), setting="population"
    )
    evolution_sample: int = parameter(
        10,
        "evolution: of so many drawn ones the best is mutated",
        ge=1,
        notebooks="02",
        controllers=("evolution",),
        setting="sample",
    )
    policy_cell: PolicyCell = parameter(
        "lstm",
        "reinforce and controller_pool: recurrent cell of the policy; nascell is Zoph and Le's",
        notebooks="07",
        controllers=("reinforce", "controller_pool"),
        setting="cell",
    )
    policy_units: int = parameter(
        32, "width of a policy", ge=1, notebooks="07", controllers=("reinforce", "controller_pool"), setting="units"
    )
    policy_batch: int = parameter(
        10,
        "architectures drawn per update of a policy",
        ge=1,
        notebooks="07",
        controllers=("reinforce", "controller_pool"),
        setting="batch",
    )
    policy_learning_rate: Number = parameter(
        0.1,
        "Adam's learning rate for policies",
        gt=0,
        notebooks="07",
        controllers=("reinforce", "controller_pool"),
        setting="learning_rate",
    )
    policy_entropy: Number = parameter(
        0.2,
        "weight of the entropy bonus that keeps policies from collapsing",
        ge=0,
        notebooks="07",
        controllers=("reinforce", "controller_pool"),
        setting="entropy",
    )
    policy_epsilon: Number = parameter(
        0.0,
        "share of architectures first drawn uniformly instead of by the policy; falls by 1 % a batch",
        ge=0,
        lt=1,
        notebooks="07",
        controllers=("reinforce", "controller_pool"),
        setting="epsilon",
    )
    pool_policies: int = parameter(
        4,
        "controller_pool: policies that share their experience",
        ge=1,
        notebooks="07",
        controllers=("controller_pool",),
        setting="policies",
    )
    nao_preset: NaoPreset = parameter(
        "small",
        "nao: constants for small budgets, those of the paper, or those of its code",
        notebooks="08",
        controllers=("nao",),
        setting="preset",
    )
    nao_pool: int = parameter(
        12,
        "nao: architectures in the pool, all drawn uniformly at first; 0 = the preset's",
        ge=0,
        notebooks="08",
        controllers=("nao",),
        setting="pool",
    )
    nao_new: int = parameter(
        5,
        "nao: architectures that a round decodes; 0 = the preset's",
        ge=0,
        notebooks="08",
        controllers=("nao",),
        setting="new",
    )
    checkpoint_every: int = parameter(
        1, "write a checkpoint after so many evaluated children", ge=1, affects_results=False
    )
