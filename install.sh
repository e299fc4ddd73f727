#!/bin/sh
# install.sh PYTHON LOCK: installs what a lock file names, each file of it checked by its hash, and PyTorch beside it:
# the build of the default index, checked too, or where TORCH_INDEX names another index, the same version from there.
# That index is trusted for PyTorch alone: its builds have hashes of their own, which no lock file has.
set -eu
python=$1 lock=$2
pip() { "$python" -m pip --disable-pip-version-check --quiet install --no-deps "$@"; }

if [ -n "${TORCH_INDEX:-}" ]; then
  # shellcheck disable=SC2046  # two words
  pip --index-url "$TORCH_INDEX" $(grep -oE '^torch(vision)?==[^ ]+' requirements-torch.lock)
  pip --require-hashes -r "$lock"
else
  pip --require-hashes -r "$lock" -r requirements-torch.lock
fi
