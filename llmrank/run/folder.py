"""The Run folder: settings, one line per Case as it ends, and the numbers. The same command again continues it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrank.errors import InputError, differences
from llmrank.files import append_line, cannot_write, claim, json_bytes, write_json, write_whole
from llmrank.run.record import CaseRecord

MANIFEST, CASES, METRICS = "manifest.json", "cases.jsonl", "metrics.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """How a Run was made and where its answers lie. It is no part of what is compared: a Run goes on with a Store, or
    data, that has moved."""

    verb: str
    """`eval` or `score`."""
    options: Mapping[str, Any]
    """All that is needed to make the same Cases and the same Requests again; plain values, for JSON."""
    store: Path | None = None
    """The Store that answers go into; None where nobody is asked."""


def read_manifest(run: Path) -> dict[str, Any]:
    """Return the manifest of a Run folder: `settings`, which are compared when the Run is continued, `origin` (the verb
    and its options), `stores` (every one that answers went into, the latest first) and `sessions`.

    Raises InputError where there is none, or one that cannot be read.
    """
    path = run / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        manifest["settings"].keys()
    except FileNotFoundError as error:
        raise InputError("this is no Run folder", path=run, hint="name a folder that --out named") from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, hint="check the file's permissions") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "choose another --out: what was answered is in the Store, and is not asked again"
        raise InputError("this is no manifest of llmrank, or a damaged one", path=path, hint=hint) from error
    nothing: dict[str, Any] = {"origin": {}, "stores": [], "sessions": []}
    return manifest | {name: manifest.get(name, none) for name, none in nothing.items()}


def read_records(run: Path) -> dict[str, CaseRecord]:
    """Return the records of a Run by user; of a Case done twice, the last. A last line that a kill cut is left out.

    Raises InputError for a line that is no record.
    """
    path = run / CASES
    with path.open("rb") as file:
        return _records(file, path)[0]


class RunFolder:
    """An open Run. Close it (or use it as a context manager) to let another process have it."""

    def __init__(self, path: Path, settings: Mapping[str, Any], origin: Origin | None = None) -> None:
        """Create the folder, or continue the Run in it.

        Raises InputError when the folder holds a Run with other settings (naming each difference), when another
        process has it open, or when it cannot be read or written.
        """
        self.path = path
        self.settings = json.loads(json.dumps(settings))
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lines = (path / CASES).open("ab", buffering=0)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            self._claim()
            self._begin(origin)
            self.records = self._read_records()
        except BaseException:  # raised again: whatever it is, the file must not stay claimed
            self._lines.close()
            raise

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._lines.close()

    def _claim(self) -> None:
        # `replace` of another process may have put a new file under the name since it was opened.
        if not claim(self._lines, self.path / CASES):
            raise InputError(
                "another process is working on this Run", path=self.path, hint="wait for it, or choose another --out"
            )

    def _begin(self, origin: Origin | None) -> None:
        """Write the manifest, or compare with the one that is there and note what has moved since."""
        known = (self.path / MANIFEST).exists()
        before = read_manifest(self.path) if known else {"settings": self.settings}
        if found := differences(before["settings"], self.settings):
            raise InputError(
                "this folder holds a Run with other settings:\n    " + "\n    ".join(found),
                path=self.path,
                hint="choose another --out, or repeat the settings of before to continue that Run",
            )
        manifest = before | {"settings": self.settings}
        if origin is not None:
            manifest["origin"] = json.loads(json.dumps({"verb": origin.verb, "options": origin.options}))
            if origin.store is not None:
                store = self._shortest(origin.store)
                manifest["stores"] = [store, *(other for other in manifest.get("stores", ()) if other != store)]
        if not known or manifest != before:
            write_json(self.path / MANIFEST, manifest)

    def _shortest(self, store: Path) -> str:
        """Return a Store's path: relative inside the Run, so that both can be moved together."""
        here, there = self.path.resolve(), store.resolve()
        return str(there.relative_to(here) if there.is_relative_to(here) else there)

    def _read_records(self) -> dict[str, CaseRecord]:
        """Return the records by user; a last line that a kill cut short is dropped from the file."""
        path = self.path / CASES
        with path.open("rb") as file:
            records, complete = _records(file, path)
        self._lines.truncate(complete)
        return records

    def wants(self, user_id: str) -> bool:
        """Return whether the Case is still to be done: not yet ranked, or with a call that got no answer."""
        record = self.records.get(user_id)
        return record is None or record.failed

    def add(self, record: CaseRecord) -> None:
        """Append one Case; it is in the file when this returns. Raises InputError where the disk refuses it."""
        append_line(self._lines, json_bytes(record.to_json() + "\n"), self.path / CASES)
        self.records[record.user_id] = record

    def replace(self, records: Mapping[str, CaseRecord]) -> Path:
        """Put other records in the place of those there are; return the file in which the old ones are kept.

        The file of records changes whole or not at all. Raises InputError where it cannot be written.
        """
        path = self.path / CASES
        kept = self._keep(CASES)
        self._keep(METRICS)
        write_whole(path, b"".join(json_bytes(record.to_json() + "\n") for record in records.values()))
        self._lines.close()
        self._lines = path.open("ab", buffering=0)
        self._claim()
        self.records = dict(records)
        return kept

    def _keep(self, name: str) -> Path:
        """Give a file a second name, `NAME.before`, or the next one that is free: what was kept before stays."""
        kept = self.path / f"{name}.before"
        number = 2
        while kept.exists():
            kept, number = self.path / f"{name}.before-{number}", number + 1
        if (self.path / name).exists():
            try:
                kept.hardlink_to(self.path / name)
            except OSError as error:
                raise cannot_write(kept, error) from error
        return kept

    def finish(self, metrics: Mapping[str, Any], session: Mapping[str, Any]) -> None:
        """Write the numbers, and note in the manifest when and how this session worked."""
        write_json(self.path / METRICS, metrics)
        self.note(session)

    def note(self, session: Mapping[str, Any]) -> None:
        """Note in the manifest when and how this session worked, and what it spent; also of one that was stopped."""
        manifest = read_manifest(self.path)
        write_json(self.path / MANIFEST, manifest | {"sessions": [*manifest["sessions"], session]})


def _records(lines: Iterable[bytes], path: Path) -> tuple[dict[str, CaseRecord], int]:
    """Return the records by user, and how many bytes their complete lines take."""
    records: dict[str, CaseRecord] = {}
    complete = 0
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break
        try:
            record = CaseRecord.from_json(line.decode())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"this line is no record of a Case: {error!r:.80}",
                path=path,
                line=number,
                hint="delete the line: the same command asks for that Case again, from the Store where it can",
            ) from error
        records[record.user_id] = record
        complete += len(line)
    return records, complete
