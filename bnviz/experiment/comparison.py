"""Differences between networks, told with the titles and names that the controls have."""

from collections.abc import Collection, Sequence

from bnviz.experiment.config import (
    BatchNormConfig,
    Experiment,
    NetworkConfig,
    NormalizerConfig,
    TrainingConfig,
    Variant,
)
from bnviz.experiment.inits import init_name
from bnviz.experiment.naming import kind_of, network_conditions
from bnviz.experiment.settings import ARCHITECTURE, COUNT, FIELDS, MLP_ONLY, flatten, table
from bnviz.experiment.wording import capitalized, listed

Network = tuple[TrainingConfig, Variant]
MOST_DIFFERENCES = 3  # that a title names
Config = TrainingConfig | NetworkConfig | BatchNormConfig | NormalizerConfig


def network_settings(training: TrainingConfig, variant: Variant) -> dict[str, str]:
    """Return every setting of a network by its title: {'Normalization': 'no batchnorm', 'Init': ...}."""
    net, known = variant.network, table("A")
    named = ("init", "init_scale", "batchnorm", "bn_noisy", "normalizer")  # by init and normalization
    told = {COUNT.key, *(f"a_{key}" for key in named)}
    left_out = told if net.architecture == "mlp" else told | {*MLP_ONLY}
    values = {k: v for k, v in flatten(Experiment(training, (variant,))).items() if k not in left_out}
    names = {known[key].title: known[key].name_of(value) for key, value in values.items()}
    return {"Init": init_name(net.init, net.init_scale), "Normalization": kind_of(variant)} | names


def distinguishing_settings(networks: Sequence[Network], always: Collection[str] = ()) -> list[dict[str, str]]:
    """Return for each network those of its settings in which not all agree, and those titles that are `always` wanted.

    A setting that a network does not have, as one without batchnorm has no ε, is left out of its row and of the
    comparison.
    """
    rows = [network_settings(*network) for network in networks]
    titles = dict.fromkeys(title for row in rows for title in row)
    wanted = [t for t in titles if t in always or len({row[t] for row in rows if t in row}) > 1]
    return [{t: row[t] for t in wanted if t in row} for row in rows]


def what_differs(experiment: Experiment) -> str:
    """Return what the networks share and in what they differ.

    >>> what_differs(Experiment())
    'Same network, same weights, same digits. One difference: batch normalization.'
    """
    if len(experiment.variants) == 1:
        return f"One network, {network_conditions(experiment)[0]}."
    rows = distinguishing_settings([(experiment.training, variant) for variant in experiment.variants])
    titles = dict.fromkeys(title for row in rows for title in row)
    kinds = {row.get("Normalization") for row in rows}
    name = {"Normalization": "batch normalization" if kinds == {"no batchnorm", "batchnorm"} else "normalization"}
    found = [name.get(title, _in_a_sentence(title)) for title in titles]
    same = [] if titles.keys() & {FIELDS["network"][key].title for key in ARCHITECTURE} else ["network"]
    if not titles.keys() & {"Init", *(FIELDS["network"][key].title for key in ("architecture", *MLP_ONLY))}:
        same.append("weights")
    shared = capitalized(", ".join(f"same {each}" for each in (*same, "digits"))) + "."
    if len(found) > MOST_DIFFERENCES:
        return f"{shared} {len(found)} differences."
    if not found:
        return f"{shared} No difference."
    return f"{shared} {'One difference' if len(found) == 1 else 'Differences'}: {listed(found)}."


def _in_a_sentence(title: str) -> str:
    return title[0].lower() + title[1:]


def changed_settings(old: Config, new: Config) -> list[str]:
    """Return 'learning rate 0.05' for every field that differs, with the value that `new` has.

    >>> changed_settings(NetworkConfig(), NetworkConfig(init="normal"))
    ['init N(0,1)']
    """
    parts: dict[type, str] = {TrainingConfig: "training", NetworkConfig: "network", BatchNormConfig: "batchnorm"}
    part = parts.get(type(new), "normalizer")
    return [
        f"{_in_a_sentence(setting.title)} {setting.name_of(getattr(new, field))}"
        for field, setting in FIELDS[part].items()
        if getattr(old, field) != getattr(new, field)
    ]


def normalizer_options(variant: Variant) -> list[str]:
    """Return those options of a network's batchnorm, or of the normalizer in its place, that are not the usual ones."""
    if (other := variant.normalizer) is not None:
        return changed_settings(NormalizerConfig(other.kind), other)
    return changed_settings(BatchNormConfig(), variant.batchnorm or BatchNormConfig())


def special_settings(experiment: Experiment) -> list[str]:
    """Return 'learning rate 0.05' for every setting that the default experiment does not have.

    What all networks share is told once, the rest with a network's letter; so is which networks there are, if they are
    not one without and one with batchnorm.

    >>> special_settings(Experiment())
    []
    """
    usual, kinds = Experiment(), [kind_of(variant) for variant in experiment.variants]
    own = [changed_settings(NetworkConfig(), v.network) + normalizer_options(v) for v in experiment.variants]
    shared = [words for words in own[0] if all(words in others for others in own)]
    which = [] if kinds == [kind_of(variant) for variant in usual.variants] else [" + ".join(kinds)]
    return [
        *which,
        *changed_settings(usual.training, experiment.training),
        *shared,
        *(
            f"{letter}: {w}"
            for letter, told in zip(experiment.letters, own, strict=True)
            for w in told
            if w not in shared
        ),
    ]
