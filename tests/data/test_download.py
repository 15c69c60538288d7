"""Downloads against a server of our own on the loopback interface."""

import errno
import hashlib
import http.server
import threading
from dataclasses import replace

import pooch
import pytest

from alphaxenas.data import download as module
from alphaxenas.data.download import DataError, RemoteFile, download

CONTENT = bytes(range(256)) * 4_000


class Publisher(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; the server's attributes say how it misbehaves."""

    def do_GET(self):
        server = self.server
        server.requests += 1
        if server.status:
            self.send_error(server.status)
            return
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        self.send_response(200)
        body = server.content
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut] if server.requests <= server.cut_requests else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    server.content, server.requests = CONTENT, 0
    server.status, server.redirect = 0, ""
    server.cut, server.cut_requests = 300_000, 0
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def file(server):
    url = f"http://127.0.0.1:{server.server_port}/images.bin"
    return RemoteFile("images.bin", url, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


plain_http = pooch.HTTPDownloader(timeout=10, chunk_size=100_000)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_published_bytes_arrive_and_nothing_else(file, tmp_path):
    path = download(file, tmp_path / "new", plain_http)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["images.bin"]


def test_a_whole_file_already_there_is_not_fetched(file, server, tmp_path):
    (tmp_path / "images.bin").write_bytes(CONTENT)
    assert download(file, tmp_path, plain_http).read_bytes() == CONTENT
    assert server.requests == 0


def test_a_whole_file_is_used_where_nothing_can_be_locked(file, tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    (tmp_path / "images.bin").write_bytes(CONTENT)
    monkeypatch.setattr(module.fcntl, "flock", no_locks)
    assert download(file, tmp_path, plain_http).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT[:-1] + b"!", CONTENT + b"!"])
def test_a_truncated_or_replaced_file_is_fetched_again(file, server, tmp_path, content):
    (tmp_path / "images.bin").write_bytes(content)
    assert download(file, tmp_path, plain_http).read_bytes() == CONTENT
    assert server.requests == 1 and names(tmp_path) == ["images.bin"]


def test_a_damaged_file_that_cannot_be_fetched_again_is_named(file, server, tmp_path):
    (tmp_path / "images.bin").write_bytes(CONTENT[:-1] + b"!")
    server.status = 404
    with pytest.raises(
        DataError, match=rf"images\.bin is damaged. Expected SHA-256 {file.sha256}. Received: .*put the"
    ):
        download(file, tmp_path, plain_http)


def test_a_cut_connection_is_tried_again(file, server, tmp_path):
    server.cut_requests = 2
    assert download(file, tmp_path, plain_http).read_bytes() == CONTENT
    assert server.requests == 3


@pytest.mark.parametrize("leftover", [b"foreign" * 100, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)])
def test_what_an_interrupted_process_left_is_discarded(file, tmp_path, leftover):
    (tmp_path / "images.bin.part").write_bytes(leftover)
    assert download(file, tmp_path, plain_http).read_bytes() == CONTENT
    assert names(tmp_path) == ["images.bin"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT[:-1] + b"!", f"Expected SHA-256 {hashlib.sha256(CONTENT).hexdigest()}. Received: [0-9a-f]{{64}}"),
        (CONTENT[:-1], "Expected 1,024,000 bytes. Received: 1,023,999"),
        (CONTENT + b"!", "Expected 1,024,000 bytes. Received more"),
    ],
)
def test_other_bytes_than_published_leave_no_file(file, server, tmp_path, content, message):
    server.content = content
    with pytest.raises(DataError, match=message):
        download(file, tmp_path, plain_http)
    assert names(tmp_path) == []


def test_a_connection_that_always_breaks_leaves_no_file_and_names_the_way_out(file, server, tmp_path):
    server.cut_requests = 99
    with pytest.raises(DataError, match=r"images\.bin: .*300000 bytes read.*put the file at"):
        download(file, tmp_path, plain_http)
    assert names(tmp_path) == [] and server.requests == module.ATTEMPTS


def test_a_missing_page_is_not_tried_again(file, server, tmp_path):
    server.status = 404
    with pytest.raises(DataError, match="404 .* for url"):
        download(file, tmp_path, plain_http)
    assert server.requests == 1


def test_a_busy_server_is_tried_again(file, server, tmp_path):
    server.status = 503
    with pytest.raises(DataError, match="503 .* for url"):
        download(file, tmp_path, plain_http)
    assert server.requests == module.ATTEMPTS


def test_an_unreachable_server_names_the_address_and_the_way_out(file, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/.*put the file at .*images\.bin"):
        download(replace(file, url="http://127.0.0.1:9/images.bin"), tmp_path, plain_http)


def test_addresses_without_encryption_are_refused(file, server, tmp_path):
    with pytest.raises(ValueError, match="https"):
        download(file, tmp_path)
    assert server.requests == 0


def test_no_redirect_leads_away_from_https(file, server, tmp_path):
    server.redirect = f"http://127.0.0.1:{server.server_port}/other.bin"
    with pytest.raises(DataError, match=r"redirect to http://.*/other\.bin, which is not https"):
        download(file, tmp_path, module.https_only())
    assert server.requests == module.ATTEMPTS  # one each, none to the second address
    assert names(tmp_path) == []


def test_a_disk_too_small_is_noticed_before_anything_is_fetched(file, server, tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000}))
    with pytest.raises(OSError, match=r"No space left.*1,024,000 bytes are needed and 1,000 are free"):
        download(file, tmp_path, plain_http)
    assert server.requests == 0


def test_a_disk_full_in_the_middle_gives_its_space_back(file, tmp_path):
    def full_disk(url, stream, _):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as raised:
        download(file, tmp_path, full_disk)
    assert raised.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


def test_two_that_want_the_same_file_fetch_it_once(file, server, tmp_path):
    threads = [threading.Thread(target=download, args=(file, tmp_path, plain_http)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "images.bin").read_bytes() == CONTENT
    assert server.requests == 1
