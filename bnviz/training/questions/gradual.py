"""Questions about a trainer's networks that take seconds: generators that are answered a share at a time."""

import time
import uuid
from collections.abc import Callable, Generator
from typing import Any

from bnviz.records import questions as q
from bnviz.records.questions import A, Continue, Drop, GradualQuestion, Open, Share, Ticket
from bnviz.training.questions import learning_rates, sharpness, slices
from bnviz.training.trainer import Trainer

OPEN_AT_MOST = 4  # questions of one trainer

# Each yields the part that is done, 0 to 1, and returns the answer.
ANSWERERS: dict[type[GradualQuestion[Any]], Callable[[Trainer, Any], Generator[float, None, Any]]] = {
    q.LossSlices: slices.loss_slices,
    q.SharpnessAlongPath: sharpness.along_the_path,
    q.LargestLearningRates: learning_rates.largest_rates,
}


def open_question(trainer: Trainer, asked: Open[A]) -> Ticket[A]:
    """Open a question; nothing is computed yet. The oldest is dropped if too many are open."""
    opened = trainer.open_questions
    while len(opened) >= OPEN_AT_MOST:
        del opened[next(iter(opened))]
    ticket: Ticket[A] = Ticket(uuid.uuid4().hex)
    opened[ticket.name] = ANSWERERS[type(asked.question)](trainer, asked.question)
    return ticket


def continue_question(trainer: Trainer, asked: Continue[A]) -> Share[A]:
    """Work on a question for so many seconds, or for one share of it if that takes longer.

    Raises ValueError if there will be no answer: the question is not open (the run has a new trainer, or others have
    taken its place), wrong, or too large.
    """
    opened, name = trainer.open_questions, asked.ticket.name
    if name not in opened:
        raise ValueError("the run started over (a reset, or a lost worker) before it was done. Start it again.")
    end = time.perf_counter() + asked.seconds
    while True:
        try:
            done = next(opened[name])
        except StopIteration as finished:
            del opened[name]
            return Share(1.0, finished.value)
        except ValueError:
            del opened[name]
            raise
        except (RuntimeError, MemoryError) as error:  # torch's word for memory that is not there; the run must go on
            del opened[name]
            raise ValueError(f"the worker could not answer it: {error}") from error
        if time.perf_counter() >= end:
            return Share(done, None)


def drop_question(trainer: Trainer, asked: Drop) -> None:
    """Forget a question unanswered; one that is not open is no error."""
    trainer.open_questions.pop(asked.ticket.name, None)
