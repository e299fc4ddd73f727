"""What goes wrong with a database, in one sentence each for the user."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

FULL = "There is no room left on the disk of the database of runs."
READ_ONLY = "The database of runs can only be read."
BUSY = "The database of runs is in use by another program, and did not become free in time."
DAMAGED = "The database of runs is damaged, or is no database."
CLOSED = "The database of runs cannot be opened."
FAILED = "The database of runs could not be read or written."
GONE = "The database of runs is no longer where it was."
LATER = "The database of runs was written by a later version of bnviz."
ADDRESS = "BNVIZ_DATABASE is no address of a database that bnviz can use."
UNREACHABLE = "The database of runs does not answer."

_SQLITE = {5: BUSY, 6: BUSY, 8: READ_ONLY, 10: FAILED, 11: DAMAGED, 13: FULL, 14: CLOSED, 26: DAMAGED}
_POSTGRESQL = {"25006": READ_ONLY, "42501": READ_ONLY, "53100": FULL, "55P03": BUSY, "57014": BUSY, "3D000": CLOSED}


class StoreError(Exception):
    """Raised when runs cannot be kept or found; its text is one sentence for the user."""


@contextmanager
def told() -> Iterator[None]:
    """Turn every error of the database into a StoreError."""
    try:
        yield
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(ADDRESS) from error
    except SQLAlchemyError as error:
        raise StoreError(_sentence(error)) from error
    except OSError as error:
        raise StoreError(CLOSED) from error


def _sentence(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return _SQLITE.get(code & 0xFF, FAILED)  # the rest says more than a user wants to know
    if (state := getattr(cause, "sqlstate", None)) is not None:
        return _POSTGRESQL.get(state, UNREACHABLE if state[:2] in ("08", "57") else FAILED)
    return UNREACHABLE if type(cause).__name__ == "OperationalError" else FAILED
