"""Data: MNIST that comes with the code, how other sets are fetched, and what is said of files that cannot be used."""

import gzip
import hashlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from bnviz import data
from bnviz.data import digits, fetch, files

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = files.SHAPES
NAME: data.Downloaded = "Fashion-MNIST"
Small = dict[str, bytes]  # the packed bytes of each file
MNIST_MD5 = {  # of the original files, unpacked
    TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
    TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
    TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
    TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, and nothing taken from the environment."""
    directory = tmp_path / "data"
    monkeypatch.setenv("BNVIZ_DATA_DIR", str(directory))
    monkeypatch.delenv("BNVIZ_DATA_MIRROR", raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    return directory


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Small:
    """A Fashion-MNIST of 60 training and 40 test pictures, whose checksums count as the right ones."""
    random = np.random.default_rng(0)
    contents, shapes = {}, {}
    for name, whole in files.SHAPES.items():
        shape = (60 if name.startswith("train") else 40, *whole[1:])
        header = np.array([0x800 + len(shape), *shape], dtype=">u4").tobytes()
        contents[name] = gzip.compress(header + random.integers(0, 10, shape, dtype=np.uint8).tobytes(), mtime=0)
        shapes[name] = shape
    a, b, c, d = (hashlib.md5(content).hexdigest() for content in contents.values())
    monkeypatch.setattr(files, "SHAPES", shapes)
    monkeypatch.setitem(data.COUNTS, NAME, (60, 40))
    monkeypatch.setitem(data.SOURCES, NAME, files.Source("FashionMNIST", (a, b, c, d)))
    digits._read.cache_clear()
    return contents


def put(contents: Small, directory: Path) -> Path:
    """Write the files in torchvision's layout; returns their folder."""
    raw = directory / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (raw / name).write_bytes(content)
    return raw


def pixels(content: bytes) -> np.ndarray:
    return np.frombuffer(gzip.decompress(content), np.uint8, offset=16).reshape(-1, 784)


def labels(content: bytes) -> np.ndarray:
    return np.frombuffer(gzip.decompress(content), np.uint8, offset=8)


def assert_holds(digits: data.Digits, small: Small) -> None:
    np.testing.assert_array_equal(digits.train_images, pixels(small[TRAIN_IMAGES]))
    np.testing.assert_array_equal(digits.train_labels, labels(small[TRAIN_LABELS]))
    np.testing.assert_array_equal(digits.test_images, pixels(small[TEST_IMAGES]))
    np.testing.assert_array_equal(digits.test_labels, labels(small[TEST_LABELS]))


def state() -> list[str]:
    return [file.state for file in data.check(NAME)]


class TestTheBundledMnist:
    def test_has_60_000_training_and_10_000_test_digits_as_bytes(self) -> None:
        mnist = data.load()
        assert mnist.name == "MNIST"
        assert mnist.train_images.shape == (60_000, 784)
        assert mnist.train_labels.shape == (60_000,)
        assert mnist.test_images.shape == (10_000, 784)
        assert mnist.test_labels.shape == (10_000,)
        for array in (mnist.train_images, mnist.train_labels, mnist.test_images, mnist.test_labels):
            assert array.dtype == np.uint8

    @pytest.mark.parametrize("name", files.SHAPES)
    def test_has_the_original_files(self, name: str) -> None:
        content = gzip.decompress((files.BUNDLED / name).read_bytes())
        assert hashlib.md5(content).hexdigest() == MNIST_MD5[name]

    def test_has_the_contrast_that_standardizing_takes_away(self) -> None:
        images = data.load().train_images
        assert images.mean(dtype=np.float64) / 255 == pytest.approx(0.1307, abs=5e-5)
        assert images.std(dtype=np.float64) / 255 == pytest.approx(0.3081, abs=5e-5)

    def test_comes_with_its_licence_and_authors(self) -> None:
        text = Path(data.__file__).with_name("LICENSE-MNIST.md").read_text(encoding="utf-8")
        for words in ("Yann LeCun", "Corinna Cortes", "Christopher J. C. Burges", "CC BY-SA 3.0"):
            assert words in text

    def test_begins_with_the_sample_of_earlier_versions(self) -> None:
        mnist, sample = data.load(), data.load("MNIST sample")
        np.testing.assert_array_equal(sample.train_images, mnist.train_images[:10_000])
        np.testing.assert_array_equal(sample.train_labels, mnist.train_labels[:10_000])
        np.testing.assert_array_equal(sample.test_images, mnist.test_images[:2_000])
        np.testing.assert_array_equal(sample.test_labels, mnist.test_labels[:2_000])


class TestLoading:
    def test_happens_once_in_a_process(self) -> None:
        assert data.load() is data.load()

    def test_gives_arrays_that_no_run_can_change(self) -> None:
        images = data.load().train_images
        with pytest.raises(ValueError, match="read-only"):
            images[0, 0] = 1

    def test_needs_no_torch(self) -> None:
        script = (
            "import sys, bnviz.data; bnviz.data.load(); bnviz.data.check('KMNIST')\n"
            "print([name for name in ('torch', 'torchvision', 'streamlit') if name in sys.modules])"
        )
        root = Path(__file__).parents[2]
        done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_reads_a_downloaded_set_and_writes_nothing_beside_it(self, small: Small, directory: Path) -> None:
        put(small, directory)
        before = sorted(directory.rglob("*"))
        found = data.load(NAME)
        assert found.name == NAME
        assert_holds(found, small)
        assert sorted(directory.rglob("*")) == before

    def test_of_a_set_that_is_not_there_says_how_to_get_it(self) -> None:
        with pytest.raises(data.DataUnavailableError) as caught:
            data.load("KMNIST")
        assert str(caught.value) == (
            "KMNIST is not on this machine. Download it in the live lab, or with python -m bnviz data download KMNIST."
        )

    def test_of_a_damaged_file_of_mnist_says_which(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in files.SHAPES:
            (tmp_path / name).write_bytes((files.BUNDLED / name).read_bytes()[:20_000])
        monkeypatch.setattr(files, "BUNDLED", tmp_path)
        digits._read.cache_clear()
        with pytest.raises(OSError, match=r"train-images-idx3-ubyte\.gz is damaged"):
            data.load()


class TestTheDigitsAsOneFile:
    def test_holds_what_load_gives(self, small: Small, directory: Path) -> None:
        put(small, directory)
        found = data.load(NAME)
        with np.load(io.BytesIO(data.as_npz(NAME)), allow_pickle=False) as arrays:
            for array in ("train_images", "train_labels", "test_images", "test_labels"):
                np.testing.assert_array_equal(arrays[array], getattr(found, array))
                assert arrays[array].dtype == np.uint8


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda packed: packed[:-10],
    "empty": lambda packed: b"",
    "garbled": lambda packed: packed[:20] + bytes(20) + packed[40:],
    "not gzip": lambda packed: b"<html>Please log in</html>",
    "too long": lambda packed: packed + b"0",
}


class TestASetThatCannotBeUsed:
    @pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
    def test_is_refused_with_the_file_that_is_damaged(
        self, small: Small, directory: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        put({**small, TEST_IMAGES: damage(small[TEST_IMAGES])}, directory)
        assert state() == ["ok", "ok", "damaged", "ok"]
        with pytest.raises(data.DataUnavailableError, match=f"{TEST_IMAGES} is damaged") as caught:
            data.load(NAME)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("damage", [*DAMAGES.values()][:4], ids=[*DAMAGES][:4])
    def test_is_never_read_as_if_it_were_whole(
        self, small: Small, tmp_path: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        (tmp_path / TEST_IMAGES).write_bytes(damage(small[TEST_IMAGES]))
        with pytest.raises(OSError, match="is damaged"):
            files.read(tmp_path / TEST_IMAGES)

    def test_may_hold_something_unreadable(self, small: Small, directory: Path) -> None:
        path = put(small, directory) / TEST_IMAGES
        path.unlink()
        path.mkdir()
        assert state()[2] == "unreadable: Is a directory"

    def test_is_usable_again_once_repaired(self, small: Small, directory: Path) -> None:
        path = put(small, directory) / TEST_IMAGES
        path.write_bytes(b"")
        with pytest.raises(data.DataUnavailableError):
            data.load(NAME)
        path.write_bytes(small[TEST_IMAGES])
        assert data.load(NAME).name == NAME

    def test_each_file_is_read_only_once_to_be_checked(
        self, small: Small, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(small, directory)
        assert state() == ["ok"] * 4
        monkeypatch.setattr("builtins.open", lambda *_: pytest.fail("read again"))
        assert state() == ["ok"] * 4


class TestTheDataDirectory:
    def test_is_in_the_users_cache_unless_chosen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BNVIZ_DATA_DIR", "")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert data.data_directory() == tmp_path / "bnviz"
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert data.data_directory() == Path(os.path.expanduser("~")) / ".cache" / "bnviz"

    def test_may_be_given_relative_to_the_home_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BNVIZ_DATA_DIR", "~/digits")
        assert data.data_directory() == Path(os.path.expanduser("~")) / "digits"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(small: Small, tmp_path: Path) -> Iterator[str]:
    """A mirror on this machine that serves the small set."""
    served = tmp_path / "served"
    (served / "FashionMNIST").mkdir(parents=True)
    for name, content in small.items():
        (served / "FashionMNIST" / name).write_bytes(content)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(served))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address that refuses every connection: a port that is taken, but where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def silent_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address that takes every connection and never says a word."""
    monkeypatch.setattr(fetch, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def everything_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.name not in ("FashionMNIST", "raw"))


@pytest.mark.parametrize("name", data.SOURCES)
def test_the_checksums_are_those_that_torchvision_knows(name: data.Downloaded) -> None:
    from torchvision import datasets

    source = data.SOURCES[name]
    assert list(zip(files.SHAPES, source.md5, strict=True)) == getattr(datasets, source.torchvision).resources


class TestDownloading:
    def test_makes_a_set_available(self, small: Small, mirror: str, directory: Path) -> None:
        assert state() == ["missing"] * 4
        data.download(NAME, mirrors=[mirror])
        assert state() == ["ok"] * 4
        assert_holds(data.load(NAME), small)
        assert everything_in(directory) == sorted(small)

    def test_takes_the_mirror_from_the_environment(self, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BNVIZ_DATA_MIRROR", mirror.rstrip("/"))
        data.download(NAME)
        assert state() == ["ok"] * 4

    def test_takes_torchvisions_mirrors_where_none_is_given(self, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from torchvision.datasets import FashionMNIST

        monkeypatch.setattr(FashionMNIST, "mirrors", [f"{mirror}FashionMNIST/"])
        data.download(NAME)
        assert state() == ["ok"] * 4

    def test_reports_every_file_from_its_first_byte_to_its_last(self, small: Small, mirror: str) -> None:
        reports: list[data.DownloadProgress] = []
        data.download(NAME, reports.append, [mirror])
        for number, (name, content) in enumerate(small.items(), start=1):
            size = len(content)
            of_file = [report for report in reports if report.number == number]
            assert of_file[0] == data.DownloadProgress(name, number, 4)
            assert of_file[-1] == data.DownloadProgress(name, number, 4, size, size, done=True)
            received = [report.received for report in of_file]
            assert received == sorted(received)
        assert sum(report.done for report in reports) == 4

    def test_fetches_only_what_is_lacking(self, small: Small, mirror: str, directory: Path) -> None:
        put({**small, TEST_LABELS: b"damaged"}, directory)
        reports: list[data.DownloadProgress] = []
        data.download(NAME, reports.append, [mirror])
        assert {(report.file, report.file_count) for report in reports} == {(TEST_LABELS, 1)}
        assert_holds(data.load(NAME), small)

    def test_does_nothing_where_all_is_there(self, small: Small, directory: Path, closed_port: str) -> None:
        put(small, directory)
        reports: list[data.DownloadProgress] = []
        data.download(NAME, reports.append, [f"http://{closed_port}"])
        assert reports == []

    def test_goes_on_to_the_next_mirror(self, mirror: str, closed_port: str, silent_port: str) -> None:
        data.download(NAME, mirrors=[f"http://{closed_port}", f"http://{silent_port}", f"{mirror}nowhere", mirror])
        assert state() == ["ok"] * 4

    def test_tells_which_file_which_host_why_and_what_to_do(self, closed_port: str, directory: Path) -> None:
        with pytest.raises(data.DownloadError) as caught:
            data.download(NAME, mirrors=[f"http://{closed_port}/mnist"])
        message = str(caught.value)
        assert message.startswith(f"Could not download {TRAIN_IMAGES} ({closed_port}: Connection refused).")
        assert "BNVIZ_DATA_MIRROR" in message
        assert everything_in(directory) == []

    def test_gives_up_on_a_server_that_stays_silent(self, silent_port: str) -> None:
        with pytest.raises(data.DownloadError, match=r"no answer within 0\.2 s"):
            data.download(NAME, mirrors=[f"http://{silent_port}"])
        assert socket.getdefaulttimeout() is None

    def test_says_when_a_mirror_lacks_the_file(self, mirror: str) -> None:
        with pytest.raises(data.DownloadError, match=r"HTTP Error 404: File not found"):
            data.download(NAME, mirrors=[f"{mirror}nowhere"])

    def test_keeps_passwords_out_of_messages(self, closed_port: str) -> None:
        with pytest.raises(data.DownloadError) as caught:
            data.download(NAME, mirrors=[f"http://me:secret@{closed_port}"])
        assert "secret" not in str(caught.value)

    def test_refuses_a_file_with_the_wrong_checksum(self, mirror: str, tmp_path: Path, directory: Path) -> None:
        served = tmp_path / "served" / "FashionMNIST" / TRAIN_LABELS
        served.write_bytes(gzip.compress(b"something else"))
        with pytest.raises(data.DownloadError, match=rf"{TRAIN_LABELS} .*wrong checksum"):
            data.download(NAME, mirrors=[mirror])
        assert everything_in(directory) == [TRAIN_IMAGES]  # the file before it, which was whole
        assert state() == ["ok", "missing", "missing", "missing"]

    def test_leaves_no_partial_file_behind_when_interrupted(self, mirror: str, directory: Path) -> None:
        from torchvision.datasets import utils

        class Interrupted(BaseException):
            pass

        def interrupt(progress: data.DownloadProgress) -> None:
            if progress.received:
                raise Interrupted

        tqdm = utils.tqdm
        with pytest.raises(Interrupted):
            data.download(NAME, interrupt, [mirror])
        assert everything_in(directory) == []
        assert utils.tqdm is tqdm
        assert socket.getdefaulttimeout() is None

    def test_says_when_the_data_directory_cannot_be_written(self, mirror: str, directory: Path) -> None:
        directory.write_text("a file where a directory should be")
        with pytest.raises(data.DownloadError, match=r"Could not write to .*Not a directory.*BNVIZ_DATA_DIR"):
            data.download(NAME, mirrors=[mirror])

    @pytest.mark.parametrize("address", ["mirror.example/mnist", "file:///etc"])
    def test_accepts_only_web_addresses(self, address: str) -> None:
        with pytest.raises(data.DownloadError, match="must begin with http"):
            data.download(NAME, mirrors=[address])
