"""Archives of predictors: whole, as expected, and inside their folder, or not at all."""

import hashlib
import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chimera_router.errors import BundleError
from chimera_router.prediction import bundles, fetch, unpacking
from chimera_router.prediction.fetch import fetch as fetched

CONTENT = {"bundle.json": b"{}", "graphs/text.onnx": b"\x08" * 5000}


def archive(*members: tarfile.TarInfo, content: dict[str, bytes] | None = None, mode: str = "w:gz") -> bytes:
    """Return an archive of files, and of whatever else it is to hold."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in (CONTENT if content is None else content).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for member in members:
            tar.addfile(member)
    return raw.getvalue()


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def found(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "volume"
    made.mkdir()
    return made


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], str]]:
    """Return what serves bytes and returns their URL; others of its paths are not found."""
    served: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = served.get(self.path)
            self.send_response(200 if data is not None else 404)
            self.end_headers()
            self.wfile.write(data or b"canary")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

        def put(data: bytes) -> str:
            path = f"/{len(served)}.tar.gz"
            served[path] = data
            return f"http://127.0.0.1:{server.server_port}{path}"

        yield put
        server.shutdown()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_archive_is_unpacked_in_place_of_what_was_there(serve: Callable[[bytes], str], folder: Path) -> None:
    """After a restart of its container nothing of an earlier attempt is left."""
    (folder / "old").mkdir()
    (folder / "old" / "file").write_text("old")
    (folder / "link").symlink_to(folder / "old")
    packed = archive()

    fetched(serve(packed), sha256=sha256(packed), folder=folder)

    assert found(folder) == CONTENT
    assert {path.name for path in folder.iterdir()} == {"bundle.json", "graphs"}


def test_archive_with_another_digest_leaves_nothing(serve: Callable[[bytes], str], folder: Path) -> None:
    """What is not what was expected is not even unpacked."""
    with pytest.raises(BundleError, match="another sha256"):
        fetched(serve(archive()), sha256=sha256(b"another"), folder=folder)

    assert found(folder) == {}


def test_archive_larger_than_it_may_be_is_given_up(serve: Callable[[bytes], str], folder: Path) -> None:
    """It is not read to its end first."""
    packed = archive()

    with pytest.raises(BundleError, match="more than 100 bytes"):
        fetched(serve(packed), sha256=sha256(packed), folder=folder, most_bytes=100)

    assert found(folder) == {}


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("file:///etc/passwd", "must begin with https"),
        ("http://127.0.0.1:1/nobody.tar.gz", "URLError"),
        ("http://[::1/secret", "ValueError"),
    ],
    ids=["scheme", "nobody", "malformed"],
)
def test_address_that_leads_nowhere_is_refused_without_being_shown(url: str, rule: str, folder: Path) -> None:
    """The error names the rule; an address may hold a credential."""
    with pytest.raises(BundleError, match=rule) as refused:
        fetched(url, sha256="0" * 64, folder=folder)

    assert url not in str(refused.value)


def test_status_of_a_refusal_is_told_and_nothing_else_of_it(serve: Callable[[bytes], str], folder: Path) -> None:
    """A person can act on it: 403 and 404 are different faults."""
    with pytest.raises(BundleError) as refused:
        fetched(f"{serve(b'')}-gone", sha256="0" * 64, folder=folder)

    assert str(refused.value) == "the archive cannot be had (status 404)"


def test_answer_that_breaks_off_is_no_archive(folder: Path) -> None:
    """A server that hangs up leaves nothing behind."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(BundleError):
            fetched(f"http://127.0.0.1:{server.getsockname()[1]}/a", sha256="0" * 64, folder=folder)
        thread.join()

    assert found(folder) == {}


@pytest.mark.parametrize(
    "bad",
    [
        archive(content={"../escaped": b"x"}),
        archive(content={"good": b"x", "deep/../../escaped": b"x"}),
        archive(member("link", tarfile.SYMTYPE, "/etc/passwd")),
        archive(member("link", tarfile.LNKTYPE, "bundle.json")),
        archive(member("device", tarfile.CHRTYPE)),
        archive(member("pipe", tarfile.FIFOTYPE)),
        archive(mode="w"),
        archive()[:-100],
        b"no archive",
        b"",
    ],
    ids=["parent", "parent later", "symlink", "hard link", "device", "pipe", "not packed", "cut off", "text", "empty"],
)
def test_archive_that_is_not_files_in_a_folder_leaves_nothing(bad: bytes, folder: Path, tmp_path: Path) -> None:
    """Not in the folder, and not outside of it."""
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(bad)

    with pytest.raises(BundleError):
        unpacking.unpack(packed, folder)

    assert list(folder.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"a.tar.gz", "volume"}


def test_absolute_paths_are_taken_as_paths_inside(folder: Path, tmp_path: Path) -> None:
    """As tar itself does it."""
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(archive(content={"/bundle.json": b"{}"}))

    unpacking.unpack(packed, folder)

    assert found(folder) == {"bundle.json": b"{}"}


def test_what_unpacks_to_more_than_there_is_room_for_is_given_up(folder: Path, tmp_path: Path) -> None:
    """A small archive of many zeros, or of many files, is no way to fill a node's disk."""
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(archive(content={"zeros": bytes(100_000)}))
    assert packed.stat().st_size < 1000
    with pytest.raises(BundleError, match="more than 9999 bytes"):
        unpacking.unpack(packed, folder, most_bytes=9999)

    packed.write_bytes(archive(content={f"{n}": b"" for n in range(unpacking.MOST_FILES + 1)}))
    with pytest.raises(BundleError, match="more than 1000 files"):
        unpacking.unpack(packed, folder)

    assert list(folder.iterdir()) == []


def test_modes_of_an_archive_do_not_keep_the_picker_from_reading(folder: Path, tmp_path: Path) -> None:
    """Whoever packed it, and with whatever rights: the picker runs as somebody else."""
    info = tarfile.TarInfo("bundle.json")
    info.mode, info.uid, info.gid = 0o4000, 12345, 12345
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(archive(info, content={}))

    unpacking.unpack(packed, folder)

    status = (folder / "bundle.json").stat()
    assert status.st_mode & 0o600 == 0o600
    assert not status.st_mode & 0o7000
    assert status.st_uid == os.getuid()


def test_command_brings_the_bundle_that_a_picker_loads(serve: Callable[[bytes], str], folder: Path) -> None:
    """The bundle in the package, packed and fetched, is the same again; a wrong digest is one line and exit code 1."""
    shipped = Path(bundles.__path__[0]) / "default"
    packed = archive(content=found(shipped))
    command = [sys.executable, "-m", fetch.__name__, "--url", serve(packed), "--into", str(folder), "--sha256"]

    done = subprocess.run([*command, sha256(packed)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert found(folder) == found(shipped)

    done = subprocess.run([*command, sha256(b"")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "chimera-router fetch: the archive has another sha256 than is expected\n"
