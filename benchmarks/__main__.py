"""`python -m benchmarks` (or `make bench`): from trainer to watching; exits with 1 if a target is missed."""

import sys

import torch

from benchmarks import landscape, looks, store, sweep, trainer, watch
from bnviz.engine.worker import reuse_memory

if __name__ == "__main__":
    torch.set_num_threads(1)  # all in this process as in a worker
    reuse_memory()
    sys.exit(
        0 if all([trainer.main(), looks.main(), sweep.main(), landscape.main(), store.main(), watch.main()]) else 1
    )
