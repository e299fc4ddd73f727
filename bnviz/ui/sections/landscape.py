"""The measurements of the loss landscape that a page asks for: what is asked, how far it is, and its newest charts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from bnviz import figures
from bnviz.engine.long_question import LongQuestion
from bnviz.engine.run import Run
from bnviz.experiment.config import Experiment
from bnviz.figures.landscape import Shape, empty_chart, progress_bar
from bnviz.figures.style import Figure, network_color
from bnviz.findings.landscape import (
    noise_findings,
    rate_findings,
    scaling_findings,
    sharpness_findings,
    slice_findings,
)
from bnviz.records.landscape import (
    NOISE_DIGITS,
    SHARPNESS_DIGITS,
    BatchNoise,
    LargestRates,
    Scaling,
    Sharpness,
    Slice,
    Slices,
)
from bnviz.records.questions import (
    EffectOfScale,
    LargestLearningRates,
    LossSlices,
    NoiseOfBatches,
    SharpnessAlongPath,
)
from bnviz.ui.asking.repeated import LiveQuestion, newest
from bnviz.ui.components.live_chart import unchanged


@dataclass(frozen=True)
class Look:
    """How the charts are looked at: the shape of slices, whether losses are logarithmic, the layer that is scaled and
    the network whose batches are drawn."""

    shape: Shape
    log: bool
    layer: int
    noisy: int | None


@dataclass
class Landscape:
    """One run's questions; read by the threads that make the news."""

    slices: LongQuestion[Slices] = field(default_factory=LongQuestion)
    sharpness: LongQuestion[tuple[Sharpness | str, ...]] = field(default_factory=LongQuestion)
    rates: LongQuestion[LargestRates] = field(default_factory=LongQuestion)
    scaling: LiveQuestion[list[Scaling], list[Scaling]] = field(default_factory=lambda: LiveQuestion(newest))
    noise: LiveQuestion[BatchNoise, BatchNoise] = field(default_factory=lambda: LiveQuestion(newest))
    _drawn: dict[str, tuple[object, Figure]] = field(default_factory=dict)

    def ask_all(self, run: Run, slices: LossSlices) -> None:
        """Ask for slices, sharpness and largest learning rates at once."""
        self.slices.ask(run, slices)
        self.sharpness.ask(run, SharpnessAlongPath())
        self.rates.ask(run, LargestLearningRates())

    def changes(self) -> tuple[int, ...]:
        """What the news depend on beside the run."""
        return (
            self.slices.changes,
            self.sharpness.changes,
            self.rates.changes,
            self.scaling.count,
            self.noise.count,
        )

    def charts(self, run: Run, look: Look) -> dict[str, Figure]:
        """The figures of all that has been asked; each is made once for each answer."""
        now = run.experiment

        def slices() -> Figure:
            found = self.slices.answer or ()
            words = _status(self.slices, "Scanning", now, "Nothing scanned yet: press Scan.")
            if any(isinstance(each, Slice) for each in found):
                digits = next(each.digits for each in found if isinstance(each, Slice))
                of = self.slices.asked
                directions = ""
                if isinstance(of, LossSlices) and of.kind == "random":
                    directions = f"directions of seed {of.seed}, reach {of.half_width:g}, "
                words.append(
                    f"{directions}on the first {digits:,} training digits, normalized with the statistics of just these"
                )
            about = self.slices.experiment or now
            told = words + slice_findings(found, about)
            return figures.landscape_slices(found, about, shape=look.shape, log=look.log, words=told)

        def sharpness() -> Figure:
            about, found = self.sharpness.experiment or now, self.sharpness.answer or ()
            words = _status(self.sharpness, "Lanczos iteration", now, "Nothing measured yet: press Measure.")
            if found:
                words.append(f"of the loss on the first {SHARPNESS_DIGITS:,} training digits, with their statistics")
            return figures.sharpness_over_steps(found, about, words + sharpness_findings(found, about))

        def rates() -> Figure:
            about, found = self.rates.experiment or now, self.rates.answer
            seeds = found.seeds if found else ()
            words = _status(self.rates, "Bisection", now, "Nothing searched yet: press Search.", seeds)
            if found is None:
                return empty_chart(words)
            return figures.largest_rates(found, about, words + rate_findings(found, about))

        drawn = {
            "chart_landscape": self._made("chart_landscape", (self.slices.changes, look, now), slices),
            "chart_sharpness": self._made("chart_sharpness", (self.sharpness.changes, now), sharpness),
            "chart_largest_rate": self._made("chart_largest_rate", (self.rates.changes, now), rates),
        }
        scaled = self.scaling.of(run, EffectOfScale(look.layer))
        if scaled is not None and len(scaled) == len(now.variants):
            words = [_of(now, max(each.step for each in scaled)), *scaling_findings(scaled, now)]
            version: object = (self.scaling.count, now, look.layer)
            drawn["chart_scaling"] = self._made(
                "chart_scaling", version, lambda: figures.gradient_by_scale(scaled, now, words)
            )
        variant = look.noisy
        if variant is None:
            drawn["chart_batch_noise"] = self._made(
                "chart_batch_noise", None, lambda: empty_chart(["no network has batchnorm"])
            )
        elif (noise := self.noise.of(run, NoiseOfBatches(variant))) is not None:
            told = [_of(now, noise.step), f"against {NOISE_DIGITS:,} digits; dotted: 1/√B", *noise_findings(noise)]
            version = (self.noise.count, now, variant)
            drawn["chart_batch_noise"] = self._made(
                "chart_batch_noise", version, lambda: figures.batch_noise(noise, network_color(now, variant), told)
            )
        return drawn

    def _made(self, key: str, version: object, make: Callable[[], Figure]) -> Figure:
        known = self._drawn.get(key)
        if known is None or known[0] != version:
            known = self._drawn[key] = (version, unchanged(make(), hash(version)))
        return known[1]


_measured: WeakKeyDictionary[Run, Landscape] = WeakKeyDictionary()


def landscape(run: Run) -> Landscape:
    """This run's: it outlives a reload as the run does, and ends with it."""
    return _measured.setdefault(run, Landscape())


def _of(experiment: Experiment, step: int) -> str:
    return f"seed {experiment.training.seed}, step {step:,}"


def _status(
    question: LongQuestion[Any], what: str, now: Experiment, nothing: str, seeds: tuple[int, ...] = ()
) -> list[str]:
    """Progress, or why there is no answer, or of which run it is; seeds: if they are not just the run's own."""
    words = []
    if question.done is not None:
        words.append(progress_bar(question.done, what, question.left))
    elif question.problem:
        words.append(f"No answer: {question.problem}")
    if question.experiment is None:
        return words or [nothing]
    earlier = "" if question.experiment == now else ", before the settings were changed"
    of = f"seeds {', '.join(map(str, seeds))}" if seeds else f"seed {question.experiment.training.seed}"
    return [*words, f"{of}{earlier}"]
