#!/usr/bin/env bash
# Sets up .venv once, then runs the tests; arguments go to pytest: ./run_tests.sh tests/runs -k journal, or -m slow
# Without arguments it also fails if the tests execute too little of alphaxenas/; how much is in pyproject.toml.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/setup_venv.sh"
prepare_venv requirements-dev.txt
cd "$root"
[ $# -gt 0 ] || set -- --cov --cov-report=term:skip-covered
exec .venv/bin/python -m pytest "$@"
