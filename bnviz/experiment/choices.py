"""What may be chosen by name: the keys, and what they are called on the screen.

Inits, of which there are many, are in `bnviz.experiment.inits`.
"""

from typing import Annotated, Literal, get_args


class ChoiceNames:
    """Names that the choices of a field have on the screen; a choice without one is called by its key.

    Addresses, files and the command line have the keys.
    """

    def __init__(self, **names: str) -> None:
        self.names = names


Architecture = Annotated[
    Literal["mlp", "lenet", "cnn"], ChoiceNames(mlp="multilayer perceptron", lenet="LeNet", cnn="wide CNN")
]
Activation = Annotated[
    Literal["tanh", "sigmoid", "relu", "leaky_relu", "gelu", "none"],
    ChoiceNames(relu="ReLU", leaky_relu="leaky ReLU", gelu="GELU"),
]
Optimizer = Annotated[
    Literal["sgd", "nesterov", "adam"], ChoiceNames(sgd="SGD", nesterov="SGD with Nesterov's momentum", adam="Adam")
]
Decayed = Annotated[Literal["weights", "all"], ChoiceNames(weights="weights alone", all="biases, γ and β too")]
Schedule = Literal["linear", "constant", "cosine"]
Position = Annotated[
    Literal["before", "after"], ChoiceNames(before="before the activation", after="after the activation")
]
Running = Annotated[Literal["variance", "std"], ChoiceNames(std="standard deviation")]
Inference = Annotated[
    Literal["running", "population", "batch"],
    ChoiceNames(running="running statistics", population="population statistics", batch="the batch at hand"),
]
Normalizer = Annotated[
    Literal["layer", "group", "instance", "rms", "weight"],
    ChoiceNames(
        layer="layer norm",
        group="group norm",
        instance="instance norm",
        rms="RMS norm",
        weight="weight standardization",
    ),
]

DataName = Literal["MNIST", "MNIST sample", "Fashion-MNIST", "KMNIST"]  # by name, on the screen and elsewhere

ACTIVATIONS: tuple[Activation, ...] = get_args(get_args(Activation)[0])
BOUNDED_OUTPUTS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}  # of the activations that are flat at both ends
LEAK = 0.01  # slope of leaky ReLU below zero
SQUARED_DECAY, ADAM_EPS = 0.999, 1e-8  # Adam's beta 2 and epsilon, as Kingma and Ba 2015 and torch have them
# What an optimizer comes with: learning rate, final rate and momentum.
USUAL_RATES: dict[str, tuple[float, float, float]] = {
    "sgd": (0.1, 0.01, 0.0),
    "nesterov": (0.01, 0.001, 0.9),
    "adam": (0.001, 0.0001, 0.9),
}
# What an architecture comes with.
USUAL_ACTIVATION: dict[str, Activation] = {"mlp": "tanh", "lenet": "sigmoid", "cnn": "relu"}
