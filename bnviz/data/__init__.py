"""Digits: MNIST, which comes with the code, and sets of the same shape, downloaded on request."""

from bnviz.data.digits import COUNTS, DataUnavailableError, Digits, as_npz, load, require
from bnviz.data.fetch import DownloadError, DownloadProgress, download
from bnviz.data.files import SOURCES, Downloaded, FileStatus, check, data_directory

__all__ = [
    "COUNTS",
    "SOURCES",
    "DataUnavailableError",
    "Digits",
    "DownloadError",
    "DownloadProgress",
    "Downloaded",
    "FileStatus",
    "as_npz",
    "check",
    "data_directory",
    "download",
    "load",
    "require",
]
