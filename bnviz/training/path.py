"""The way that networks take through weight space: their weights at kept moments, bounded in number and memory."""

from dataclasses import dataclass, field

from torch import Tensor

MOST_POINTS = 52  # points of one network's way
PLANE_POINTS = 3  # that span a plane
PATHS_MIB = 64.0  # MiB of one run's ways together


@dataclass
class Path:
    """Points (D,) of one network and the steps they belong to, evenly spaced."""

    steps: list[int] = field(default_factory=list)
    points: list[Tensor] = field(default_factory=list)
    _stride: int = 1
    _seen: int = 0

    def add(self, step: int, point: Tensor, room: int) -> None:
        """Add a point; past `room` points every second one goes. The path of a network that was rebuilt, as by a
        batchnorm layer, starts anew; if there is room for two points or fewer, none is kept."""
        if room < PLANE_POINTS:
            return
        if self.points and self.points[0].shape != point.shape:
            self.steps, self.points, self._stride, self._seen = [], [], 1, 0
        if self.steps and step <= self.steps[-1]:
            return
        if self._seen % self._stride == 0:
            self.steps.append(step)
            self.points.append(point)
        self._seen += 1
        if len(self.points) > room:
            del self.steps[1::2], self.points[1::2]
            self._stride *= 2


def room(network: float, count: int) -> int:
    """Return how many points a run with `count` networks of so many MiB may keep of each."""
    return min(MOST_POINTS, int(PATHS_MIB / max(network * count, 1e-9)))
