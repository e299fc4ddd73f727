"""What watching costs: steps a plain PyTorch loop makes in a second of the processor, with `bnviz.watch` and without.

Time of the processor, all threads of the process together, because the thread that writes counts too.
"""

import os
import tempfile
import time
from collections.abc import Callable

import torch
import torchvision
from torch import Tensor, nn

from bnviz.own_network.watch import BUDGET, watch

SECONDS, ROUNDS = 10.0, 3  # of each kind, in turn
ALLOWED = 1 - BUDGET
Network = Callable[[], nn.Module]


def perceptron() -> nn.Module:
    """Return the digits' perceptron, with batchnorm."""
    return nn.Sequential(nn.Linear(784, 128, False), nn.BatchNorm1d(128), nn.Tanh(), nn.Linear(128, 10))


def lenet() -> nn.Module:
    """Return LeNet with batchnorm, as the live lab has it."""

    def block(layer: nn.Module, channels: int, norm: type[nn.Module]) -> tuple[nn.Module, ...]:
        return layer, norm(channels), nn.Sigmoid()

    return nn.Sequential(
        *block(nn.Conv2d(1, 6, 5, padding=2, bias=False), 6, nn.BatchNorm2d),
        nn.AvgPool2d(2),
        *block(nn.Conv2d(6, 16, 5, bias=False), 16, nn.BatchNorm2d),
        nn.AvgPool2d(2),
        nn.Flatten(),
        *block(nn.Linear(400, 120, False), 120, nn.BatchNorm1d),
        *block(nn.Linear(120, 84, False), 84, nn.BatchNorm1d),
        nn.Linear(84, 10),
    )


def resnet18() -> nn.Module:
    """Return torchvision's ResNet-18."""
    model: nn.Module = torchvision.models.resnet18(num_classes=10)
    return model


NETWORKS: dict[str, tuple[Network, tuple[int, ...]]] = {
    "perceptron": (perceptron, (784,)),
    "LeNet": (lenet, (1, 28, 28)),
    "resnet18 at 64 x 64": (resnet18, (3, 64, 64)),
}


def _trained(make: Network, shape: tuple[int, ...], seconds: float, watched: bool) -> float:
    """Steps in a second of the processor."""
    torch.manual_seed(0)
    model = make()
    optimizer, criterion = torch.optim.SGD(model.parameters(), 0.01), nn.CrossEntropyLoss()
    x, y = torch.randn(32, *shape), torch.randint(10, (32,))

    def steps(tell: Callable[[Tensor], None]) -> float:
        count, began = 0, time.process_time()
        while time.process_time() - began < seconds:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            tell(loss)
            count += 1
        return count / (time.process_time() - began)

    if not watched:
        return steps(lambda loss: None)
    with watch(model, optimizer=optimizer, name="benchmark") as observer:
        return steps(observer.step)


def main() -> bool:
    """Measure each network in turn without and with; return whether all keep 98 % of their speed."""
    good = True
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BNVIZ_DATABASE"] = f"sqlite:///{folder}/runs.sqlite"
        for name, (make, shape) in NETWORKS.items():
            _trained(make, shape, 1.0, True)
            pairs = [[_trained(make, shape, SECONDS, watched) for watched in (False, True)] for _ in range(ROUNDS)]
            without, with_it = (sum(each) / ROUNDS for each in zip(*pairs, strict=True))
            ratio = with_it / without
            verdict = "" if ratio >= ALLOWED else f"  below {ALLOWED}"
            print(f"watched {name}: {without:,.1f} steps/s, {with_it:,.1f} watched, ratio {ratio:.3f}{verdict}")
            good &= ratio >= ALLOWED
    return good
