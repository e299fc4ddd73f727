"""Room for what is kept: which of the oldest go, so that something new fits."""

from collections.abc import Iterable


def oldest_beyond(known: Iterable[tuple[str, int]], over: int) -> tuple[list[str], int]:
    """Return the keys that have to go, and the bytes that are still too many then, at most 0 if all fits.

    known: keys and bytes, those first that go first. over: bytes that are too many.
    """
    going = []
    for key, size in known:
        if over <= 0:
            break
        going.append(key)
        over -= size
    return going, over
