"""What the page on initialization measures, draws, says and refuses; no browser."""

import base64
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from bnviz.engine.cluster import EngineUnavailableError
from bnviz.experiment.config import ACTIVATIONS, INITS, NetworkConfig, replace
from bnviz.figures import initialization as figures
from bnviz.figures import schemes as scheme_figures
from bnviz.figures.logarithmic import closely, log_axis
from bnviz.findings import initialization as initial_findings
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.frames import PROBE_DIGITS
from bnviz.records.initialization import (
    ACTIVATION_BINS,
    MOST_UNITS,
    SCALES,
    InitialNetwork,
    InitialSetting,
    SignAgreement,
    activation_edges,
)
from bnviz.theory.propagation import Theory, propagate
from bnviz.theory.weight_laws import density
from bnviz.training.questions import initialization as initial
from bnviz.training.trainer import Trainer
from bnviz.ui.asking import tasks as inquiries
from bnviz.ui.asking.tasks import Inquiries
from bnviz.ui.sections import initialization as initial_settings

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

COLOR = "#123456"
TANH = InitialSetting(NetworkConfig(3, 24, "tanh", "xavier_normal"), batchnorm=False, standardize=True, seed=5)
HUGE = replace(TANH, network=NetworkConfig(20, 40, "none", "rand", 100.0))  # overflows


def numbers(spec: dict[str, Any]) -> list[float]:
    return np.frombuffer(base64.b64decode(spec["bdata"]), spec["dtype"]).tolist()


def named(figure: dict[str, Any], name: str) -> dict[str, Any]:
    (trace,) = [trace for trace in figure["data"] if trace.get("name") == name]
    return dict(trace)


def theory_of(setting: InitialSetting, found: InitialNetwork) -> Theory:
    gradient = figures.softmax(found.logits)
    gradient[np.arange(len(gradient)), found.labels] -= 1
    squares = np.nan_to_num(gradient**2).sum(axis=1)
    return propagate(setting.network, found.inputs, squares, batchnorm=setting.batchnorm)


# -- measured -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batchnorm", [False, True])
def test_what_is_measured_is_what_autograd_and_plain_sums_say(batches: "Batches", batchnorm: bool) -> None:
    setting = replace(TANH, batchnorm=batchnorm)
    found = initial.measure(setting, batches)
    state = NetworkState.fresh(setting.variant, setting.seed)
    h = batches.probe(PROBE_DIGITS, True).double()
    outputs, activations = [], []
    for k, weight in enumerate(p.value.double() for p in state.weights):
        outputs.append((h @ weight).requires_grad_())
        z = outputs[-1]
        if batchnorm:
            z = torch.nn.functional.batch_norm(z, None, None, training=True)
        if k < 3:
            h = torch.tanh(z)
            activations.append(h)
    labels = batches.train_labels[:PROBE_DIGITS]
    losses = torch.nn.functional.cross_entropy(outputs[-1], labels, reduction="none")
    gradients = torch.autograd.grad(losses.sum(), outputs)
    p = found.propagated
    assert p.loss == pytest.approx(float(losses.mean().detach()), rel=1e-4)
    np.testing.assert_allclose(p.mean, [float(a.detach().mean()) for a in activations], atol=1e-5)
    np.testing.assert_allclose(p.std, [float(a.detach().std(correction=0)) for a in activations], rtol=1e-4)
    np.testing.assert_allclose(p.saturated, [float((a.abs() > 0.97).double().mean()) for a in activations], atol=1e-3)
    np.testing.assert_allclose(p.gradient, [float(g.square().mean().sqrt()) for g in gradients], rtol=1e-3)
    np.testing.assert_allclose(found.logits, outputs[-1].detach().numpy(), atol=1e-4)
    assert p.histograms.shape == (3, ACTIVATION_BINS)
    assert (p.histograms.sum(axis=1) == PROBE_DIGITS * 24).all()


def test_weights_are_all_counted(batches: "Batches") -> None:
    found = initial.measure(TANH, batches)
    assert [(w.fan_in, w.fan_out) for w in found.weights] == [(784, 24), (24, 24), (24, 24), (24, 10)]
    for w in found.weights:
        assert w.counts.sum() == w.fan_in * w.fan_out


def test_training_is_the_trainers(batches: "Batches") -> None:
    setting = replace(TANH, steps=30)
    trainer = Trainer(setting.training, [setting.variant], batches)
    while trainer.steps[0] < 30:
        trainer.advance(steps=30 - trainer.steps[0])
    expected = trainer.copy_of(0).forward(batches.probe(PROBE_DIGITS, True), "probe")[0].numpy()
    found = initial.measure(setting, batches)
    assert found.steps == 30
    np.testing.assert_array_equal(found.logits, expected)
    assert found.propagated.loss < initial.measure(TANH, batches).propagated.loss


def test_schemes_are_the_same_network_drawn_ten_ways(batches: "Batches") -> None:
    found = initial.schemes(TANH, batches)
    assert tuple(found) == INITS
    alone = initial.measure(TANH, batches).propagated
    np.testing.assert_array_equal(found["xavier_normal"].std, alone.std)
    assert not found["zeros"].std.any()
    assert found["rand"].saturated[-1] > 0.9


def test_derived_scales_keep_what_half_and_double_do_not(batches: "Batches") -> None:
    found = initial.scales(replace(TANH, network=replace(TANH.network, width=128)), batches)
    for scheme in ("xavier_normal", "he_normal"):
        half, one, double = (found[scheme, scale] for scale in SCALES)
        assert half.gradient[0] < one.gradient[0] / 100
        assert double.gradient[0] > 10 * one.gradient[0]
        assert half.std[-1] < one.std[-1] / 100
        assert 0.1 < one.std[-1] / one.std[0] < 2
        assert 0.1 < one.gradient[0] / one.gradient[-2] < 2


class TestSigns:
    def test_of_one_digit_on_raw_pixels_all_agree(self, batches: "Batches") -> None:
        found = initial.signs(TANH, batches)
        assert (found.shares["raw", 1] == 1).all()
        assert found.shares["raw", 32].mean() > found.shares["standardized", 32].mean()

    def test_do_not_depend_on_a_shift_of_the_inputs_under_batchnorm(self, batches: "Batches") -> None:
        found = initial.signs(replace(TANH, batchnorm=True), batches)
        assert not any(size == 1 for _, size in found.shares)
        assert found.shares["raw", 256].mean() == pytest.approx(found.shares["centred", 256].mean(), abs=0.01)

    def test_are_counted_without_zeros(self) -> None:
        gradient = torch.tensor([[1.0, -1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 3.0, 0.0]])
        assert initial.sign_agreement(gradient).tolist() == pytest.approx([1.0, 2 / 3])

    def test_leave_the_network_as_it_was(self, batches: "Batches") -> None:
        net = Stack([0], [TANH.variant], [NetworkState.fresh(TANH.variant, TANH.seed)])
        before = [li.weight.value.clone() for li in net.linears()]
        initial.signs(TANH, batches)
        assert all(torch.equal(a, li.weight.value) for a, li in zip(before, net.linears(), strict=True))


# -- drawn ----------------------------------------------------------------------------------------------------------


def test_the_weights_are_drawn_as_a_density_under_their_law(batches: "Batches") -> None:
    drawn = initial.measure(TANH, batches).weights[0]
    law = density("xavier_normal", drawn.fan_in, drawn.fan_out)
    figure = figures.weights(drawn, law, layer="layer 1", color=COLOR, trained=False)
    heights = np.array(numbers(named(figure, "weights")["y"]))
    assert heights[::2].sum() * (drawn.edges[1] - drawn.edges[0]) == pytest.approx(1, rel=1e-4)
    assert max(numbers(named(figure, "law")["y"])) == pytest.approx(law[1].max(), rel=1e-5)
    assert "18,816 weights, 784 in, 24 out" in figure["layout"]["meta"]["words"]


def test_weights_of_one_value_say_so(batches: "Batches") -> None:
    setting = replace(TANH, network=replace(TANH.network, init="zeros"))
    figure = figures.weights(
        initial.measure(setting, batches).weights[0],
        density("zeros", 784, 24),
        layer="layer 1",
        color=COLOR,
        trained=False,
    )
    assert len(figure["data"]) == 1
    assert "all weights are one value" in figure["layout"]["meta"]["words"]


def test_propagation_shows_four_panels_measured_and_in_theory(batches: "Batches") -> None:
    found = initial.measure(TANH, batches)
    theory = theory_of(TANH, found)
    figure = figures.propagation(found.propagated, theory, color=COLOR, steps=0)
    for i, name in enumerate(("mean", "std", "saturated", "gradient")):
        factor = 100 if name == "saturated" else 1
        for kind, values in (("measured", found.propagated), ("theory", theory)):
            drawn = numbers(named(figure, f"{kind} {i}")["y"])
            assert drawn == pytest.approx((getattr(values, name) * factor).tolist(), rel=1e-5, abs=1e-7)
    assert figure["layout"]["xaxis4"]["ticktext"][-1] == "out"


def test_a_short_logarithmic_axis_names_its_ticks_in_full() -> None:
    axis = log_axis(-1.1, 0.1)
    named = dict(zip(axis["ticktext"], axis["tickvals"], strict=True))
    assert {"0.1", "0.2", "0.5", "1"} <= set(named)
    assert named["0.2"] == pytest.approx(0.2)
    assert "2 · 10⁻⁷" in log_axis(-7.1, -6)["ticktext"]
    assert log_axis(-4, 0)["dtick"] == 1


@pytest.mark.parametrize("value", [2e-5, 3.1, 3.16, 7.0, 4.4e8])
def test_an_axis_around_values_that_are_alike_has_a_label(value: float) -> None:
    axis = closely(np.array([value, 1.01 * value]))
    low, high = (10**end for end in axis["range"])
    assert any(low <= tick <= high for tick in axis["tickvals"])


def test_zeros_on_a_logarithmic_axis_are_told_in_words(batches: "Batches") -> None:
    setting = replace(TANH, network=replace(TANH.network, init="zeros"))
    found = initial.measure(setting, batches)
    figure = figures.propagation(found.propagated, theory_of(setting, found), color=COLOR, steps=0)
    words = figure["layout"]["meta"]["words"]
    assert "their standard deviation: 0 in layers 1 to 3" in words
    assert "gradient going back: 0 in layers 1 to 3" in words


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")
@pytest.mark.parametrize("setting", [TANH, HUGE, replace(HUGE, batchnorm=True), replace(HUGE, steps=3)])
def test_every_figure_is_plain_json_even_where_numbers_overflow(batches: "Batches", setting: InitialSetting) -> None:
    found = initial.measure(setting, batches)
    schemes, scales = initial.schemes(setting, batches), initial.scales(setting, batches)
    names = {scheme: scheme for scheme in INITS[:5]}
    drawn = [
        figures.propagation(found.propagated, theory_of(setting, found), color=COLOR, steps=setting.steps),
        figures.logits(found, color=COLOR),
        figures.probabilities(found),
        scheme_figures.scheme_histograms(schemes, names, setting.network.activation),
        scheme_figures.scheme_spreads(schemes, names, schemes),
        scheme_figures.derived({scale: scales["he_normal", scale] for scale in SCALES}, "He normal"),
        scheme_figures.signs(initial.signs(setting, batches), 32),
    ]
    for figure in drawn:
        json.dumps(figure, allow_nan=False)
        assert figure["layout"]["meta"]["alt"]
    assert len(initial_findings.findings(setting, found)) == 3


def test_probabilities_stand_in_the_order_of_the_labels(batches: "Batches") -> None:
    found = initial.measure(TANH, batches)
    (heat,) = figures.probabilities(found)["data"]
    z = np.array(numbers(heat["z"])).reshape(10, PROBE_DIGITS)
    np.testing.assert_allclose(z.sum(axis=0), 1, rtol=1e-5)
    first = int(np.flatnonzero(found.labels == 0)[0])
    np.testing.assert_allclose(z[:, 0], figures.softmax(found.logits)[first], rtol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_bins_hold_zero_in_the_middle_of_one(activation: str) -> None:
    edges = activation_edges(activation)
    assert len(edges) == ACTIVATION_BINS + 1
    if activation != "sigmoid":
        assert edges[ACTIVATION_BINS // 2] < 0 < edges[ACTIVATION_BINS // 2 + 1]


# -- said -----------------------------------------------------------------------------------------------------------


def test_findings_follow_from_the_network(batches: "Batches") -> None:
    def said(**changes: Any) -> str:
        setting = replace(TANH, network=replace(TANH.network, hidden_layers=8, width=64, **changes))
        return " ".join(initial_findings.findings(setting, initial.measure(setting, batches)))

    assert "tanh outputs in layer" in said(init="rand")
    assert "No gradient reaches the first layer" in said(init="zeros")
    assert "The activations grow" in said(init="normal", activation="relu")
    assert "gradient explodes" in said(init="normal", activation="relu")
    assert "gradient grows" in said(init="normal", init_scale=0.3, activation="relu")
    assert "The activations fade" in said(init="xavier_normal", init_scale=0.3)
    assert "gradient vanishes" in said(init="xavier_normal", init_scale=0.3)
    assert "gradient shrinks" in said(init="xavier_normal", init_scale=0.8)
    assert "keep their spread" in said(init="he_normal", activation="relu")
    assert "knowing nothing gives ln 10 = 2.303" in said()


def test_a_loss_above_ln_10_is_explained_by_the_logits(batches: "Batches") -> None:
    deaf = replace(TANH, network=NetworkConfig(8, 64, "tanh", "rand"), standardize=False)
    assert "favour the same classes" in initial_findings.findings(deaf, initial.measure(deaf, batches))[2]
    wild = replace(TANH, network=NetworkConfig(1, 64, "tanh", "normal"))
    assert "favour the right class for" in initial_findings.findings(wild, initial.measure(wild, batches))[2]
    trained = replace(TANH, steps=100)
    assert "After 100 steps" in initial_findings.findings(trained, initial.measure(trained, batches))[2]


def test_no_signs_without_a_gradient(batches: "Batches") -> None:
    none = SignAgreement({(kind, 32): np.empty(0) for kind in ("raw", "standardized", "centred")})
    assert "No finite gradient" in initial_findings.agreement(TANH, none, 32)
    found = initial.signs(TANH, batches)
    assert "With one digit, 100%" in initial_findings.agreement(TANH, found, 1)


# -- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((8, 600, 1.0, 0), "Width: '600' is not allowed; give a whole number from 1 to 512."),
        ((8, None, 1.0, 0), "Width: '' is not allowed; give a whole number from 1 to 512."),
        ((21, 8, 1.0, 0), "Hidden layers: '21' is not allowed; give a whole number from 1 to 20."),
        ((8, 8, 1000.0, 0), "Init scale: '1000' is not allowed; give a number from 0.0001 to 100."),
        ((8, 8, 1.0, -1), "Seed: '-1' is not allowed; give a whole number from 0 to 2147483647."),
    ],
)
def test_settings_out_of_range_are_refused_with_the_limit(given: tuple[Any, ...], said: str) -> None:
    assert initial_settings.check(*given) == [said]


def test_too_many_units_are_refused_with_the_width_that_would_do() -> None:
    (said,) = initial_settings.check(20, 512, 1.0, 0)
    assert "10,240 units" in said
    assert f"at most {MOST_UNITS:,}" in said
    assert said.endswith("a width up to 256.")
    assert initial_settings.check(20, 256, 1.0, 0) == []
    assert initial_settings.check(10, 512, 1e-4, 2**31 - 1) == []


# -- asked ----------------------------------------------------------------------------------------------------------


class _Workers:
    """In place of the engine: answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.free = threading.Event()
        self.engine = self.client = self

    def submit(self, task: Any, argument: Any, **_: Any) -> "_Future":
        self.asked.append(argument)
        return _Future(self, task, argument)


class _Future:
    def __init__(self, workers: _Workers, task: Any, argument: Any) -> None:
        self._workers, self._task, self._argument = workers, task, argument

    def add_done_callback(self, tell: Any) -> None:
        def answer() -> None:
            self._workers.free.wait(10)
            tell(self)

        threading.Thread(target=answer, daemon=True).start()

    def result(self) -> Any:
        assert self._workers.free.is_set()
        return self._task(self._argument)

    def cancel(self) -> None:
        pass


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> _Workers:
    found = _Workers()
    monkeypatch.setattr(inquiries, "labs", lambda: found)
    return found


def until(condition: Any) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def news(found: Inquiries) -> Any:
    return json.loads(found.feed.news())


def double(number: int) -> int:
    return 2 * number


def broken(_: int) -> int:
    raise RuntimeError("the worker is gone")


def test_an_answer_in_time_is_there_at_once_and_is_kept(workers: _Workers) -> None:
    workers.free.set()
    found = Inquiries()
    assert found.ask("twice", (double, 4), wait=10, haste=True) == 8
    assert found.ask("twice", (double, 4)) == 8
    assert workers.asked == [4]
    found.feed.close()


def test_only_the_newest_of_several_questions_is_waited_for(workers: _Workers) -> None:
    found = Inquiries()
    for number in range(5):
        assert found.ask("twice", (double, number), haste=True) is None
    until(lambda: 4 in workers.asked)
    workers.free.set()
    assert found.ask("twice", (double, 4), wait=10) == 8
    assert 3 not in found._answers
    assert found.failure("twice") == ""
    found.feed.close()


def test_a_failure_is_told_and_can_be_tried_again(workers: _Workers) -> None:
    workers.free.set()
    found = Inquiries()
    assert found.ask("twice", (broken, 1), wait=10, haste=True) is None
    assert found.failure("twice") == "The worker did not answer."
    found.retry()
    assert found.failure("twice") == ""
    assert found.ask("twice", (double, 1), wait=10, haste=True) == 2
    found.feed.close()


def test_a_fragments_later_question_is_answered_by_a_rerun_too(
    workers: _Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Inquiries()
    monkeypatch.setattr(inquiries.live_plotly, "follow", lambda *_, **__: None)
    found.follow()
    assert not news(found)["rerun"]
    assert found.ask("twice", (double, 2), haste=True) is None  # the page itself does not run
    workers.free.set()
    until(lambda: news(found)["rerun"])
    assert found.ask("twice", (double, 2)) == 4
    assert not news(found)["rerun"]
    workers.free.clear()
    found.begin()
    assert found.ask("twice", (double, 3), haste=True) is None
    workers.free.set()
    until(lambda: (double, 3) in found._answers)
    assert not news(found)["rerun"]  # the page is still running
    found.follow()
    assert news(found)["rerun"]
    found.feed.close()


def test_without_an_engine_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> None:
        raise EngineUnavailableError("No training worker answers at the cluster of this machine.")

    monkeypatch.setattr(inquiries, "labs", nobody)
    found = Inquiries()
    assert found.ask("twice", (double, 1), wait=10, haste=True) is None
    assert found.failure("twice") == "No training worker answers at the cluster of this machine."
    found.feed.close()
