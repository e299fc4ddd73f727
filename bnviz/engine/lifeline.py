"""Dask preload for the processes of the embedded cluster: they end when the process that started them is gone.

A web server that is killed outright cannot close its cluster; without this its scheduler and workers would stay.
"""

import logging
import os
import threading
import time

import click
from distributed import Scheduler
from distributed.core import Server

OWNER_LOOK_EVERY = 2.0  # seconds


@click.command()
@click.option("--owner", type=int, required=True, help="process id of the web server")
def dask_setup(service: Server, owner: int) -> None:
    """Watch the web server from a thread, and end this process within OWNER_LOOK_EVERY seconds once it is gone."""

    def watch() -> None:
        while os.getppid() == owner:
            time.sleep(OWNER_LOOK_EVERY)
        os._exit(0)  # a plain exit would wait for the event loop, which waits for the lost owner

    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C in a terminal is for the owner, who closes its cluster in good order
    if isinstance(service, Scheduler):
        # Its stderr is a pipe that nobody reads: once it is full, after some 500 runs, the scheduler hangs for ever.
        os.dup2(1, 2)
        logging.getLogger("distributed").setLevel(logging.WARNING)  # or it says of every run that it is gone
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # or a page of traceback for every run of a lost worker
    threading.Thread(target=watch, name="lifeline", daemon=True).start()
