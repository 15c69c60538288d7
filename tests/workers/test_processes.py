"""Processes that do jobs: answers, failures, deaths, stops, one thread each."""

import os
import time
from dataclasses import dataclass

import psutil
import pytest

from alphaxenas.workers.processes import JobError, run_jobs


@dataclass(frozen=True)
class Work:
    """Answers a job by what the job says."""

    factor: int = 1

    def __call__(self, job):
        if job == "raise":
            raise KeyError("nothing there")
        if job == "die":
            os.kill(os.getpid(), 9)
        if job == "leave":
            os._exit(3)
        if job == "sleep":
            time.sleep(60)
        if job == "threads":
            return os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]
        return job * self.factor


def children():
    """Processes of this one, without the helper that `multiprocessing` keeps."""
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if not any("resource_tracker" in word for word in child.cmdline())]


@pytest.mark.parametrize("processes", [1, 3])
def test_every_job_is_answered_once(processes):
    assert sorted(run_jobs(Work(2), range(20), processes)) == [(job, 2 * job) for job in range(20)]
    assert list(run_jobs(Work(), [], processes)) == []


def test_failures_and_deaths_cost_their_own_job_alone():
    found = dict(run_jobs(Work(), [1, "raise", 2, "die", 3, "leave", 4], 2))
    assert {job: found[job] for job in (1, 2, 3, 4)} == {1: 1, 2: 2, 3: 3, 4: 4}
    assert "KeyError: 'nothing there' (test_processes.py, line" in found["raise"].reason
    assert "SIGKILL" in found["die"].reason and "memory" in found["die"].reason
    assert found["leave"] == JobError("its process ended with exit code 3")


def test_libraries_get_one_thread_and_this_process_keeps_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert list(run_jobs(Work(), ["threads"], 1)) == [("threads", ("1", "1"))]
    assert os.environ["OMP_NUM_THREADS"] == "5" and "OPENBLAS_NUM_THREADS" not in os.environ


def test_what_tick_raises_ends_jobs_in_progress():
    started, before = time.monotonic(), len(children())

    def tick():
        if time.monotonic() > started + 2:
            raise InterruptedError("stop")

    with pytest.raises(InterruptedError):
        list(run_jobs(Work(), ["sleep", "sleep"], 2, tick))
    assert time.monotonic() < started + 30 and len(children()) == before


def test_a_closed_iterator_leaves_no_process():
    before = len(children())
    jobs = run_jobs(Work(), [1, "sleep", 2], 2)
    assert next(jobs)[0] in (1, 2)
    jobs.close()
    assert len(children()) == before
