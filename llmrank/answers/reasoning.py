"""The reasoning that a model writes before its answer."""

from __future__ import annotations

import re

_TAG = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_ANSWER = re.compile(r"<answer>", re.IGNORECASE)
_ANSWER_END = re.compile(r"</answer>", re.IGNORECASE)


def without_reasoning(text: str) -> str | None:
    """Return the answer alone: what follows the last `</think>`, inside `<answer>` where there is one.

    None when the reasoning never ends, so that there is no answer. A template may have opened the reasoning already:
    then the text begins inside it, and only the closing tag is seen.
    """
    parts: list[str] = []
    depth, start = 0, 0
    for tag in _TAG.finditer(text):
        if not tag[1]:
            if depth == 0:
                parts.append(text[start : tag.start()])
            depth += 1
        elif depth == 0:  # opened by the template
            parts.clear()
            start = tag.end()
        else:
            depth -= 1
            start = tag.end()
    if depth == 0:
        parts.append(text[start:])
    answer = "".join(parts)
    if depth and not answer.strip():
        return None
    for opening in _ANSWER.finditer(answer):
        start = opening.end()
        end = _ANSWER_END.search(answer, start)
        if (inside := answer[start : end.start() if end else None]).strip():
            return inside
    return answer
