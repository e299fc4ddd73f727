"""Dask preload for the workers: torch and the digits are in memory before the first run asks for them."""

import os

from distributed import Worker

from bnviz.data import status
from bnviz.engine.actor import batches
from bnviz.engine.versions import KEY, versions

NICE = 10  # training gives way to the web server and the browser on the same machine


def dask_setup(worker: Worker) -> None:
    import torch

    worker.startup_information[KEY] = lambda _: versions()  # told to the scheduler when the worker registers
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICE)
    # One thread a worker: a second one gave small networks from 1.1 times the speed to a third of it.
    torch.set_num_threads(1)
    batches(status().in_use)  # by the name that runs ask for; under another they would be loaded again
