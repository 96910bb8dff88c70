"""Answers that decline to answer."""

from __future__ import annotations

import re

from llmrank.types import Response

_REFUSAL = re.compile(
    r"\b(?:i(?:['’]m| am) (?:sorry|unable|not able|afraid)|i (?:can(?:['’]t|not| not)|could(?:n['’]t| not)|won['’]t)"
    r"|(?:sorry|apologi[sz]e|unfortunately|apologies)\b[^.\n]{0,80}"
    r"\b(?:can(?:['’]t|not)|unable|not able|do not|don['’]t)"
    r"|as an? (?:ai|artificial|large language|language model)|it is (?:not possible|impossible) (?:for me )?to"
    r"|not enough information|without more information)\b",
    re.IGNORECASE,
)


def is_refusal(response: Response, text: str) -> bool:
    """Return whether the endpoint or the opening of the text (its first 400 characters) declines to answer."""
    return response.finish_reason in ("refusal", "content_filter") or _REFUSAL.search(text[:400]) is not None
