"""A shard: the i-th of n equal parts of a job, for schedulers that start the same command n times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Self

from llmrank.errors import InputError


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of how many, counted from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that `2/4` names; raises InputError for anything else."""
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip(), re.ASCII)
        if match is None:
            raise InputError(f"{text!r} is not i/n", field="--shard", hint="write for example 2/4: the second of four")
        number, count = int(match[1]), int(match[2])
        if not 1 <= number <= count:
            hint = f"count from 1/{count} to {count}/{count}" if count else "divide into at least one: 1/1"
            raise InputError(f"there is no shard {number} of {count}", field="--shard", hint=hint)
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, user_id: str) -> bool:
        """Return whether the user is in this shard; every user is in exactly one.

        It goes by a hash of the id, not by the row's place: a file that was written again in another order leaves every
        user in the shard whose Store has that user's answers. Shards differ in size by about the root of their size.
        """
        return int.from_bytes(blake2b(user_id.encode(), digest_size=8).digest()) % self.count == self.number - 1

    def rename(self, path: Path) -> Path:
        """Return the name of this shard's part of the file: `out.parquet` becomes `out.02-of-16.parquet`."""
        suffix = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
        number = str(self.number).zfill(len(str(self.count)))
        return path.with_name(f"{path.name.removesuffix(suffix)}.{number}-of-{self.count}{suffix}")
