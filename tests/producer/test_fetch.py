"""CONUS-412 from a web server on this machine that serves the real archive, unpacked."""

import functools
import http.server
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vadose.common import InputError, file_sha256, silent
from vadose.producer.fetch import Item, conus412_files, fetch_files


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and remembers what was asked for."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def unpacked(vadose_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    with tarfile.open(vadose_data / "conus412" / "hydrodl_CONUSv4f1_csv.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    return folder / "data"


@pytest.fixture
def server(unpacked: Path) -> Iterator[str]:
    Quiet.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(unpacked))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()
        thread.join()


def test_registry_lists_every_table_of_the_archive(unpacked: Path) -> None:
    files = {path.relative_to(unpacked).as_posix(): path for path in unpacked.rglob("*.csv")}
    items = {item.name: item for item in conus412_files()}
    assert items.keys() == files.keys()
    assert all(item.bytes == files[name].stat().st_size for name, item in items.items())
    assert all(item.sha256 == file_sha256(files[name]) for name, item in items.items())


def test_all_files_come_with_their_hashes_and_are_not_fetched_twice(server: str, tmp_path: Path) -> None:
    items = conus412_files()
    assert fetch_files(items, server, tmp_path, progress=silent) == (42, 0)
    assert all(file_sha256(tmp_path / item.name) == item.sha256 for item in items)
    Quiet.asked.clear()
    assert fetch_files(items, server, tmp_path, progress=silent) == (0, 42)
    assert Quiet.asked == []


def test_only_what_is_lacking_or_changed_is_fetched(server: str, tmp_path: Path) -> None:
    items = conus412_files()[-14:]
    fetch_files(items, server, tmp_path, progress=silent)
    (tmp_path / items[3].name).unlink()
    damaged = tmp_path / items[5].name
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"9")
    assert fetch_files(items, server, tmp_path, progress=silent) == (2, 12)
    assert all(item.is_there(tmp_path) for item in items)


def test_force_fetches_again(server: str, tmp_path: Path) -> None:
    items = conus412_files()[-3:]
    fetch_files(items, server, tmp_path, progress=silent)
    assert fetch_files(items, server, tmp_path, force=True, progress=silent) == (3, 0)


def test_a_wrong_hash_is_refused_and_leaves_no_file(server: str, tmp_path: Path) -> None:
    good = conus412_files()[-1]
    with pytest.raises(InputError, match=r"another SHA-256.*crd\.csv.*expected 0000"):
        fetch_files([Item(good.name, "0" * 64, good.bytes)], server, tmp_path, progress=silent)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_missing_file_is_named_with_its_address(server: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the server answers 404.*CONUSv4f1/none\.csv.*--base-url"):
        fetch_files([Item("CONUSv4f1/none.csv", "0" * 64, 1)], server, tmp_path, progress=silent)


def test_no_server_is_a_readable_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be reached: ConnectionError.*files that have come are kept"):
        fetch_files(conus412_files()[:1], "http://127.0.0.1:9/", tmp_path, progress=silent)


def test_a_folder_that_cannot_be_written_is_a_readable_error(server: str, tmp_path: Path) -> None:
    (tmp_path / "CONUSv4f1").write_text("a file in the way")
    with pytest.raises(InputError, match="cannot write"):
        fetch_files(conus412_files()[-1:], server, tmp_path, progress=silent)
