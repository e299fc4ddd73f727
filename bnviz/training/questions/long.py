"""Questions about a trainer's networks that take seconds: generators that are answered a share at a time."""

import time
from collections.abc import Callable, Generator
from typing import Any

from bnviz.training.questions import learning_rates as rates
from bnviz.training.questions import sharpness
from bnviz.training.questions import slices as landscape
from bnviz.training.trainer import Trainer

AT_ONCE = 4  # questions of one trainer that may be open

LONG: dict[str, Callable[..., Generator[float, None, Any]]] = {
    "slices": landscape.slices,
    "sharpness": sharpness.along_the_path,
    "largest_rates": rates.largest_rates,
}


def begin(trainer: Trainer, *, name: str, long_question: str, **arguments: Any) -> None:
    """Open a question of LONG under a name; nothing is computed yet. The oldest is dropped where there are many."""
    mine = trainer.open_questions
    while len(mine) >= AT_ONCE:
        del mine[next(iter(mine))]
    mine[name] = LONG[long_question](trainer, **arguments)


def go_on(trainer: Trainer, *, name: str, seconds: float) -> tuple[float, Any]:
    """Work on a question for so many seconds, or for one share of it where that takes longer.

    Returns the part that is done, 0 to 1, and the answer, None until all is done. Raises ValueError where there will be
    none: the question is not open (the run has a new trainer, or others have taken its place), wrong, or too large.
    """
    mine = trainer.open_questions
    if name not in mine:
        raise ValueError("the run started over (a reset, or a lost worker) before it was done. Start it again.")
    until = time.perf_counter() + seconds
    while True:
        try:
            done = next(mine[name])
        except StopIteration as end:
            del mine[name]
            return 1.0, end.value
        except ValueError:
            del mine[name]
            raise
        except (RuntimeError, MemoryError) as error:  # torch's word for memory that is not there; the run must go on
            del mine[name]
            raise ValueError(f"the worker could not answer it: {error}") from error
        if time.perf_counter() >= until:
            return done, None


def drop(trainer: Trainer, *, name: str) -> None:
    trainer.open_questions.pop(name, None)
