"""Downloads against a server of our own on the loopback interface."""

import errno
import hashlib
import http.server
import threading
import urllib.request
from dataclasses import replace

import pytest

from alphaxenas.data import download as module
from alphaxenas.data.download import DataError, RemoteFile, download

CONTENT = bytes(range(256)) * 4_000


class Publisher(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; the server's attributes say how it misbehaves."""

    def do_GET(self):
        server, start = self.server, 0
        server.requests.append(self.headers.get("Range"))
        if server.status:
            self.send_error(server.status)
            return
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        if self.headers.get("Range") and server.ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        else:
            self.send_response(200)
        body = server.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut] if len(server.requests) <= server.cut_requests else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    server.content, server.requests = CONTENT, []
    server.ranges, server.status, server.redirect = True, 0, ""
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


def plain_http(request):
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_published_bytes_arrive_and_nothing_else(file, tmp_path):
    path = download(file, tmp_path / "new", plain_http)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["images.bin"]


def test_a_file_already_there_is_not_fetched(file, server, tmp_path):
    (tmp_path / "images.bin").write_bytes(b"here")
    assert download(file, tmp_path, plain_http).read_bytes() == b"here"
    assert server.requests == []


def test_a_cut_connection_is_continued_where_it_ended(file, server, tmp_path):
    server.cut_requests = 2
    assert download(file, tmp_path, plain_http).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=300000-", "bytes=600000-"]


def test_a_download_interrupted_by_the_end_of_the_process_continues(file, server, tmp_path):
    (tmp_path / "images.bin.part").write_bytes(CONTENT[:1_000])
    assert download(file, tmp_path, plain_http).read_bytes() == CONTENT
    assert server.requests == ["bytes=1000-"]


def test_a_server_without_ranges_starts_afresh(file, server, tmp_path):
    server.ranges = False
    (tmp_path / "images.bin.part").write_bytes(b"x" * 1_000)
    assert download(file, tmp_path, plain_http).read_bytes() == CONTENT


@pytest.mark.parametrize("leftover", [b"foreign" * 100, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)])
def test_a_foreign_leftover_is_discarded(file, tmp_path, leftover):
    (tmp_path / "images.bin.part").write_bytes(leftover)
    assert download(file, tmp_path, plain_http).read_bytes() == CONTENT
    assert names(tmp_path) == ["images.bin"]


@pytest.mark.parametrize(("content", "message"), [(CONTENT[:-1] + b"!", "SHA-256"), (CONTENT + b"!", "received more")])
def test_other_bytes_than_published_leave_no_file(file, server, tmp_path, content, message):
    server.content = content
    with pytest.raises(DataError, match=message):
        download(file, tmp_path, plain_http)
    assert names(tmp_path) == []


def test_a_connection_that_always_breaks_keeps_what_came_and_says_so(file, server, tmp_path):
    server.ranges, server.cut_requests = False, 99
    with pytest.raises(DataError, match=r"300,000 of 1,024,000 bytes are kept.*put the file at"):
        download(file, tmp_path, plain_http)
    assert names(tmp_path) == ["images.bin.part"]


def test_a_missing_page_is_not_tried_again(file, server, tmp_path):
    server.status = 404
    with pytest.raises(DataError, match="HTTP 404"):
        download(file, tmp_path, plain_http)
    assert len(server.requests) == 1


def test_a_busy_server_is_tried_again(file, server, tmp_path):
    server.status = 503
    with pytest.raises(DataError, match="HTTP 503"):
        download(file, tmp_path, plain_http)
    assert len(server.requests) == module.ATTEMPTS


def test_an_unreachable_server_names_the_address_and_the_way_out(file, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/.*put the file at .*images\.bin"):
        download(replace(file, url="http://127.0.0.1:9/images.bin"), tmp_path, plain_http)


def test_addresses_without_encryption_are_refused(file, server, tmp_path):
    with pytest.raises(ValueError, match="https"):
        download(file, tmp_path)
    assert server.requests == []


def test_the_https_connection_opens_nothing_else(file, server):
    with pytest.raises(urllib.error.URLError, match="unknown url type"):
        module._open_https(urllib.request.Request(file.url))
    assert server.requests == []


def test_a_disk_too_small_is_noticed_before_anything_is_fetched(file, server, tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000}))
    with pytest.raises(OSError, match=r"No space left.*1,024,000 bytes are needed and 1,000 are free"):
        download(file, tmp_path, plain_http)
    assert server.requests == []


def test_a_disk_full_in_the_middle_gives_its_space_back(file, tmp_path, monkeypatch):
    def full_disk(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.tqdm, "update", lambda self, _: full_disk(_))
    with pytest.raises(OSError, match="No space left") as raised:
        download(file, tmp_path, plain_http)
    assert raised.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


def test_two_that_want_the_same_file_fetch_it_once(file, server, tmp_path):
    threads = [threading.Thread(target=download, args=(file, tmp_path, plain_http)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "images.bin").read_bytes() == CONTENT
    assert len(server.requests) == 1
