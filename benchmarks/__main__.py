"""`python -m benchmarks` (or `make bench`): trainer, sweeps and landscapes; exits with 1 where a target is missed."""

import sys

import torch

from benchmarks import landscape, looks, sweep, trainer
from bnviz.engine.worker import reuse_memory

if __name__ == "__main__":
    torch.set_num_threads(1)  # all in this process as in a worker
    reuse_memory()
    sys.exit(0 if all([trainer.main(), looks.main(), sweep.main(), landscape.main()]) else 1)
