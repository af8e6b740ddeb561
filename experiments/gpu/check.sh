#!/bin/sh
# The whole check of one device, in minutes: experiments/gpu/check.sh [auto|cpu|cuda|cuda:1|mps]
# Run from the root of the repository, in the environment of `make demo` or any that has the project.
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
[ -x "$PYTHON" ] || PYTHON=python3
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
"$PYTHON" -m experiments.gpu.check --device "${1:-auto}" --work "$WORK"
