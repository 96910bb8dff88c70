"""Reads chat completions: what an OpenAI-compatible endpoint returned becomes a Response.

Nothing in it is trusted: anything that is not an answer raises, and invalid fields are dropped and counted.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from llmrank.errors import TransientError, one_line
from llmrank.types import Response, Usage

Kind = TypeVar("Kind")
Json = Any
"""A value of JSON."""

MAX_TOKENS, MAX_UNLISTED = 10_000_000, 300_000
"""Token counts above the first are invalid; no call uses as many. No model's reasoning has more than the second, so a
total that leaves more unexplained counts something else (all calls of the key, say)."""
MAX_LOGPROBS = 1000
"""How many of the most likely tokens are read."""
ROUNDING = 1e-3
"""Tolerance for log-probabilities above zero."""
MAX_PROBABILITY = 1.05
"""Maximum total probability of the most likely tokens, including rounding."""
_NAMES = {
    "length": "length max_tokens max_new_tokens max_output_tokens model_context_window_exceeded model_length "
    "token_limit",
    "content_filter": "content_filter content_filtered blocked blocklist guardrail_intervened prohibited_content "
    "recitation safety sensitive spii",
    "stop": "stop end_turn eos eos_token stop_sequence",
}
FINISH = {name: reason for reason, names in _NAMES.items() for name in names.split()}
"""Finish reasons by each of their known names, in lower case."""
INCOMPLETE = re.compile(
    "error|fail|abort|cancel|time_?d?_?out|interrupt|overload|unavailable|disconnect|insufficient|malformed"
)
"""Finish reasons of incomplete answers, whose text must not be used."""
EVENTS = re.compile(r"\s{0,9}(?:(?::|event:|id:|retry:)[^\r\n]*[\r\n]\s{0,9}){0,99}data:")
"""The start of a stream of server-sent events."""
DECODERS = (json.JSONDecoder(strict=False), json.JSONDecoder(strict=False, parse_int=float))
"""Decoders to try in turn; `json.loads` would make one for each answer. Not strict: a raw line break in a string is
invalid JSON, but unambiguous. The second allows for integers with thousands of digits, perhaps in a field that does not
matter."""


def at(value: object, kind: type[Kind], *path: str) -> Kind | None:
    """Return the JSON value at a path if it is of this type, else None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, kind) else None


def objects_at(value: object, *path: str) -> list[dict[str, Any]]:
    """Return the objects in the JSON list at a path."""
    return [one for one in at(value, list, *path) or () if isinstance(one, dict)]


def number_at(value: object, *path: str) -> float | None:
    """Return the JSON number at a path, else None; booleans are not numbers."""
    found = at(value, object, *path)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def json_value(text: str) -> Json:
    """Return the JSON value of a text; None if it is invalid or nested too deeply to parse."""
    for decoder in DECODERS:
        try:
            return decoder.decode(text)
        except (ValueError, RecursionError):
            continue
    return None


def joined_events(text: str) -> dict[str, Any] | None:
    """Return the completion in a stream of events, which some gateways send unasked; None if it is unfinished or
    malformed."""
    whole, finish, logprobs = dict[str, Any](), None, list[Any]()
    parts = {name: list[str]() for name in ("content", "reasoning_content", "reasoning", "refusal")}
    for line in re.split(r"\r\n|\n|\r", text):
        data = line.removeprefix("data:").strip()
        if data == line.strip() or data in ("", "[DONE]"):
            continue
        if not isinstance(event := json_value(data), dict):
            return None
        if event.get("error"):
            return event
        whole |= {name: value for name, value in event.items() if value is not None}
        if (choice := first_choice(event)) is None or choice.get("index") not in (0, "0", None):
            continue  # of another answer than the first, which comes in between
        delta = choice.get("delta", {} if _is_filtered(choice.get("finish_reason")) else None)
        if not isinstance(delta, dict) or not all(isinstance(delta.get(name), str | None) for name in parts):
            return None
        for name, part in parts.items():
            part.append(at(delta, str, name) or "")
        finish = choice.get("finish_reason") or finish
        logprobs += at(choice, list, "logprobs", "content") or ()
    if finish is None:
        return None
    message = {name: "".join(part) for name, part in parts.items()}
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": {"content": logprobs}}
    return whole | {"choices": [choice]}


def _is_filtered(reason: object) -> bool:
    """Return whether a finish reason is that of a content filter. Gemini says more: `content_filter: RECITATION`."""
    name = reason.lower().replace("-", "_").partition(":")[0] if isinstance(reason, str) else ""
    return FINISH.get(name) == "content_filter"


USUAL = frozenset(("id", "object", "created", "model", "usage"))
"""The fields of a chat completion that do not tell why it has no choice; some differ in every call."""
REASONS = ("message", "detail", "msg", "error_msg")
"""Where gateways put the reason for a failure, in a body that is neither an answer nor an OpenAI-style error."""


def read_completion(
    body: Mapping[str, Any],
    labels: Sequence[str] = (),
    label_ids: Sequence[int] = (),
    *,
    faults: Counter[str] | None = None,
) -> Response:
    """Return the Response in a chat completion.

    Missing content becomes an empty text: the model answered with nothing. A refusal becomes the text, with the finish
    reason `refusal`. `faults` counts invalid fields by name. Raises TransientError if there is no answer: an error
    instead of a choice or inside it, no choice, no message, or content that is not text.
    """
    faults = Counter() if faults is None else faults
    if error := body.get("error"):
        message = f"the endpoint returned an error instead of an answer: {error_message(error)}"
        raise TransientError(message, kind="5xx", charged=True)
    if (choice := first_choice(body)) is None:
        reason = next(filter(None, (at(body, str, name) for name in REASONS)), "") or _abridged(body)
        raise unreadable(f"the endpoint returned no choice: {one_line(reason)}")
    reason = choice.get("finish_reason")
    if reason is not None and not (isinstance(reason, str) and len(reason) <= 64):
        faults["finish_reason"] += 1
        reason = None
    known = (reason or "").lower().replace("-", "_")
    finish = "content_filter" if _is_filtered(reason) else FINISH.get(known) or one_line(reason or "unknown")
    if (error := choice.get("error")) or INCOMPLETE.search(known):
        raise no_answer(f"the endpoint failed during its answer: {error_message(error)}")
    if not (message := at(choice, dict, "message") or {}) and finish != "content_filter":
        raise no_answer("the endpoint returned a choice without a message")
    content, reasoning_parts, refused = message.get("content"), "", ""
    if isinstance(content, list):
        content, reasoning_parts, refused = _read_parts(content)
    if content is not None and not isinstance(content, str):
        raise no_answer(f"the endpoint returned content that is not text ({type(content).__name__})")
    refusal = _text(message.get("refusal"), "refusal", faults) or refused
    thought = message.get("reasoning_content") or message.get("reasoning")
    reasoning = _text(thought, "reasoning", faults) or reasoning_parts
    tokens = at(choice, list, "logprobs", "content") or ()
    tokens = _tokens_of_answer(tokens, content or "") if reasoning else tokens
    return Response(
        text=content or refusal,
        finish_reason="refusal" if refusal and not content else finish,
        usage=_usage(body.get("usage"), faults),
        label_logprobs=_label_logprobs(tokens, labels, label_ids, faults) if labels else None,
        reasoning=reasoning,
        model=one_line(_text(body.get("model"), "model", faults), 200),
        system_fingerprint=one_line(_text(body.get("system_fingerprint"), "system_fingerprint", faults), 200),
    )


def error_message(error: object) -> str:
    """Return the message of an error in a reply."""
    if isinstance(error, list):
        return error_message(error[0]) if error and not isinstance(error[0], list) else error_message(None)
    message = error.get("message") or error.get("code") if isinstance(error, dict) else error
    return one_line(str(message)) if isinstance(message, str | int) and message is not True else "it does not say why"


def _abridged(body: Mapping[str, Any]) -> str:
    """Return the fields of a body without a choice, as JSON: they show what the endpoint is, or what it says."""
    return json.dumps({name: value for name, value in body.items() if name not in USUAL}, ensure_ascii=False)


def first_choice(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the choice with index 0, else the first; None if there is none."""
    choices = objects_at(body, "choices")
    return next((choice for choice in choices if choice.get("index") == 0), choices[0] if choices else None)


def _read_parts(parts: Sequence[object]) -> tuple[str, str, str]:
    """Return the text, the reasoning and the refusal in content that consists of parts; only the text is the answer.

    Raises TransientError if a text part has no text, or if no part is of any of these kinds.
    """
    text, reasoning_parts, refusal = list[str](), list[str](), list[str]()
    for part in parts:
        kind, words = at(part, object, "type"), at(part, object, "text")
        if isinstance(part, str):
            text.append(part)
        elif not isinstance(part, dict):
            continue
        elif kind in ("thinking", "reasoning"):
            inner = part.get("thinking") or part.get("reasoning") or words
            inner = inner if isinstance(inner, list) else [{"text": inner}]
            reasoning_parts += [str(one.get("text") or "") for one in inner if isinstance(one, dict)]
        elif kind == "refusal" and isinstance(no := part.get("refusal") or words, str):
            refusal.append(no)
        elif kind in (None, "text", "output_text"):
            if not isinstance(words, str):
                raise no_answer("the endpoint returned a text part without text")
            text.append(words)
    if parts and not (text or reasoning_parts or refusal):
        raise no_answer("the endpoint returned content without any text part")
    return "".join(text), "".join(reasoning_parts), "".join(refusal)


def _text(value: object, name: str, faults: Counter[str]) -> str:
    if isinstance(value, str):
        return value
    if value is not None:
        faults[name] += 1
    return ""


def _usage(usage: object, faults: Counter[str]) -> Usage:
    """Return the token counts; all zero if either of the two that are billed is invalid, so that a budget does not
    trust the rest."""
    if not isinstance(usage, dict):
        faults["usage"] += usage is not None
        return Usage()
    wrong = False

    def number(count: object) -> int:
        nonlocal wrong
        if (valid := number_at(count)) is not None and 0 <= valid <= MAX_TOKENS and valid % 1 == 0:
            return int(valid)
        wrong |= count is not None
        return 0

    billed = usage.get("prompt_tokens"), usage.get("completion_tokens")
    prompt, completion = map(number, billed)
    # If only one of the two is given, the total cannot be known.
    unpaid = wrong or (billed[0] is None) != (billed[1] is None)
    cached = number(at(usage, object, "prompt_tokens_details", "cached_tokens"))
    reasoning = number(at(usage, object, "completion_tokens_details", "reasoning_tokens"))
    if cached > prompt:
        wrong, cached = True, 0
    if prompt and (total := number(usage.get("total_tokens"))):
        # Some (xAI, Gemini) bill reasoning tokens that are not among the completion tokens; the total includes them.
        unlisted = max(0, total - prompt - completion)
        wrong |= unlisted > MAX_UNLISTED
        completion += unlisted if unlisted <= MAX_UNLISTED else 0
    elif reasoning > completion:
        completion += reasoning
    if unpaid or wrong:
        faults["usage"] += 1
    return Usage() if unpaid else Usage(prompt, cached, completion, reasoning)


def _label_logprobs(
    tokens: Sequence[object], labels: Sequence[str], label_ids: Sequence[int], faults: Counter[str]
) -> dict[str, float] | None:
    """Return the log-probability of each label at the first token: by id if `label_ids` were requested and ids came,
    else by text, adding up the forms of a label: with and without a space, and of a word in capitals or not. None if
    the endpoint returned none."""
    if not tokens:
        return None
    pairs: list[tuple[str, float]] = []
    above = False
    for entry in _most_likely(tokens[0])[:MAX_LOGPROBS]:
        token, value = at(entry, str, "token"), number_at(entry, "logprob")
        # A number of four hundred digits is not a float, and -inf is not valid JSON; drop these, keep the others.
        if token is not None and value is not None and -1e6 <= value <= ROUNDING:
            pairs.append((token, min(0.0, float(value))))
        else:
            faults["logprobs"] += 1
            above |= value is not None and value > ROUNDING
    pairs = list(dict.fromkeys(pairs))
    if above or sum(math.exp(logprob) for _, logprob in pairs) > MAX_PROBABILITY:
        # A value above 0, or two almost certain tokens, means that these are not log-probabilities.
        faults["logprobs"] += len(pairs)
        pairs = []
    # A gateway in front of the server may drop the fields that ask for ids.
    if label_ids and any(token.startswith("token_id:") for token, _ in pairs):
        by_id = dict(pairs)
        named = zip(labels, label_ids, strict=True)
        return {label: by_id[token] for label, number in named if (token := f"token_id:{number}") in by_id}
    found: dict[str, float] = {}
    # `yes` is `Yes`, but the word `a` is not the letter `A`.
    words = {label.casefold(): label for label in labels if len(label) > 1}
    for token, logprob in [*pairs, *_left_out(tokens[0], pairs)]:
        word = token_text(token).strip()
        if (label := word if word in labels else words.get(word.casefold())) is not None:
            found[label] = min(0.0, float(np.logaddexp(found[label], logprob))) if label in found else logprob
    return found


def _left_out(entry: object, most_likely: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return the first token of the answer and its log-probability if the list of the most likely tokens leaves it out:
    some gateways list the alternatives only."""
    token, value = at(entry, str, "token") or "", number_at(entry, "logprob")
    if not most_likely or value is None or not -1e6 <= value <= 0:
        return []
    listed = {token_text(at(one, str, "token") or "").strip() for one in _most_likely(entry)}
    # In another spelling, it would count twice.
    fits = math.exp(value) + sum(math.exp(logprob) for _, logprob in most_likely) <= MAX_PROBABILITY
    return [(token, float(value))] if fits and token_text(token).strip() not in listed else []


def first_tokens(body: Mapping[str, Any]) -> list[str]:
    """Return the most likely first tokens of a chat completion, as the endpoint lists them."""
    listed = _most_likely(next(iter(at(first_choice(body), list, "logprobs", "content") or ()), None))
    return [at(one, str, "token") or "" for one in listed]


def _tokens_of_answer(tokens: Sequence[object], text: str) -> Sequence[object]:
    """Return the tokens that spell the text. Servers that split off the reasoning may list its tokens before them."""
    spelled = ""
    for place in range(len(tokens) - 1, max(-1, len(tokens) - MAX_LOGPROBS), -1):
        token = token_text(at(tokens[place], str, "token") or "")
        spelled = token + spelled
        if token.strip() and text.strip() and spelled.lstrip().startswith(text.strip()):
            return tokens[place:]
    return tokens


def _most_likely(token: object) -> Sequence[object]:
    """Return the most likely tokens in the place of one, each with its log-probability; some write an object."""
    top = at(token, object, "top_logprobs")
    if isinstance(top, dict):
        return [{"token": text, "logprob": logprob} for text, logprob in top.items()]
    return top if isinstance(top, list) else []


def token_text(token: str) -> str:
    """Return the text of a token as a tokenizer's vocabulary has it: there a space is `Ġ` or `▁`, a line break `Ċ`."""
    return token.replace("Ġ", " ").replace("Ċ", "\n").replace("▁", " ")


def cut_at(response: Response, stops: Sequence[str]) -> Response:
    """Return the Response truncated as if the endpoint had stopped at the first of the `stops`."""
    end = min((place for stop in stops if (place := response.text.find(stop)) >= 0), default=None)
    return response if end is None else replace(response, text=response.text[:end], finish_reason="stop")


def no_answer(message: str) -> TransientError:
    """Return the error for model output that is not an answer. The call may still have been billed."""
    return TransientError(message, kind="no_answer")


def unreadable(message: str) -> TransientError:
    """Return the error for a reply that is not from a model: a web page, a gateway's error."""
    return TransientError(message, kind="unreadable")
