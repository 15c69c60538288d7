#!/usr/bin/env bash
# Sets up .venv once, then runs the notebook suite headless. Run it again to continue. ./run_all.sh --help
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/setup_venv.sh"
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}  # this checkout's code, whatever .venv was installed from
prepare_venv requirements.txt
exec "$root/.venv/bin/python" -P -m alphaxenas.command.main run "$@"  # -P: not the code of the folder one stands in
