"""Setting up .venv: once, again when the file changes, after interruptions. With requirements that are empty."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest

from alphaxenas.config import PROJECT_ROOT

HASHED = ("requirements.txt", "requirements-dev.txt", "pyproject.toml")
BUILT_BY_ITSELF = """[build-system]
requires = []
build-backend = "build_me"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""
BACKEND = """import zipfile
def build_editable(folder, settings=None, metadata=None):
    with zipfile.ZipFile(folder + "/tiny-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.pth", __file__.rsplit("/", 1)[0])
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return "tiny-1-py3-none-any.whl"
"""
"""A package that needs nothing to be built, so that these tests need no network."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a fresh clone")
    shutil.copy(PROJECT_ROOT / "setup_venv.sh", folder)
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "pyproject.toml").write_text(BUILT_BY_ITSELF)
    (folder / "build_me.py").write_text(BACKEND)
    assert "Making" in prepare(folder).stderr
    return folder


def prepare(folder, **environment):
    script = (
        "set -euo pipefail; . ./setup_venv.sh; prepare_venv requirements.txt; .venv/bin/python -c 'print(\"ready\")'"
    )
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_package_itself_is_installed(place):
    """Its modules are found from anywhere, and are those of the checkout."""
    code = "import build_me; print(build_me.__file__)"
    found = subprocess.run(
        [place / ".venv/bin/python", "-c", code], cwd="/", capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str(place / "build_me.py")


def test_the_second_time_nothing_is_done(place):
    answer = prepare(place)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "ready\n", "")


def test_a_changed_file_is_installed_again_into_the_same_environment(place):
    (place / "requirements.txt").write_text("# nothing else\n")
    answer = prepare(place)
    assert answer.returncode == 0 and "Installing" in answer.stderr and "Making" not in answer.stderr
    assert prepare(place).stderr == ""


def test_a_failed_installation_is_reported_and_tried_again(place):
    (place / "requirements.txt").write_text("./there-is-no-such-package\n")
    answer = prepare(place)
    assert answer.returncode != 0 and "Run the same command again" in answer.stderr and "ready" not in answer.stdout
    (place / "requirements.txt").write_text("# nothing\n")
    assert "Installing" in prepare(place).stderr


def test_where_there_are_no_locks_nobody_is_waited_for(place, tmp_path):
    (tmp_path / "flock").write_text("#!/bin/sh\necho flock: 9: No locks available >&2; exit 71\n")
    (tmp_path / "flock").chmod(0o755)
    (place / ".venv" / ".installed-requirements.txt").unlink()
    answer = prepare(place, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert answer.returncode == 0 and answer.stderr.startswith("Installing") and "locks" not in answer.stderr


def test_an_environment_without_pip_is_made_anew(place):
    for stamp in (place / ".venv").glob(".installed-*"):
        stamp.unlink()
    for folder in (place / ".venv").glob("lib/python*/site-packages/pip"):
        shutil.rmtree(folder)
    answer = prepare(place)
    assert answer.returncode == 0 and "Making" in answer.stderr


@pytest.mark.parametrize("way", [shutil.move, lambda old, new: shutil.copytree(old, new, symlinks=True)])
def test_the_scripts_of_a_moved_or_copied_checkout_start_its_own_python(place, tmp_path, way):
    """Without network: what is installed stays."""
    own, there = tmp_path / "made-here", tmp_path / "moved there"
    shutil.copytree(place, own, ignore=shutil.ignore_patterns(".venv"))
    assert "Making" in prepare(own).stderr
    assert (own / ".venv/bin/pip").read_text().startswith(f"#!{own}/.venv/bin/python"), "the form without blanks"
    way(own, there)
    for _ in range(2):  # from the form without blanks, and from the other
        answer = prepare(there)
        assert answer.returncode == 0 and "mending its scripts" in answer.stderr and "Making" not in answer.stderr
        assert prepare(there).stderr == ""
        asked = subprocess.run(
            [there / ".venv/bin/pip", "show", "-f", "tiny"], capture_output=True, text=True, check=True
        )
        assert str(there) in asked.stdout
        activated = ". .venv/bin/activate; python -c 'import build_me; print(build_me.__file__)'"
        found = subprocess.run(["bash", "-c", activated], cwd=there, capture_output=True, text=True, check=True)
        assert found.stdout.strip() == str(there / "build_me.py")
        there = shutil.move(there, tmp_path / "again")


def test_without_a_suitable_python_the_message_says_which_is_needed(tmp_path):
    shutil.copy(PROJECT_ROOT / "setup_venv.sh", tmp_path)
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    answer = subprocess.run(
        ["bash", "-c", ". ./setup_venv.sh; find_python"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHON": ""},
    )
    assert answer.returncode == 1 and "Python 3.11, 3.12 or 3.13 is needed" in answer.stderr


def test_on_a_python_without_a_wheel_of_tensorflow_one_sentence_says_what_to_do(tmp_path):
    shutil.copy(PROJECT_ROOT / "setup_venv.sh", tmp_path)
    (tmp_path / "requirements.txt").write_text("tensorflow==2.21.0\n")
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python"):
        # As Python 3.14: it says its version, and of the questions about versions only "older than 3.14?" is denied.
        told = '#!/bin/sh\n[ "$1" != --version ] || { echo Python 3.14.1; exit 0; }\n'
        told += 'case "$2" in *"< (3, 14)"*) exit 0;; esac\n'
        (tmp_path / name).write_text(f"{told}exit 1\n" if name == "python3" else "#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", ". ./setup_venv.sh; find_python"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHON": ""},
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith(
        "Python 3.14.1 is too new: TensorFlow 2.21.0 has no wheel for it. Install Python 3.13"
    )


def test_the_whole_suite_runs_in_two_processes_and_coverage_is_demanded_of_it_alone(tmp_path):
    for name in ("setup_venv.sh", "run_tests.sh", *HASHED):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    wanted = hashlib.sha256(b"".join((tmp_path / name).read_bytes() for name in HASHED)).hexdigest()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "$@"\n')  # shows what it is told to run
    python.chmod(0o755)
    (tmp_path / ".venv" / ".installed-requirements-dev.txt").write_text(wanted)

    def told(*arguments):
        return subprocess.run(
            [tmp_path / "run_tests.sh", *arguments], capture_output=True, text=True, check=True
        ).stdout.split()

    assert told() == ["-m", "pytest", "-n", "2", "--dist", "loadfile"]
    assert told("--cov") == [*told(), "--cov"]
    assert told("tests/runs", "-k", "journal") == ["-m", "pytest", "tests/runs", "-k", "journal"]


def test_a_checkout_runs_its_own_code_whatever_its_environment_was_installed_from(tmp_path):
    for name in ("setup_venv.sh", "run_all.sh", "run_tests.sh", *HASHED):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    python = tmp_path / "elsewhere" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "$PYTHONPATH"\n')
    python.chmod(0o755)
    (tmp_path / ".venv").symlink_to(tmp_path / "elsewhere")
    for requirements in HASHED[:2]:
        files = ("requirements.txt", requirements, "pyproject.toml")
        wanted = hashlib.sha256(b"".join((tmp_path / name).read_bytes() for name in files)).hexdigest()
        (tmp_path / ".venv" / f".installed-{requirements}").write_text(wanted)
    for script in ("run_all.sh", "run_tests.sh"):
        answer = subprocess.run([tmp_path / script], cwd="/", capture_output=True, text=True, check=True)
        assert answer.stdout.split(":")[0].strip() == str(tmp_path), script


@pytest.mark.parametrize("trap", ["alphaxenas/__init__.py", "alphaxenas.py", "random.py", "json/__init__.py"])
def test_the_code_of_the_folder_one_stands_in_never_runs(tmp_path, trap):
    clone, here = tmp_path / "clone", tmp_path / "here"
    for script in ("setup_venv.sh", "run_all.sh", *HASHED):
        clone.mkdir(exist_ok=True)
        shutil.copy(PROJECT_ROOT / script, clone)
    main = clone / "alphaxenas" / "command" / "main.py"
    main.parent.mkdir(parents=True)
    for folder in (main.parent, main.parent.parent):
        (folder / "__init__.py").touch()
    main.write_text("import json, random, sys\nprint(__file__, *sys.argv[1:])")
    (here / trap).parent.mkdir(parents=True)
    (here / trap).write_text("raise SystemExit('the wrong code runs')")
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    wanted = hashlib.sha256(
        b"".join((clone / name).read_bytes() for name in ("requirements.txt", "requirements.txt", "pyproject.toml"))
    )
    (clone / ".venv" / ".installed-requirements.txt").write_text(wanted.hexdigest())
    environment = {**os.environ, "PYTHONPATH": str(here) if trap.startswith("alphaxenas") else ""}
    answer = subprocess.run(
        [clone / "run_all.sh", "quick"], cwd=here, capture_output=True, text=True, check=False, env=environment
    )
    assert answer.stdout.split() == [str(main), "run", "quick"], answer.stderr


def test_scripts_keep_their_line_endings_in_any_clone():
    files = ("run_all.sh", "setup_venv.sh", "notebooks/profiles/quick.yaml")
    words = ["git", "-C", str(PROJECT_ROOT), "check-attr", "eol", *files]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode or [line.rsplit(": ", 1)[1] for line in done.stdout.splitlines()] == ["lf"] * 3


def test_help_needs_no_set_up(tmp_path):
    """Where nothing is installed it is short, and installs nothing; with an environment it names every parameter."""
    for name in ("run_all.sh", "setup_venv.sh"):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    shutil.copytree(PROJECT_ROOT / "notebooks" / "profiles", tmp_path / "notebooks" / "profiles")
    (tmp_path / "requirements.txt").write_text("./there-is-no-such-package\n")
    bare = subprocess.run(["./run_all.sh", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "usage: ./run_all.sh [PROFILE]" in bare.stdout and "cifar10-cpu-hour" in bare.stdout and not bare.stderr
    assert "trials" not in bare.stdout and not (tmp_path / ".venv").exists()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    whole = subprocess.run(
        ["./run_all.sh", "-h"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "trials" in whole.stdout
