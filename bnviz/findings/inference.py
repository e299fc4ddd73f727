"""What batchnorm's running statistics are worth at inference, and what one digit is taken for, in plain sentences."""

import math

import numpy as np

from bnviz.analysis.inference import inference_frames, statistic_error
from bnviz.experiment.wording import capitalized, counted, percent
from bnviz.records.answers import Answers
from bnviz.records.frames import BATCH_SIZES
from bnviz.records.history import View


def inference_findings(view: View) -> list[str]:
    """Return what a watched network shows of batchnorm's two modes, over the units of its first layer."""
    found = inference_frames(view)
    if not found:
        return []
    step, frame = found[-1]
    running, batch = (statistic_error(frame.layers[0], kind, "mean") for kind in ("running", "batch"))
    losses = frame.losses
    sentences = [
        f"After {counted(step, 'step')} the running means of layer 1 are {running:.2f} standard deviations off those "
        f"of the population, the means of one batch {batch:.2f}."
    ]
    if all(math.isfinite(loss) for loss in losses.values()):
        few, many = str(BATCH_SIZES[0]), str(BATCH_SIZES[-1])
        sentences.append(
            f"Test loss: {losses['eval']:.3f} in eval mode, {losses['population']:.3f} with population statistics; in "
            f"training mode {losses[many]:.3f} in batches of {many}, {losses[few]:.3f} in batches of {few}."
        )
    return sentences


def answer_findings(found: Answers) -> list[str]:
    """Return what one digit is taken for, alone and among others, in HTML."""
    first = found.evaluated[0]
    apart = float(np.abs(found.evaluated - first).max())
    same = "are exactly equal" if apart == 0 else f"have probabilities up to {percent(apart)} apart"
    best = int(first.argmax())
    refused = f"refused. <i>{capitalized(found.alone)}.</i>"
    sentences = [f"<b>Training mode, alone</b>: {refused}"]
    if len(found.evaluated) == 3:
        said = f"its answers alone, among 31 and among 255 other digits {same}."
    else:
        said = f"its answers among 31 and among 255 other digits {same}."
        sentences.insert(0, f"<b>Eval mode, alone</b>: {refused}")
    sentences.insert(0, f"<b>Eval mode</b> says <b>{best}</b> ({percent(first[best])}): {said}")
    for size, drawn in found.trained.items():
        agree = int((drawn.argmax(1) == best).sum())
        low, high = float(drawn[:, best].min()), float(drawn[:, best].max())
        sentences.append(
            f"<b>Training mode, batches of {size}</b>: {agree} of {len(drawn)} say {best}; the others move its "
            f"probability from {percent(low)} to {percent(high)}."
        )
    return sentences
