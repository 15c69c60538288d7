# Shared by run_all.sh and run_tests.sh: finds Python and keeps .venv as a requirements file wants it. To be sourced.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)

# Prints the first Python that is 3.11, 3.12 or 3.13 and can make virtual environments; PYTHON=... chooses one.
find_python() {
  local name found= newer=
  for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
    "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || {
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 14))' 2>/dev/null && newer=$name
      continue
    }
    found=$name
    "$name" -c 'import ensurepip, venv' 2>/dev/null && { echo "$name"; return; }
  done
  if [ -n "$found" ]; then
    echo "$found cannot make virtual environments. On Debian or Ubuntu: sudo apt install python3-venv" >&2
  elif [ -n "$newer" ]; then
    echo "$("$newer" --version) is too new: TensorFlow $(sed -n 's/^tensorflow==//p' "$root/requirements.txt") has no wheel for it. Install Python 3.13 beside it (python3.13 of your distribution, pyenv or uv) and name it: PYTHON=/path/to/python3.13 $0" >&2
  else
    echo "Python 3.11, 3.12 or 3.13 is needed and was not found. On Debian 12 or 13 or Ubuntu 24.04: sudo apt install python3 python3-venv. Elsewhere name one: PYTHON=/path/to/python3.13 $0" >&2
  fi
  return 1
}

# Prints the folder that .venv was made in, if it was moved or copied from there: its scripts still start that Python.
former_place() {
  local made_in
  made_in=$(sed -n '1,2s|^[^/]*\(/.*\)/bin/python.*|\1|p' "$root/.venv/bin/pip" 2>/dev/null) || true
  [ -z "$made_in" ] || [ "$made_in" -ef "$root/.venv" ] || echo "$made_in"
}

# mend_scripts FORMER: lets the scripts of a moved .venv (jupyter, alphaxenas, activate, pip as the last) name this place.
mend_scripts() {
  "$root/.venv/bin/python" - "$1" "$root/.venv" <<'END'
import os, pathlib, sys
old, new = map(os.fsencode, sys.argv[1:])
for script in sorted(pathlib.Path(sys.argv[2], "bin").iterdir(), key=lambda script: script.name == "pip"):
    text = b"" if script.is_symlink() or script.is_dir() else script.read_bytes()
    if b"\0" in text or old not in text:
        continue
    if text.startswith(b"#!" + old):  # in this form a path has no blanks and is short; in pip's other form it may be any
        first, rest = text[2:].split(b"\n", 1)
        text = b"#!/bin/sh\n'''exec' \"" + first + b"\" \"$0\" \"$@\"\n' '''\n" + rest
    script.write_bytes(text.replace(old, new))
END
}

# prepare_venv REQUIREMENTS_FILE: makes .venv and installs the file and this package, once; again only when they change.
prepare_venv() {
  local venv=$root/.venv wanted stamp python former
  wanted=$(cd "$root" && cat requirements.txt "$1" pyproject.toml | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1)
  stamp=$venv/.installed-$1
  is_ready() { [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null && [ -z "$(former_place)" ]; }
  ! is_ready || return 0
  python=$(find_python)
  mkdir -p "$venv"
  exec 9<"$root"  # a folder can be locked, and nothing has to be left behind for it
  # Exit code 1: another process has it. Others: this file system knows no locks.
  ! command -v flock >/dev/null || flock -n 9 2>/dev/null || [ $? != 1 ] || { echo "Another setup of $venv is running: waiting for it." >&2; flock 9; }
  if ! is_ready; then
    rm -f "$stamp"
    # After an interrupted setup, or from another machine, Python does not start or has no pip: begin again.
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
      echo "Making $venv with $("$python" --version)." >&2
      "$python" -m venv --clear "$venv"
    elif former=$(former_place) && [ -n "$former" ]; then
      echo "$venv was moved or copied from $former: mending its scripts." >&2
      mend_scripts "$former"
    fi
    echo "Installing $1 into $venv (once; about 2 GB, some minutes)." >&2
    if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$root/$1" ||
      ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e "$root"; then
      echo "The installation failed, see above. Run the same command again to go on." >&2
      return 1
    fi
    echo "$wanted" >"$stamp.new" && mv "$stamp.new" "$stamp"
  fi
  exec 9>&-
}
