"""`python -m bnviz data`: which data sets there are, and how to get those that do not come with bnviz."""

import sys

from bnviz.data import COUNTS, SOURCES, Downloaded, DownloadError, DownloadProgress, check, data_directory, download


def show_status() -> int:
    """Print which sets there are and how the files of those are that are downloaded; return exit code 0."""
    train, test = COUNTS["MNIST"]
    print(f"MNIST: comes with bnviz, {train:,} training and {test:,} test digits")
    print(f"downloaded sets: {data_directory()}")
    for name in SOURCES:
        found = check(name)
        if all(file.ok for file in found):
            print(f"  {name}: ok")
        elif all(file.state == "missing" for file in found):
            print(f"  {name}: not downloaded")
        else:
            print(f"  {name}: " + ", ".join(f"{file.name} is {file.state}" for file in found if not file.ok))
    return 0


def fetch(name: Downloaded) -> int:
    """Download a set and print what is there then; return 0, or 1 if it could not be downloaded."""

    told = (0, -1)  # file, and tenths of it

    def report(progress: DownloadProgress) -> None:
        nonlocal told
        tenths = 10 if progress.done else int(10 * progress.received / progress.total) if progress.total else 0
        if (progress.number, tenths) > told:
            told = progress.number, tenths
            print(f"{progress.number}/{progress.file_count} {progress.file} {10 * tenths}%", flush=True)

    try:
        download(name, report)
    except DownloadError as error:
        print(f"bnviz data download: {error}", file=sys.stderr)
        return 1
    return show_status()
