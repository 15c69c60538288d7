"""Controllers by name: what the catalogue refuses, and that everything in it plays and gets its parameters."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from alphaxenas.config import FIELDS, PROJECT_ROOT, from_values
from alphaxenas.config.declarations import controller_settings
from alphaxenas.config.searches import SearchConfig
from alphaxenas.contracts import Budget, Outcome
from alphaxenas.controllers import catalogue
from alphaxenas.controllers.alphaxenas.settings import Settings
from alphaxenas.controllers.catalogue import CONTROLLERS, CONTROLS, make_controller
from alphaxenas.evaluators.trained import ChildTraining
from alphaxenas.pipelines import factory as stages
from alphaxenas.pipelines.stages import LIMITS
from alphaxenas.report.runs import NAMES
from alphaxenas.spaces import CellSpace

SPACE = CellSpace(blocks=1, operations=("conv3x3", "sep3x3", "identity"))


def test_the_names_are_those_of_the_parameter_and_all_have_a_name_for_people():
    assert set(CONTROLLERS) <= set(NAMES)


@pytest.mark.parametrize(
    "name, near", [("guidde", "guided"), ("alphaxnas", "alphaxenas"), ("Evolution", "evolution"), ("zzz", None)]
)
def test_an_unknown_name_is_refused_with_all_names_and_the_nearest(name, near):
    with pytest.raises(ValueError) as caught:
        make_controller(name, SPACE, 0, Budget(1))
    message = str(caught.value)
    assert all(known in message.split("Received")[0] for known in CONTROLLERS) and repr(name) in message
    assert message.endswith(f"Did you mean {near!r}?") if near else "Did you mean" not in message


def test_an_unknown_setting_is_refused_with_all_settings_and_the_nearest():
    with pytest.raises(
        ValueError,
        match=r"controller uct\. Expected exploration or values\. Received: 'exploraton'\. "
        r"Did you mean 'exploration'\?",
    ):
        make_controller("uct", SPACE, 0, Budget(1), exploraton=1.0)
    with pytest.raises(ValueError, match=r"controller random\. Expected uniform_share\. Received: 'seed_of'$"):
        make_controller("random", SPACE, 0, Budget(1), seed_of=1)
    with pytest.raises(ValueError, match=r"controller alphax\. Expected .*Received: 'uniform_share'"):
        make_controller("alphax", SPACE, 0, Budget(1), uniform_share=0.5)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_every_controller_plays_rounds_with_a_final_at_the_dearer_budget(name):
    settings = {"num_simulations": 4, "lstm_units": 4, "lstm_steps": 2} if name == "alphaxenas" else {}
    controller = make_controller(name, SPACE, 0, Budget(1, 0.5), Budget(3), promote_every=3, **settings)
    proposals = []
    for _ in range(8):
        proposals.append(controller.ask())
        controller.tell(Outcome(proposals[-1], 0.1 * sum(proposals[-1].tokens) % 1))
    assert [proposal.purpose for proposal in proposals[:4]] == ["search", "search", "search", "final"]
    assert {(proposal.purpose, proposal.budget) for proposal in proposals} == {
        ("search", Budget(1, 0.5)),
        ("final", Budget(3)),
    }
    assert all(SPACE.legal_actions(proposal.tokens) == () for proposal in proposals)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_without_a_final_budget_every_controller_stays_at_the_only_one(name):
    settings = {"num_simulations": 4, "lstm_units": 4, "lstm_steps": 2} if name == "alphaxenas" else {}
    controller = make_controller(name, SPACE, 0, Budget(1, 0.5), **settings)
    budgets = set()
    for _ in range(8):
        proposal = controller.ask()
        budgets.add(proposal.budget)
        controller.tell(Outcome(proposal, 0.1 * sum(proposal.tokens) % 1))
    assert budgets == {Budget(1, 0.5)}


def test_every_parameter_of_the_search_is_a_setting_of_some_controller_or_read_by_a_pipeline():
    reaching = {parameter for name in CONTROLLERS for parameter in controller_settings(name).values()}
    package = PROJECT_ROOT / "alphaxenas"
    readers = [*(package / "pipelines").rglob("*.py"), package / "config" / "rules.py"]
    source = "".join(path.read_text() for path in readers)
    read = set(re.findall(r"\b(?:search|limits)\.(\w+)", source))
    read |= {*LIMITS, *from_values({}).search.values_for(ChildTraining)}
    assert set(SearchConfig.model_fields) <= reaching | read


@pytest.mark.parametrize("name", [name for name in CONTROLLERS if name != "alphaxenas"])
def test_only_alphaxenas_promotes_the_rollout_of_its_moves(name):
    with pytest.raises(ValueError, match=rf"`promotion` of the controller {name}\. Expected 'best_unpromoted'"):
        make_controller(name, SPACE, 0, Budget(1), Budget(3), 3, "rollout")


@pytest.mark.parametrize("name", CONTROLLERS)
def test_values_of_the_parameters_reach_the_controller(name, monkeypatch, tmp_path):
    """With other values than the defaults, so that a setting that is left out is noticed."""
    given = {}
    for setting, parameter in controller_settings(name).items():
        default = FIELDS[parameter].default
        other = {
            "prior": "uniform",
            "planning": "rollouts",
            "move_rule": "puct",
            "uniform_share": 0.5,
            "policy_cell": "nascell",
            "policy_epsilon": 0.5,
            "nao_preset": "code",
        }.get(parameter)
        if isinstance(default, bool):
            other = not default
        elif other is None:
            other = default / 2 if isinstance(default, float) and default else default + 1
        given[setting] = parameter, other
    received = {}
    monkeypatch.setattr(catalogue, "make_controller", lambda *arguments, **settings: received.update(settings))
    stages.configured_controller(from_values(dict(given.values())), name, SPACE, 0)
    common = {"search_budget", "final_budget", "promote_every", "promotion", "objectives", "rewards_age"}
    assert {setting: value for setting, value in received.items() if setting not in common} == {
        setting: value for setting, (_, value) in given.items()
    }


@pytest.mark.parametrize("name", ("alphaxenas", *CONTROLS))
def test_where_no_weights_are_shared_no_children_are_drawn_for_them(name, monkeypatch):
    received = []
    monkeypatch.setattr(catalogue, "make_controller", lambda *arguments, **settings: received.append(settings))
    for shared in (True, False):
        stages.configured_controller(from_values({"share_weights": shared}), name, SPACE, 0)
    assert [settings["uniform_share"] for settings in received] == [0.5, 0.0]


def test_controllers_on_tables_start_without_tensorflow():
    code = (
        "import sys\n"
        "from alphaxenas.contracts import Budget\n"
        "from alphaxenas.controllers.catalogue import CONTROLLERS, make_controller\n"
        "from alphaxenas.spaces import CellSpace\n"
        "for name in CONTROLLERS:\n"
        "    name == 'alphaxenas' or make_controller(name, CellSpace(blocks=1), 0, Budget(1)).ask()\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False).returncode == 0


def test_a_new_controller_is_one_module_and_one_line(tmp_path, monkeypatch):
    (tmp_path / "own_strategy.py").write_text(
        "from alphaxenas.controllers.baselines.random_search import RandomSearch\n"
        "class Own(RandomSearch):\n"
        "    def __init__(self, space, seed, width=3):\n"
        "        super().__init__(space, seed)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(catalogue.STRATEGIES, "own", catalogue.Entry("own_strategy.Own", "my search"))
    controller = make_controller("own", SPACE, 0, Budget(1), Budget(3), 2, width=4)
    purposes = []
    for _ in range(6):
        proposal = controller.ask()
        purposes.append(proposal.purpose)
        controller.tell(Outcome(proposal, 0.5))
    assert purposes == ["search", "search", "final"] * 2
    assert catalogue.resolved_settings("own", {}) == {"width": 3}
    with pytest.raises(ValueError, match=r"controller own\. Expected width\. Received: 'widht'\. Did you mean 'width'"):
        make_controller("own", SPACE, 0, Budget(1), widht=4)


def test_all_settings_of_alphaxenas_are_recorded():
    assert (
        catalogue.resolved_settings("alphaxenas", {"prior": "uniform"}).items()
        >= {"num_simulations": Settings().num_simulations, "prior": "uniform"}.items()
    )
