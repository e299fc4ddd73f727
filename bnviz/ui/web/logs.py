"""What this server writes down: lines of text, or of JSON, each with the run that it is about."""

import logging
import os
from functools import cache

from pythonjsonlogger.json import JsonFormatter

from bnviz.engine.run import THREAD

LOG = "BNVIZ_LOG"


class _Run(logging.Filter):
    """Tells of each record which run it is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the run's id, or an empty one."""
        name = record.threadName or ""
        record.run = name.removeprefix(THREAD) if name.startswith(THREAD) else ""
        return True


def handler(form: str) -> logging.Handler:
    """Return what writes lines of a form: `json`, or text."""
    made = logging.StreamHandler()
    made.addFilter(_Run())
    fields = "%(asctime)s %(levelname)s %(name)s %(run)s %(message)s"
    if form == "json":
        made.setFormatter(JsonFormatter(fields, rename_fields={"asctime": "time", "levelname": "level"}))
    else:
        made.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s [%(run)s] %(message)s"))
    return made


@cache
def write_down() -> None:
    """Have everything that bnviz logs written to stderr; if BNVIZ_LOG is `json`, also which runs begin and end."""
    form = os.environ.get(LOG, "text")
    own = logging.getLogger("bnviz")
    own.addHandler(handler(form))
    own.setLevel(logging.INFO if form == "json" else logging.WARNING)
