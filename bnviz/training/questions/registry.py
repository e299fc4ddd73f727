"""Who answers which question: one function for each type, found by it. Questions are answered on copies."""

from collections.abc import Callable
from typing import Any

from bnviz.records import questions as q
from bnviz.records.questions import A, Question
from bnviz.training.questions import feature_maps, folding, gradual, inference, scaling, shift
from bnviz.training.trainer import Trainer

ANSWERERS: dict[type[Question[Any]], Callable[[Trainer, Any], Any]] = {
    q.InputsOfLayer: inference.inputs_of_layer,
    q.AnswersInCompany: inference.answers_in_company,
    q.FoldedForInference: folding.folded_for_inference,
    q.DigitOfTestSet: inference.digit_of_test_set,
    q.MapsOfDigit: feature_maps.maps_of_digit,
    q.ShiftOfGradients: shift.shift_of_gradients,
    q.EffectOfScale: scaling.effect_of_scale,
    q.NoiseOfBatches: scaling.noise_of_batches,
    q.Open: gradual.open_question,
    q.Continue: gradual.continue_question,
    q.Drop: gradual.drop_question,
}


def answer(trainer: Trainer, question: Question[A]) -> A:
    """Return what the function for a question's type says of the trainer, which stays as it was.

    Raises ValueError, naming field and allowed range, if the question is about something that is not there.
    """
    found: A = ANSWERERS[type(question)](trainer, question)
    return found
