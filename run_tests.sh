#!/usr/bin/env bash
# Sets up .venv once, then runs the tests; arguments go to pytest: ./run_tests.sh tests/runs -k journal, or -m slow
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/setup_venv.sh"
prepare_venv requirements-dev.txt
cd "$root"
exec .venv/bin/python -m pytest "$@"
