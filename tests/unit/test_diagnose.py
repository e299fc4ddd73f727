"""What `bnviz.diagnose` finds: each rule fires on a network that has its fault, and not on the one that is mended.

The numbers are those that public reports about batchnorm come down to, computed anew.
"""

import json
import math
import random
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import bnviz
from bnviz.__main__ import main
from bnviz.experiment.addresses import open_address
from bnviz.findings.diagnosis import Diagnosis
from bnviz.findings.own_network.table import RULES
from bnviz.nn.batchnorm import BatchNorm
from bnviz.own_network.layers import uses_batch_statistics
from bnviz.records.own_network import Finding

PAGES = Path(__file__).parents[2] / "pages"
Batches = Sequence[tuple[Tensor, Tensor]]


def batches(count: int = 4, size: int = 32, inputs: int = 8, classes: int = 4, shift: float = 0.0) -> Batches:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, size, inputs, generator=generator) + shift
    y = torch.randint(classes, (count, size), generator=generator)
    return list(zip(x, y, strict=True))


def network(*, bias: bool = False, activation: nn.Module | None = None, seed: int = 0, **norm: Any) -> nn.Sequential:
    """A healthy network with one batchnorm layer."""
    torch.manual_seed(seed)
    layers = (nn.Linear(8, 16, bias), nn.BatchNorm1d(16, **norm), activation or nn.Tanh(), nn.Linear(16, 4))
    return nn.Sequential(*layers)


def norm_of(model: nn.Module) -> nn.BatchNorm1d:
    return next(m for m in model.modules() if isinstance(m, nn.BatchNorm1d))


def averaged(model: nn.Module, steps: int = 60, data: Batches | None = None) -> nn.Module:
    """The model after so many forward passes in train mode."""
    model.train()
    data = data or batches()
    with torch.no_grad():
        for step in range(steps):
            model(data[step % len(data)][0])
    return model


def changed(change: Callable[[Any], object], **norm: Any) -> nn.Module:
    """A healthy network that has settled, and whose batchnorm layer is then changed."""
    model = averaged(network(**norm))
    with torch.no_grad():
        change(norm_of(model))
    return model


def found(model: nn.Module, rule: str, data: Any = None, **options: Any) -> tuple[Finding, ...]:
    diagnosis = bnviz.diagnose(model, data or batches(), **options)
    return tuple(finding for finding in diagnosis.findings if finding.rule == rule)


def sgd(model: nn.Module, rate: float = 0.1, **options: Any) -> dict[str, Any]:
    return {"optimizer": torch.optim.SGD(model.parameters(), rate, **options)}


def without_decay_of_norms(model: nn.Module, rate: float, decay: float) -> dict[str, Any]:
    norms = list(norm_of(model).parameters())
    others = [p for p in model.parameters() if all(p is not n for n in norms)]
    groups: list[dict[str, Any]] = [{"params": others, "weight_decay": decay}, {"params": norms}]
    return {"optimizer": torch.optim.SGD(groups, rate)}


class TwoInTurn(nn.Module):
    """A network whose batchnorm layer is used twice in a forward pass, or two layers that are used once."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.out = nn.Linear(8, 8, False), nn.Linear(8, 8, False), nn.Linear(8, 4)
        self.one = nn.BatchNorm1d(8)
        self.other = self.one if shared else nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(torch.tanh(self.other(self.b(torch.tanh(self.one(self.a(x)))))))
        return out


def linear_of(model: nn.Sequential, place: int) -> nn.Linear:
    layer = model[place]
    assert isinstance(layer, nn.Linear)
    return layer


def scaled(model: nn.Sequential, factor: float, layer: int = 0) -> nn.Sequential:
    with torch.no_grad():
        linear_of(model, layer).weight.mul_(factor)
    return model


def plain(*, depth: int = 1, activation: type[nn.Module] = nn.Tanh, scale: float = 1.0) -> nn.Sequential:
    """A network without normalization, whose weights begin as Xavier has it, times the scale."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(8, 8), activation()]
    layers.append(nn.Linear(8, 4))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_normal_(layer.weight, gain=scale)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def dead_relu(bias: float) -> nn.Sequential:
    model = plain(activation=nn.ReLU)
    with torch.no_grad():
        linear_of(model, 0).get_parameter("bias").fill_(bias)
    return model


def with_(model: nn.Module, options: Callable[[nn.Module], dict[str, Any]]) -> tuple[nn.Module, dict[str, Any]]:
    return model, options(model)


def frozen(model: nn.Module, truly: bool) -> nn.Module:
    norm = norm_of(model)
    norm.requires_grad_(False)
    if truly:
        norm.eval()
    return model


def in_turn() -> Batches:
    """N(0, 1) and N(10, 1) in turn."""
    near, far = batches(2), batches(2, shift=10.0)
    return [near[0], far[0], near[1], far[1]]


Case = Callable[[], tuple[nn.Module, Any, dict[str, Any]]]


def case(make: Callable[[], nn.Module], data: Callable[[], Any] = batches) -> Case:
    return lambda: (make(), data(), {})


def stepped(make: Callable[[], nn.Module], options: Callable[[nn.Module], dict[str, Any]]) -> Case:
    def made() -> tuple[nn.Module, Any, dict[str, Any]]:
        model = make()
        return model, batches(), options(model)

    return made


def healthy() -> nn.Module:
    return averaged(network())


# A network with the fault, and the one that is mended.
CASES: dict[str, tuple[Case, Case]] = {
    "not_finite": (case(lambda: changed(lambda n: n.running_var[3].fill_(math.nan))), case(healthy)),
    "few_values": (case(healthy, lambda: batches(size=2)), case(healthy, lambda: batches(size=3))),
    "last_batch_of_one": (
        case(healthy, lambda: [*batches(2), (torch.zeros(1, 8), torch.zeros(1, dtype=torch.long))]),
        case(healthy, lambda: batches(2)),
    ),
    "never_updated": (case(network), case(healthy)),
    "average_not_converged": (case(lambda: averaged(network(), 43)), case(lambda: averaged(network(), 44))),
    "running_off": (
        case(lambda: changed(lambda n: n.running_mean.add_(0.7 * n.running_var.sqrt()))),
        case(lambda: changed(lambda n: n.running_mean.add_(0.1 * n.running_var.sqrt()))),
    ),
    "variance_near_eps": (
        case(lambda: averaged(scaled(network(), 1e-3), 200)),
        case(lambda: averaged(scaled(network(), 0.1), 200)),
    ),
    "train_eval_apart": (
        case(lambda: changed(lambda n: n.running_mean.add_(9.0))),
        case(healthy),
    ),
    "keras_momentum": (
        case(lambda: averaged(network(momentum=0.99))),
        case(lambda: averaged(network(momentum=0.01), 500)),
    ),
    "two_distributions": (case(healthy, in_turn), case(healthy, lambda: batches(4))),
    "used_twice": (case(lambda: averaged(TwoInTurn(True))), case(lambda: averaged(TwoInTurn(False)))),
    "half_frozen": (case(lambda: frozen(healthy(), False)), case(lambda: frozen(healthy(), True))),
    "bias_before": (case(lambda: averaged(network(bias=True))), case(healthy)),
    "decay_on_norm": (
        stepped(healthy, lambda m: sgd(m, weight_decay=5e-4)),
        stepped(healthy, lambda m: without_decay_of_norms(m, 0.1, 5e-4)),
    ),
    "dropout_before": (
        case(lambda: averaged(nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 4)))),
        case(lambda: averaged(nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 4)))),
    ),
    "no_effect": (
        case(lambda: changed(lambda n: n.weight[:9].fill_(1e-3))),
        case(lambda: changed(lambda n: n.weight[:8].fill_(1e-3))),
    ),
    "saturated": (case(lambda: plain(scale=20.0)), case(plain)),
    "dead": (case(lambda: dead_relu(-50.0)), case(lambda: dead_relu(0.0))),
    "gradient_range": (case(lambda: plain(depth=10, activation=nn.Sigmoid)), case(lambda: plain(depth=10))),
    "update_ratio": (stepped(plain, lambda m: sgd(m, 100.0)), stepped(plain, lambda m: sgd(m, 0.1))),
    "first_loss": (case(lambda: scaled(plain(), 30.0, layer=2)), case(plain)),
}


def test_every_rule_has_both_cases() -> None:
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_its_fault(rule: str) -> None:
    model, data, options = CASES[rule][0]()
    findings = found(model, rule, data, **options)
    assert findings
    assert all(f.numbers and f.threshold and f.meaning and f.advice and f.source for f in findings)
    assert all(f.layer in f.text for f in findings if rule not in ("last_batch_of_one",))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_silent_where_it_is_mended(rule: str) -> None:
    model, data, options = CASES[rule][1]()
    assert found(model, rule, data, **options) == ()


@pytest.mark.parametrize("rule", RULES)
def test_a_finding_leads_to_a_page_that_opens_its_experiment(rule: str) -> None:
    address = urlsplit(RULES[rule].lab)
    name = address.path.removeprefix("/") or "live_lab"
    assert (PAGES / f"{name}.py").is_file()
    experiment, problems = open_address(dict(parse_qsl(address.query)))
    assert problems == []
    assert RULES[rule].experiment in (experiment, None)


def test_a_healthy_network_has_no_findings() -> None:
    model = healthy()
    diagnosis = bnviz.diagnose(model, batches(), **without_decay_of_norms(model, 0.1, 5e-4))
    assert diagnosis.findings == ()
    assert not diagnosis.is_serious
    assert str(diagnosis) == "Sequential: 4 layers, nothing found."


@pytest.mark.parametrize(("momentum", "steps"), [(0.1, 44), (0.01, 459), (0.001, 4603)])
def test_it_says_how_many_batches_the_average_takes(momentum: float, steps: int) -> None:
    model = changed(lambda n: n.num_batches_tracked.fill_(steps - 1), momentum=momentum)
    (finding,) = found(model, "average_not_converged")
    assert finding.numbers["needed"] == steps
    with torch.no_grad():
        norm_of(model).num_batches_tracked.fill_(steps)
    assert found(model, "average_not_converged") == ()


def test_the_noise_of_a_momentum_of_kerass_is_that_of_the_closed_form() -> None:
    (finding,) = found(averaged(network(momentum=0.99)), "keras_momentum")
    assert finding.numbers["noise"] == pytest.approx(0.980, abs=5e-4)


def test_what_decay_leaves_of_gamma_is_that_of_the_closed_form() -> None:
    model = healthy()
    (finding,) = found(model, "decay_on_norm", **sgd(model, 0.1, weight_decay=5e-4))
    assert finding.numbers["left"] == pytest.approx(0.6065, abs=5e-4)


def test_a_half_frozen_layer_moves_as_far_as_the_closed_form_says() -> None:
    """10 batches of N(5, 1): the mean moves to 5 (1 − 0.9^10)."""
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4)).requires_grad_(False)
    model[1].requires_grad_(True)
    data = [(5 + torch.randn(10_000, 4), torch.zeros(10_000, dtype=torch.long)) for _ in range(10)]
    averaged(model, 10, data)
    assert norm_of(model).running_mean.tolist() == pytest.approx([3.257] * 4, abs=0.02)
    assert found(model, "half_frozen", data[:1])
    model[0].eval()
    assert found(model, "half_frozen", data[:1]) == ()


def test_a_frozen_layer_of_ours_is_seen_as_in_eval_mode() -> None:
    layer = BatchNorm(8).requires_grad_(False)
    model = nn.Sequential(nn.Linear(8, 8), layer, nn.Linear(8, 4)).train()
    assert found(model, "half_frozen")
    layer.freeze()
    assert found(model, "half_frozen") == ()
    assert not uses_batch_statistics(layer)


def test_a_batch_of_one_is_a_finding_and_no_error() -> None:
    (finding,) = found(healthy(), "few_values", [(torch.zeros(1, 8), torch.zeros(1, dtype=torch.long))])
    assert finding.numbers == {"values": 1}


@pytest.mark.parametrize(("size", "left"), [*((size, 1) for size in (3, 9, 11, 33, 99, 101)), (32, 16)])
def test_a_loader_tells_what_is_left_for_the_last_batch(size: int, left: int) -> None:
    loader = DataLoader(TensorDataset(torch.randn(10_000, 8), torch.zeros(10_000, dtype=torch.long)), size)
    diagnosis = bnviz.diagnose(healthy(), loader)
    assert diagnosis.network.last_batch == left
    assert any(f.rule == "last_batch_of_one" for f in diagnosis.findings) == (left == 1)


@pytest.mark.parametrize("kind", [BatchNorm, nn.SyncBatchNorm, nn.BatchNorm1d])
def test_every_batchnorm_is_seen(kind: type[nn.Module]) -> None:
    model = nn.Sequential(nn.Linear(8, 8), kind(8), nn.Linear(8, 4))
    if kind is nn.SyncBatchNorm:  # computes on accelerators alone; in eval mode anywhere
        model[1].eval()
    layers = bnviz.diagnose(model, batches()).network.layers
    assert [(layer.name, layer.kind, layer.takes) for layer in layers] == [
        ("0", "linear", ""),
        ("1", "normalization", "0"),
        ("2", "linear", "1"),
    ]


def test_what_cannot_be_seen_is_said() -> None:
    model = averaged(TwoInTurn(False))
    model.never = nn.Linear(2, 2)
    unseen = bnviz.diagnose(model, batches()).network.unseen
    assert unseen == (
        "Not called in a forward pass, so what goes through is not seen: never.",
        "Activations called as functions are not seen: 2 places. Modules, such as torch.nn.ReLU, are.",
    )


def everything(model: nn.Module) -> dict[str, Any]:
    """All that must not change."""
    return {
        **{f"value {k}": v.clone() for k, v in model.state_dict(keep_vars=False).items()},
        **{f"gradient {k}": None if p.grad is None else p.grad.clone() for k, p in model.named_parameters()},
        **{f"mode {k}": m.training for k, m in model.named_modules()},
        **{f"learns {k}": p.requires_grad for k, p in model.named_parameters()},
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()],
        "torch": torch.get_rng_state(),
        "numpy": str(np.random.get_state()),
        "python": random.getstate(),
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    for name, value in before.items():
        if isinstance(value, Tensor):
            assert np.array_equal(np.asarray(value), np.asarray(after[name])), name
        else:
            assert value == after[name], name


class Drawing(nn.Module):
    """Draws from every global generator, and fails if it is told to."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.fails = fails

    def forward(self, x: Tensor) -> Tensor:
        if self.fails:
            raise RuntimeError("no")
        return x + 0 * (torch.rand(()) + random.random() + np.random.rand())


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_is_left_as_it_came(fails: bool) -> None:
    model = nn.Sequential(averaged(network()), nn.Dropout(0.5), Drawing(fails))
    norm_of(model).eval()
    optimizer = torch.optim.Adam(model.parameters())
    model[0](batches()[0][0]).sum().backward()
    optimizer.step()
    before, state = everything(model), {p: {k: v.clone() for k, v in s.items()} for p, s in optimizer.state.items()}
    if fails:
        with pytest.raises(ValueError, match="batch 1"):
            bnviz.diagnose(model, batches(), optimizer=optimizer)
    else:
        bnviz.diagnose(model, DataLoader(TensorDataset(*batches(1)[0]), 8, shuffle=True), optimizer=optimizer)
    assert_same(before, everything(model))
    assert optimizer.state.keys() == state.keys()
    assert all(torch.equal(v, optimizer.state[p][k]) for p, s in state.items() for k, v in s.items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((nn.Tanh(), [torch.zeros(2, 8)]), "model: it has no parameters"),
        (("network", []), "model: give a torch.nn.Module, got str"),
        ((nn.LazyLinear(2), [torch.zeros(2, 8)]), "model: it has lazy layers"),
        ((nn.Linear(8, 4), []), "batches: there are none"),
        ((nn.Linear(8, 4), 3), "batches: give an iterable of batches, got int"),
        ((nn.Linear(8, 4), [torch.zeros(0, 8)]), r"batches: batch 1 is empty, of shape \(0, 8\)"),
        ((nn.Linear(8, 4), [torch.zeros(2, 7)]), r"batches: batch 1, of shape \(2, 7\), does not fit the model: "),
        ((nn.Linear(8, 4), batches(), lambda out, y: out), r"loss: it must be a scalar, got shape \(32, 4\)"),
        ((nn.Linear(8, 4), batches(), None, None, "<b>"), "name: '<b>' is not allowed; give up to 120 letters"),
        ((nn.Linear(8, 4), batches(), lambda out, y: 1.0), "loss: it must be a scalar tensor, got float"),
    ],
)
def test_what_cannot_be_diagnosed_is_refused_with_the_name_of_the_argument(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        bnviz.diagnose(*arguments[:4], name=arguments[4] if len(arguments) > 4 else "")


@pytest.fixture(scope="module")
def told() -> Diagnosis:
    model = averaged(network(bias=True, momentum=0.99))
    named = dict(zip(("a", "<b>norm", "c", "d"), model.children(), strict=True))
    return bnviz.diagnose(nn.Sequential(OrderedDict(named)), batches(), name="mine")


def test_a_diagnosis_prints_as_a_table(told: Diagnosis) -> None:
    text = str(told)
    assert text.startswith(
        "mine: 4 layers, 2 rules found something.\n\nSERIOUS  keras_momentum\n  - <b>norm has momentum"
    )
    assert "    do: bias=False in the layer before" in text
    assert "http://localhost:8501/training_and_inference?" in text
    assert max(map(len, text.splitlines())) <= 400


def test_a_diagnosis_is_html_in_a_notebook(told: Diagnosis) -> None:
    html = told._repr_html_()
    assert html.startswith("<p>mine: 4 layers")
    assert html.count("<tr>") == 3
    assert "&lt;b&gt;norm" in html
    assert "<b>" not in html


def test_what_the_lab_shows_in_place_of_a_fault_is_told_where_it_has_another() -> None:
    model, data, options = CASES["used_twice"][0]()
    diagnosis = bnviz.diagnose(model, data or batches(), **options)
    words = "running statistics that are those of one batch of two, as the lab has a layer for each place"
    assert f"      ({words})\n" in f"{diagnosis}\n"
    assert f"in the lab</a> ({words})</td>" in diagnosis._repr_html_()
    assert {f["instead"] for f in json.loads(diagnosis.to_json())["findings"] if f["rule"] == "used_twice"} == {words}


def test_a_diagnosis_is_json(told: Diagnosis) -> None:
    document = json.loads(told.to_json())
    assert document["name"] == "mine"
    assert [(f["rule"], f["severity"], f["layer"]) for f in document["findings"]] == [
        ("keras_momentum", "serious", "<b>norm"),
        ("bias_before", "note", "a"),
    ]
    assert document["findings"][0]["numbers"]["momentum"] == 0.99


def made_well() -> tuple[Any, ...]:
    return healthy(), batches()


def made_badly() -> tuple[Any, ...]:
    return averaged(network(momentum=0.99)), batches(), nn.CrossEntropyLoss()


def made_wrong() -> nn.Module:
    return healthy()


@pytest.mark.parametrize(("function", "code"), [("made_well", 0), ("made_badly", 1)])
def test_the_command_ends_with_1_where_something_serious_was_found(
    function: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", f"{__name__}:{function}", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["name"] == f"{__name__}:{function}"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("nothing", "'nothing' is not allowed; give package.module:function"),
        ("no.such.module:f", "No module named 'no'; give package.module:function"),
        (f"{__name__}:no_such", f"{__name__} has no function 'no_such'"),
        (f"{__name__}:made_wrong", r"returned Sequential; it must return \(model, batches\)"),
    ],
)
def test_the_command_refuses_what_is_no_function(
    function: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", function]) == 2
    assert re.match(f"bnviz diagnose: FUNCTION: .*{message}", capsys.readouterr().err)
