"""A chat completion: what an OpenAI-compatible endpoint answers, and the Response in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmrank.errors import TransientError
from llmrank.types import Response, Usage


def read_completion(
    body: Mapping[str, Any], labels: Sequence[str] = (), label_ids: Sequence[int] = (), *, seconds: float = 0.0
) -> Response:
    """Return the Response in a chat completion.

    No content is an empty text: the model did answer, with nothing. A refusal's words are the text, with the finish
    reason `refusal`. Raises TransientError when there is no choice, or no message in it.
    """
    error = body.get("error")
    choices = body.get("choices")
    if error or not isinstance(choices, list) or not choices:
        detail = error.get("message") if isinstance(error, dict) else error
        raise unreadable(f"the endpoint returned no choice{f': {str(detail)[:300]}' if detail else ''}")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise unreadable("the endpoint returned a choice without a message")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if content is not None and not isinstance(content, str):
        raise unreadable(f"the endpoint returned content that is no text ({type(content).__name__})")
    refusal = message.get("refusal")
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    return Response(
        text=content or (refusal if isinstance(refusal, str) else ""),
        finish_reason="refusal" if refusal and not content else str(choice.get("finish_reason") or "unknown"),
        usage=_usage(body.get("usage")),
        label_logprobs=_label_logprobs(choice.get("logprobs"), labels, label_ids) if labels else None,
        reasoning=reasoning if isinstance(reasoning, str) else "",
        seconds=seconds,
    )


def _usage(usage: Any) -> Usage:  # noqa: ANN401 - whatever the endpoint sent
    def number(value: Any, *path: str) -> int:  # noqa: ANN401
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, int) else 0

    return Usage(
        number(usage, "prompt_tokens"),
        number(usage, "prompt_tokens_details", "cached_tokens"),
        number(usage, "completion_tokens"),
        number(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def _label_logprobs(
    logprobs: Any,  # noqa: ANN401
    labels: Sequence[str],
    label_ids: Sequence[int],
) -> dict[str, float] | None:
    """Return the log-probability of each label at the first token: by id where ids were asked for; else by text, where
    the forms of a label with and without a space are added up. None if the endpoint returned none at all."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or not content:
        return None
    first = content[0]
    entries = first.get("top_logprobs") if isinstance(first, dict) else None
    pairs: list[tuple[str, float]] = [
        (str(entry["token"]), float(entry["logprob"]))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and "token" in entry and isinstance(entry.get("logprob"), int | float)
    ]
    if label_ids:
        by_id = dict(pairs)
        named = zip(labels, label_ids, strict=True)
        return {label: by_id[token] for label, number in named if (token := f"token_id:{number}") in by_id}
    found: dict[str, float] = {}
    for token, logprob in pairs:
        if (label := token.strip()) in labels:
            found[label] = _log_sum(found.get(label, -math.inf), logprob)
    return found


def _log_sum(one: float, other: float) -> float:
    """Return log(exp(one) + exp(other))."""
    high, low = max(one, other), min(one, other)
    return high + math.log1p(math.exp(low - high)) if low > -math.inf else high


def cut_at(response: Response, stops: Sequence[str]) -> Response:
    """Return the Response as it would be if the endpoint had stopped at the first of the `stops`."""
    end = min((place for stop in stops if (place := response.text.find(stop)) >= 0), default=None)
    return response if end is None else replace(response, text=response.text[:end], finish_reason="stop")


def unreadable(message: str) -> TransientError:
    """Return the fault of an answer that is none."""
    return TransientError(message, kind="unreadable")
