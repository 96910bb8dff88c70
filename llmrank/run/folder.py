"""The Run folder: settings, one line per Case as it ends, and the numbers. The same command again continues it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from llmrank.errors import InputError
from llmrank.run.record import CaseRecord
from llmrank.types import Outcome

MANIFEST, CASES, METRICS = "manifest.json", "cases.jsonl", "metrics.json"


class RunFolder:
    """An open Run. Close it (or use it as a context manager) to let another process have it."""

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        """Create the folder, or continue the Run in it.

        Raises InputError when the folder holds a Run with other settings (naming each difference), or when another
        process has it open.
        """
        self.path = path
        self.settings = json.loads(json.dumps(settings))
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._check_settings()
            self._lines: IO[bytes] = (path / CASES).open("ab+")
        except OSError as error:
            raise InputError(f"cannot write here: {error.strerror}", path=path, mend="choose another --out") from error
        try:
            fcntl.flock(self._lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lines.close()
            raise InputError(
                "another process is working on this Run", path=path, mend="wait for it, or choose another --out"
            ) from error
        self.records = self._read_records()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._lines.close()

    def _check_settings(self) -> None:
        path = self.path / MANIFEST
        if not path.exists():
            write_json(path, {"settings": self.settings})
            return
        before = json.loads(path.read_text(encoding="utf-8"))["settings"]
        if before != self.settings:
            keys = sorted(before.keys() | self.settings.keys())
            differences = [
                f"{key}: was {before.get(key)!r:.80}, now {self.settings.get(key)!r:.80}"
                for key in keys
                if before.get(key) != self.settings.get(key)
            ]
            raise InputError(
                "this folder holds a Run with other settings:\n    " + "\n    ".join(differences),
                path=self.path,
                mend="choose another --out, or repeat the settings of before to continue that Run",
            )

    def _read_records(self) -> dict[str, CaseRecord]:
        """Return the records by user; a last line that a kill cut short is dropped from the file."""
        records: dict[str, CaseRecord] = {}
        self._lines.seek(0)
        complete = 0
        while line := self._lines.readline():
            if not line.endswith(b"\n"):
                break
            record = CaseRecord.from_json(line.decode())
            records[record.user_id] = record
            complete = self._lines.tell()
        self._lines.truncate(complete)
        return records

    def wants(self, user_id: str) -> bool:
        """Return whether the Case is still to be done: not yet ranked, or failed when it was tried."""
        record = self.records.get(user_id)
        return record is None or record.ranking.outcome is Outcome.ERROR

    def add(self, record: CaseRecord) -> None:
        """Append one Case; it is in the file when this returns."""
        self._lines.write(record.to_json().encode() + b"\n")
        self._lines.flush()
        self.records[record.user_id] = record

    def finish(self, metrics: Mapping[str, Any], session: Mapping[str, Any]) -> None:
        """Write the numbers, and note in the manifest when and how this session worked."""
        write_json(self.path / METRICS, metrics)
        self.note(session)

    def note(self, session: Mapping[str, Any]) -> None:
        """Note in the manifest when and how this session worked, and what it spent; also of one that was stopped."""
        manifest = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
        manifest["sessions"] = [*manifest.get("sessions", []), session]
        write_json(self.path / MANIFEST, manifest)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole or not at all."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(path)
