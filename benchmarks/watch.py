"""What watching costs: steps a plain PyTorch loop makes in a second of the processor, with `bnviz.watch` and without.

Time of the processor, all threads of the process together, because the thread that writes counts too. Both train at the
same time, so that what else the machine does slows both, and change places each round, as a process is now and then
faster than its twin for all its life.
"""

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from bnviz.own_network.watch import BUDGET, watch

SECONDS, ROUNDS = 10.0, 8  # of the processor; an even number of rounds
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


def _train(make: Network, shape: tuple[int, ...], seconds: float, watched: bool) -> float:
    """Return the steps in a second of the processor."""
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


def _in_turns(name: str, place: int, turn: Any, results: Any) -> None:
    """Train in every round; the one of the two processes whose turn it is, watched."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    _train(make, shape, 1.0, True)
    for number in range(ROUNDS):
        turn.wait()
        watched = (number + place) % 2 == 1
        results.put((number, watched, _train(make, shape, SECONDS, watched)))


def ratio_of(name: str) -> float:
    """Return the speed of a watched network over that of its twin, which trains at the same time."""
    machine = multiprocessing.get_context("spawn")
    turn, results = machine.Barrier(2), machine.Queue()
    both = [machine.Process(target=_in_turns, args=(name, place, turn, results)) for place in range(2)]
    for process in both:
        process.start()
    speeds = {(number, watched): speed for number, watched, speed in (results.get() for _ in range(2 * ROUNDS))}
    for process in both:
        process.join()
    return statistics.geometric_mean(speeds[n, True] / speeds[n, False] for n in range(ROUNDS))


def main() -> bool:
    """Measure each network; return whether all keep 98 % of their speed."""
    good = True
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BNVIZ_DATABASE"] = f"sqlite:///{folder}/runs.sqlite"
        for name in NETWORKS:
            ratio = ratio_of(name)
            verdict = "" if ratio >= ALLOWED else f"  below {ALLOWED}"
            print(f"watched {name}: {ratio:.3f} of the speed without{verdict}", flush=True)
            good &= ratio >= ALLOWED
    return good
