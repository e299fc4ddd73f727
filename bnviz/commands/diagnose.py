"""`python -m bnviz diagnose`: what is wrong with the network that a function of the user's makes."""

import importlib
import sys
from typing import Any

FORM = "give package.module:function"
RETURNS = "it must return (model, batches), (model, batches, loss) or (model, batches, loss, optimizer)"


def run(target: str, json_only: bool = False) -> int:
    """Call the function `package.module:function`, diagnose what it returns, and print the findings.

    Return the exit code: 0 nothing serious, 1 something serious, 2 bad input.
    """
    from bnviz.own_network.diagnose import diagnose

    try:
        diagnosis = diagnose(*_made_by(target), name=target)
    except ValueError as error:
        print(f"bnviz diagnose: {error}", file=sys.stderr)
        return 2
    print(diagnosis.to_json() if json_only else diagnosis)
    return int(diagnosis.is_serious)


def _made_by(target: str) -> tuple[Any, ...]:
    module, _, name = target.partition(":")
    if not module or not name:
        raise ValueError(f"FUNCTION: {target!r} is not allowed; {FORM}")
    if "" not in sys.path:  # as `python -m` has it: modules of the folder that the command is called in
        sys.path.insert(0, "")
    try:
        function = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise ValueError(f"FUNCTION: {error}; {FORM}, from the folder that the package is in") from error
    if not callable(function):
        raise ValueError(f"FUNCTION: {module} has no function {name!r}; {FORM}")
    made = function()
    if not isinstance(made, tuple) or not 2 <= len(made) <= 4:
        raise ValueError(f"FUNCTION: {target} returned {type(made).__name__}; {RETURNS}")
    return made
