"""Dask preload for the workers: torch and the digits are in memory before the first run asks for them."""

import ctypes
import os

from distributed import Worker

from bnviz.engine.in_worker.trainer_actor import batches
from bnviz.engine.versions import KEY, versions

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of mallopt, in glibc's malloc.h
REUSED, KEPT = 32 * 2**20, 256 * 2**20  # bytes of the largest piece that is reused, and of free memory that is kept
NICE = 10  # training gives way to the web server and the browser on the same machine


def dask_setup(worker: Worker) -> None:
    """Prepare a worker that starts: its versions to tell, low priority, one torch thread, the digits in memory."""
    import torch

    worker.startup_information[KEY] = lambda _: versions()  # told to the scheduler when the worker registers
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICE)
    reuse_memory()
    # One thread a worker: a second one gave small networks from 1.1 times the speed to a third of it.
    torch.set_num_threads(1)
    batches("MNIST")


def reuse_memory() -> None:
    """Have freed memory used again, for all threads from now on.

    Dask starts workers with MALLOC_TRIM_THRESHOLD_, and with it glibc takes each piece above 128 KB, as the activations
    of a convolution are, from the system and gives it back: LeNet then took four times as long.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None  # not on macOS
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)  # a thread's own arena consists of heaps of 64 MB, which come and go
        mallopt(M_MMAP_THRESHOLD, REUSED)
        mallopt(M_TRIM_THRESHOLD, KEPT)
