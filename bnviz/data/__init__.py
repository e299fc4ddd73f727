"""MNIST: a sample that is always there, the full set if somebody put it there, and its download on request."""

from bnviz.data.fetch import DownloadError, DownloadProgress, download
from bnviz.data.files import FileStatus
from bnviz.data.mnist import COUNTS, SAMPLE_FILE, DataName, DataStatus, Digits, as_npz, load, status

__all__ = [
    "COUNTS",
    "SAMPLE_FILE",
    "DataName",
    "DataStatus",
    "Digits",
    "DownloadError",
    "DownloadProgress",
    "FileStatus",
    "as_npz",
    "download",
    "load",
    "status",
]
