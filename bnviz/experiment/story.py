"""The story: fourteen chapters that ask for a guess, train a small network, and show what it did.

No text here tells a result: what a run showed is measured by that run and told by `bnviz.findings.story`.
"""

from bnviz.experiment.chapter import Act, Chapter, Untrained
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.experiment.guesses import ChoiceGuess, CurveGuess, NumberGuess, PointGuess, Span
from bnviz.experiment.layers import LN_10
from bnviz.experiment.scenario import Change, Scenario
from bnviz.experiment.sweep import Axis, Sweep

LECTURE = (0, 1, 2, 6, 8, 9, 11)  # the chapters of a lecture of 25 minutes
SWITCHED_AT = 800  # step of chapter 8 at which both networks change
SHIFTED_LAYER = 2  # hidden layer, from 0, whose inputs chapter 5 watches
COMPANIES = 12  # batches in which chapter 9 asks for one digit
SECOND_SEVEN = 17  # its place in the test set; in company every answer to the first 7 is a 7

_BATCHNORM = BatchNormConfig()
_CARELESS = NetworkConfig(init="rand")
_SCALED = replace(_CARELESS, init_scale=0.01)
_XAVIER = NetworkConfig(init="xavier_normal")
_TWENTY_TANH = NetworkConfig(hidden_layers=20, init="xavier_normal")
_TWENTY_RELU = replace(_TWENTY_TANH, activation="relu")
_TWENTY_SIGMOID = replace(_TWENTY_TANH, activation="sigmoid", width=64)
_LENET = NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")


def _without(*networks: NetworkConfig, steps: int = 1500) -> Experiment:
    """Networks without batchnorm."""
    return Experiment(TrainingConfig(steps=steps), tuple(map(Variant, networks)))


def _twins(network: NetworkConfig, training: TrainingConfig | None = None) -> Experiment:
    """The same network without and with batchnorm."""
    variants = (Variant(network), Variant(network, _BATCHNORM))
    return Experiment(training or TrainingConfig(), variants)


def _switched(experiment: Experiment) -> Experiment:
    """Batchnorm on in the networks that are without it, and off in the others."""
    variants = tuple(replace(v, batchnorm=None if v.batchnorm else _BATCHNORM) for v in experiment.variants)
    return replace(experiment, variants=variants)


_RESCUE = _twins(_CARELESS, TrainingConfig(steps=2000))
_LOSS = Span("loss", 0.0, 5.0, "nats")

CHAPTERS: tuple[Chapter, ...] = (
    Chapter(
        0,
        "What is loss 2.30?",
        3,
        "A network that knows nothing gives each of the ten digits the same probability. Its loss is −ln of the "
        "probability of the right digit. How large is it?",
        NumberGuess(_LOSS, 0.05, 1.0),
        (Act(("class_shares",), Untrained((replace(_CARELESS, init="zeros"), _CARELESS))),),
        f"Ten equal bars cost ln 10, about {LN_10:.3f} nats: that is what guessing costs. A first loss far above it "
        "means that the network is sure of itself and mostly wrong.",
        ("initialization", "live_lab"),
    ),
    Chapter(
        1,
        "Careless init",
        4,
        f"One hidden layer of {_CARELESS.width} tanh neurons. Its weights are drawn from U[0,1) and used as they come. "
        "Draw its loss over 1,500 steps.",
        CurveGuess(Span("step", 0.0, 1500.0), _LOSS, 4.0),
        (Act(("loss", "accuracy"), Scenario(_without(_CARELESS))),),
        "The digits are the same in every chapter, and so is the program that trains. What differs here is how the "
        "weights were drawn. The next chapter looks inside.",
    ),
    Chapter(
        2,
        "Why: saturated tanh",
        4,
        "Each neuron of that network adds up 784 pixels, none below 0, times weights from U[0,1), none below 0. "
        "Where on tanh does the sum land?",
        PointGuess(Span("input of tanh", -10.0, 100.0), Span("output", -1.0, 1.0), (0.0, 0.0), along="tanh"),
        (Act(("function", "saturation", "gradients"), Scenario(_without(_CARELESS, steps=200))),),
        "Where tanh is flat its slope is 0, and the chain rule multiplies every gradient by that slope. Weights "
        "without a gradient stay as they were drawn.",
        ("live_lab", "initialization"),
    ),
    Chapter(
        3,
        "Scale by 0.01",
        4,
        "The same weights times 0.01, and nothing else changes. Is the loss after 1,500 steps better, the same or "
        "worse than that of the careless network?",
        ChoiceGuess((("better", "better"), ("same", "about the same"), ("worse", "worse"))),
        (
            Act(("loss", "function"), Scenario(_without(_CARELESS, _SCALED)), title="One layer"),
            Act(
                ("loss", "gradients"),
                Scenario(_twins(replace(_SCALED, hidden_layers=5))),
                title="Five layers",
            ),
        ),
        "A factor that was found by hand belongs to one network. With more layers the same factor has another effect, "
        "because each layer multiplies what the one before it passes on.",
        ("live_lab", "depth_and_architecture"),
    ),
    Chapter(
        4,
        "Xavier and He",
        5,
        f"{_TWENTY_TANH.hidden_layers} tanh layers of {_TWENTY_TANH.width} neurons, with weights from N(0, σ²). "
        "Which σ did Glorot and Bengio derive, to keep both the activations and the gradients from fading?",
        NumberGuess(Span("σ of the weights", 0.01, 1.0), 0.001, 0.5, log=True),
        (
            Act(
                ("propagation",),
                Untrained((replace(_TWENTY_TANH, init="normal"), _TWENTY_TANH), standardize=True, your_scale=True),
                title="Your σ and Xavier's",
            ),
            Act(
                ("propagation",),
                Untrained((_TWENTY_RELU, replace(_TWENTY_RELU, init="he_normal")), standardize=True),
                title="ReLU: Xavier and He",
            ),
        ),
        "Glorot and Bengio (2010) draw weights of variance 2 / (n_in + n_out): a compromise between the way forward "
        "and the way back. A ReLU passes on only one half of its inputs, so He et al. (2015) double the variance: "
        "2 / n_in.",
        ("initialization",),
    ),
    Chapter(
        5,
        "Why not normalize?",
        4,
        "Five tanh layers with Xavier's init all learn at the same time. What happens to the values that reach the "
        f"tanh of layer {SHIFTED_LAYER + 1} while layers 1 and 2 learn?",
        ChoiceGuess(
            (("stay", "they stay as they were"), ("spread", "they spread out"), ("move", "their mean moves away"))
        ),
        (
            Act(
                ("ridges", "loss"),
                Scenario(_without(replace(_XAVIER, hidden_layers=5), steps=500)),
                layer=SHIFTED_LAYER,
            ),
        ),
        "A layer learns from inputs that change under it, because the layers before it learn as well. Ioffe and "
        "Szegedy (2015) called this internal covariate shift and asked: why not normalize the inputs of every layer, "
        "in every step? Chapter 12 comes back to whether that is the reason why it helps.",
        ("covariate_shift",),
    ),
    Chapter(
        6,
        "Batchnorm by hand",
        4,
        "Batchnorm takes the mean of the batch away and divides by its standard deviation, for each dimension on its "
        "own. Here is a batch of twenty points. Where does the ringed one go?",
        PointGuess(Span("x₁", -4.0, 9.0), Span("x₂", -4.0, 4.0), (2.0, 2.0)),
        (Act(("points", "bias")),),
        "The learned scale γ and shift β let the network undo all of it, so normalizing takes nothing away that it "
        "could not get back. A bias before batchnorm does nothing: it moves the mean, which is taken away.",
        ("inside_batchnorm",),
    ),
    Chapter(
        7,
        "Bessel's correction",
        3,
        "Batchnorm estimates the variance of a neuron's values from the batch. With two digits a batch, how large is "
        "that estimate on average, as a share of the true variance?",
        NumberGuess(Span("estimated / true variance", 0.0, 2.0), 0.05, 1.0),
        (
            Act(
                ("bessel",),
                Scenario(Experiment(TrainingConfig(steps=100), (Variant(batchnorm=_BATCHNORM),))),
            ),
        ),
        "The mean of a batch lies in the middle of that very batch, so the distances to it come out too small, on "
        "average by (B − 1)/B. Batchnorm trains with the variance as it is and stores B/(B − 1) times it for "
        "inference (Ioffe and Szegedy 2015, algorithm 2).",
        ("training_and_inference",),
    ),
    Chapter(
        8,
        "The rescue",
        4,
        f"The careless network again. After {SWITCHED_AT} steps batchnorm is switched on, and every weight stays as it "
        "is. Draw its loss from there. (In its twin, which had batchnorm, it is switched off at the same step.)",
        CurveGuess(Span("step", float(SWITCHED_AT), 2000.0), _LOSS, 2.3),
        (Act(("loss", "accuracy", "function"), Scenario(_RESCUE, (Change(SWITCHED_AT, _switched(_RESCUE)),))),),
        "Batchnorm brings what reaches tanh back to where tanh bends, so gradients pass again through the very same "
        "weights. Without it they saturate as before.",
    ),
    Chapter(
        9,
        "One digit at test time",
        3,
        "In training mode the other digits of the batch take part in a digit's mean and variance. A trained network is "
        f"asked for one 7 in {COMPANIES} batches of 2, each time beside another digit. How many of the answers are the "
        "one that it gives in eval mode?",
        NumberGuess(Span("answers that agree", 0.0, float(COMPANIES), f"of {COMPANIES}"), 1.0, float(COMPANIES)),
        (
            Act(
                ("digit", "answers", "running"),
                Scenario(Experiment(TrainingConfig(steps=300), (Variant(batchnorm=_BATCHNORM),))),
                watch="inference",
            ),
        ),
        "At test time a layer uses the running mean and variance that it gathered while training, so that an answer "
        "depends on the digit alone. Call model.eval() before you test.",
        ("training_and_inference",),
    ),
    Chapter(
        10,
        "Deep",
        4,
        f"{_TWENTY_SIGMOID.hidden_layers} layers of {_TWENTY_SIGMOID.width} sigmoids with Xavier's init. What share of "
        "the test digits does the network without batchnorm recognize after 300 steps?",
        NumberGuess(Span("test accuracy", 0.0, 100.0, "%"), 1.0, 50.0),
        (
            Act(
                ("accuracy", "gradient_flow"),
                Scenario(_twins(_TWENTY_SIGMOID, TrainingConfig(steps=300))),
                title="Twenty layers",
            ),
            Act(
                ("loss", "gradient_flow"),
                Scenario(_twins(_LENET, TrainingConfig(steps=100))),
                title="LeNet",
            ),
        ),
        "A sigmoid's slope is at most 1/4, so the gradient shrinks from layer to layer on its way back. Batchnorm "
        "divides by the spread of every layer and so makes up for it.",
        ("depth_and_architecture",),
    ),
    Chapter(
        11,
        "When it fails",
        3,
        "Two digits a batch: every mean and every variance comes from two values. Which network has the lower test "
        "loss after 2,000 steps?",
        ChoiceGuess(
            (("without", "the one without batchnorm"), ("with", "the one with it"), ("alike", "no difference"))
        ),
        (
            Act(
                ("loss", "accuracy"),
                Scenario(_twins(_XAVIER, TrainingConfig(batch_size=2, learning_rate=0.03, steps=2000))),
                title="Two digits a batch",
            ),
            Act(
                ("sweep",),
                Sweep(
                    (Axis("batch_size", choices=(2, 4, 8, 16, 32, 64)),),
                    training=TrainingConfig(steps=1000),
                    network=_XAVIER,
                ),
                title="From 2 to 64 digits",
            ),
        ),
        "Small batches give noisy statistics. Layer normalization (Ba et al. 2016) and group normalization (Wu and He "
        "2018) normalize over the units of one digit instead, and do not depend on the batch.",
        ("sweep",),
    ),
    Chapter(
        12,
        "Why it works",
        4,
        "After batchnorm, every output is multiplied and moved by noise whose mean and spread are drawn anew for each "
        "batch: covariate shift on purpose (Santurkar et al. 2018). What is left of the gain over no batchnorm?",
        ChoiceGuess((("none", "nothing"), ("half", "about half"), ("most", "nearly all of it"))),
        (
            Act(
                ("loss", "accuracy"),
                Scenario(
                    Experiment(
                        TrainingConfig(steps=1000),
                        (
                            Variant(_XAVIER),
                            Variant(_XAVIER, _BATCHNORM),
                            Variant(_XAVIER, replace(_BATCHNORM, noisy=True)),
                        ),
                    )
                ),
                title="Shift on purpose",
            ),
            Act(
                ("predictiveness", "smoothness"),
                Scenario(_twins(NetworkConfig(hidden_layers=5, init="normal"), TrainingConfig(steps=400))),
                watch="landscape",
                title="Smoothness from N(0,1)",
            ),
            Act(
                ("predictiveness", "smoothness"),
                Scenario(_twins(replace(_XAVIER, hidden_layers=5), TrainingConfig(steps=400))),
                watch="landscape",
                title="Smoothness from Xavier",
            ),
        ),
        "If shift were what batchnorm cures, shift that is added after it should undo the cure. Santurkar et al. "
        "propose another reason: the loss becomes smoother along the gradient. The two measurements of it here do not "
        "give one answer, and what makes batchnorm work is still an open question.",
        ("loss_landscape", "covariate_shift"),
    ),
    Chapter(
        13,
        "Yours",
        2,
        "What you guessed, what was measured, and what to check in a network of your own.",
        None,
        (),
        "",
        ("live_lab", "sweep", "results"),
    ),
)
