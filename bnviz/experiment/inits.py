"""The schemes that weights are drawn by: what each is called, its law, its formula and its source.

A scheme is one row of SCHEMES here and one line of `bnviz.nn.initialization`, which draws by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

Init = Literal[
    "rand",
    "rand_fan_in",
    "normal",
    "xavier_normal",
    "xavier_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "orthogonal",
    "torch_default",
    "zeros",
]
INITS: tuple[Init, ...] = get_args(Init)

Shape = Literal["from zero", "uniform", "normal", "orthogonal", "constant"]


@dataclass(frozen=True)
class Scheme:
    """One way to draw the weights of a layer with n_in = fan_in and n_out = fan_out.

    shape: that of the density: even from 0 to its end, even around 0, a Gaussian around 0, that of an entry of a
    random orthonormal matrix, or none, if every weight is 0.
    variance: of a weight, by n_in and n_out. latex: the law. idea: what it is made for, and its source. draws_biases:
    by the law of the weights; else they begin at 0.
    """

    name: str
    shape: Shape
    variance: Callable[[int, int], float]
    latex: str
    idea: str
    draws_biases: bool = False

    @property
    def fits_its_layer(self) -> bool:
        """True for independent weights around 0 whose spread follows the number of inputs or outputs."""
        return self.shape in ("normal", "uniform") and self.variance(1, 1) != self.variance(2, 2)


SMALLEST_SCALE = 1e-4  # times the weights as they are drawn
SMALLER_BY = 0.01  # times the weights: what is suggested where they are too large

SCHEMES: dict[Init, Scheme] = {
    "rand": Scheme(
        "U[0,1)",
        "from zero",
        lambda n_in, n_out: 1 / 12,
        r"w\sim U[0,1)",
        "Every weight is positive, so a unit's inputs add up instead of cancelling out.",
    ),
    "rand_fan_in": Scheme(
        "U[0,1) / √fan_in",
        "from zero",
        lambda n_in, n_out: 1 / (12 * n_in),
        r"w\sim\frac{U[0,1)}{\sqrt{n_{in}}}",
        "The spread is scaled to the number of inputs, but every weight is still positive.",
    ),
    "normal": Scheme(
        "N(0,1)",
        "normal",
        lambda n_in, n_out: 1.0,
        r"w\sim N(0,\,1)",
        "Centred, but the variance of a sum of $n_{in}$ inputs grows with $n_{in}$.",
    ),
    "xavier_normal": Scheme(
        "Xavier normal",
        "normal",
        lambda n_in, n_out: 2 / (n_in + n_out),
        r"w\sim N\!\Big(0,\,\frac{2}{n_{in}+n_{out}}\Big)",
        "Keeps the variance on the way forward and back, as far as both can be had (Glorot and Bengio 2010, eq. 12).",
    ),
    "xavier_uniform": Scheme(
        "Xavier uniform",
        "uniform",
        lambda n_in, n_out: 2 / (n_in + n_out),
        r"w\sim U\!\Big[\pm\sqrt{\tfrac{6}{n_{in}+n_{out}}}\Big]",
        "The same variance as Xavier normal, with an end (Glorot and Bengio 2010, eq. 16).",
    ),
    "he_normal": Scheme(
        "He normal",
        "normal",
        lambda n_in, n_out: 2 / n_in,
        r"w\sim N\!\Big(0,\,\frac{2}{n_{in}}\Big)",
        "Twice the variance, because a ReLU loses half of it (He et al. 2015, eq. 10).",
    ),
    "he_uniform": Scheme(
        "He uniform",
        "uniform",
        lambda n_in, n_out: 2 / n_in,
        r"w\sim U\!\Big[\pm\sqrt{\tfrac{6}{n_{in}}}\Big]",
        "The same variance as He normal, with an end (He et al. 2015, eq. 10).",
    ),
    "lecun_normal": Scheme(
        "LeCun normal",
        "normal",
        lambda n_in, n_out: 1 / n_in,
        r"w\sim N\!\Big(0,\,\frac{1}{n_{in}}\Big)",
        "A sum of $n_{in}$ inputs of variance 1 has variance 1 (LeCun et al. 1998, section 4.6).",
    ),
    "orthogonal": Scheme(
        "orthogonal",
        "orthogonal",
        lambda n_in, n_out: 1 / max(n_in, n_out),
        r"W^{\mathsf T}W=I\ \text{ or }\ WW^{\mathsf T}=I",
        "A square matrix keeps the length of every vector, not only on average (Saxe et al. 2014).",
    ),
    "torch_default": Scheme(
        "PyTorch's default",
        "uniform",
        lambda n_in, n_out: 1 / (3 * n_in),
        r"w,\,b\sim U\!\Big[\pm\tfrac{1}{\sqrt{n_{in}}}\Big]",
        "What nn.Linear and nn.Conv2d begin with, biases too: a third of the variance that keeps a sum's as it is.",
        draws_biases=True,
    ),
    "zeros": Scheme(
        "zeros",
        "constant",
        lambda n_in, n_out: 0.0,
        r"w=0",
        "Every unit of a layer is the same, and gets the same gradient: nothing tells them apart.",
    ),
}


def smaller_scale(scale: float) -> float:
    """Return SMALLER_BY times a scale of weights, at least the smallest that there is."""
    return max(scale * SMALLER_BY, SMALLEST_SCALE)


def init_name(init: Init, scale: float = 1.0) -> str:
    """Return what a scheme and its scale are called on the screen: 'N(0,1)', 'U[0,1) × 0.01'."""
    return SCHEMES[init].name + (f" × {scale:g}" if scale != 1 else "")
