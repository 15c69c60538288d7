#!/usr/bin/env bash
# Sets up .venv once, then runs the tests; arguments go to pytest: ./run_tests.sh tests/runs -k journal, or -m slow
# Without arguments, two processes share the tests, one thread each. With --cov, which is slower, it also fails if the tests
# execute too little of alphaxenas/; how much is in pyproject.toml.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/setup_venv.sh"
prepare_venv requirements-dev.txt
cd "$root"
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}  # this checkout's code, whatever .venv was installed from
if [ $# -eq 0 ] || [ "$*" = --cov ]; then
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
    set -- -n 2 --dist loadfile "$@"
fi
exec .venv/bin/python -m pytest "$@"
