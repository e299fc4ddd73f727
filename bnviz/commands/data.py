"""`python -m bnviz data`: which digits are used, and how to get all of them."""

import sys

from bnviz.data import DownloadError, DownloadProgress, download, status


def show_status() -> int:
    """Print which digits are used and how the files of the full set are; return exit code 0."""
    found = status()
    print(f"in use: {found.in_use}, {found.train_count:,} training and {found.test_count:,} test digits")
    print(f"full MNIST: {found.directory}")
    for file in found.files:
        print(f"  {file.name}: {file.state}")
    if found.notice:
        print(found.notice)
    return 0


def fetch() -> int:
    """Download the full MNIST and print what is there then; return 0, or 1 if it could not be downloaded."""

    def report(progress: DownloadProgress) -> None:
        if progress.done:
            print(f"{progress.number}/{progress.file_count} {progress.file}", flush=True)

    try:
        download(report)
    except DownloadError as error:
        print(f"bnviz data download: {error}", file=sys.stderr)
        return 1
    return show_status()
