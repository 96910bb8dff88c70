"""The Run folder: the settings, the Cases, one record per finished Case, and the metrics.

It is self-contained: it can be shown, measured and compared without the data set, the Store or a model. Repeating the
command that made it continues it. Only the owner can read its files, since answers may quote a user's history.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from llmrank.data.candidate_writing import write_cases
from llmrank.data.candidates import read_cases
from llmrank.errors import InputError, as_path, one_line, refuse_differences
from llmrank.files import (
    PRIVATE,
    append_line,
    cannot_write,
    check_place,
    claim,
    json_bytes,
    make_private,
    sha256_of,
    write_json,
    write_whole,
)
from llmrank.prices import Tariff
from llmrank.run.metrics import Metrics, MetricSettings
from llmrank.run.record import CaseRecord
from llmrank.types import Case, Closable

MANIFEST, CASES, RECORDS, METRICS = "manifest.json", "cases.parquet", "records.jsonl", "metrics.json"
EVALUATION = "evaluation.json"
"""How the metrics are computed: `MetricSettings`."""
FORMAT = 2
"""The version of the folder's format. Version 0.1.0 of llmrank wrote none."""
SHOTS = "shots.parquet"
"""The solved examples shown with each Case; written only if there are any."""
SHOT = "#shot-"
PRIVATE_FOLDER = 0o700
CASES_SHA256 = "cases_sha256"
"""Key of the manifest: the hash of the Cases' candidates and recall scores."""
FILES = "files"
"""Key of the manifest: the hash of each file that the Run has written whole."""
COMPLETE = "name a complete Run folder"
REPEAT = "repeat the command that made the Run; it writes the file again"
DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""The exceptions that reading a damaged file raises."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """How a Run was made and where its answers are.

    It is not compared when a Run is continued, so the Store and the data may move.
    """

    verb: str
    """`eval` or `score`."""
    options: Mapping[str, Any]
    """The options needed to recreate the same Cases and Requests, as JSON values."""
    store: Path | None = None
    """The Store that receives the answers; None if no model is called."""


def read_part(path: Path, parse: Callable[[dict[str, Any]], T], hint: str, missing: str = COMPLETE) -> T:
    """Read and parse a JSON file of a Run.

    Raises InputError with the hint `missing` if the file cannot be read, and with `hint` if it is damaged.
    """
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, hint=missing) from error
    except DAMAGE as error:
        raise InputError(f"damaged, or of another version: {_describe(error)}", path=path, hint=hint) from error


def read_manifest(run: Path) -> dict[str, Any]:
    """Return the manifest of a Run folder.

    Its keys are `settings` (compared when the Run is continued), `origin` (the verb and its options), `stores` (every
    Store that received answers, latest first), `sessions`, `files` (the hashes of the files), and from the first ranked
    Case on `cases_sha256`.

    Raises InputError if there is no manifest, if it cannot be read, or if the Run has another format.
    """

    def parse(content: dict[str, Any]) -> dict[str, Any]:
        absent: dict[str, Any] = {"format": 1, "origin": {}, "stores": [], "sessions": [], FILES: {}}
        manifest = absent | content | {"settings": dict(content["settings"])}
        if wrong := [name for name, value in absent.items() if not isinstance(manifest[name], type(value))]:
            raise TypeError(f"{wrong[0]} is of another type")
        return manifest

    if not (run / MANIFEST).exists():
        hint = "name the folder that `llmrank eval` prints last: --out, or one under results/"
        raise InputError("not a Run folder", path=run, hint=hint)
    repeat = "choose another --out; stored answers are not billed again"
    manifest = read_part(run / MANIFEST, parse, repeat)
    if manifest["format"] != FORMAT:
        made = "llmrank 0.1.0" if manifest["format"] == 1 else "a newer llmrank"
        problem = f"this Run was made by {made}, in a format that this version cannot read"
        raise InputError(problem, path=run, hint=repeat)
    return manifest


def read_records(run: Path) -> dict[str, CaseRecord]:
    """Return the records of a Run by case id; if a Case was done twice, the later record.

    An incomplete last line, left by a killed process, is ignored. Raises InputError for any other invalid line.
    """
    return _read_lines(run / RECORDS)[0]


def again(name: str) -> str:
    """Return the hint for a file of a Run that the command that made it writes if it is missing."""
    return f"delete {name}; {REPEAT}"


def check_file(run: Path, name: str, hint: str) -> None:
    """Raise InputError if a file is not the one that the Run wrote: it was edited, or copied from another Run."""
    if read_manifest(run)[FILES].get(name, digest := sha256_of(run / name)) != digest:
        problem = "not the file that this Run wrote: it was edited, or is from another Run"
        raise InputError(problem, path=run / name, hint=hint)


def check_records(run: Path, records: Mapping[str, CaseRecord], cases: Iterable[Case]) -> None:
    """Raise InputError if a record is not about one of the Cases, or about other candidates: it is from another Run."""
    known = {case.case_id: case for case in cases}
    for case_id, record in records.items():
        if case_id not in known or {item.item_id for item in known[case_id].asked} != {*record.candidates}:
            problem = f"the record of Case {case_id!r} is not about the Cases in {CASES}, or about other candidates"
            hint = "delete its line, or copy both files from the same Run"
            raise InputError(problem, path=run / RECORDS, hint=hint)


def _is_whole(path: Path) -> bool:
    """Return whether this is a Parquet file with its last bytes: a truncated copy has none of its rows."""
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid):
        return False
    return True


def run_path(out: str | Path | None) -> Path | None:
    """Return `out` as a path, before minutes are spent on the data. Creates nothing.

    Raises InputError if no Run can be made or continued there.
    """
    if out is None:
        return None
    path = as_path(out, "out")
    if (path / MANIFEST).exists():
        read_manifest(path)
    else:
        check_place(path)
    return path


class RunFolder(Closable):
    """An open Run folder. Close it (or use it as a context manager) to release it for other processes."""

    def __init__(self, path: Path, settings: Mapping[str, Any], origin: Origin | None = None) -> None:
        """Create the folder, or continue the Run in it.

        Raises InputError if the folder holds a Run with other settings (the error lists the differences), if another
        process has it open, or if it cannot be read or written.
        """
        self.path = path
        self.settings = json.loads(json.dumps(settings))
        try:
            path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            self._lines = self._open()
        except OSError as error:
            raise cannot_write(path, error) from error
        with ExitStack() as unless_ready:
            unless_ready.enter_context(self._lines)
            self._claim()
            self._begin(origin)
            self.records, complete = _read_lines(path / RECORDS)
            self._lines.truncate(complete)  # drop an incomplete last line left by a killed process
            unless_ready.pop_all()

    def close(self) -> None:
        """Release the folder."""
        self._lines.close()

    def _open(self) -> io.FileIO:
        return io.FileIO(os.open(self.path / RECORDS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE), "ab")

    def _claim(self) -> None:
        # Another process's `replace` may have put a new file under this name since we opened it.
        if not claim(self._lines, self.path / RECORDS):
            hint = "wait for it, or choose another --out"
            raise InputError("another process is working on this Run", path=self.path, hint=hint)

    def _begin(self, origin: Origin | None) -> None:
        """Write the manifest, or compare with the existing one and update what has moved."""
        known = (self.path / MANIFEST).exists()
        if not known and (self.path / "cases.jsonl").exists():
            hint = "choose another --out"
            raise InputError("this folder holds the records of a Run of llmrank 0.1.0", path=self.path, hint=hint)
        new: dict[str, Any] = {"format": FORMAT, "settings": self.settings}
        before = read_manifest(self.path) if known else new
        hint = "choose another --out, or repeat the earlier settings to continue that Run"
        problem = "this folder holds a Run with other settings"
        refuse_differences(before["settings"], self.settings, problem, path=self.path, hint=hint)
        manifest = before | {"settings": self.settings}
        if origin is not None:
            manifest["origin"] = json.loads(json.dumps({"verb": origin.verb, "options": origin.options}))
            if origin.store is not None:
                # Relative if the Store is inside the Run, so that both can be moved together.
                here, store = self.path.resolve(), origin.store.resolve()
                name = str(store.relative_to(here) if store.is_relative_to(here) else store)
                manifest["stores"] = [name, *(other for other in manifest.get("stores", ()) if other != name)]
        if not known or manifest != before:
            write_json(self.path / MANIFEST, manifest)

    def keep_inputs(
        self,
        cases: Iterable[Case],
        settings: MetricSettings,
        shots: Mapping[str, Sequence[Case]] = MappingProxyType({}),
    ) -> tuple[tuple[Case, ...], MetricSettings]:
        """Write the Cases, their shots, and the baselines' training data, unless an earlier session did; return those
        of the Run. It keeps the Cases that it began with, even if the recall stage now proposes others.

        Call it before the first Case is ranked. Raises InputError if the files cannot be written or read, or if the
        records are about other Cases.
        """
        cases = tuple(cases)
        proposed = [(case.case_id, [item.item_id for item in case.asked], case.recall_scores) for case in cases]
        digest = hashlib.sha256(repr(proposed).encode("utf-8", "surrogatepass")).hexdigest()
        begun = (self.path / EVALUATION).exists() and _is_whole(self.path / CASES)
        if begun:
            for name in (CASES, EVALUATION):
                check_file(self.path, name, again(name))
        if begun and read_manifest(self.path).get(CASES_SHA256) != digest:
            cases = tuple(read_cases(self.path / CASES, truth="read", keep=True))
        check_records(self.path, self.records, cases)
        if begun:
            return cases, read_part(self.path / EVALUATION, MetricSettings.from_dict, again(EVALUATION))
        # An example's user differs from the user it is shown to, so the id names both.
        solved = [
            replace(shot, case_id=f"{case_id}{SHOT}{number}")
            for case_id, chosen in shots.items()
            for number, shot in enumerate(chosen)
        ]
        for name, content in ((CASES, cases), (SHOTS, solved)):
            if content or name == CASES:
                path = self.path / name
                try:
                    write_cases(path, content, overwrite=True)
                    make_private(path)
                except OSError as error:
                    raise cannot_write(path, error) from error
        # What is measured now and what a later reader measures again have the same baselines.
        kept = settings.for_cases(cases)
        write_json(self.path / EVALUATION, kept.to_dict())
        self._note(CASES, EVALUATION, **{CASES_SHA256: digest})
        return cases, kept

    def latest_tariff(self) -> Tariff | None:
        """Return the prices of the latest session with prices; None if no session had any."""

        def parse(content: dict[str, Any]) -> Tariff | None:
            given = [session["prices"] for session in content.get("sessions", ()) if "prices" in session]
            return Tariff.from_dict(given[-1]) if given else None

        moved = "was the folder moved or deleted meanwhile? The same command makes it again, from the stored answers"
        return read_part(self.path / MANIFEST, parse, "give the prices again", missing=moved)

    def wants(self, case_id: str) -> bool:
        """Return whether the Case is still to do: not yet ranked, or with a failed call."""
        record = self.records.get(case_id)
        return record is None or record.failed

    def add(self, record: CaseRecord) -> None:
        """Append one record; it is in the file when this returns. Raises InputError if it cannot be written."""
        append_line(self._lines, json_bytes(record.to_json() + "\n"), self.path / RECORDS)
        self.records[record.case_id] = record

    def replace(self, records: Mapping[str, CaseRecord]) -> Path:
        """Replace all records atomically; return the file that keeps the old ones.

        Raises InputError if the file cannot be written.
        """
        path = self.path / RECORDS
        kept = self._keep(RECORDS)
        self._keep(METRICS)
        write_whole(path, b"".join(json_bytes(record.to_json() + "\n") for record in records.values()))
        self._lines.close()
        self._lines = self._open()
        self._claim()
        self.records = dict(records)
        return kept

    def _keep(self, name: str) -> Path:
        """Keep a file under a second name: `NAME.before`, or the next free one, so that no earlier copy is lost."""
        names = chain([f"{name}.before"], (f"{name}.before-{number}" for number in count(2)))
        kept = next(path for path in (self.path / one for one in names) if not path.exists())
        if (self.path / name).exists():
            try:
                kept.hardlink_to(self.path / name)
            except OSError as error:
                raise cannot_write(kept, error) from error
        return kept

    def finish(self, metrics: Metrics, session: Mapping[str, Any]) -> None:
        """Write the metrics, and add this session to the manifest."""
        write_json(self.path / METRICS, metrics.to_dict())
        self.note(session, METRICS)

    def note(self, session: Mapping[str, Any], *files: str) -> None:
        """Add a session, finished or interrupted, to the manifest, and the hashes of the files that it wrote."""
        self._note(*files, sessions=[*read_manifest(self.path)["sessions"], session])

    def _note(self, *files: str, **more: Any) -> None:
        """Add the hashes of these files, and other keys, to the manifest."""
        manifest = read_manifest(self.path)
        hashes = manifest[FILES] | {name: sha256_of(self.path / name) for name in files}
        write_json(self.path / MANIFEST, manifest | {FILES: hashes} | more)


def files_of(path: Path) -> list[Path]:
    """Return the files that a Run folder consists of, whether or not they exist."""
    return [path / name for name in (MANIFEST, CASES, RECORDS, METRICS, EVALUATION, SHOTS)]


def _read_lines(path: Path) -> tuple[dict[str, CaseRecord], int]:
    """Return the records by case id, and the number of bytes in complete lines."""
    records: dict[str, CaseRecord] = {}
    number = complete = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):  # noqa: B007 - used by the error for an invalid line
                if line.endswith(b"\n"):
                    record = CaseRecord.from_json(line.decode())
                    records[record.case_id] = record
                    complete += len(line)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, hint=COMPLETE) from error
    except DAMAGE as error:
        hint = "delete the line; the same command then repeats that Case, with stored answers where possible"
        raise InputError(f"not a record of a Case: {_describe(error)}", path=path, line=number, hint=hint) from error
    return records, complete


def _describe(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}", 80)
