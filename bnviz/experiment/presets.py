"""Named experiments: each sets every control."""

from dataclasses import dataclass, replace

from bnviz.experiment.config import BatchNormConfig, Experiment, Init, NetworkConfig, TrainingConfig, Variant


@dataclass(frozen=True)
class Preset:
    title: str
    help: str
    experiment: Experiment


def _twins(network: NetworkConfig, training: TrainingConfig | None = None) -> Experiment:
    """The same network without and with batchnorm."""
    twins = (Variant(network), Variant(network, BatchNormConfig()))
    return Experiment(training or TrainingConfig(), twins)


def _init(init: Init, scale: float = 1.0) -> NetworkConfig:
    return NetworkConfig(init=init, init_scale=scale)


PRESETS: dict[str, Preset] = {
    "start": Preset("Fan-in init", "Weights U[0,1)/√fan_in, one hidden layer: the plain case.", Experiment()),
    "careless": Preset(
        "Careless init",
        "Weights U[0,1) as they come saturate every tanh: A stays at ln 10, B learns.",
        _twins(_init("rand")),
    ),
    "small": Preset("Small init", "The same weights times 0.01.", _twins(_init("rand", 0.01))),
    "xavier": Preset(
        "Xavier against careless",
        "A has Xavier's init and no batchnorm, B the careless init with it: which one helps more?",
        Experiment(variants=(Variant(_init("xavier_normal")), Variant(_init("rand"), BatchNormConfig()))),
    ),
    "xavier_batchnorm": Preset(
        "Xavier + batchnorm", "Xavier's init, without and with batchnorm.", _twins(_init("xavier_normal"))
    ),
    "he_relu": Preset(
        "He + ReLU", "He's init, made for ReLU.", _twins(NetworkConfig(init="he_normal", activation="relu"))
    ),
    "deep": Preset(
        "Five deep layers",
        "Five hidden layers with weights N(0,1): without batchnorm hardly any gradient gets through.",
        _twins(NetworkConfig(hidden_layers=5, init="normal")),
    ),
    "lenet": Preset(
        "LeNet",
        "Two convolutions and two dense layers with sigmoids and average pooling, as in Dive into Deep Learning. "
        "Within its 1,500 steps only B leaves ln 10.",
        _twins(NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")),
    ),
    "paper": Preset(
        "The network of 2015",
        "Three layers of 100 sigmoids, 60 digits a batch, 50,000 steps: figure 1 of Ioffe and Szegedy.",
        _twins(
            NetworkConfig(3, 100, "sigmoid", "normal", init_scale=0.1),
            TrainingConfig(batch_size=60, steps=50_000, schedule="constant"),
        ),
    ),
    "deepest": Preset(
        "Twenty layers",
        "Twenty tanh layers with Xavier's init: how the gradient fares on its way through them.",
        _twins(NetworkConfig(hidden_layers=20, init="xavier_normal")),
    ),
    "fast": Preset(
        "High learning rate",
        "Xavier's init, ReLU and a learning rate of 3: too fast without batchnorm.",
        _twins(
            NetworkConfig(init="xavier_normal", activation="relu"),
            TrainingConfig(learning_rate=3.0, final_learning_rate=0.3),
        ),
    ),
    "tiny_batch": Preset(
        "Tiny batch",
        "Two digits a batch: the statistics are so noisy that batchnorm hurts.",
        replace(_twins(_init("xavier_normal")), training=TrainingConfig(batch_size=2, learning_rate=0.03, steps=3000)),
    ),
    "noisy": Preset(
        "Noisy batchnorm",
        "Xavier's init: A without batchnorm, B with it, C with it and noise after it that makes covariate shift worse.",
        Experiment(
            variants=(
                Variant(_init("xavier_normal")),
                Variant(_init("xavier_normal"), BatchNormConfig()),
                Variant(_init("xavier_normal"), BatchNormConfig(noisy=True)),
            )
        ),
    ),
}
