"""What an endpoint refuses of a request: the parameter that a 400 or 422 names as one it does not take."""

from __future__ import annotations

import re
from collections.abc import Collection

NAMES = {
    # The ones that are missed least come first: where a message names several, one goes at a time.
    "top_p": r"\btop_?p\b",
    "n": r"""['"`]n['"`]|-> n\b""",
    "presence_penalty": r"\bpresence_?penalty\b",
    "frequency_penalty": r"\bfrequency_?penalty\b",
    "seed": r"\bseed\b",
    "stop": r"""['"`]stop['"`]|\bstop(?=:| sequences| is not)|(?:: |-> )stop\b""",
    "response_format": r"\bresponse_?format\b|json_?schema|structured outputs?\b",
    "logprobs": r"\b(?:top_?)?logprobs\b|\blog ?probabilities\b",
    "reasoning_effort": r"\breasoning[_ .]?effort\b|\bthinking (?:mode|budget)\b",
    "chat_template_kwargs": r"\bchat_?template_?kwargs\b",
    "thinking_token_budget": r"\bthinking_?token_?budget\b",
    "temperature": r"\btemperature\b",
    "max_tokens": r"\bmax_?tokens\b",
    "max_completion_tokens": r"\bmax_?completion_?tokens\b",
    "system": r"""['"`]system['"`]|\bsystem (?:role|message|prompt|instruction)s?\b|\bdeveloper instructions?\b"""
    r"""|\bmessages\[\d+\]\.role\b""",
}
"""The parameters that can be left out or replaced, and how messages name them (`system`: the role)."""
REFUSED = re.compile(
    r"unsupported|deprecated|unrecogni[sz]ed|unexpected|unavailable|unknown (?:name|parameter|field|argument)"
    r"|\bnot (?:currently |yet )?(?:be )?(?:supported|available|enabled|permitted|allowed|implemented|configured"
    r"|recogni[sz]ed)"
    r"|(?:does|do|did)(?: not|n['’]t) (?:\w+ )?(?:support|accept|allow)"
    r"|extra_forbidden|extra (?:inputs|fields)|cannot both|only the default|only \S+ is allowed|only works|may only be",
    re.IGNORECASE,
)
"""Words that say a parameter is not taken at all, or only at its default; not that its value is out of range."""
WRONG_VALUE = re.compile(r"invalid (?:value|role|parameter)|must be one of", re.IGNORECASE)
"""Of a role or a kind of response format, these words say the same."""


def refused_parameter(message: str, param: str, code: str, sent: Collection[str]) -> str | None:
    """Return which of the parameters `sent` the endpoint does not take, or None if the refusal names none.

    `message`, `param` and `code` are the fields of the error as OpenAI has them; `param` and `code` may be empty.
    """
    # What was meant, or is to be used instead, is not what is refused.
    said = re.sub(r"did you mean.*|\buse \S+ instead.*", "", message, flags=re.IGNORECASE | re.DOTALL)
    name = re.split(r"[.\[]", param)[0]
    name = {"top_logprobs": "logprobs", "messages": "system" if "role" in param else ""}.get(name, name)
    named = [known for known, words in NAMES.items() if known in sent and re.search(words, said, re.IGNORECASE)]
    if name in NAMES:
        named = [name] if name in sent else []
    if not named:
        return None
    refused = code.startswith(("unsupported", "unknown")) or REFUSED.search(said)
    if refused or (named[0] in ("system", "response_format", "reasoning_effort") and WRONG_VALUE.search(said)):
        return named[0]
    return None
