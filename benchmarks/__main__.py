"""`python -m benchmarks` (or `make bench`): the trainer's speed; exits with 1 where a target is missed."""

import sys

from benchmarks import trainer

if __name__ == "__main__":
    sys.exit(0 if trainer.main() else 1)
