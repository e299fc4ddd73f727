"""What to try next in the live lab, as experiments that one click opens."""

from dataclasses import dataclass
from typing import Any

from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.config import BatchNormConfig, Experiment, replace
from bnviz.experiment.inits import SMALLER_BY, init_name, smaller_scale
from bnviz.findings.thresholds import MOSTLY_SATURATED
from bnviz.records.history import View

DEEPER_LAYERS = 5  # hidden layers
SMALL_BATCH = 4  # digits in a batch


@dataclass(frozen=True)
class NextStep:
    """One suggestion: what its button says, the experiment, and whether the networks keep their weights."""

    label: str
    experiment: Experiment
    keep_weights: bool = False


def next_steps(view: View) -> list[NextStep]:
    """Return three suggestions: ways out for a saturated network, else ways to make it harder."""
    experiment = view.experiment
    plain = next((i for i, variant in enumerate(experiment.variants) if variant.plain), None)
    if plain is not None and _is_saturated(view, plain):
        rescued = replace(experiment.variants[plain], batchnorm=BatchNormConfig())
        small = smaller_scale(experiment.variants[plain].network.init_scale)
        return [
            NextStep("Switch batchnorm on now", experiment.with_variant(plain, rescued), keep_weights=True),
            NextStep(f"The same weights × {SMALLER_BY:g}", _all_with(experiment, init_scale=small)),
            NextStep(init_name("xavier_normal", 1.0), _all_with(experiment, init="xavier_normal", init_scale=1.0)),
        ]
    first = experiment.variants[0].network
    steps = []
    if first.architecture == "mlp" and first.hidden_layers < DEEPER_LAYERS:
        steps.append(NextStep(f"{DEEPER_LAYERS} hidden layers", _all_with(experiment, hidden_layers=DEEPER_LAYERS)))
    if first.init != "rand" or first.init_scale != 1:
        careless = _all_with(experiment, init="rand", init_scale=1.0)
        steps.append(NextStep(f"Careless init: {init_name('rand', 1.0)}", careless))
    if experiment.training.batch_size > SMALL_BATCH:
        training = replace(experiment.training, batch_size=SMALL_BATCH)
        steps.append(NextStep(f"Batches of {SMALL_BATCH}", replace(experiment, training=training)))
    return steps


def _is_saturated(view: View, i: int) -> bool:
    if view.latest is None or view.experiment.variants[i].network.activation not in BOUNDED_OUTPUTS:
        return False
    return any(float(layer.saturated.mean()) > MOSTLY_SATURATED for layer in view.latest.variants[i].layers)


def _all_with(experiment: Experiment, **changes: Any) -> Experiment:
    """The experiment with some settings of every network changed."""
    variants = tuple(replace(variant, network=replace(variant.network, **changes)) for variant in experiment.variants)
    return replace(experiment, variants=variants)
