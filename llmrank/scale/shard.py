"""A shard: part i of n of a job, for schedulers that start the same command n times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Self

from llmrank.errors import InputError


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number`, from 1, of `count`."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a shard such as `2/4`. Raises InputError for anything else."""
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip(), re.ASCII)
        if match is None:
            hint = "for example 2/4: the second of four"
            raise InputError(f"expected i/n, got {text!r}", field="shard", hint=hint)
        number, count = int(match[1]), int(match[2])
        if not 1 <= number <= count:
            hint = f"use 1/{count} to {count}/{count}" if count else "use at least one shard: 1/1"
            raise InputError(f"there is no shard {number} of {count}", field="shard", hint=hint)
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, user_id: str) -> bool:
        """Return whether the user is in this shard; every user is in exactly one.

        Shards use a hash of the id rather than the row number, so that a user stays in the shard whose Store has their
        answers even if the file is rewritten in another order. Shard sizes differ by about the square root of their
        size.
        """
        return int.from_bytes(blake2b(user_id.encode(), digest_size=8).digest()) % self.count == self.number - 1

    def rename(self, path: Path) -> Path:
        """Return the file name for this shard: `out.parquet` becomes `out.02-of-16.parquet`."""
        suffix = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
        number = str(self.number).zfill(len(str(self.count)))
        return path.with_name(f"{path.name.removesuffix(suffix)}.{number}-of-{self.count}{suffix}")
