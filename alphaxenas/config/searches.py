"""Parameters of the search, those of its controllers included; see `alphaxenas.config.networks`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from alphaxenas.config.parameter import (
    Count,
    Different,
    FilePath,
    Group,
    Natural,
    NonBlank,
    NonNegative,
    Number,
    OneOf,
    PositiveNumber,
    Rate,
    Several,
    Share,
    parameter,
)
from alphaxenas.controllers.alphaxenas.settings import MOVE_RULES, PLANNINGS, PRIORS
from alphaxenas.controllers.catalogue import CONTROLLERS, CONTROLS
from alphaxenas.controllers.nao.settings import PRESETS
from alphaxenas.controllers.pareto.objectives import OBJECTIVES
from alphaxenas.controllers.policy_gradient.recurrent_cell import CELLS
from alphaxenas.controllers.promotion import PROMOTION_RULES
from alphaxenas.evaluators import FINAL_WEIGHTS
from alphaxenas.proxies import PROXIES

Controller = Annotated[str, OneOf(CONTROLLERS)]
FinalWeights = Annotated[str, OneOf(FINAL_WEIGHTS)]
Promotion = Annotated[str, OneOf(PROMOTION_RULES)]
Prior = Annotated[str, OneOf(PRIORS)]
Planning = Annotated[str, OneOf(PLANNINGS)]
MoveRule = Annotated[str, OneOf(MOVE_RULES)]
PolicyCell = Annotated[str, OneOf(tuple(CELLS))]
ObjectiveName = Annotated[str, OneOf(tuple(OBJECTIVES))]
ProxyName = Annotated[str, OneOf(tuple(PROXIES))]
NaoPreset = Annotated[str, OneOf(tuple(PRESETS))]

_limit = partial(parameter, role="limit", notebooks="02")
_budget = partial(parameter, role="budget", notebooks="02")
_alphaxenas = partial(parameter, controllers=("alphaxenas",), notebooks="02")
_evolution = partial(parameter, controllers=("evolution",), prefix="evolution_", notebooks="02")
_policy = partial(parameter, controllers=("reinforce", "controller_pool"), prefix="policy_", notebooks="07")
_nao = partial(parameter, controllers=("nao",), prefix="nao_", notebooks="08 09")


class SearchConfig(Group):
    """The search: who searches, how long, with which budgets."""

    controllers: Several[Controller] = parameter(
        ("alphaxenas", "random"),
        "who searches: one stage for each and each seed",
        notebooks="02* 04 07* 09*",
        defaults={"07": ("reinforce", "random", "alphaxenas")},
        affects_results=False,
    )
    seeds: Different[Natural] = parameter(
        (), "seeds of the searches; empty = only `seed`", notebooks="02* 04 07* 09", affects_results=False
    )
    iterations: Natural = _limit(0, "stop after so many iterations, that is promotions; 0 = unlimited")
    trials: Natural = _limit(
        56,
        "stop after so many trained children, promoted ones counted again; 0 = unlimited",
        notebooks="02* 07* 08* 09*",
        defaults={"07": 20, "08": 24, "09": 8},
    )
    max_minutes: NonNegative = _limit(
        0.0, "stop after so many minutes, restarts included; 0 = unlimited", notebooks="02 09"
    )
    search_epochs: Natural = _budget(
        1, "epochs of a child at the search budget", notebooks="02 07* 08* 09", defaults={"07": 3, "08": 3, "09": 1}
    )
    search_fraction: Share = _budget(
        0.5, "share of the training images drawn for the epochs of the search budget", notebooks="02 09"
    )
    final_epochs: Natural = _budget(
        6, "epochs of a promoted child: the final budget", notebooks="02* 09", defaults={"09": 2}
    )
    final_fraction: Share = _budget(
        1.0, "share of the training images drawn for the epochs of the final budget", notebooks="02 09"
    )
    final_weights: FinalWeights = _budget(
        "scratch", "what a promoted child starts from: scratch can be compared between searches, shared weights cannot"
    )
    search_children: Natural = parameter(
        6,
        "children trained before the best one is promoted; with planning=children 0: all that the tree meets, and 12 "
        "for other searches beside it",
        notebooks="02",
        role="method",
    )
    objectives: Several[ObjectiveName] = parameter(
        ("accuracy",),
        "what is looked for; more than accuracy is a search for the front of the best trade-offs",
        notebooks="02",
        role="space",
    )
    max_parameters: Natural = parameter(
        0, "children of at most so many parameters alone are suggested; 0 = any", notebooks="02", role="space"
    )
    max_multiply_adds: NonNegative = parameter(
        0.0, "children of at most so many million multiply-adds an image; 0 = any", notebooks="02", role="space"
    )
    max_latency_ms: NonNegative = parameter(
        0.0,
        "children that take at most so many ms for one image, measured on this machine; slower ones are not trained; "
        "0 = any",
        notebooks="02",
        role="space",
    )
    start_from: Different[NonBlank] = parameter(
        (),
        "architectures that every controller evaluates first: names such as darts_v2, text forms, files",
        notebooks="02",
        role="method",
    )
    favoured: Different[NonBlank] = parameter(
        (),
        "choices that seem right before anything is measured, as in sep3x3=4 (1 = as good as others); fades with time",
        notebooks="02",
        role="method",
    )
    proxies: Different[ProxyName] = parameter(
        (),
        "zero-cost scores that controllers use: as features of their models, in the choice, ranked by; empty = none",
        notebooks="02",
        role="method",
    )
    proxy_sample: Count = parameter(
        256,
        "ranked and static: architectures drawn and ranked at a time",
        controllers=("ranked", "static"),
        prefix="proxy_",
        notebooks="02",
    )
    uniform_share: Number = parameter(
        0.5,
        "share of the children that is drawn uniformly, alone trains the shared weights and is promoted last; 0 = all "
        "children train them. Without shared weights only 1 acts: alphaxenas then draws all",
        ge=0,
        le=1,
        controllers=("alphaxenas", *CONTROLS),
        notebooks="02",
    )
    planning: Planning = _alphaxenas(
        "tree",
        "tree = before every child a search inside the model; rollouts = the same without a tree; children = as in the "
        "original, every new architecture that the tree meets is trained",
    )
    move_rule: MoveRule = _alphaxenas(
        "gumbel", "how the tree search inside the model finds a move: sequential halving, or most visited by PUCT"
    )
    initial_children: int = _alphaxenas(
        5, "children before the model is asked: those of start_from, one by free features, others drawn uniformly", ge=2
    )
    free_features: bool = _alphaxenas(
        True,
        "the first child that is not drawn is the one that size and depth speak for, as far as the space tells them; "
        "not after start_from or import_trials",
    )
    reward_trust: Number = parameter(
        0.4,
        "how far rewards at the search budget count in the choice against size, depth and proxies; more for children "
        "as deep as the final network",
        controllers=("alphaxenas", "guided"),
        notebooks="02",
        ge=0,
        le=1,
    )
    uncertainty: NonNegative = _alphaxenas(2.0, "weight of the model's deviation in the value of an architecture")
    climb: bool = _alphaxenas(True, "after the tree search, climb along single changes from the best that it met")
    num_simulations: Count = _alphaxenas(12, "tree simulations per move")
    exploration: NonNegative = _alphaxenas(
        1.0, "c of PUCT, with move_rule=puct or planning=children alone: weight of the prior against the value"
    )
    promotion: Promotion = parameter(
        "best_unpromoted",
        "who gets the final budget: the best child without one (drawn ones last), or the rollout that the moves built",
        notebooks="02",
        role="method",
    )
    temperature: NonNegative = _alphaxenas(
        0.0, "planning=children: moves are drawn from visits ** (1 / temperature); 0 = most visited"
    )
    prior: Prior = _alphaxenas("lstm", "where move probabilities come from")
    warmup_iterations: Natural = _alphaxenas(
        0, "planning=children: iterations with a uniform prior, before the LSTM is asked"
    )
    tree_renewal: Natural = _alphaxenas(0, "planning=children: a new tree every so many iterations; 0 = never")
    refresh_after: Natural = _alphaxenas(
        0, "planning=children: score known children again after so many trained ones; 0 = never"
    )
    lstm_units: Count = _alphaxenas(64, "width of the LSTM")
    lstm_learning_rate: PositiveNumber = _alphaxenas(0.003, "Adam's learning rate for the LSTM")
    lstm_batch_size: Count = _alphaxenas(32, "examples per training step of the LSTM")
    lstm_steps: Count = _alphaxenas(
        40,
        "training steps of the LSTM at every fit: when a tenth more children are known (planning=children: every "
        "iteration)",
    )
    replay_capacity: Count = _alphaxenas(1000, "evaluated children that are learned from")
    uct_exploration: NonNegative = parameter(
        0.15,
        "c of uct: weight of little visited edges against ranked rewards",
        controllers=("uct",),
        prefix="uct_",
        notebooks="02",
    )
    alphax_rollouts: Natural = parameter(
        10,
        "k of alphax: predicted completions per simulation",
        controllers=("alphax",),
        prefix="alphax_",
        notebooks="02",
    )
    evolution_population: Count = _evolution(20, "evolution: architectures alive")
    evolution_sample: Count = _evolution(10, "evolution: of so many drawn ones the best is mutated")
    policy_cell: PolicyCell = _policy(
        "lstm", "reinforce and controller_pool: recurrent cell of the policy; nascell is Zoph and Le's"
    )
    policy_units: Count = _policy(32, "width of a policy")
    policy_batch: Count = _policy(10, "architectures drawn per update of a policy")
    policy_learning_rate: PositiveNumber = _policy(0.1, "Adam's learning rate for policies")
    policy_entropy: NonNegative = _policy(0.2, "weight of the entropy bonus that keeps policies from collapsing")
    policy_epsilon: Rate = _policy(
        0.0, "share of architectures first drawn uniformly instead of by the policy; falls by 1 % a batch"
    )
    pool_policies: Count = parameter(
        4,
        "controller_pool: policies that share their experience",
        controllers=("controller_pool",),
        prefix="pool_",
        notebooks="07",
    )
    nao_preset: NaoPreset = _nao("small", "nao: constants for small budgets, those of the paper, or those of its code")
    nao_pool: Natural = _nao(12, "nao: architectures in the pool, all drawn uniformly at first; 0 = the preset's")
    nao_new: Natural = _nao(5, "nao: architectures that a round decodes; 0 = the preset's")
    import_trials: FilePath = parameter(
        "",
        "results of another search as experience: CSV or JSON lines of architecture, reward, budget; empty = none",
        notebooks="02",
        role="method",
    )
    checkpoint_every: Count = parameter(1, "write a checkpoint after so many evaluated children", affects_results=False)
