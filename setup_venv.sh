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

# prepare_venv REQUIREMENTS_FILE: makes .venv and installs the file and this package, once; again only when they change.
prepare_venv() {
  local venv=$root/.venv wanted stamp python
  wanted=$(cd "$root" && cat requirements.txt "$1" pyproject.toml | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1)
  stamp=$venv/.installed-$1
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    return
  fi
  python=$(find_python)
  mkdir -p "$venv"
  exec 9<"$root"  # a folder can be locked, and nothing has to be left behind for it
  ! command -v flock >/dev/null || flock -n 9 || { echo "Another setup of $venv is running: waiting for it." >&2; flock 9; }
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    rm -f "$stamp"
    # An interrupted setup, a copied or a moved .venv has a Python that does not start or has no pip: begin again.
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
      echo "Making $venv with $("$python" --version)." >&2
      "$python" -m venv --clear "$venv"
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
