"""Every question of a page has exactly one answerer, whose types are the question's own."""

import pickle
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

import pytest

from bnviz.records import questions
from bnviz.records.questions import GradualQuestion, InputsOfLayer, LossSlices, Question
from bnviz.training.questions import gradual, registry

GRADUAL = set(GradualQuestion.__subclasses__())
AT_ONCE = set(Question.__subclasses__())


def own(kinds: set[type]) -> set[type]:
    """Those that stand in the module of questions: a test may have made others."""
    return {kind for kind in kinds if kind.__module__ == questions.__name__}


def answer_type(kind: type) -> Any:
    """A of a question that derives from Question[A]."""
    (base,) = kind.__orig_bases__  # type: ignore[attr-defined]
    return get_args(base)[0]


def test_every_question_has_one_answerer() -> None:
    assert own(AT_ONCE) == registry.ANSWERERS.keys()
    assert own(GRADUAL) == gradual.ANSWERERS.keys()
    answerers = [*registry.ANSWERERS.values(), *gradual.ANSWERERS.values()]
    assert len(set(answerers)) == len(answerers)
    assert len(answerers) > 10


@pytest.mark.parametrize("kind", sorted(own(AT_ONCE), key=str))
def test_an_answerer_takes_its_question_and_returns_what_that_promises(kind: type) -> None:
    hints = asked_and_answered(registry.ANSWERERS[kind])
    assert hints == (kind, answer_type(kind))


@pytest.mark.parametrize("kind", sorted(own(GRADUAL), key=str))
def test_a_gradual_answerer_yields_shares_and_returns_what_its_question_promises(kind: type) -> None:
    asked, answered = asked_and_answered(gradual.ANSWERERS[kind])
    assert asked is kind
    assert get_args(answered) == (float, None, answer_type(kind))


def asked_and_answered(answerer: Callable[..., Any]) -> tuple[Any, Any]:
    """The types of the second argument, whose type variables are left out, and of what is returned."""
    hints = get_type_hints(answerer)
    _, question, answered = hints.values()
    return getattr(question, "__origin__", question), answered


@pytest.mark.parametrize("kind", sorted(own(AT_ONCE | GRADUAL), key=str))
def test_a_question_is_a_frozen_record(kind: type) -> None:
    assert is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_a_question_travels_and_is_compared_by_what_it_asks() -> None:
    for question in (InputsOfLayer(0, 1, (2, 3), 40), LossSlices("random", 25, 250, half_width=1.0, seed=0)):
        assert pickle.loads(pickle.dumps(question)) == question
        assert hash(pickle.loads(pickle.dumps(question))) == hash(question)
