"""`python -m docs.calibration`: diagnose and watch torchvision's classifiers, and write the table of CALIBRATION.md.

Weights are fresh, inputs are noise: what is found is so by construction of the network. Minutes.
"""

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

import bnviz
from bnviz.findings.diagnosis import Diagnosis
from bnviz.records.own_network import SEVERITIES

DOCUMENT = Path(__file__).with_name("CALIBRATION.md")
MARK = "<!-- python -m docs.calibration -->\n"
SIDES = (64, 128, 224)  # pixels; the smallest that a model takes
CLASSES, EXAMPLES, BATCHES = 10, 8, 3
MOST_PARAMETERS = 150e6
TRANSFORMERS = ("vit", "swin", "maxvit")  # of a fixed size of image


@dataclass(frozen=True)
class Row:
    """What was found on one model."""

    name: str
    parameters: int
    side: int
    seconds: float
    diagnosis: Diagnosis
    looks: int

    def found(self, severity: str) -> str:
        """Say which rules of that severity fired, and on how many layers."""
        counts = Counter(f.rule for f in self.diagnosis.findings if f.severity == severity)
        return ", ".join(f"{rule} ({count})" if count > 1 else rule for rule, count in counts.items()) or "–"


def models() -> list[str]:
    """Return the names of all classifiers of torchvision."""
    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def fresh(name: str) -> nn.Module:
    """Return the model with fresh weights that seed 0 draws."""
    torch.manual_seed(0)
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    model: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **options)
    return model


def batches_of(side: int) -> list[tuple[Tensor, Tensor]]:
    """Return noise of that size, and answers to it."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCHES, EXAMPLES, 3, side, side, generator=generator)
    return list(zip(x, torch.randint(CLASSES, (BATCHES, EXAMPLES), generator=generator), strict=True))


def sides_of(name: str) -> tuple[int, ...]:
    """Return the sizes of image to try, the smallest first."""
    return (299,) if name == "inception_v3" else (224,) if name.startswith(TRANSFORMERS) else SIDES


def watched(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> int:
    """Train for two steps under `bnviz.watch`, with a database that is thrown away; return how many looks it had."""
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BNVIZ_DATABASE"] = f"sqlite:///{folder}/runs.sqlite"
        model.train()
        with bnviz.watch(model, optimizer=optimizer, budget=1.0) as observer:
            for x, y in batches[:2]:
                output = model(x)
                loss = functional.cross_entropy(output if isinstance(output, Tensor) else output[0], y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                observer.step(loss)
    return observer.looks


def examined(name: str) -> Row | None:
    """Return what is found on a model, None if it is too large to be looked at here."""
    model = fresh(name)
    parameters = sum(p.numel() for p in model.parameters())
    if parameters > MOST_PARAMETERS:
        return None
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for side in sides_of(name):
        began, batches = time.perf_counter(), batches_of(side)
        try:
            diagnosis = bnviz.diagnose(model, batches, optimizer=optimizer, name=name)
        except ValueError:
            if side == sides_of(name)[-1]:
                raise
            continue
        seconds = time.perf_counter() - began
        return Row(name, parameters, side, seconds, diagnosis, watched(model, batches))
    raise AssertionError("the last size returns or raises")


def table(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of the document's table."""
    yield "| model | parameters | pixels | layers | looks | " + " | ".join(SEVERITIES) + " |"
    yield "|---|---|---|---|---|" + "---|" * len(SEVERITIES)
    for row in rows:
        found = " | ".join(row.found(severity) for severity in SEVERITIES)
        layers = len(row.diagnosis.network.layers)
        yield f"| {row.name} | {row.parameters / 1e6:.1f} M | {row.side} | {layers} | {row.looks} | {found} |"


def main(names: list[str]) -> int:
    """Examine the models of these names, all if there are none, and write the document if it was all of them."""
    rows, left_out = [], []
    for name in names or models():
        row = examined(name)
        if row is None:
            left_out.append(name)
            continue
        rows.append(row)
        print(f"{name}: {row.seconds:.1f} s", *(row.found(s) for s in SEVERITIES), sep="; ", flush=True)
        if names:
            print(*(f.text for f in row.diagnosis.findings if f.severity == "serious"), sep="\n")
    if not names:
        before = DOCUMENT.read_text(encoding="utf-8").split(MARK)[0]
        words = f"Left out, as larger than {MOST_PARAMETERS / 1e6:.0f} M parameters: {', '.join(left_out)}."
        DOCUMENT.write_text(before + MARK + "\n" + "\n".join(table(rows)) + f"\n\n{words}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
