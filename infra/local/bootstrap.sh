#!/bin/sh
# Brings a machine that has python3 (3.11 or newer) and the package registries to where `make` can work:
#   bootstrap.sh uv       uv, into .tools/uv
#   bootstrap.sh python   the path of a Python 3.13, into .tools/python (found, or installed by uv)
#   bootstrap.sh node     Node 24 from PyPI, into .tools/node, unless the machine's own is 22 or newer
# Run from the clone's root. Every failure says what to install.
set -eu
uv=.tools/uv/bin/uv

fail() { printf '\nmake: %s\n' "$1" >&2; exit 1; }

# A pyenv shim stands in PATH also for versions that are not there, so candidates are tried, not looked up.
works() { "$1" -c "import sys; sys.exit(not ($2 <= sys.version_info[:2] $3))" >/dev/null 2>&1; }

any_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 /usr/bin/python3 /usr/local/bin/python3; do
        if works "$candidate" '(3, 11)' ''; then echo "$candidate"; return; fi
    done
    fail "Python 3.11 or newer is needed to begin. Install it (Debian: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3"
}

install_uv() {
    python=$(any_python)
    rm -rf .tools/uv
    if "$python" -m venv .tools/uv >/dev/null 2>&1; then
        .tools/uv/bin/python -m pip install -qq --disable-pip-version-check 'uv>=0.9,<1'
    elif "$python" -m pip --version >/dev/null 2>&1; then  # Debian's python3 without python3-venv
        "$python" -m pip install -qq --disable-pip-version-check --target .tools/uv 'uv>=0.9,<1'
    else
        fail "$python can neither make virtual environments nor run pip. Debian, Ubuntu: apt install python3-venv"
    fi
}

python_313() {
    root=${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}
    for candidate in ${PYTHON:-} "$($uv python find --system --no-project 3.13 2>/dev/null || true)" python3.13 "$root"/versions/3.13*/bin/python3.13; do
        if works "$candidate" '(3, 13)' '< (3, 14)'; then
            "$candidate" -c 'import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))'; return
        fi
    done
}

find_python() {
    found=$(python_313)
    if [ -z "$found" ]; then
        echo "  no Python 3.13 here: asking uv to install one" >&2
        $uv python install --quiet 3.13 || fail "Atrium runs on Python 3.13, which is not on this machine, and uv could not download it.
      Install it (pyenv install 3.13, brew install python@3.13, or your distribution's python3.13 with its venv module),
      or name it: make PYTHON=/path/to/python3.13"
        found=$(python_313)
    fi
    echo "$found" > .tools/python
}

install_node() {
    major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p')
    if [ "${major:-0}" -ge 22 ]; then mkdir -p .tools/node; return; fi
    echo "  Node ${major:-is missing}: installing Node 24 from PyPI into .tools/node" >&2
    UV_PROJECT_ENVIRONMENT=.tools/node $uv sync --frozen --quiet --only-group node --no-install-project --python "$(cat .tools/python)"
}

mkdir -p .tools
case ${1:-} in
    uv) install_uv ;;
    python) find_python ;;
    node) install_node ;;
    *) fail "bootstrap.sh uv|python|node" ;;
esac
