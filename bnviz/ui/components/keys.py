"""Keys that press the page's buttons and switches, while it is presented."""

from bnviz.engine.run import SPEEDS
from bnviz.ui.components.component import component

_SPEEDS = {str(place): f".st-key-speed button:nth-of-type({place})" for place in range(1, len(SPEEDS) + 1)}
SELECTORS = {
    " ": ".st-key-play button",
    "ArrowRight": ".st-key-step button",
    "a": ".st-key-a_batchnorm input",
    "b": ".st-key-b_batchnorm input",
    "r": ".st-key-reset button",
    "?": ".st-key-keys_help button",
} | _SPEEDS
MEANINGS = {
    "Space": "train or pause",
    "→": "one step",
    "A, B": "flip batchnorm of the first or second network",
    "R": "reset",
    "1 to 5": f"speed: {', '.join(SPEEDS)} steps a second",
    "?": "this list",
}


def listen(*, active: bool) -> None:
    """Press what a key stands for, while active; never while somebody types into a field."""
    component("keys", __file__, "keys", "")(data={"active": active, "keys": SELECTORS}, key="key_listener")
