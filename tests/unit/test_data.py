"""MNIST: what is loaded when, what is said about files that cannot be used, and how the full set is fetched."""

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
from bnviz.data import build_sample, fetch, files
from bnviz.data.files import FILES, MnistFile

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (file.name for file in FILES)
Small = dict[str, bytes]  # the unpacked bytes of each file


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, and nothing taken from the environment."""
    directory = tmp_path / "data"
    monkeypatch.setenv("BNVIZ_DATA_DIR", str(directory))
    monkeypatch.delenv("BNVIZ_MNIST_MIRROR", raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    return directory


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Small:
    """An MNIST of 60 training and 40 test digits, whose checksums count as the right ones."""
    random = np.random.default_rng(0)
    contents, table = {}, []
    for file in FILES:
        shape = (60 if file.name.startswith("train") else 40, *file.shape[1:])
        values = random.integers(0, 10, shape, dtype=np.uint8)
        header = np.array([0x800 + len(shape), *shape], dtype=">u4").tobytes()
        contents[file.name] = header + values.tobytes()
        table.append(MnistFile(file.name, shape, hashlib.md5(contents[file.name]).hexdigest()))
    monkeypatch.setattr(files, "FILES", tuple(table))
    return contents


def put(contents: Small, directory: Path, packed: bool = False) -> Path:
    """Write the files in torchvision's layout; returns their folder."""
    raw = directory / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if packed:
            (raw / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (raw / name).write_bytes(content)
    return raw


def pixels(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 784)


def labels(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8, offset=8)


def assert_holds(digits: data.Digits, small: Small) -> None:
    np.testing.assert_array_equal(digits.train_images, pixels(small[TRAIN_IMAGES]))
    np.testing.assert_array_equal(digits.train_labels, labels(small[TRAIN_LABELS]))
    np.testing.assert_array_equal(digits.test_images, pixels(small[TEST_IMAGES]))
    np.testing.assert_array_equal(digits.test_labels, labels(small[TEST_LABELS]))


class TestTheBundledSample:
    def test_is_used_without_a_notice_where_there_is_nothing_else(self) -> None:
        digits = data.load()
        assert (digits.name, digits.notice) == ("MNIST sample", "")

    def test_has_10_000_training_and_2_000_test_digits_as_bytes(self) -> None:
        digits = data.load()
        assert digits.train_images.shape == (10_000, 784)
        assert digits.train_labels.shape == (10_000,)
        assert digits.test_images.shape == (2_000, 784)
        assert digits.test_labels.shape == (2_000,)
        for array in (digits.train_images, digits.train_labels, digits.test_images, digits.test_labels):
            assert array.dtype == np.uint8

    def test_has_every_digit_in_about_equal_shares(self) -> None:
        digits = data.load()
        for values in (digits.train_labels, digits.test_labels):
            shares = np.bincount(values, minlength=10) / len(values)
            assert len(shares) == 10
            assert shares.min() > 0.08
            assert shares.max() < 0.125

    def test_has_the_contrast_of_mnist(self) -> None:
        images = data.load().train_images / 255
        assert images.mean() == pytest.approx(0.1307, abs=0.003)
        assert images.std() == pytest.approx(0.3081, abs=0.003)

    def test_comes_with_its_licence_and_authors(self) -> None:
        text = Path(data.__file__).with_name("LICENSE-MNIST.md").read_text(encoding="utf-8")
        for words in ("Yann LeCun", "Corinna Cortes", "Christopher J. C. Burges", "CC BY-SA 3.0", "build_sample"):
            assert words in text


class TestLoading:
    def test_happens_once_in_a_process(self) -> None:
        assert data.load() is data.load()

    def test_gives_arrays_that_no_run_can_change(self) -> None:
        images = data.load().train_images
        with pytest.raises(ValueError, match="read-only"):
            images[0, 0] = 1

    def test_neither_the_import_nor_the_sample_nor_the_status_needs_torch(self) -> None:
        script = (
            "import sys, bnviz.data; bnviz.data.load(); bnviz.data.status()\n"
            "print([name for name in ('torch', 'torchvision', 'streamlit') if name in sys.modules])"
        )
        root = Path(__file__).parents[2]
        done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    @pytest.mark.parametrize("packed", [False, True], ids=["unpacked", "gz only"])
    def test_prefers_the_full_set_in_torchvisions_layout(self, small: Small, directory: Path, packed: bool) -> None:
        put(small, directory, packed)
        digits = data.load()
        assert (digits.name, digits.notice) == ("MNIST", "")
        assert digits.train_images.dtype == digits.train_labels.dtype == np.uint8
        assert_holds(digits, small)

    def test_reads_a_mixture_of_packed_and_unpacked_files(self, small: Small, directory: Path) -> None:
        put({name: small[name] for name in (TRAIN_IMAGES, TEST_LABELS)}, directory)
        put({name: small[name] for name in (TRAIN_LABELS, TEST_IMAGES)}, directory, packed=True)
        assert_holds(data.load(), small)

    def test_writes_nothing_into_the_data_directory(self, small: Small, directory: Path) -> None:
        put(small, directory, packed=True)
        before = sorted(directory.rglob("*"))
        data.load()
        assert sorted(directory.rglob("*")) == before

    def test_ignores_the_unchecked_pt_files_of_old_torchvision(self, small: Small, directory: Path) -> None:
        processed = put(small, directory).with_name("processed")
        processed.mkdir()
        for name in ("training.pt", "test.pt"):
            (processed / name).write_bytes(b"not the digits")
        assert_holds(data.load(), small)

    def test_takes_an_intact_gz_where_the_unpacked_file_is_damaged(self, small: Small, directory: Path) -> None:
        put(small, directory, packed=True)
        put({TEST_IMAGES: small[TEST_IMAGES][:-1]}, directory)
        assert_holds(data.load(), small)

    def test_notices_files_that_arrive_later(self, small: Small, directory: Path) -> None:
        assert data.load().name == "MNIST sample"
        put(small, directory)
        assert data.load().name == "MNIST"

    def test_falls_back_when_there_is_no_room_to_unpack(
        self, small: Small, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full_disk(*_: object) -> None:
            raise OSError(28, "No space left on device")

        put(small, directory, packed=True)
        monkeypatch.setattr(files, "copy_unpacked", full_disk)
        digits = data.load()
        assert digits.name == "MNIST sample"
        assert "No space left on device" in digits.notice


class TestTheDigitsAsOneFile:
    @pytest.mark.parametrize("name", ["MNIST sample", "MNIST"])
    def test_holds_what_load_gives(self, small: Small, directory: Path, name: data.DataName) -> None:
        put(small, directory, packed=True)
        digits = data.load(name)
        assert digits.name == name
        with np.load(io.BytesIO(data.as_npz(name)), allow_pickle=False) as arrays:
            for array in ("train_images", "train_labels", "test_images", "test_labels"):
                np.testing.assert_array_equal(arrays[array], getattr(digits, array))
                assert arrays[array].dtype == np.uint8

    def test_is_refused_where_the_full_set_is_no_longer_intact(self, small: Small, directory: Path) -> None:
        put({TRAIN_IMAGES: small[TRAIN_IMAGES]}, directory)
        with pytest.raises(OSError, match=f"{TRAIN_LABELS} is missing"):
            data.as_npz("MNIST")


DAMAGES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "cut short": (
        TRAIN_IMAGES,
        lambda b: b[:-1],
        "train-images-idx3-ubyte is damaged (47,055 bytes instead of 47,056)",
    ),
    "empty": (TEST_LABELS, lambda b: b"", "t10k-labels-idx1-ubyte is damaged (0 bytes instead of 48)"),
    "too long": (TEST_LABELS, lambda b: b + b"0", "t10k-labels-idx1-ubyte is damaged (49 bytes instead of 48)"),
    "one bit flipped": (
        TRAIN_LABELS,
        lambda b: b[:-1] + bytes([b[-1] ^ 1]),
        "train-labels-idx1-ubyte is damaged (the checksum differs)",
    ),
}
PACKED_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda packed: packed[:-10],
    "garbled": lambda packed: packed[:20] + bytes(20) + packed[40:],
    "not gzip": lambda packed: b"<html>Please log in</html>",
}


class TestAFullSetThatCannotBeUsed:
    @pytest.mark.parametrize(("name", "damage", "words"), DAMAGES.values(), ids=DAMAGES.keys())
    def test_is_named_with_the_reason_and_the_sample_used(
        self, small: Small, directory: Path, name: str, damage: Callable[[bytes], bytes], words: str
    ) -> None:
        put({**small, name: damage(small[name])}, directory)
        digits = data.load()
        assert digits.name == "MNIST sample"
        assert len(digits.train_images) == 10_000
        assert words in digits.notice
        assert digits.notice.endswith("the bundled sample of 10,000 training and 2,000 test digits is used instead.")
        assert "\n" not in digits.notice

    @pytest.mark.parametrize("damage", PACKED_DAMAGES.values(), ids=PACKED_DAMAGES.keys())
    def test_may_be_a_damaged_gz(self, small: Small, directory: Path, damage: Callable[[bytes], bytes]) -> None:
        path = put(small, directory, packed=True) / f"{TRAIN_IMAGES}.gz"
        path.write_bytes(damage(path.read_bytes()))
        digits = data.load()
        assert digits.name == "MNIST sample"
        assert "train-images-idx3-ubyte.gz is damaged (not a complete gzip file)" in digits.notice

    def test_may_lack_a_file(self, small: Small, directory: Path) -> None:
        (put(small, directory) / TEST_IMAGES).unlink()
        digits = data.load()
        assert digits.name == "MNIST sample"
        assert "t10k-images-idx3-ubyte is missing" in digits.notice

    def test_may_hold_something_unreadable(self, small: Small, directory: Path) -> None:
        path = put(small, directory) / TEST_IMAGES
        path.unlink()
        path.mkdir()
        assert "t10k-images-idx3-ubyte is unreadable (Is a directory)" in data.load().notice

    def test_is_usable_again_once_repaired(self, small: Small, directory: Path) -> None:
        path = put(small, directory) / TEST_IMAGES
        path.write_bytes(b"")
        assert data.load().name == "MNIST sample"
        path.write_bytes(small[TEST_IMAGES])
        assert data.load().name == "MNIST"


class TestTheStatus:
    def test_of_an_empty_directory_is_the_sample_and_four_missing_files(self, directory: Path) -> None:
        status = data.status()
        assert (status.directory, status.in_use, status.notice) == (directory, "MNIST sample", "")
        assert (status.train_count, status.test_count) == (10_000, 2_000)
        assert [(file.name, file.state) for file in status.files] == [(file.name, "missing") for file in FILES]

    def test_of_a_full_set_counts_its_digits(self, small: Small, directory: Path) -> None:
        put(small, directory, packed=True)
        status = data.status()
        assert (status.in_use, status.train_count, status.test_count, status.notice) == ("MNIST", 60, 40, "")
        assert all(file.ok for file in status.files)

    def test_of_a_damaged_set_says_what_load_says(self, small: Small, directory: Path) -> None:
        put({**small, TEST_LABELS: b""}, directory)
        status, digits = data.status(), data.load()
        assert status.in_use == digits.name == "MNIST sample"
        assert status.notice == digits.notice != ""
        assert [file.state for file in status.files] == ["ok", "ok", "ok", "damaged: 0 bytes instead of 48"]

    def test_reads_each_file_only_once(self, small: Small, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        read: list[Path] = []
        measure = files._measure

        def counted(path: Path) -> tuple[int, str]:
            read.append(path)
            return measure(path)

        monkeypatch.setattr(files, "_measure", counted)
        put(small, directory)
        assert data.status() == data.status()
        assert [path.name for path in read] == [file.name for file in FILES]


class TestTheDataDirectory:
    def test_is_in_the_users_cache_unless_chosen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BNVIZ_DATA_DIR", "")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert data.status().directory == tmp_path / "bnviz"
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert data.status().directory == Path(os.path.expanduser("~")) / ".cache" / "bnviz"

    def test_may_be_given_relative_to_the_home_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BNVIZ_DATA_DIR", "~/digits")
        assert data.status().directory == Path(os.path.expanduser("~")) / "digits"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mirror on this machine that serves the small MNIST, whose checksums torchvision takes for the right ones."""
    from torchvision.datasets import MNIST

    served = put(small, tmp_path / "served", packed=True)
    checksums = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in served.iterdir()]
    monkeypatch.setattr(MNIST, "resources", checksums)
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
    return sorted(path.name for path in directory.rglob("*") if path.name not in ("MNIST", "raw"))


class TestDownloading:
    def test_makes_the_full_set_available(self, small: Small, mirror: str, directory: Path) -> None:
        assert data.load().name == "MNIST sample"
        data.download(mirrors=[mirror])
        assert data.status().in_use == "MNIST"
        assert_holds(data.load(), small)
        assert everything_in(directory) == sorted(small)

    def test_takes_the_mirror_from_the_environment(self, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BNVIZ_MNIST_MIRROR", mirror.rstrip("/"))
        data.download()
        assert data.status().in_use == "MNIST"

    def test_reports_every_file_from_its_first_byte_to_its_last(self, mirror: str, tmp_path: Path) -> None:
        reports: list[data.DownloadProgress] = []
        data.download(reports.append, [mirror])
        for number, file in enumerate(FILES, start=1):
            name = f"{file.name}.gz"
            size = (tmp_path / "served" / "MNIST" / "raw" / name).stat().st_size
            of_file = [report for report in reports if report.number == number]
            assert of_file[0] == data.DownloadProgress(name, number, 4)
            assert of_file[-1] == data.DownloadProgress(name, number, 4, size, size, done=True)
            received = [report.received for report in of_file]
            assert received == sorted(received)
        assert sum(report.done for report in reports) == 4

    def test_fetches_only_what_is_lacking(self, small: Small, mirror: str, directory: Path) -> None:
        put({**small, TEST_LABELS: b"damaged"}, directory)
        reports: list[data.DownloadProgress] = []
        data.download(reports.append, [mirror])
        assert {(report.file, report.file_count) for report in reports} == {(f"{TEST_LABELS}.gz", 1)}
        assert_holds(data.load(), small)

    def test_does_nothing_where_all_is_there(self, small: Small, directory: Path, closed_port: str) -> None:
        put(small, directory, packed=True)
        reports: list[data.DownloadProgress] = []
        data.download(reports.append, [f"http://{closed_port}"])
        assert reports == []

    def test_goes_on_to_the_next_mirror(self, mirror: str, closed_port: str, silent_port: str) -> None:
        data.download(mirrors=[f"http://{closed_port}", f"http://{silent_port}", f"{mirror}nowhere", mirror])
        assert data.status().in_use == "MNIST"

    def test_tells_which_file_which_host_why_and_what_to_do(self, closed_port: str, directory: Path) -> None:
        with pytest.raises(data.DownloadError) as caught:
            data.download(mirrors=[f"http://{closed_port}/mnist"])
        message = str(caught.value)
        assert message.startswith(f"Could not download train-images-idx3-ubyte.gz ({closed_port}: Connection refused).")
        assert "BNVIZ_MNIST_MIRROR" in message
        assert str(directory / "MNIST" / "raw") in message
        assert everything_in(directory) == []

    def test_gives_up_on_a_server_that_stays_silent(self, silent_port: str) -> None:
        with pytest.raises(data.DownloadError, match=r"no answer within 0\.2 s"):
            data.download(mirrors=[f"http://{silent_port}"])
        assert socket.getdefaulttimeout() is None

    def test_says_when_a_mirror_lacks_the_file(self, mirror: str) -> None:
        with pytest.raises(data.DownloadError, match=r"HTTP Error 404: File not found"):
            data.download(mirrors=[f"{mirror}nowhere"])

    def test_keeps_passwords_out_of_messages(self, closed_port: str) -> None:
        with pytest.raises(data.DownloadError) as caught:
            data.download(mirrors=[f"http://me:secret@{closed_port}"])
        assert "secret" not in str(caught.value)

    def test_refuses_a_file_with_the_wrong_checksum(self, mirror: str, tmp_path: Path, directory: Path) -> None:
        served = tmp_path / "served" / "MNIST" / "raw" / f"{TRAIN_LABELS}.gz"
        served.write_bytes(gzip.compress(b"something else"))
        with pytest.raises(data.DownloadError, match=rf"{TRAIN_LABELS}\.gz .*wrong checksum"):
            data.download(mirrors=[mirror])
        assert everything_in(directory) == [TRAIN_IMAGES]  # the file before it, which was whole
        assert data.load().name == "MNIST sample"

    def test_leaves_no_partial_file_behind_when_interrupted(self, mirror: str, directory: Path) -> None:
        from torchvision.datasets import utils

        class Interrupted(BaseException):
            pass

        def interrupt(progress: data.DownloadProgress) -> None:
            if progress.received:
                raise Interrupted

        tqdm = utils.tqdm
        with pytest.raises(Interrupted):
            data.download(interrupt, [mirror])
        assert everything_in(directory) == []
        assert utils.tqdm is tqdm
        assert socket.getdefaulttimeout() is None

    def test_says_when_the_data_directory_cannot_be_written(self, mirror: str, directory: Path) -> None:
        directory.write_text("a file where a directory should be")
        with pytest.raises(data.DownloadError, match=r"Could not write to .*Not a directory.*BNVIZ_DATA_DIR"):
            data.download(mirrors=[mirror])

    @pytest.mark.parametrize("address", ["mirror.example/mnist", "file:///etc"])
    def test_accepts_only_web_addresses(self, address: str) -> None:
        with pytest.raises(data.DownloadError, match="must begin with http"):
            data.download(mirrors=[address])


class TestBuildingTheSample:
    def test_gives_the_same_bytes_every_time(self, small: Small, tmp_path: Path) -> None:
        targets = [tmp_path / "first.npz", tmp_path / "second.npz"]
        for target, packed in zip(targets, (False, True), strict=True):
            build_sample.build(put(small, tmp_path / f"source {packed}", packed), target)
        first, second = (target.read_bytes() for target in targets)
        assert first == second
        with np.load(targets[0]) as arrays:
            np.testing.assert_array_equal(arrays["test_images"], pixels(small[TEST_IMAGES]))

    def test_refuses_a_damaged_source(self, small: Small, tmp_path: Path) -> None:
        source = put({**small, TEST_LABELS: b""}, tmp_path / "source")
        with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte is damaged"):
            build_sample.build(source, tmp_path / "sample.npz")
        assert not (tmp_path / "sample.npz").exists()


@pytest.mark.full_mnist
class TestTheFullSet:
    @pytest.fixture
    def full(self, full_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> data.Digits:
        monkeypatch.setenv("BNVIZ_DATA_DIR", str(full_mnist))
        return data.load()

    def test_has_60_000_training_and_10_000_test_digits(self, full: data.Digits) -> None:
        assert (full.name, full.notice) == ("MNIST", "")
        assert full.train_images.shape == (60_000, 784)
        assert full.test_images.shape == (10_000, 784)
        assert len(full.train_labels) == 60_000
        assert len(full.test_labels) == 10_000
        status = data.status()
        assert (status.in_use, status.train_count, status.test_count) == ("MNIST", 60_000, 10_000)

    def test_begins_with_the_digits_of_the_sample(
        self, full: data.Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BNVIZ_DATA_DIR", str(tmp_path / "empty"))
        sample = data.load()
        assert sample.name == "MNIST sample"
        np.testing.assert_array_equal(sample.train_images, full.train_images[:10_000])
        np.testing.assert_array_equal(sample.train_labels, full.train_labels[:10_000])
        np.testing.assert_array_equal(sample.test_images, full.test_images[:2_000])
        np.testing.assert_array_equal(sample.test_labels, full.test_labels[:2_000])
