"""The one network with batchnorm that a page watches closely: which one it is, and what it is made of, in words."""

from bnviz.experiment.comparison import changed_settings, normalizer_options
from bnviz.experiment.config import BatchNormConfig, Experiment, Variant, replace
from bnviz.experiment.inits import init_name
from bnviz.experiment.naming import kind_of
from bnviz.experiment.settings import SHARED
from bnviz.experiment.wording import counted


def watched_network(experiment: Experiment) -> Experiment:
    """Return the experiment's first network with batchnorm alone; if it has none, its first network, given batchnorm.

    A batch of one digit, which batchnorm cannot normalize, becomes one of two.
    """
    normalized = next((variant for variant in experiment.variants if variant.batchnorm), None)
    variant = normalized or replace(experiment.variants[0], batchnorm=BatchNormConfig(), normalizer=None)
    training = replace(experiment.training, batch_size=max(experiment.training.batch_size, 2))
    return Experiment(training, (variant,))


def network_in_words(variant: Variant) -> str:
    """Return its layers, init and normalization, and those options of its normalizer that are not the usual ones.

    >>> network_in_words(Variant())
    '1 hidden layer of 128 tanh neurons, init U[0,1) / √fan_in, no batchnorm'
    """
    network = variant.network
    activation = SHARED["activation"].name_of(network.activation)
    if network.architecture == "mlp":
        layers = f"{counted(network.hidden_layers, 'hidden layer')} of {network.width} {activation} neurons"
    else:
        layers = f"{SHARED['architecture'].name_of(network.architecture)} with {activation}"
    options = normalizer_options(variant)
    normalization = kind_of(variant) + (f" ({', '.join(options)})" if options else "")
    return f"{layers}, init {init_name(network.init, network.init_scale)}, {normalization}"


def differences(experiment: Experiment, other: Experiment) -> list[str]:
    """Return 'init N(0,1)' for every setting in which two experiments of one network differ, as `other` has it."""
    (a,), (b,) = experiment.variants, other.variants
    options = changed_settings(a.batchnorm or BatchNormConfig(), b.batchnorm or BatchNormConfig())
    return changed_settings(experiment.training, other.training) + changed_settings(a.network, b.network) + options
