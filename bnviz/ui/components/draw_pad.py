"""A pad on which a visitor draws a digit with mouse, finger or pen."""

import base64

import numpy as np
from numpy.typing import NDArray

from bnviz.data.centering import as_mnist
from bnviz.ui.components.component import component, ignore

INK_SIDE = 140  # pixels of the ink that the browser sends: five for each of MNIST's 28

_HTML = """
<div class="bnviz-pad">
  <div class="paper"><svg viewBox="0 0 28 28" role="img" aria-label="Drawing pad: empty"></svg></div>
  <div class="buttons">
    <button type="button" class="undo" disabled>Undo</button>
    <button type="button" class="clear" disabled>Clear</button>
  </div>
  <p>Draw one digit with mouse, finger or pen.</p>
</div>
"""


def draw_pad(key: str = "draw_pad") -> NDArray[np.uint8] | None:
    """Place a pad and return its digit, made like one of MNIST: uint8 (28, 28), 0 paper to 255 ink; None when empty.

    The page runs again after every finished stroke. The strokes themselves stay in the browser until it loads anew.
    """
    pad = component("draw_pad", __file__, "drawPad", _HTML)
    ink = read_ink(pad(data={"key": key, "side": INK_SIDE}, key=key, on_ink_change=ignore).ink)
    return None if ink is None else as_mnist(ink)


def read_ink(sent: object) -> NDArray[np.uint8] | None:
    """Return the grey levels that a browser has sent in base64, 255 ink: INK_SIDE squared; None for anything else."""
    if not isinstance(sent, str) or len(sent) != 4 * -(-INK_SIDE * INK_SIDE // 3):
        return None
    try:
        grey = np.frombuffer(base64.b64decode(sent, validate=True), np.uint8)
    except ValueError:
        return None
    return grey.reshape(INK_SIDE, INK_SIDE) if grey.size == INK_SIDE * INK_SIDE else None
