#!/usr/bin/env bash
# Sets up .venv once, then runs the notebook suite headless. Run it again to continue. ./run_all.sh --help
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/setup_venv.sh"
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}  # this checkout's code, whatever .venv was installed from
run=("$root/.venv/bin/python" -P -m alphaxenas.command.main run)  # -P: not the code of the folder one stands in
case ${1:-} in -h | --help)  # needs no set-up; without one it is short
    "${run[@]}" --help 2>/dev/null || cat <<END
usage: ./run_all.sh [PROFILE] [--run NAME] [--only 02,04] [-p NAME VALUE]... [--overwrite]

The first call sets up $root/.venv (about 2 GB, some minutes), every call runs the notebooks; the same command again continues.

PROFILE      one of$(cd "$root/notebooks/profiles" && printf ' %s' *.yaml | sed 's/\.yaml//g'), or a YAML file; default quick
--run        name of the run; default: the profile's
--only       only the notebooks whose names begin so
-p           set a parameter; their names stand in docs/parameters.md and, after the set-up, in this help
--overwrite  delete what is stored of this run and start anew
END
    exit ;;
esac
prepare_venv requirements.txt
exec "${run[@]}" "$@"
