#!/usr/bin/env bash
# Resolves pyproject.toml again and writes the four locks; versions that still fit are kept
# (say `requirements/compile.sh --upgrade` to take the newest ones).
#
# No lock names a package index, so that every mirror can serve it.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=${UV:-.venv/bin/uv}

compile() { # compile NAME ARGUMENT…
    local lock="requirements/$1.lock"
    echo "compiling $lock"
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-emit-index-url --output-file "$lock" "${@:2}"
}

compile dev "$@" --all-extras --group dev pyproject.toml
# The others follow it: what the tests ran with is what the images hold.
follow=(--constraints requirements/dev.lock)
compile api "${follow[@]}" --extra api --extra flower pyproject.toml
compile worker "${follow[@]}" --extra worker --extra tensorflow --extra training \
    pyproject.toml
compile bootstrap "${follow[@]}" requirements/bootstrap.in
