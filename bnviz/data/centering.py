"""A drawing becomes a digit the way MNIST was made: fitted into a box, then centred by its mass.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (yann.lecun.com/exdb/mnist): the black and white
originals were size-normalized to fit a 20×20 box while keeping their aspect ratio, anti-aliased by that, and moved by
whole pixels so that their centre of mass lies at the centre of a 28×28 field.
"""

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGIT_SIDE = 28  # of the digit, pixels; a test holds it equal to that of the networks, of which digits know nothing
BOX = 20  # the digit's longer side, pixels
CENTRE = 14.0  # of mass, a row or column counted from 0: MNIST's digits have it there, to half a pixel; 2 of 70,000 not


def as_mnist(ink: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the digit in a drawing of any size: uint8 of shape (28, 28), 0 paper to 255 ink; None if nothing is drawn.

    Where a digit is drawn does not matter, nor how large: a dot fills the box. One so lopsided that it would leave the
    field stops at its edge, off centre but whole. (MNIST cuts it: 2 of its first 10,000 digits lack their last row.)
    """
    drawn = _trimmed(ink)
    height, width = drawn.shape
    longer = max(height, width)
    if not longer:
        return None
    fitted = _area_average(height, longer) @ drawn.astype(np.float64) @ _area_average(width, longer).T
    # Ink that is too faint to be seen in the digit has no place in it, nor does it move the rest.
    seen = _trimmed(np.rint(fitted))
    if not seen.size:
        return None
    top, left = (_margin(seen.sum(axis=axis)) for axis in (1, 0))
    digit = np.zeros((DIGIT_SIDE, DIGIT_SIDE), np.uint8)
    digit[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return digit


def _trimmed(ink: NDArray[Any]) -> NDArray[Any]:
    """Return the drawing without the empty lines around it; of shape (0, 0) if nothing is drawn."""
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return ink[:0, :0]
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _area_average(length: int, longer: int) -> NDArray[np.float64]:
    """Return (pixels of the digit, length): how much of each pixel of the digit each of `length` pixels covers.

    `longer` pixels fill the box, so one of them is BOX / longer wide; covered areas, not samples, make the grey levels.
    """
    edges = np.arange(length + 1) * BOX / longer
    pixels = np.arange(-(-length * BOX // longer))[:, None]
    covered: NDArray[np.float64] = np.minimum(pixels + 1, edges[1:]) - np.maximum(pixels, edges[:-1])
    return np.maximum(covered, 0.0)


def _margin(mass: NDArray[np.float64]) -> int:
    """Return how many pixels before the fitted digit bring its centre of mass nearest to CENTRE and keep it whole."""
    centre = float(np.arange(len(mass)) @ mass / mass.sum())
    # Of two places that are as near, as for anything 20 high and symmetric, the first: it has equal margins.
    nearest = ceil(round(CENTRE - 0.5 - centre, 6))
    return min(max(nearest, 0), DIGIT_SIDE - len(mass))
