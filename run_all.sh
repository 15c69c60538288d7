#!/usr/bin/env bash
# Sets up .venv once, then runs the notebook suite headless. Run it again to continue. ./run_all.sh --help
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/setup_venv.sh"
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
prepare_venv requirements.txt
exec "$root/.venv/bin/python" -m alphaxenas.command.main run "$@"
