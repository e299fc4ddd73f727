"""`python -m benchmarks` (or `make bench`): trainer, sweeps and landscapes; exits with 1 where a target is missed."""

import sys

from benchmarks import landscape, sweep, trainer

if __name__ == "__main__":
    sys.exit(0 if all([trainer.main(), sweep.main(), landscape.main()]) else 1)
