"""Test accuracy against steps or seconds, and what all curves over a run share."""

from collections.abc import Sequence
from html import escape

import numpy as np

from bnviz.experiment.layers import LN_10
from bnviz.experiment.naming import network_names
from bnviz.figures.style import (
    GUIDE,
    Figure,
    axis,
    color_of,
    colored,
    faded,
    guide,
    layout,
    line,
    network_color,
    nice_ceiling,
    steps_until,
    typed,
)
from bnviz.records.frames import Floats, VariantFrame
from bnviz.records.ghosts import Ghost
from bnviz.records.history import Marker, VariantHistory, View

__all__ = ["accuracy_curves"]

KNOWS_NOTHING = f"dotted: ln 10 = {LN_10:.3f}, guessing"
GHOSTLY = {"width": 1.5, "dash": "dash"}


def accuracy_curves(view: View, *, x: str, ghosts: Sequence[Ghost] = ()) -> Figure:
    """Draw the share of test digits that are recognized, in per cent."""
    names, data = network_names(view.experiment), []
    for ghost in ghosts:
        at, values = points_of_results(ghost.history, ghost.last, x, "test_accuracy")
        look = hover_text(ghost.name, "test accuracy", x, "%{y:.1f} %")
        data.append(line(at, values * 100, ghost_color(ghost), ghost.name, line=GHOSTLY, hovertemplate=look))
    for i, history in enumerate(view.variants):
        at, values = points_of_results(history, view.latest.variants[i] if view.latest else None, x, "test_accuracy")
        look, color = hover_text(names[i], "test accuracy", x, "%{y:.1f} %"), network_color(view.experiment, i)
        data.append(line(at, values * 100, color, view.experiment.letters[i], hovertemplate=look))
        data[-1] |= {"mode": "lines+markers", "marker": {"size": 5}}
        parts = earlier_parts(view, i, x, at, values * 100)
        data += [line(*part, f"{view.experiment.letters[i]} earlier", hoverinfo="skip") for part in parts]
        newest = view.latest.variants[i] if view.latest else None
        at, values = points_of_results(history, newest, x, "test_accuracy", on_all=True)
        look = hover_text(names[i], "accuracy on all test digits", x, "%{y:.1f} %")
        data.append(result_on_all(at, values * 100, color, view.experiment.letters[i], look))
    y = axis("test accuracy (%)", range=[0, 101])
    alt = "Test accuracy against " + x + newest_values(view, "accuracy", "test_accuracy")
    shape = layout(
        alt,
        320,
        [curve_legend(view, ghosts), "dotted: 10%, guessing; square: on all test digits"],
        xaxis=x_axis(view, x),
        yaxis=y,
    )
    return {"data": data, "layout": shape | marked(view, x, guide(10))}


def curve_legend(view: View, ghosts: Sequence[Ghost]) -> str:
    """Return HTML that names the curves in their colours, ghosts last."""
    names = network_names(view.experiment)
    solid = [colored(f"— {name}", network_color(view.experiment, i)) for i, name in enumerate(names)]
    kinds = [color_of(normalized=ghost.variant.normalized) for ghost in ghosts]
    pale = [
        f'<span style="color:{color};--network:{color}">┄ {ghost.name}</span>'
        for ghost, color in zip(ghosts, kinds, strict=True)
    ]
    return " &ensp; ".join([*solid, *pale])


def ghost_color(ghost: Ghost) -> str:
    """Return the pale form of a network's colour."""
    return faded(color_of(normalized=ghost.variant.normalized), 0.6)


def points_of_results(
    history: VariantHistory, newest: VariantFrame | None, x: str, name: str, *, on_all: bool = False
) -> tuple[Floats, Floats]:
    """Return where and what the test results are, (n,) each: those of the kept frames and, last, the newest look.

    on_all: those on all test digits, at the end of a run, instead of those on the first TEST_DIGITS. The two are no
    points of one curve: other digits are harder or easier.
    """
    frames = zip(history.frames, history.frame_seconds, strict=True)
    kept = [(f, s) for f, s in frames if f.tested == f.step and f.tested_on_all == on_all]
    at = [float(f.step) if x == "steps" else s for f, s in kept]
    values = [getattr(f, name) for f, _ in kept]
    if newest and newest.tested_on_all == on_all and (not kept or newest.tested > kept[-1][0].step):
        seconds = np.interp(newest.tested, history.steps, history.seconds) if len(history.steps) else 0.0
        at.append(float(newest.tested if x == "steps" else seconds))
        values.append(getattr(newest, name))
    return np.array(at), np.array(values, dtype=float)


def earlier_parts(view: View, i: int, x: str, at: Floats, values: Floats) -> list[tuple[Floats, Floats, str]]:
    """Return the parts of a network's curve that it had while it was normalized in another way: x, y, colour.

    A colour says what normalizes, and a network that kept its weights has been of several.
    """
    parts, begin, now = [], -np.inf, network_color(view.experiment, i)
    for marker in view.markers:
        if i not in marker.normalized:
            continue
        end, color = marker.at[i][0 if x == "steps" else 1], color_of(normalized=marker.normalized[i], place=i)
        part = (at >= begin) & (at <= end)
        if color != now and part.any():
            parts.append((at[part], values[part], color))
        begin = end
    return parts


def result_on_all(at: Floats, values: Floats, color: str, name: str, hover: str) -> Figure:
    """Draw the results on all test digits as squares."""
    marker = {"color": color, "size": 9, "symbol": "square-open", "line": {"width": 2}}
    points = {"type": "scatter", "mode": "markers", "x": typed(at), "y": typed(values), "marker": marker}
    return points | {"name": f"{name} on all test digits", "hovertemplate": hover}


def x_axis(view: View, x: str) -> Figure:
    """Return an axis of steps, or of seconds of training."""
    if x == "seconds":
        longest = max((h.seconds[-1] for h in view.variants if len(h.seconds)), default=0.0)
        return axis("seconds of training", range=[0, nice_ceiling(max(longest, 1.0))])
    steps = view.experiment.training.steps
    reached = max((f.step for f in view.latest.variants), default=0) if view.latest else 0
    # A long run starts zoomed in and grows in calm steps; a short one has room for its whole course from the start.
    end = steps if steps <= 3000 else min(steps, nice_ceiling(max(reached * 1.1, 1000)))
    return steps_until(end)


def hover_text(name: str, what: str, x: str, value: str = "%{y:.3f} nats") -> str:
    """Return what stands at the mouse on a curve."""
    at = "step %{x:,.0f}" if x == "steps" else "%{x:.1f} s"
    return f"{name} {what}<br>{at}<br>{value}<extra></extra>"


def marked(view: View, x: str, shapes: list[Figure]) -> Figure:
    """Return a layout's shapes with changes that kept the weights as vertical lines, labelled at the top.

    The label is in the colour of the network that was changed, if it was one alone.
    """
    end = (
        view.experiment.training.steps
        if x == "steps"
        else max((h.seconds[-1] for h in view.variants if len(h.seconds)), default=1.0)
    )
    lines = [
        {
            "type": "line",
            "yref": "paper",
            "x0": at,
            "x1": at,
            "y0": 0,
            "y1": 1,
            "line": {"color": GUIDE, "width": 1},
            "label": {
                "text": _marker_text(view, marker),
                "textangle": 0,
                "textposition": "end",
                "font": {"color": _marker_color(view, marker), "size": 11},
                "xanchor": "left" if at < 0.6 * end else "right",
                "yanchor": "top",
            },
        }
        for marker in view.markers
        for at in sorted({place[0 if x == "steps" else 1] for place in marker.at.values()})
    ]
    return {"shapes": shapes + lines}


def _changed(view: View, marker: Marker) -> list[int]:
    return [i for i, letter in enumerate(view.experiment.letters) if f"{letter}: " in marker.label]


def _marker_text(view: View, marker: Marker) -> str:
    """What was changed, as text alone: an imported run's labels are a stranger's. Without the network's letter where it
    alone is blue, orange or violet."""
    changed, kinds = _changed(view, marker), [variant.normalized for variant in view.experiment.variants]
    if len(changed) == 1 and kinds.count(kinds[changed[0]]) == 1:
        return escape(marker.label.removeprefix(f"{view.experiment.letters[changed[0]]}: "), quote=False)
    return escape(marker.label, quote=False)


def _marker_color(view: View, marker: Marker) -> str:
    changed = _changed(view, marker)
    return network_color(view.experiment, changed[0]) if len(changed) == 1 else GUIDE


def newest_values(view: View, what: str, name: str) -> str:
    """Return the newest value of each network, for a screen reader."""
    if view.latest is None:
        return "; nothing measured yet"
    names = network_names(view.experiment)
    values = (f"{names[i]} {getattr(v, name):.3f}" for i, v in enumerate(view.latest.variants))
    return f" at step {view.latest.step}: {what} " + ", ".join(values)
