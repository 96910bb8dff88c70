"""Messages as one text: to read, to compare, and to see what two prompts share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import unified_diff

from llmrank.types import Message


def transcript(messages: Sequence[Message]) -> str:
    """Return the messages as one text, each under its role."""
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)


def shared_prefix(one: Sequence[Message], other: Sequence[Message]) -> str:
    """Return the longest text with which both transcripts begin: what a prefix cache can share."""
    first, second = transcript(one), transcript(other)
    length = next((place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    return first[: min(len(first), len(second)) if length is None else length]


def difference(before: Sequence[Message], after: Sequence[Message], names: tuple[str, str]) -> Iterator[str]:
    """Yield the unified diff of two transcripts, line by line; nothing where they are equal."""
    return unified_diff(transcript(before).split("\n"), transcript(after).split("\n"), *names, n=1, lineterm="")
