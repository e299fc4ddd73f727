"""The place of a run, in words."""

import math
import time
from html import escape

from bnviz.experiment.wording import clock, decimals, pace, percent
from bnviz.records.history import View
from bnviz.records.live import Status

NOTICE_SECONDS = 15.0  # a notice stays so long
KEPT_PACE = 0.8  # share of the pace asked for; below it the machine is at its limit


def status_line(view: View, status: Status, train_digits: int) -> str:
    """Say where the run is, in words that do not jump in width, and as a bar."""
    training = view.experiment.training
    step = status.step
    parts = [f"step {step:,}", f"epoch {step * training.batch_size / train_digits:.1f}"]
    if status.state == "playing":
        parts.append(pace(status.steps_per_second) + _limit(status))
        left = clock((training.steps - step) / status.steps_per_second) if status.steps_per_second else "–"
        parts.append(f"{left} left")
    state = {
        "starting": "starting a worker …",
        "paused": "ready" if step == 0 else "paused",
        "playing": "a changed network is catching up" if status.catching_up else "",
        "finished": "finished" if step >= training.steps else "all networks diverged",
        "failed": "stopped",
        "closed": "closed",
    }[status.state]
    words = "".join(f"<span>{part}</span>" for part in [*parts, state] if part)
    return f'{words}<progress max="{training.steps}" value="{step}" aria-label="Steps done"></progress>'


def _limit(status: Status) -> str:
    """Say so if the machine cannot keep the pace that was asked for."""
    rate = status.steps_per_second
    return " at most" if 0 < rate < KEPT_PACE * status.asked < math.inf else ""


def has_notice(status: Status) -> bool:
    """Tell whether the run's notice is still to be shown."""
    return bool(status.notice) and (status.state == "failed" or time.monotonic() - status.noticed < NOTICE_SECONDS)


def notice(view: View, status: Status) -> str:
    """Return the sentence that stands above the charts, as HTML; empty if there is none."""
    if has_notice(status):
        return escape(status.notice)
    return "" if view.latest else "A worker is starting. The untrained networks appear in a moment."


def network_numbers(view: View) -> dict[str, str]:
    """Return how each network is doing, as HTML by the class of its place in the network bar."""
    if view.latest is None:
        return {}
    return {
        f"bnviz-numbers-{letter.lower()}": (
            "diverged"
            if variant.diverged
            else f'<span class="bnviz-wide">test accuracy </span><b>{percent(variant.test_accuracy)}</b>'
            f'<span class="bnviz-wide"> &ensp; test loss <b>{decimals(variant.test_loss, 3)}</b></span>'
        )
        for letter, variant in zip(view.experiment.letters, view.latest.variants, strict=True)
    }
