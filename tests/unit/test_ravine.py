"""Ravine and bowl: a loss with known curvature, against data, differences and the textbook's stability limit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz import figures
from bnviz.export.landscape import ravine_csv
from bnviz.theory import ravine
from bnviz.theory.ravine import GOAL_LOSS, KINDS, Kind, descend, gradient, loss, scales

RATIOS = st.floats(1.0, 30.0)
WEIGHTS = st.floats(-3, 3).filter(lambda w: abs(w) > 0.05)
KIND = st.sampled_from(KINDS)


@given(KIND, RATIOS, WEIGHTS, WEIGHTS)
def test_the_loss_is_that_of_real_data(kind: Kind, ratio: float, w1: float, w2: float) -> None:
    u = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])  # independent, mean 0, variance 1
    z = u * scales(ratio, kind) @ [w1, w2]
    t = u.sum(1) / math.sqrt(2)
    if kind == "batchnorm":
        z = (z - z.mean()) / z.std()
    assert float(loss(kind, ratio, np.array(w1), np.array(w2))) == pytest.approx(0.5 * ((z - t) ** 2).mean())


@given(KIND, RATIOS, WEIGHTS, WEIGHTS)
def test_the_gradient_is_that_of_the_loss(kind: Kind, ratio: float, w1: float, w2: float) -> None:
    h = 1e-6
    at = np.array([[w1 + h, w2], [w1 - h, w2], [w1, w2 + h], [w1, w2 - h]])
    values = loss(kind, ratio, at[:, 0], at[:, 1])
    expected = (values[0] - values[1]) / (2 * h), (values[2] - values[3]) / (2 * h)
    assert gradient(kind, ratio)(w1, w2) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@given(RATIOS, WEIGHTS, WEIGHTS)
def test_with_batchnorm_the_gradient_is_at_right_angles_to_the_weights(ratio: float, w1: float, w2: float) -> None:
    g1, g2 = gradient("batchnorm", ratio)(w1, w2)
    assert g1 * w1 + g2 * w2 == pytest.approx(0, abs=1e-9 * math.hypot(g1, g2) * math.hypot(w1, w2) + 1e-12)


@pytest.mark.parametrize("ratio", [1.0, 4.0, 20.0])
def test_a_ravines_condition_number_is_the_ratio_squared_and_standardizing_makes_it_one(ratio: float) -> None:
    raw, bowl = (descend(kind, ratio, 0.01, 0.0, (1.0, 1.0)) for kind in ("raw", "standardized"))
    assert raw.condition == pytest.approx(ratio**2)
    assert bowl.condition == 1
    assert raw.largest_rate(0.0) == pytest.approx(2 / ratio)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["raw", "standardized"])
def test_descent_is_stable_just_below_the_largest_rate_and_not_above(kind: Kind, momentum: float) -> None:
    limit = descend(kind, 5.0, 0.01, momentum, (1.0, 1.0)).largest_rate(momentum)
    calm, wild = (descend(kind, 5.0, limit * factor, momentum, (-1.5, 0.6)) for factor in (0.97, 1.05))
    assert calm.loss[-1] < calm.loss[0]
    assert wild.diverged


@pytest.mark.parametrize("rate", [0.01, 0.35, 2.0, 100.0, 1e4])
def test_with_batchnorm_no_rate_diverges(rate: float) -> None:
    found = descend("batchnorm", 5.0, rate, 0.0, (-1.5, 0.6))
    assert not found.diverged
    assert (np.diff(np.hypot(*found.path.T)) >= -1e-9).all()  # every step takes it further out


def test_steps_are_counted_until_the_goal_is_kept() -> None:
    found = descend("standardized", 1.0, 0.5, 0.0, (-1.5, 0.6))
    assert found.steps is not None
    assert found.loss[found.steps] <= GOAL_LOSS < found.loss[found.steps - 1]
    with_momentum = descend("standardized", 1.0, 0.5, 0.9, (-1.5, 0.6))
    assert with_momentum.steps is not None
    assert (with_momentum.loss[with_momentum.steps :] <= GOAL_LOSS).all()
    assert descend("raw", 30.0, 0.05, 0.0, (-1.5, 0.6)).steps is None
    assert descend("standardized", 1.0, 0.1, 0.0, (ravine.TARGET_SLOPE, ravine.TARGET_SLOPE)).steps == 0


@pytest.mark.parametrize("start", [(0.0, 0.0), (-1.5, 0.6), (3.0, -3.0)])
@pytest.mark.parametrize("rate", [0.01, 3.0])
@pytest.mark.parametrize("kind", KINDS)
def test_every_descent_can_be_drawn(kind: Kind, rate: float, start: tuple[float, float]) -> None:
    found = descend(kind, 30.0, rate, 0.95, start)
    figure = figures.ravine_contours(found, 30.0, 0.95, rate)
    shares = figure["layout"]["meta"]["trail"]["at"]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert all(math.isfinite(share) for share in shares)
    figures.ravine_losses([found])


def test_the_picture_tells_the_numbers() -> None:
    found = descend("raw", 5.0, 0.5, 0.0, (-1.5, 0.6))
    words = figures.ravine_contours(found, 5.0, 0.0, 0.5)["layout"]["meta"]["words"]
    assert "diverges within" in words
    assert "condition number 25; largest stable η 0.4: exceeded" in words


def test_every_step_is_exported() -> None:
    found = [descend(kind, 5.0, 0.35, 0.0, (-1.5, 0.6)) for kind in KINDS]
    lines = ravine_csv(found).splitlines()
    assert len(lines) == 1 + sum(len(each.loss) for each in found)
    assert lines[1] == f"raw,0,-1.5,0.6,{found[0].loss[0]}"
