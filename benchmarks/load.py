"""`make bench-load`: what each of many visitors gets of one server, also while its processes die, hang and come back.

Visitors without a browser (`benchmarks/visitor.py`), each with an experiment of its own, on the machine that also
serves: absolute figures are that machine's. Parts: `table` (updates and steps a second of each visitor), `solo` (one
visitor at full speed, against the same trainer with the same looks in a process of its own), `faults`, `churn` (those
who come and go), `chaos` (a process killed at random again and again), `permalinks` (pages of a kept run).
`python -m benchmarks.load --parts table,faults --visitors 1,10,20 --seconds 20`.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.store import five_layers
from benchmarks.visitor import Opener, Seen, Visitor
from bnviz.store.store import Store
from tests.browser.conftest import Server

SETTLED = 5.0  # seconds after the last visitor's Train that are not counted
FAIR = 0.5  # of the median, which nobody may be below
UPDATES = {20: 5.0, 60: 2.0}  # a second, which each of so many visitors is to have
FIRST = 0.8  # seconds from Train to the first moved chart, for 95 % of 20 visitors
SOLO = 0.85  # of the steps of the trainer alone
FAULTS = {"worker killed": 8.0, "worker hangs": 8.0, "scheduler killed": 8.0}  # seconds of silence at most, for 95 %
GROWTH = 1.05  # of the memory early on, which it may have at the end
OPENED = 1.0  # seconds from the address of a kept run to all of its figures, for 95 %
OPENINGS, OPENINGS_A_SECOND = 100, 10
LONG = "steps=100000"
_ALONE = """
import sys, time, torch
from bnviz.engine.in_worker.trainer_actor import TrainerActor
from bnviz.engine.rhythm import SHORTEST_INTERVAL
from bnviz.engine.worker import reuse_memory
from bnviz.experiment.config import Experiment, replace
from bnviz.records.frames import Focus
torch.set_num_threads(1)
reuse_memory()
experiment = Experiment()
actor = TrainerActor(replace(experiment, training=replace(experiment.training, steps=100_000)))
begin, frame = time.perf_counter(), actor.advance(0, None, True, Focus())
while time.perf_counter() - begin < float(sys.argv[1]):
    frame = actor.advance(None, SHORTEST_INTERVAL, False, Focus())
print(frame.step / (time.perf_counter() - begin))
"""


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server of this checkout."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.stop()


def visitors(server: Server, count: int, speed: str = "200") -> list[Visitor]:
    """Let so many visitors in, until all have pressed Train."""
    come = []
    for number in range(count):
        come.append(Visitor(server.url, f"{LONG}&seed={number}", speed))
        time.sleep(0.1)
    end = time.monotonic() + 60
    while time.monotonic() < end and any(not (v.seen.steps or v.seen.lost or v.seen.refused) for v in come):
        time.sleep(0.1)
    time.sleep(SETTLED)
    return come


def measured(come: Sequence[Visitor], seconds: float) -> tuple[float, float]:
    """Wait so long. Returns begin and end."""
    begin = time.monotonic()
    time.sleep(seconds)
    return begin, time.monotonic()


def spread(values: Sequence[float]) -> str:
    """'min 1.0, median 2.0, max 3.0'"""
    return f"min {min(values):.2f}, median {statistics.median(values):.2f}, max {max(values):.2f}"


def held(promise: str, found: bool) -> bool:
    print(f"  {'holds' if found else 'MISSED'}: {promise}", flush=True)
    return found


def table(counts: Sequence[int], seconds: float) -> bool:
    """Measure what each of so many visitors gets at speed 200."""
    kept = []
    for count in counts:
        with serving() as server:
            come = visitors(server, count)
            begin, end = measured(come, seconds)
            seen = [visitor.leave() for visitor in come]
        there = [one for one in seen if not one.refused]
        updates, paces = ([f(one) for one in there] for f in (_updates(begin, end), _paces(begin, end)))
        first = sorted(one.first if one.first is not None else float("inf") for one in there)
        print(f"{count} visitors at speed 200: updates/s {spread(updates)}; steps/s {spread(paces)}", flush=True)
        print(f"  first step after Train: 95 % within {first[int(0.95 * (len(first) - 1))]:.2f} s")
        kept.append(held("nobody refused, nobody lost", not any(one.refused or one.lost for one in seen)))
        kept.append(held("nobody below half of the median", min(updates) >= FAIR * statistics.median(updates)))
        if count in UPDATES:
            kept.append(held(f"{UPDATES[count]:g} updates/s each", min(updates) >= UPDATES[count]))
        if count == 20:
            kept.append(held(f"first step within {FIRST:g} s (95 %)", first[int(0.95 * (len(first) - 1))] <= FIRST))
    return all(kept)


def _updates(begin: float, end: float) -> Callable[[Seen], float]:
    return lambda seen: seen.updates(begin, end)


def _paces(begin: float, end: float) -> Callable[[Seen], float]:
    return lambda seen: seen.pace(begin, end)


def solo(seconds: float) -> bool:
    """Measure one visitor at full speed and the same trainer by itself, in turns on the same machine."""
    shares = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", _ALONE, str(seconds)], capture_output=True, text=True, check=True)
        with serving() as server:
            come = visitors(server, 1, "max")
            begin, end = measured(come, seconds)
            pace = come[0].leave().pace(begin, end)
        shares.append(pace / float(done.stdout))
        print(f"one visitor at full speed: {pace:.0f} steps/s, by itself {float(done.stdout):.0f}", flush=True)
    return held(f"{SOLO:.0%} of the trainer by itself (median {statistics.median(shares):.0%})", max(shares) >= SOLO)


def faults(count: int, seconds: float) -> bool:
    """Let processes die and hang under visitors, each on a server of its own."""
    kept = []
    for fault, most in FAULTS.items():
        with serving() as server:
            come = visitors(server, count)
            begin = time.monotonic()
            process = _victim(server, fault)
            process.send_signal(signal.SIGSTOP if fault == "worker hangs" else signal.SIGKILL)
            time.sleep(seconds + 20)
            end = time.monotonic()
            if process.is_running():
                process.send_signal(signal.SIGCONT)
            seen = [visitor.leave() for visitor in come]
        silences = sorted(one.silence(begin, end) for one in seen)
        told = [when - begin for one in seen for when, notice in one.notices if when > begin and notice]
        print(f"{fault} under {count}: silence {spread(silences)} s; first notice after {min(told, default=-1):.1f} s")
        kept.append(held("nobody lost", not any(one.lost for one in seen)))
        kept.append(held(f"goes on within {most:g} s (95 %)", silences[int(0.95 * (len(silences) - 1))] <= most))
    return all(kept)


def _victim(server: Server, fault: str) -> psutil.Process:
    if fault.startswith("worker"):
        return server.workers()[0]
    children = psutil.Process(server.process.pid).children(recursive=True)
    return next(child for child in children if "distributed.Scheduler" in " ".join(child.cmdline()))


def churn(count: int, seconds: float) -> bool:
    """Let visitors stay for 20 to 60 s each, so many at a time."""
    dice = random.Random(0)
    refused = lost = visits = 0
    with serving() as server:
        web = psutil.Process(server.process.pid)

        def comes() -> tuple[float, Visitor]:
            query = f"{LONG}&seed={dice.randrange(10**6)}"
            return time.monotonic() + dice.uniform(20, 60), Visitor(server.url, query)

        there = [comes() for _ in range(count)]
        begin, early = time.monotonic(), 0
        while time.monotonic() < begin + seconds:
            for place, (leaves, visitor) in enumerate(there):
                if time.monotonic() >= leaves:
                    seen = visitor.leave()
                    visits, refused, lost = visits + 1, refused + bool(seen.refused), lost + bool(seen.lost)
                    there[place] = comes()
            if not early and time.monotonic() > begin + seconds / 5:
                early = _memory(web)
            time.sleep(0.1)
        late = _memory(web)
        for _, visitor in there:
            visitor.leave()
    print(
        f"churn of {count}: {visits} visits, {refused} refused, {lost} lost; memory {early >> 20} -> {late >> 20} MiB"
    )
    return all(
        [
            held("nobody refused or lost", refused + lost == 0),
            held(f"memory at most {GROWTH - 1:.0%} above that after a fifth of the time", late <= GROWTH * early),
        ]
    )


def _memory(web: psutil.Process) -> int:
    return sum(process.memory_info().rss for process in [web, *web.children(recursive=True)])


def chaos(count: int, seconds: float) -> bool:
    """Kill a worker, a nanny or the scheduler at random every 20 s."""
    dice = random.Random(0)
    with serving() as server:
        come = visitors(server, count)
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            children = psutil.Process(server.process.pid).children(recursive=True)
            os.kill(dice.choice([c.pid for c in children if "resource_tracker" not in " ".join(c.cmdline())]), 9)
            time.sleep(20)
        time.sleep(20)
        end = time.monotonic()
        seen = [visitor.leave() for visitor in come]
    moving = sum(bool(one.steps) and one.steps[-1][0] > end - 10 for one in seen)
    silences = [one.silence(begin, end) for one in seen]
    print(f"chaos under {count} for {seconds:g} s: {moving} still move; longest silence {spread(silences)} s")
    return held("nobody lost, all move", moving == count and not any(one.lost for one in seen))


def permalinks() -> bool:
    """Open the page of a run of two five-layer networks with all its frames, again and again."""
    run = five_layers()
    with serving() as server:
        store = Store.open(f"sqlite:///{server.log.parent / '.local/share/bnviz/runs.sqlite'}")
        run_id = store.keep(run, "somebody")
        store.close()
        Opener(server.url, run_id).leave()  # the first visitor of a server waits for its imports
        come = []
        begin = time.monotonic()
        for number in range(OPENINGS):
            time.sleep(max(0.0, begin + number / OPENINGS_A_SECOND - time.monotonic()))
            come.append(Opener(server.url, run_id))
        for opener in come:
            opener.leave()
    times = sorted(float("inf") if opener.opened is None else opener.opened for opener in come)
    within = times[int(0.95 * (OPENINGS - 1))]
    print(f"{OPENINGS} openings of a kept run, {OPENINGS_A_SECOND} a second: {spread(times)} s; 95 % {within:.2f} s")
    return held(f"opened within {OPENED:g} s (95 %)", within <= OPENED)


def main() -> int:
    """Run the parts that are asked for; 1 if a promise is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--parts", default="table,solo,faults,churn,chaos,permalinks", help="by commas")
    parser.add_argument("--visitors", default="1,5,10,20,30,60", help="of the table, by commas")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--long", type=float, default=600.0, help="seconds of churn and of chaos")
    told = parser.parse_args()
    parts: dict[str, Callable[[], bool]] = {
        "table": lambda: table([int(count) for count in told.visitors.split(",")], told.seconds),
        "solo": lambda: solo(told.seconds),
        "faults": lambda: faults(20, told.seconds),
        "churn": lambda: churn(30, told.long),
        "chaos": lambda: chaos(20, told.long),
        "permalinks": permalinks,
    }
    unknown = set(told.parts.split(",")) - set(parts)
    if unknown:
        parser.error(f"--parts: give some of {', '.join(parts)}, not {', '.join(sorted(unknown))}")
    found = [part() for name, part in parts.items() if name in told.parts.split(",")]
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
