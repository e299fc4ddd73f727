"""Named experiments: each sets every control, stands under a heading, and promises what its run shows."""

from dataclasses import dataclass, replace

from bnviz.experiment.config import BatchNormConfig, Experiment, Init, NetworkConfig, TrainingConfig, Variant

BEGINNINGS = "How the weights begin"
INITS_INSTEAD = "A better init instead"
DEEP = "Deep networks"
LIMITS = "Learning rate and batch"
PAPERS = "From the papers"


@dataclass(frozen=True)
class Preset:
    """One named experiment. group: the heading that it stands under.

    promise: one sentence about what is seen when it is run, on MNIST. It gives the test accuracy of every
    network in per cent, in their order: at the end, or after the steps that it names.
    """

    title: str
    group: str
    promise: str
    experiment: Experiment


def _twins(network: NetworkConfig, training: TrainingConfig | None = None) -> Experiment:
    """The same network without and with batchnorm."""
    twins = (Variant(network), Variant(network, BatchNormConfig()))
    return Experiment(training or TrainingConfig(), twins)


def _drawn_by(init: Init, scale: float = 1.0) -> NetworkConfig:
    return NetworkConfig(init=init, init_scale=scale)


PRESETS: dict[str, Preset] = {
    "careless": Preset(
        "Careless init",
        BEGINNINGS,
        "Weights U[0,1) saturate every tanh: the network stays at 11%, and with batchnorm the same weights reach 73%.",
        _twins(_drawn_by("rand")),
    ),
    "small": Preset(
        "Small init",
        BEGINNINGS,
        "The same weights times 0.01 learn by themselves: 91% without and 94% with batchnorm.",
        _twins(_drawn_by("rand", 0.01)),
    ),
    "start": Preset(
        "Fan-in init",
        BEGINNINGS,
        "Weights U[0,1)/√fan_in, the plain case: 92% without and 93% with batchnorm.",
        Experiment(),
    ),
    "xavier": Preset(
        "Xavier against careless",
        INITS_INSTEAD,
        "Which helps more? Xavier's init without batchnorm reaches 93%, the careless one with it 73%.",
        Experiment(variants=(Variant(_drawn_by("xavier_normal")), Variant(_drawn_by("rand"), BatchNormConfig()))),
    ),
    "xavier_batchnorm": Preset(
        "Xavier + batchnorm",
        INITS_INSTEAD,
        "Xavier's init needs no rescue in one layer: 93% without and 94% with batchnorm.",
        _twins(_drawn_by("xavier_normal")),
    ),
    "he_relu": Preset(
        "He + ReLU",
        INITS_INSTEAD,
        "He's init, made for ReLU: 94% without and 96% with batchnorm.",
        _twins(NetworkConfig(init="he_normal", activation="relu")),
    ),
    "deep": Preset(
        "Five deep layers",
        DEEP,
        "Weights N(0,1) make the gradient explode, 75 times larger in layer 1 than at the output: 30% without, 87% "
        "with batchnorm.",
        _twins(NetworkConfig(hidden_layers=5, init="normal")),
    ),
    "deep_relu": Preset(
        "Ten ReLU layers",
        DEEP,
        "Weights N(0,1) times 0.01 let nothing through ten layers: 11% without, 96% with batchnorm.",
        _twins(NetworkConfig(hidden_layers=10, activation="relu", init="normal", init_scale=0.01)),
    ),
    "deepest": Preset(
        "Twenty sigmoid layers",
        DEEP,
        "Xavier's init cannot keep the gradient through twenty sigmoids: 11% without, 95% with batchnorm.",
        _twins(NetworkConfig(hidden_layers=20, activation="sigmoid", init="xavier_normal")),
    ),
    "lenet": Preset(
        "LeNet",
        DEEP,
        "Two convolutions and two dense layers with sigmoids, as in Dive into Deep Learning: 11% without, 98% with "
        "batchnorm.",
        _twins(NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")),
    ),
    "cnn": Preset(
        "Wide CNN",
        DEEP,
        "Convolutions of 20 and 50 maps with ReLU and a learning rate of 0.5: after 300 steps 95% without, 98% with "
        "batchnorm.",
        _twins(
            NetworkConfig(architecture="cnn", activation="relu", init="he_normal"),
            TrainingConfig(steps=300, learning_rate=0.5, final_learning_rate=0.05),
        ),
    ),
    "fast": Preset(
        "High learning rate",
        LIMITS,
        "A learning rate of 3 with ReLU: too fast without batchnorm, which is left at 18%, and 97% with it.",
        _twins(
            NetworkConfig(init="xavier_normal", activation="relu"),
            TrainingConfig(learning_rate=3.0, final_learning_rate=0.3),
        ),
    ),
    "tiny_batch": Preset(
        "Tiny batch",
        LIMITS,
        "Two digits a batch are too few for a mean and a variance, and batchnorm hurts: 89% without, 82% with it.",
        replace(
            _twins(_drawn_by("xavier_normal")), training=TrainingConfig(batch_size=2, learning_rate=0.03, steps=3000)
        ),
    ),
    "paper": Preset(
        "The network of 2015",
        PAPERS,
        "Three layers of 100 sigmoids, as in figure 1 of Ioffe and Szegedy: after 250 steps 14% without, 87% with "
        "batchnorm.",
        _twins(
            NetworkConfig(3, 100, "sigmoid", "normal", init_scale=0.1),
            TrainingConfig(batch_size=60, steps=50_000, schedule="constant"),
        ),
    ),
    "noisy": Preset(
        "Noisy batchnorm",
        PAPERS,
        "Noise after batchnorm makes covariate shift worse and costs little: 93% without batchnorm, 94% with it, 93% "
        "with the noise as well.",
        Experiment(
            variants=(
                Variant(_drawn_by("xavier_normal")),
                Variant(_drawn_by("xavier_normal"), BatchNormConfig()),
                Variant(_drawn_by("xavier_normal"), BatchNormConfig(noisy=True)),
            )
        ),
    ),
}
OPENING = PRESETS["careless"].experiment  # what the live lab opens with
