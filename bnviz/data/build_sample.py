"""Make the bundled sample from the full MNIST: `python -m bnviz.data.build_sample SOURCE_DIR`.

SOURCE_DIR holds the four files, unpacked or as .gz. Their checksums are verified first, and the same files always
give the same bytes (with the same zlib).
"""

import argparse
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from bnviz.data import files
from bnviz.data.mnist import SAMPLE_FILE, SAMPLE_TEST_COUNT, SAMPLE_TRAIN_COUNT, read_full

_TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the earliest a zip archive can carry


def build(source: Path, target: Path = SAMPLE_FILE) -> None:
    """Write the first digits of both sets, in their order, as a compressed .npz.

    Raises ValueError when a file in `source` is missing or damaged.
    """
    found = files.check_files(source)
    faults = [f"{file.name} is {file.state}" for file in found if not file.ok]
    if faults:
        raise ValueError(f"{source}: {', '.join(faults)}")
    digits = read_full(found)
    arrays = {
        "train_images": digits.train_images[:SAMPLE_TRAIN_COUNT],
        "train_labels": digits.train_labels[:SAMPLE_TRAIN_COUNT],
        "test_images": digits.test_images[:SAMPLE_TEST_COUNT],
        "test_labels": digits.test_labels[:SAMPLE_TEST_COUNT],
    }
    # Written by hand because numpy.savez promises neither the time stamp nor the level of compression.
    with zipfile.ZipFile(target, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _TIMESTAMP)
            entry.create_system = 3  # Unix, wherever this runs
            archive.writestr(entry, content.getvalue(), compress_type=zipfile.ZIP_DEFLATED, compresslevel=9)


def main() -> None:
    """Build the sample from the directory on the command line; a missing or damaged file ends it with a message."""
    parser = argparse.ArgumentParser(description="Make the bundled MNIST sample.")
    parser.add_argument("source", type=Path, help="directory with the four MNIST files, unpacked or as .gz")
    source = parser.parse_args().source
    try:
        build(source)
    except ValueError as error:
        sys.exit(str(error))
    print(f"{SAMPLE_FILE.name}: {SAMPLE_FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
