"""Real worker processes, really killed: of this machine, and of Ray where it is installed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.contracts import Budget, Proposal
from alphaxenas.runs.journal import TIMING
from alphaxenas.workers import cluster
from alphaxenas.workers.cluster import RayBackend, check_room
from alphaxenas.workers.dispatch import Dispatcher, WorkerError, greeting_refused
from alphaxenas.workers.evaluations import Workers
from alphaxenas.workers.processes import ProcessBackend
from alphaxenas.workers.serve import Server, fingerprint
from tests.faults import toy
from tests.faults.harness import records
from tests.workers.test_evaluations import searched
from tests.workers.toys import MAKER, FromScratch, Sharing

needs_ray = pytest.mark.skipif(not cluster.is_installed(), reason=f"Ray is not installed: {cluster.INSTALL}")
BACKENDS = ["processes", pytest.param("ray", marks=needs_ray)]


@pytest.fixture(scope="module")
def ray_here():
    """One Ray for all tests, whose start takes seconds."""
    import ray

    os.environ["RAY_agent_register_timeout_ms"] = "300000"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2**27)
    yield ray
    ray.shutdown()


@pytest.fixture(params=BACKENDS)
def started(request):
    """Starts workers; they end with the test."""
    opened = []

    def start(number, shared=False, refuses=lambda greeting: "", attempts=3, minutes=0.0, **arguments):
        server = Server(MAKER, {"kind": "shared" if shared else "scratch", **arguments})
        if request.param == "ray":
            request.getfixturevalue("ray_here")
            backend = RayBackend(server, number, cpus=0.5)
        else:
            backend = ProcessBackend(server)
        opened.append(backend)
        dispatcher = Dispatcher(backend, number, attempts, minutes, refuses)
        dispatcher.begin()
        return Workers(dispatcher, Sharing() if shared else None)

    yield start
    for backend in opened:
        backend.close()


@pytest.mark.parametrize("shared", [False, True])
def test_two_workers_find_what_one_process_finds(tmp_path, started, shared):
    alone = searched(tmp_path, (Sharing if shared else FromScratch)(), "alone", trials=10, in_flight=3)
    assert searched(tmp_path, started(2, shared), "two", trials=10, in_flight=3) == alone


def test_every_tenth_trial_kills_its_worker_and_all_trials_finish(tmp_path, started):
    (tmp_path / "marks").mkdir()
    workers = started(2, marks=str(tmp_path / "marks"), dies=10)
    found = searched(tmp_path, workers, trials=24, in_flight=2)
    assert workers._dispatcher.died >= 2
    assert found == searched(tmp_path, FromScratch(), "undisturbed", trials=24, in_flight=2)


def test_a_trial_that_hangs_is_stopped_with_its_worker(tmp_path, started):
    (tmp_path / "marks").mkdir()
    workers = started(1, minutes=3 / 60, marks=str(tmp_path / "marks"), sleeps=2)
    begin = time.monotonic()
    found = [workers.evaluate(Proposal(number, (0, 1, 2), Budget(1))).reason for number in range(3)]
    assert found == ["", "stopped after 0.05 minutes", ""] and time.monotonic() - begin < 300


def test_a_worker_killed_from_outside_costs_its_trial_alone(tmp_path, started):
    (tmp_path / "marks").mkdir()
    workers = started(2, marks=str(tmp_path / "marks"), seconds=1.0)
    workers.start(Proposal(0, (0, 1, 2), Budget(1)))
    workers.start(Proposal(1, (1, 1, 2), Budget(1)))
    outcomes, killed = [], 0
    while len(outcomes) < 2:
        outcomes += workers.finished()
        for mark in [] if killed else list((tmp_path / "marks").iterdir()):
            killed = int(mark.name.split("-")[1])
            os.kill(killed, signal.SIGKILL)
            break
    assert killed and [outcome.status for outcome in outcomes] == ["ok", "ok"]
    assert len(list((tmp_path / "marks").iterdir())) == 3


def test_a_worker_of_other_data_is_refused_before_the_search(started):
    own = {**fingerprint(), "data": "these images"}
    with pytest.raises(WorkerError, match="data 'other images' there, 'these images' here"):
        started(1, refuses=lambda greeting: greeting_refused(greeting, own), data="other images")


def test_no_more_workers_than_there_is_room_for():
    nodes = [{"Alive": alive, "Resources": {"CPU": 4.0, "GPU": 1.0}} for alive in (True, True, False)]
    check_room(nodes, 4, 1.0, 0.5)
    with pytest.raises(ValueError, match="`workers`. Expected at most 4, or smaller `worker_cpus`"):
        check_room(nodes, 5, 1.0, 0.5)
    with pytest.raises(ValueError, match="at most 2.*Received: 3"):
        check_room(nodes, 3, 3.0, 0.0)


@needs_ray
def test_an_unreachable_cluster_is_said_before_the_search():
    for address, word in (("127.0.0.1:9", "'127.0.0.1:9' cannot be reached"), ("auto", "'auto' cannot be reached")):
        with pytest.raises(WorkerError, match=f"{word}.*ray start --head.*`cluster_address`"):
            RayBackend(Server(MAKER, {}), 1, address)


# --- the coordinator is killed ---------------------------------------------------------------------------------------


def started_coordinator(backend, exp_dir, **arguments):
    """A process that coordinates the toy search of `tests.workers.toys`."""
    words = json.dumps({"exp_dir": str(exp_dir), "backend": backend, "marks": str(exp_dir / "marks"), **arguments})
    (exp_dir / "marks").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.workers.toys", words]
    variables = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    return subprocess.Popen(command, cwd=PROJECT_ROOT, env=variables, stderr=subprocess.PIPE, text=True)


def finished(coordinator):
    """Waits for its end, which must be a good one."""
    errors = coordinator.communicate(timeout=300)[1]
    assert coordinator.returncode == 0, errors[-2000:]


def waited_for(condition, seconds=120.0):
    """What the condition returns, once that is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)
    return found


def is_alive(process):
    """Whether a process of this number runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def evaluations(exp_dir):
    """The processes that began evaluations, by the order in which they did."""
    marks = sorted((exp_dir / "marks").iterdir(), key=lambda mark: int(mark.name.rsplit("-")[-1]))
    return [int(mark.name.split("-")[1]) for mark in marks]


def journal(exp_dir):
    """What the search has recorded, without what may differ."""
    return [{k: v for k, v in record.items() if k not in TIMING} for record in records(exp_dir)]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="how processes of others end is told by /proc")
@pytest.mark.parametrize(
    "backend, order, shared",
    [
        ("processes", "deterministic", True),
        ("processes", "arrival", False),
        pytest.param("ray", "deterministic", False, marks=[needs_ray, pytest.mark.slow]),
    ],
)
def test_a_killed_coordinator_leaves_no_worker_and_the_same_command_loses_no_trial(tmp_path, backend, order, shared):
    place, options = tmp_path / "killed", {"order": order, "shared": shared, "trials": 14}
    stored = []
    for more in ({"stuck": 6}, {"seconds": 0.1}):
        told = len(stored) + 2
        coordinator = started_coordinator(backend, place, **options, **more)
        # The first is killed while its workers are in a training that would take ten minutes.
        waited_for(lambda: len(evaluations(place)) >= 8 if "stuck" in more else len(journal(place)) >= told)
        os.kill(coordinator.pid, signal.SIGKILL)
        coordinator.wait()
        waited_for(lambda: not any(map(is_alive, evaluations(place))), 20.0)
        assert journal(place)[: len(stored)] == stored
        stored = journal(place)
        assert 0 < len(stored) < 14
    finished(started_coordinator(backend, place, **options))
    found = journal(place)
    assert found[: len(stored)] == stored
    trained = sum("cached" not in record["metrics"] for record in found)
    assert trained <= len(evaluations(place)) <= trained + 2 * 3, (
        "at most the three in flight are repeated at each kill"
    )
    if order == "deterministic":
        toy.play(tmp_path / "alone", 14, evaluator=(Sharing if shared else FromScratch)(), in_flight=3)
        assert found == journal(tmp_path / "alone")
