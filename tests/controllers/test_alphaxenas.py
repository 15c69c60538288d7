"""AlphaXENAS: what it proposes, what its LSTM learns from, and what it does about ratings and budgets."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Outcome, Proposal
from alphaxenas.controllers.alphaxenas.controller import AlphaXENAS
from alphaxenas.controllers.alphaxenas.replay import rank_correlation
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.controllers.surrogate.belief import FEWEST_FINAL, TRUST, Belief, NormalScores
from alphaxenas.controllers.surrogate.candidate_pool import FEW
from alphaxenas.proxies import SpaceWithProxies
from alphaxenas.spaces import CellSpace, NASBench201
from tests.controllers.tabular import UnorderedDigits as Digits

SEARCH, FINAL = Budget(1), Budget(3)
LSTM = {"lstm_units": 8, "lstm_steps": 3, "lstm_batch_size": 8}


def small(space=None, seed=0, **settings):
    settings = {"num_simulations": 3, "search_children": 2, **LSTM, **settings}
    return make_controller("alphaxenas", space or Digits(), seed, SEARCH, FINAL, **settings)


def play(controller, reward, steps=10**6):
    """Proposals and outcomes until nothing is asked for or `steps` are made."""
    outcomes = []
    while len(outcomes) < steps and (proposal := controller.ask()) is not None:
        outcomes.append(Outcome(proposal, reward(proposal)))
        controller.tell(outcomes[-1])
    return outcomes


def total(proposal):
    return 0.5 + 0.03 * sum(proposal.tokens) + 0.05 * proposal.budget.epochs


def test_with_a_uniform_share_only_uniform_children_train_the_shared_weights():
    outcomes = play(small(Digits(6), search_children=4, uniform_share=0.5), total, steps=25)
    sequences = [outcomes[start : start + 5] for start in range(0, 25, 5)]
    for sequence in sequences:
        assert [outcome.proposal.purpose for outcome in sequence] == ["search"] * 4 + ["final"]
        assert [o.proposal.updates_shared_weights for o in sequence[:4]] == [True, False, True, False]
    assert all(outcome.proposal.updates_shared_weights for outcome in play(small(Digits(6)), total, steps=12))


def test_uniform_children_do_not_depend_on_rewards():
    """Their draws are uniform whatever the search prefers: their digits are spread alike under opposite rewards."""
    counts = []
    for sign in (1, -1):
        outcomes = play(
            small(Digits(12), search_children=4, uniform_share=0.5),
            lambda p: 0.5 + sign * 0.01 * sum(p.tokens),
            steps=80,
        )
        children = [o.proposal for o in outcomes if o.proposal.purpose == "search"]
        drawn = [sum(p.tokens) / 12 for p in children if p.updates_shared_weights]
        guided = [sum(p.tokens) / 12 for p in children if not p.updates_shared_weights]
        counts.append((np.mean(drawn), np.mean(guided)))
    (up_drawn, up_guided), (down_drawn, down_guided) = counts
    assert abs(up_drawn - down_drawn) < 0.4 and up_guided - down_guided > abs(up_drawn - down_drawn)


def test_with_a_uniform_share_of_one_nothing_is_searched():
    """The control: rewards say which child is promoted, and nothing else of what is tried."""
    tried = []
    for sign in (1, -1):
        outcomes = play(
            small(Digits(12), search_children=3, uniform_share=1.0),
            lambda p: 0.5 + sign * 0.01 * sum(p.tokens),
            steps=24,
        )
        tried.append([o.proposal.tokens for o in outcomes if o.proposal.purpose == "search"])
        assert all(o.proposal.updates_shared_weights for o in outcomes if o.proposal.purpose == "search")
    assert tried[0] == tried[1] and len(tried[0]) == 18


def test_a_uniform_share_needs_children_and_is_a_share():
    for settings in ({"uniform_share": 1.1}, {"uniform_share": -0.1}, {"uniform_share": 0.5, "search_children": 0}):
        with pytest.raises(ValueError, match="`uniform_share`"):
            small(**settings)


def test_no_key_is_trained_twice_for_one_budget_and_every_one_is_promoted():
    outcomes = play(small(), total)
    trained = [("".join(map(str, sorted(o.proposal.tokens))), o.proposal.budget) for o in outcomes]
    assert len(trained) == len(set(trained))
    assert sum(o.proposal.purpose == "search" for o in outcomes) == 20  # multisets of 3 out of 4 digits


def test_the_optimum_of_a_space_that_can_be_counted_out_is_found_early():
    outcomes = play(small(Digits(5), num_simulations=8, seed=1), total, steps=30)
    assert max(sum(o.proposal.tokens) for o in outcomes) == 15


def test_every_move_of_every_plan_is_a_target_of_the_policy(monkeypatch):
    """Once, only the moves before the finished architecture left the played path were: 3 to 5 of 20."""
    from alphaxenas.controllers.alphaxenas.network import PolicyValueLSTM

    taught = []
    fit = PolicyValueLSTM.fit
    monkeypatch.setattr(PolicyValueLSTM, "fit", lambda self, examples: taught.append(examples) or fit(self, examples))
    play(small(CellSpace(2), search_children=0), total, steps=9)
    sums = taught[-1].policies.sum(-1)
    known = np.isclose(sums, 1.0).all(1)
    assert known.sum() == len(taught) - 1 >= 4 and np.all(sums[~known] == 0)


def test_the_lstm_learns_before_every_early_plan_and_then_once_a_tenth_more_children_are_known(monkeypatch):
    """Its fit takes most of a plan's time."""
    from alphaxenas.controllers.alphaxenas.network import PolicyValueLSTM

    fits = []
    monkeypatch.setattr(PolicyValueLSTM, "fit", lambda self, examples: fits.append(known))
    planner = small().strategy._planner
    for known in (0, *range(5, 32)):
        planner._learn([(0,) * 3], np.zeros(1), known)
    assert fits == [0, *range(5, 20), 20, 22, 24, 26, 28, 30]


def test_the_first_child_is_the_deepest_and_largest_of_many_and_the_next_are_drawn():
    space = NASBench201()
    first = [small(space, seed).ask().tokens for seed in range(3)]
    scores = [
        Belief(space, 2.0, True).prior.structure(space.features(space.decode(tokens))[None])[0] for tokens in first
    ]
    rng = np.random.default_rng(0)
    drawn = np.array([space.features(space.sample(rng)) for _ in range(500)])
    assert min(scores) > np.percentile(Belief(space, 2.0, True).prior.structure(drawn), 99)
    blind = [small(space, seed, free_features=False).ask().tokens for seed in range(3)]
    assert not set(blind) & set(first)


def test_finals_correct_what_ratings_say():
    """Ratings that order architectures the wrong way round: with enough finals the belief follows these."""
    space, belief = NASBench201(), Belief(NASBench201(), 2.0, True)
    rng = np.random.default_rng(1)
    sequences = [space.encode(space.sample(rng)) for _ in range(60)]
    merit = {tokens: float(tokens.count(3)) for tokens in sequences}
    known = {tokens: -0.3 * value for tokens, value in merit.items()}
    others, features = sequences[40:], np.stack([belief.features(tokens) for tokens in sequences[40:]])
    belief.fit(known, [], {})
    before, _ = belief.predict(others, features)
    belief.fit(known, [], {tokens: merit[tokens] for tokens in sequences[:40]})
    after, _ = belief.predict(others, features)
    truth = [merit[tokens] for tokens in others]
    assert np.corrcoef(before, truth)[0, 1] < -0.5 < 0.5 < np.corrcoef(after, truth)[0, 1]
    assert FEWEST_FINAL >= 2


def short_training(seed):
    """Accuracy of deep and large NAS-Bench-201 cells is high in the end; short trainings prefer 1x1 convolutions, and
    are noisy."""
    space, rng = NASBench201(), np.random.default_rng(seed)
    place = space.feature_names().index("longest path by convolution")

    def quality(tokens):
        return float(space.features(space.decode(tokens))[place]) + 0.3 * tokens.count(3)

    def reward(proposal):
        bias = 0.8 * proposal.tokens.count(2) + rng.normal(0, 2.0 / proposal.budget.epochs)
        return 0.5 + 0.02 * (quality(proposal.tokens) + bias)

    return quality, reward


@pytest.mark.parametrize("count", [6, 10])
def test_of_few_finals_the_belief_chooses_better_ones_than_the_highest_reward(count):
    """Of the best of 60 random cells by short trainings, which are noisy and biased."""
    gains = []
    for seed in range(12):
        space, (quality, reward) = NASBench201(), short_training(seed)
        drawn = [Proposal(0, space.encode(space.sample(np.random.default_rng([seed, n]))), SEARCH) for n in range(60)]
        known = {proposal.tokens: reward(proposal) for proposal in drawn}
        promoted = sorted(known, key=known.__getitem__)[-count:]
        finals = {tokens: reward(Proposal(0, tokens, FINAL, "final")) for tokens in promoted}
        found = Belief(space, 2.0, True, TRUST).judged(promoted, known, finals)
        gains.append(quality(promoted[int(np.argmax(found))]) - quality(max(finals, key=finals.__getitem__)))
    assert np.mean(gains) > 0.2 and sum(gain >= 0 for gain in gains) >= 10


def test_of_many_finals_the_own_reward_counts_more_than_what_similar_architectures_tell():
    space, (_, reward) = NASBench201(), short_training(0)
    drawn = list({space.encode(space.sample(np.random.default_rng([7, n]))): None for n in range(90)})
    known = {tokens: reward(Proposal(0, tokens, SEARCH)) for tokens in drawn}
    follows = {}
    for count in (6, 80):
        draws = []
        for seed in range(480 // count):
            rng = np.random.default_rng(seed)
            finals = {drawn[place]: rng.normal() for place in rng.permutation(len(drawn))[:count]}
            found = Belief(space, 2.0, True, TRUST).judged(list(finals), known, finals)
            draws.append(rank_correlation(found, list(finals.values())))
        follows[count] = np.mean(draws)
    assert follows[6] < 0.7 < 0.9 < follows[80]


@pytest.mark.parametrize("name", ["alphaxenas", "guided"])
def test_asking_for_the_quality_changes_nothing(name):
    settings = {"prior": "uniform", "num_simulations": 2} if name == "alphaxenas" else {"plan": "rollouts"}
    controller, (_, reward) = make_controller(name, NASBench201(), 0, SEARCH, FINAL, 2, **settings), short_training(0)
    finals = [o.proposal.tokens for o in play(controller, reward, steps=20) if o.proposal.purpose == "final"]
    before = controller.state()
    assert len(set(controller.quality(finals))) == len(set(finals))
    np.testing.assert_equal(controller.state(), before)
    again = make_controller(name, NASBench201(), 0, SEARCH, FINAL, 2, **settings)
    again.restore(before)
    assert np.array_equal(again.quality(finals), controller.quality(finals))


def test_a_belief_chooses_from_two_rewards_on_and_trusts_them_where_nothing_is_promoted():
    space = NASBench201()
    controller = small(space, prior="uniform")
    assert controller.quality([(0,) * 6]) is None
    outcomes = play(controller, total, steps=3)  # two children, and the promotion of one
    assert np.isfinite(controller.quality([outcome.proposal.tokens for outcome in outcomes])).all()
    assert make_controller("random", space, 0, SEARCH).quality([(0,) * 6]) is None
    rng = np.random.default_rng(0)
    known = {space.encode(space.sample(rng)): place / 40 for place in range(40)}
    fitted = Belief(space, 2.0, True)
    mean, _ = (fitted.fit(known, [], {}), fitted.predict(list(known), fitted._features(known)))[1]
    assert np.array_equal(Belief(space, 2.0, True).judged(list(known), known, {}), mean)
    assert not np.allclose(Belief(space, 2.0, True, TRUST).judged(list(known), known, {}), mean)


def test_how_far_the_highest_reward_lies_above_the_next_matters_as_far_as_rewards_are_trusted():
    """Little trusted rewards count by their ranks."""
    space, rng = NASBench201(), np.random.default_rng(4)
    sequences = list({space.encode(space.sample(rng)): None for _ in range(40)})
    known = {tokens: 0.4 + place / 1000 for place, tokens in enumerate(sequences)}
    lucky = known | {sequences[-1]: 0.9}
    moved = []
    for trust in (0.01, TRUST, 1.0):
        first, second = (Belief(space, 2.0, True, trust).judged(sequences, one, {}) for one in (known, lucky))
        moved.append(np.corrcoef(first, second)[0, 1])
    assert moved[0] > 0.9999 and moved[0] > moved[1] > moved[2]
    means = []
    for one in (known, lucky):
        untrusting = Belief(space, 2.0, True, 0.0)
        untrusting.fit(one, (), {})
        means.append(untrusting.predict(sequences, untrusting._features(sequences))[0])
    assert np.array_equal(*means)  # by ranks alone


def test_a_belief_from_few_rewards_stays_with_the_prior_and_many_move_it_up_to_the_trust():
    """The rewards speak against size and depth; with more of them the belief follows them further."""
    space, rng = NASBench201(), np.random.default_rng(0)
    place = space.feature_names().index("log parameters")
    drawn = list({space.encode(space.sample(rng)): None for _ in range(250)})
    against = {tokens: -float(space.features(space.decode(tokens))[place]) for tokens in drawn}
    unseen = drawn[150:]
    follows = {}
    for trust, count in ((0.7, 3), (0.7, 150), (0.1, 150)):
        judged = Belief(space, 2.0, True, trust).judged(unseen, {one: against[one] for one in drawn[:count]}, {})
        follows[trust, count] = rank_correlation(judged, [against[tokens] for tokens in unseen])
    assert follows[0.7, 3] < 0 < follows[0.7, 150] and follows[0.1, 150] < 0


@pytest.mark.parametrize("count", [5, 12])
def test_promoted_children_whose_order_is_reversed_do_not_send_the_search_to_the_worst_rated(count):
    """A search of cells on CIFAR-10 once tried the worst rated 36 times in a row after five such promotions."""
    space = NASBench201()
    drawn = list({space.encode(space.sample(np.random.default_rng([9, n]))): None for n in range(60)})
    place = space.feature_names().index("log parameters")
    known = {tokens: float(space.features(space.decode(tokens))[place]) for tokens in drawn}
    best = sorted(known, key=known.__getitem__)[-count:]
    belief = Belief(space, 2.0, True, TRUST)
    belief.fit(known, (), {tokens: -known[tokens] for tokens in best})
    others = [tokens for tokens in drawn if tokens not in best]
    means, _ = belief.predict(others, belief._features(others))
    assert rank_correlation(means, [known[tokens] for tokens in others]) > 0


def test_a_promotion_at_the_budget_that_was_searched_at_corrects_nothing():
    space, (_, reward) = NASBench201(), short_training(1)
    drawn = [Proposal(0, space.encode(space.sample(np.random.default_rng([5, n]))), SEARCH) for n in range(30)]
    known = {proposal.tokens: reward(proposal) for proposal in drawn}
    best = sorted(known, key=known.__getitem__)[-6:]
    found = [
        Belief(space, 2.0, True, TRUST).judged(list(known), known, finals)
        for finals in ({}, {tokens: known[tokens] for tokens in best}, {tokens: known[tokens] + 0.1 for tokens in best})
    ]
    assert np.array_equal(found[0], found[1]) and not np.allclose(found[0], found[2])


class FewScores:
    """Counts what is scored; the number of 3x3 convolutions, which is not finite for cells without one."""

    names, elsewhere = ("naswot",), None

    def __init__(self):
        self.scored = set()

    def scores(self, architectures):
        self.scored |= set(architectures)
        counts = [NASBench201().encode(one).count(3) for one in architectures]
        return np.array([[float(count) if count else np.nan] for count in counts])


def test_proxies_are_computed_for_children_alone_and_take_part_in_the_choice():
    scores = FewScores()
    space = SpaceWithProxies(NASBench201(), scores)
    controller = small(space, prior="uniform", search_children=3)
    _, reward = short_training(0)
    outcomes = play(controller, reward, steps=16)
    children = {space.decode(outcome.proposal.tokens) for outcome in outcomes}
    assert children <= scores.scored and len(scores.scored) <= FEW + len(children)
    without, bare = (controller.quality([(1, 1, 1, 1, 1, three), (1,) * 6]) for three in (3, 1))
    assert np.isfinite([*without, *bare]).all() and without[0] > without[1] == pytest.approx(bare[0])


def test_normal_scores_keep_the_order_of_any_scale_and_go_on_beyond_what_is_known():
    rng = np.random.default_rng(0)
    heavy = np.exp(rng.normal(0, 3, 200))
    scores = NormalScores(heavy[:, None])
    assert np.corrcoef(scores(heavy[:, None]), np.log(heavy))[0, 1] > 0.99
    assert np.all(np.diff(scores(np.array([-np.inf, heavy.min(), heavy.max(), 2 * heavy.max()])[:, None])) >= 0)
    assert scores(np.array([[2 * heavy.max()]]))[0] > scores(np.array([[heavy.max()]]))[0]
    assert NormalScores(np.ones((5, 1)))(np.array([[3.0]])) == 0 == NormalScores(np.zeros((5, 0)))(np.zeros((1, 0)))


def test_the_run_says_how_ratings_and_finals_are_ordered():
    controller = small(Digits(8), search_children=2)
    outcomes = play(controller, total, steps=24)
    assert sum(o.proposal.purpose == "final" for o in outcomes) == 8
    assert controller.diagnostics()["promotion/rank_correlation"] == pytest.approx(1.0)
    assert -1 <= controller.diagnostics()["belief/rank_correlation"] <= 1


def test_the_belief_is_about_rewards_as_if_measured_now_where_the_weights_rise():
    for rewards_age in (True, False):
        controller = AlphaXENAS(Digits(6), 0, rewards_age, search_children=2, uniform_share=0.5, prior="uniform")
        drawn = [controller.draw() for _ in range(12)]
        for step, tokens in enumerate(drawn):
            controller.observe(tokens, 0.5 + 0.02 * step**0.5)
        known, _ = controller._measured()
        assert (known[drawn[0]] > 0.54) == rewards_age


def test_failures_are_believed_to_be_the_worst():
    controller = small(Digits(5), search_children=4)
    for step in range(30):
        proposal = controller.ask()
        failed = step % 4 == 0
        reward = 0.0 if failed else 0.93 + 0.002 * sum(proposal.tokens)
        controller.tell(Outcome(proposal, reward, "failed" if failed else "ok", reason="x" if failed else ""))
    rewards = controller.strategy._replay.present_rewards(Budget(1))
    assert min(rewards.values()) >= 0.93 and len(rewards) > 15


def test_it_beats_random_search_at_equal_trials():
    space, gains = CellSpace(2), []
    for seed in range(2):
        effects = np.random.default_rng(seed).normal(0, 0.012, len(space.vocabulary))
        scores = []
        for name, settings in (("alphaxenas", {"num_simulations": 2, **LSTM}), ("random", {})):
            controller = make_controller(name, space, seed, SEARCH, FINAL, 6, **settings)
            noise = np.random.default_rng([seed, 1])
            outcomes = play(controller, lambda p: 0.7 + effects[list(p.tokens)].sum() + noise.normal(0, 0.01), steps=28)
            scores.append(np.mean([o.reward for o in outcomes[-10:]]))
        gains.append(scores[0] - scores[1])
    assert min(gains) > 0.02


@pytest.mark.parametrize(
    ("settings", "digest"),
    [
        ({"num_simulations": 12, "tree_renewal": 2, "warmup_iterations": 2, "prior": "lstm"}, "8611bc049f02d004"),
        ({"num_simulations": 1, "tree_renewal": 0, "warmup_iterations": 16, "prior": "uniform"}, "fc04862dedfaa1d5"),
    ],
)
def test_the_original_configurations_propose_what_they_always_did(settings, digest):
    controller = make_controller(
        "alphaxenas",
        CellSpace(blocks=2),
        3,
        Budget(1, 0.3),
        Budget(6, 0.3),
        promotion="rollout",
        planning="children",
        exploration=5.0,
        temperature=1.0,
        lstm_learning_rate=0.01,
        lstm_units=100,
        **settings,
    )
    outcomes = play(
        controller, lambda p: 0.5 + 0.01 * p.tokens[2] + 0.001 * p.tokens[7] + 0.05 * p.budget.epochs, steps=60
    )
    rows = [[o.proposal.tokens, o.proposal.budget.epochs, o.proposal.purpose] for o in outcomes]
    assert hashlib.sha256(repr(rows).encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_simulations", 0),
        ("planning", "trees"),
        ("move_rule", "ucb"),
        ("temperature", -0.5),
        ("prior", "lst"),
        ("tree_renewal", -1),
        ("refresh_after", -1),
        ("search_children", -1),
        ("exploration", -0.1),
        ("initial_children", 1),
        ("uncertainty", -1.0),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        small(**{name: value})


def test_a_plan_of_a_long_search_looks_at_a_bounded_part_of_its_history(monkeypatch):
    monkeypatch.setattr("alphaxenas.controllers.alphaxenas.planner.POINTS", 12)
    space, rng, added = NASBench201(), np.random.default_rng(0), []
    search = AlphaXENAS(space, 0, prior="uniform", num_simulations=2)
    while len(search._suggested) < 30:
        search.learn(space.encode(space.sample(rng)), float(rng.random()))
    plain = search._planner._pool.add

    def add(sequences):
        added.append(list(sequences))
        return plain(added[-1])

    monkeypatch.setattr(search._planner._pool, "add", add)
    known = list(search._suggested.values())
    search.suggest()
    assert known[18:] in added and known not in added
