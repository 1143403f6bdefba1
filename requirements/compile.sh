#!/usr/bin/env bash
# Resolves pyproject.toml again and writes the locks; versions that still fit are kept
# (say `requirements/compile.sh --upgrade` to take the newest ones). tests/programs has its own,
# `package-lock.json`, which npm writes.
#
# No lock names a package index, so that every mirror can serve it.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=${UV:-.venv/bin/uv}

compile() { # compile LOCK ARGUMENT…
    local lock="$1"
    echo "compiling $lock"
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-emit-index-url --output-file "$lock" "${@:2}"
}

compile requirements/dev.lock "$@" --all-extras --group dev pyproject.toml
# The others follow it: what the tests ran with is what the images hold.
follow=(--constraints requirements/dev.lock)
compile requirements/api.lock "${follow[@]}" --extra api --extra flower --extra heic pyproject.toml
compile requirements/worker.lock "${follow[@]}" --extra worker --extra tensorflow \
    --extra training --extra int8 --extra heic pyproject.toml
# Comes on top of either, in images that send traces.
compile requirements/traces.lock "${follow[@]}" --extra traces pyproject.toml
compile requirements/bootstrap.lock "${follow[@]}" requirements/bootstrap.in
compile chaos/peers/relier/requirements.lock "${follow[@]}" \
    chaos/peers/relier/requirements.in
for peer in benchmarks/peers/*/requirements.in; do
    compile "${peer%.in}.lock" "${follow[@]}" "$peer"
done
