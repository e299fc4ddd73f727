"""`python -m docs.calibration`: diagnose and watch torchvision's classifiers, and write the table of CALIBRATION.md.

Weights are fresh, inputs are noise: what is found is so by construction of the network. An hour of one core for all of
them; with names behind it, those rows are measured anew and the others stay.
"""

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
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
MOST_PARAMETERS = 400e6  # vit_l_32, of 306 million, takes 10.7 GB of memory
MOST_SECONDS = 60.0  # of one core; a model that takes longer is named below the table
TRANSFORMERS = ("vit", "swin", "maxvit")  # of a fixed size of image


@dataclass(frozen=True)
class Row:
    """What was found on one model. seconds: of one core, for making it, diagnosing it and two watched steps."""

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


def parameters_of(name: str) -> int:
    """Return how many parameters a model has with a thousand classes, as torchvision says."""
    return int(torchvision.models.get_model_weights(name).DEFAULT.meta["num_params"])


def left_out() -> list[str]:
    """Return the names of the models that are too large for the memory of a usual machine."""
    return [name for name in models() if parameters_of(name) > MOST_PARAMETERS]


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


def examined(name: str) -> Row:
    """Return what is found on a model."""
    began = time.process_time()
    model = fresh(name)
    parameters = sum(p.numel() for p in model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for side in sides_of(name):
        batches = batches_of(side)
        try:
            diagnosis = bnviz.diagnose(model, batches, optimizer=optimizer, name=name)
        except ValueError:
            if side == sides_of(name)[-1]:
                raise
            continue
        looks = watched(model, batches)
        return Row(name, parameters, side, time.process_time() - began, diagnosis, looks)
    raise AssertionError("the last size returns or raises")


def line_of(row: Row) -> str:
    """Return a model's line: of the table, or of those that take too long, which ends with the seconds."""
    found = " | ".join(row.found(severity) for severity in SEVERITIES)
    layers = len(row.diagnosis.network.layers)
    line = f"| {row.name} | {row.parameters / 1e6:.1f} M | {row.side} | {layers} | {row.looks} | {found} |"
    return line if row.seconds <= MOST_SECONDS else f"{line} {row.seconds:.0f} s |"


def documented(lines: Iterable[str]) -> str:
    """Return the document's tables of these models' lines."""
    columns = ["model", "parameters", "pixels", "layers", "looks", *SEVERITIES]
    beyond = [line for line in sorted(lines) if line.endswith(" s |")]
    parts = ["", *_table(columns, [line for line in sorted(lines) if line not in beyond])]
    if beyond:
        parts += [f"These take more than {MOST_SECONDS:.0f} seconds of one core; the last column says how many.", ""]
        parts += _table([*columns, "took"], beyond)
    names = [f"{name} ({parameters_of(name) / 1e6:.0f} M)" for name in left_out()]
    parts += [f"Left out, as larger than {MOST_PARAMETERS / 1e6:.0f} M parameters: {', '.join(names)}.", ""]
    return "\n".join(parts)


def _table(columns: list[str], lines: list[str]) -> list[str]:
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns), *lines, ""]


def main(names: list[str]) -> int:
    """Examine the models of these names, all if there are none, and write what was found into the document."""
    torch.set_num_threads(1)
    before, _, table = DOCUMENT.read_text(encoding="utf-8").partition(MARK)
    known = set(models())
    lines = {line.split()[1]: line for line in table.splitlines() if line.startswith("| ") and line.split()[1] in known}
    for name in names or [name for name in models() if name not in left_out()]:
        row = examined(name)
        lines[name] = line_of(row)
        print(f"{row.seconds:.1f} s", lines[name], flush=True)
        print(*(f.text for f in row.diagnosis.findings if f.severity == "serious"), sep="\n")
        DOCUMENT.write_text(before + MARK + documented(lines.values()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
