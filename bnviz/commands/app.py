"""`python -m bnviz app`: the web app, from wherever bnviz is installed."""

import os
import subprocess
import sys

from bnviz.experiment.package import beside


def run(address: str, port: int) -> int:
    """Serve the app until it is interrupted, and return its exit code."""
    options = {"server.address": address, "server.port": str(port), "server.showEmailPrompt": "false"}
    command = [sys.executable, "-m", "streamlit", "run", str(beside("app.py"))]
    command += [word for name, value in options.items() for word in (f"--{name}", value)]
    if hasattr(os, "fork"):  # so that signals reach the server, and nobody waits in between
        sys.stdout.flush()
        os.execv(command[0], command)
    return subprocess.call(command)  # on Windows
