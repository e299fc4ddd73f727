#!/bin/sh
# Writes the lock files: every package that requirements*.txt need, at one version, with the hashes of its files, for
# every system and Python from 3.11 on. What PyTorch's default build alone needs has a file of its own, so that its CPU
# build is installed with the same versions of all the rest. `make lock` runs this.
set -eu
uv=${1:-uv}
of_torch='^(torch|torchvision|triton|nvidia-[^=]*|cuda-[^=]*)=='

compile() {
  "$uv" pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header "$@"
}

# Prints the packages of standard input that are ($1 = 1) or are not (0) PyTorch's; each is a line and those indented below.
only() {
  echo "# Written by \`make lock\` from requirements*.txt; do not edit."
  awk -v of_torch="$of_torch" -v wanted="$1" '/^[^ ]/ { is = $0 ~ of_torch ? 1 : 0 } is == wanted'
}

all=$(mktemp)
trap 'rm -f "$all"' EXIT
compile requirements-dev.txt >"$all"
only 0 <"$all" >requirements-dev.lock
only 1 <"$all" >requirements-torch.lock
compile requirements.txt --constraint "$all" | only 0 >requirements.lock
