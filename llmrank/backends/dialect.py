"""Encodes a Request for an endpoint: with every sampling parameter it supports, and none that it refuses.

Endpoints support different parameters. When one refuses a parameter by name, the call is sent again without it; once
that is answered, later calls omit it too. The Store's key does not change: it contains the Request as the ranker made
it, and what the endpoint supports follows from its URL and model, which are in the key. So a second session, which
looks into the Store before the endpoint has refused anything, finds the answers of the first. Two different Requests
never share an answer, even if they differ only in a temperature that the endpoint ignores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from typing import Any

from llmrank.backends.thinking import BUDGETS, SWITCHES, effort, template_arguments
from llmrank.errors import count_of
from llmrank.progress import Say
from llmrank.types import Message, Request, Structured, Thinking

TOP_LOGPROBS = 20
"""Maximum number of log-probabilities from an endpoint other than vLLM."""


NAMES = {
    # Least important first: if a message names several parameters, they are dropped one at a time.
    "top_p": r"\btop_?p\b",
    "n": r"""['"`]n['"`]|-> n\b|\bparameter[. ]n\b""",
    "presence_penalty": r"\b(?:presence_?)?penalty\b",
    "frequency_penalty": r"\b(?:frequency_?)?penalty\b",
    "seed": r"\bseed\b",
    "stop": r"""['"`]stop['"`]|\bstop(?=:| sequences| is not)|(?:: |-> )stop\b""",
    "response_format": r"\bresponse_?format\b|json_?schema|structured outputs?\b",
    "return_tokens_as_token_ids": r"\breturn_tokens_as_token_ids\b",
    "logprob_token_ids": r"\blogprob_token_ids\b",
    "logprobs": r"\b(?:top_?)?logprobs\b|\blog ?probabilities\b|\btop_n_tokens\b",
    "temperature": r"\btemperature\b",
    "reasoning_effort": r"\breasoning[_ .]?effort\b|\bthinking (?:mode|budget)\b|\breasoning is mandatory\b"
    r"|\bsupport (?:thinking|reasoning)\b",
    "chat_template_kwargs": r"\bchat_?template_?kwargs\b",
    "thinking_token_budget": r"\bthinking_?token_?budget\b",
    "max_tokens": r"\bmax_?(?:output_?)?tokens\b",
    "max_completion_tokens": r"\bmax_?(?:completion|output)_?tokens\b",
    "system": r"""['"`]system['"`]|\bsystem (?:role|message|prompt|instruction)s?\b|\bdeveloper instructions?\b"""
    r"""|\bmessages\[\d+\]\.role\b|\broles must alternate\b""",
}
"""The parameters that can be omitted or replaced, and how messages refer to them (`system` is the role)."""
REFUSED = re.compile(
    r"unsupported|deprecated|unrecogni[sz]ed|unexpected|unavailable|unknown (?:name|parameter|field|argument)"
    r"|\bnot (?:currently |yet )?(?:be )?(?:supported|available|enabled|permitted|allowed|implemented|configured"
    r"|recogni[sz]ed)"
    r"|(?:does|do|did)(?: not|n['’]t) (?:\w+ )?(?:support|accept|allow)"
    r"|\bcannot be disabled\b|extra_forbidden|extra (?:inputs|fields)|cannot both|only the default"
    r"|only \S+ is allowed|only works|may only be|(?:must|should) be (?:strictly positive|> ?0|greater than 0)"
    r"|\bin \(0(?:\.0)?, ?[12]",
    re.IGNORECASE,
)
"""Phrases meaning that a parameter is not supported or must keep its default, not that its value is out of range."""
WRONG_VALUE = re.compile(r"invalid (?:value|role|parameter)|must be one of|must alternate", re.IGNORECASE)
"""Phrases that mean the same, but only about a role or the kind of a response format."""
AT_LEAST = re.compile(
    r"(?:expected a value >=|(?:must|should) be (?:>=|at least|greater than or equal to)|minimum (?:value )?(?:is"
    r"|of)) ?(?!1\b)(\d{1,3})\b",
    re.IGNORECASE,
)
"""The minimum number of answer tokens, as stated in a refusal."""
AT_MOST = re.compile(
    r"(?:max(?:imum)? allowed|at most|must be <=|less than or equal to|<=|between 0 and|maximum (?:value )?(?:of|is)"
    r"|range [^\[\]]{0,40}\[0,)"
    r"\D{0,20}?(\d{1,2})\b",
    re.IGNORECASE,
)
"""The maximum number of log-probabilities, as stated in a refusal."""
MILDER = ("minimal", "low")
"""Efforts that can replace `none` if a refusal names them, lowest first."""
BY_ID = frozenset({"logprob_token_ids", "return_tokens_as_token_ids"})
"""What is sent to get log-probabilities by token id; without one of them, labels are matched by text."""
TOKENS = ("max_tokens", "max_completion_tokens")
"""The names under which the maximum number of answer tokens is sent."""


class Dialect:
    """What one endpoint supports, learned from its refusals."""

    def __init__(self, model: str, url: str, say: Say) -> None:
        """`say` receives a message about everything that is learned."""
        self._model, self._url, self._say = model, url, say
        self.is_vllm = False
        """Whether the endpoint is vLLM, which supports every sampling parameter, every constraint, and labels by token
        id."""
        self.left_out: set[str] = set()
        """The parameters that the endpoint does not support."""
        self.replaced: dict[str, str] = {}
        """The parameters that it supports under another name."""
        self.least_tokens, self.most_logprobs = 1, TOP_LOGPROBS
        """The minimum `max_tokens` and the maximum `top_logprobs` that it accepts."""
        self._learned: dict[str, str] = {}
        """The message about each parameter, shown once a call has been answered."""

    @property
    def concessions(self) -> Mapping[str, object]:
        """The parameters that the endpoint does not support (`left_out`) or supports under another name (`replaced`),
        and the limits it has stated (`least_tokens`, `most_logprobs`)."""
        bounds = {"least_tokens": (self.least_tokens, 1), "most_logprobs": (self.most_logprobs, TOP_LOGPROBS)}
        named = {name: bound for name, (bound, usual) in bounds.items() if bound != usual}
        return {"left_out": sorted(self.left_out), "replaced": dict(self.replaced), **named}

    def body(self, request: Request, label_ids: Sequence[int] = ()) -> dict[str, Any]:
        """Return the JSON body for a Request. `label_ids` are the token ids of its labels; without them, or if the
        endpoint refuses them, labels are matched by text."""
        body = self._full_body(request, () if self.left_out & BY_ID else label_ids)
        if not self.left_out:
            return body
        omitted = {*self.left_out, "top_logprobs"} if "logprobs" in self.left_out else self.left_out
        return {name: value for name, value in body.items() if name not in omitted}

    def missing(self, request: Request) -> str:
        """Return the comma-separated names of the Request's parameters that are not sent."""
        return ",".join(sorted(self.left_out & self._full_body(request, ()).keys())) if self.left_out else ""

    def _full_body(self, request: Request, label_ids: Sequence[int]) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model,
            "messages": self._messages(request.messages),
            "n": 1,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self.replaced.get("max_tokens", "max_tokens"): max(sampling.max_tokens, self.least_tokens),
            # Vary the seed, so that repeats can differ.
            "seed": sampling.seed + request.repeat,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if self.is_vllm:
            body |= {"top_k": sampling.top_k, "min_p": 0.0, "repetition_penalty": 1.0}
        if request.labels:
            body |= {"logprobs": True, "top_logprobs": len(label_ids) or self.most_logprobs}
        if label_ids:
            body |= {"logprob_token_ids": list(label_ids), "return_tokens_as_token_ids": True}
        if request.structured is not None:
            body |= self._constraint(request.structured)
        body |= self._thinking(request.thinking)
        if request.extra_body:
            extra: dict[str, Any] = json.loads(request.extra_body)
            if "chat_template_kwargs" in body and isinstance(own := extra.get("chat_template_kwargs"), dict):
                extra["chat_template_kwargs"] = {**body["chat_template_kwargs"], **own}
            body |= extra
        return body

    def _thinking(self, thinking: Thinking) -> dict[str, Any]:
        """Return the fields that control reasoning: the chat template's variables for vLLM, else `reasoning_effort`.

        A budget is sent to vLLM as it is; for other endpoints it is mapped to an effort.
        """
        if not self.is_vllm:
            named = effort(thinking)
            return {"reasoning_effort": named if thinking.on else self.replaced.get("reasoning_effort", named)}
        arguments = template_arguments(frozenset(SWITCHES) | frozenset(BUDGETS), thinking)
        if not thinking.on:
            # A template without its own switch may take any effort as an instruction to reason.
            del arguments["reasoning_effort"]
        budget = {} if thinking.budget is None else {"thinking_token_budget": thinking.budget}
        return {"chat_template_kwargs": arguments, **budget}

    def _messages(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """Return the messages for this endpoint. If it refuses the system role, system messages get another role or are
        prepended to the first user message."""
        roles = {"system": self.replaced.get("system", "system")}
        sent = [{"role": roles.get(message.role, message.role), "content": message.content} for message in messages]
        system = [message.content for message in messages if message.role == "system"]
        if roles["system"] != "user" or not system:
            return sent
        others = [one for one, message in zip(sent, messages, strict=True) if message.role != "system"]
        first = next((one for one in others if one["role"] == "user"), None)
        if first is None:
            return [{"role": "user", "content": "\n\n".join(system)}, *others]
        first["content"] = "\n\n".join([*system, first["content"]])
        return others

    def without(self, name: str, refusal: str) -> Dialect:
        """Return the dialect for retrying a refused call: the parameter is replaced by what the endpoint supports, or
        omitted. `refusal` is the refusal.

        Nothing is learned until `adopt`: the refusal may only quote a parameter's name from this call's own text.
        """
        trial = copy(self)
        trial.left_out, trial.replaced, trial._learned = {*self.left_out}, {**self.replaced}, {**self._learned}
        trial._drop_or_replace(name, refusal)
        return trial

    def adopt(self, trial: Dialect) -> None:
        """Keep a dialect that the endpoint has answered, and report what is new."""
        for name, line in trial._learned.items():
            if self._learned.get(name) != line:
                self._say(line)
        self._learned |= trial._learned
        self.left_out |= trial.left_out
        self.replaced |= trial.replaced
        self.least_tokens = max(self.least_tokens, trial.least_tokens)
        self.most_logprobs = min(self.most_logprobs, trial.most_logprobs)

    def _drop_or_replace(self, name: str, refusal: str) -> None:
        milder = [one for one in MILDER if re.search(rf"\b{one}\b", refusal)]
        least, most = AT_LEAST.search(refusal), AT_MOST.search(refusal)
        if name in TOKENS and least and int(least[1]) > self.least_tokens:
            self.least_tokens = int(least[1])
            self._learned[name] = (
                f"{self._url} does not accept {name} below {least[1]}: sending {least[1]} instead of less from now on"
            )
        elif name == "logprobs" and most and 0 < int(most[1]) < self.most_logprobs:
            self.most_logprobs = int(most[1])
            self._learned[name] = (
                f"{self._url} returns at most {count_of(int(most[1]), 'log-probability', 'log-probabilities')}"
            )
        elif name == "max_tokens" and name not in self.replaced:
            self._replace(name, "max_completion_tokens")
        elif name == "system":
            developer = "developer" in refusal and "system" not in self.replaced
            self._replace(name, "developer" if developer else "user")
        elif name == "reasoning_effort" and milder and name not in self.replaced:
            self._replace(name, milder[0])
        else:
            self._leave_out(name, "refuses")

    def leave_out(self, name: str, why: str) -> None:
        """Stop sending the parameter, and report `why`."""
        self._leave_out(name, why)
        self._say(self._learned[name])

    def _leave_out(self, name: str, why: str) -> None:
        self.left_out.add(name)
        self._learned[name] = f"{self._url} {why} {name}: omitting {name} from now on"

    def _replace(self, name: str, other: str) -> None:
        self.replaced[name] = other
        self._learned[name] = f"{self._url} refuses {name}: sending it as {other} from now on"

    def _constraint(self, structured: Structured) -> dict[str, Any]:
        """Return the constraint in the endpoint's format; empty if it supports none of this kind."""
        if not self.is_vllm:
            if structured.kind != "json_schema":
                return {}
            schema = {"name": "answer", "schema": json.loads(structured.spec), "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        return {"structured_outputs": structured_outputs(structured)}


def structured_outputs(structured: Structured) -> dict[str, Any]:
    """Return the constraint in vLLM's format."""
    match structured.kind:
        case "choice":
            return {"choice": structured.spec.splitlines()}
        case "regex":
            return {"regex": structured.spec}
        case "json_schema":
            return {"json": json.loads(structured.spec)}


def refused_parameter(message: str, param: str, code: str, sent: Collection[str]) -> str | None:
    """Return which of the `sent` parameters the endpoint does not support; None if the refusal names none.

    `message`, `param` and `code` are the fields of an OpenAI error; `param` and `code` may be empty.
    """
    # Ignore suggestions of other parameters.
    text = re.sub(r"did you mean.*|\buse \S+ instead.*", "", message, flags=re.IGNORECASE | re.DOTALL)
    name = re.split(r"[.\[]", param)[0]
    name = {"top_logprobs": "logprobs", "messages": "system" if "role" in param else ""}.get(name, name)
    if name == "max_output_tokens":
        name = next((one for one in TOKENS if one in sent), name)
    named = [known for known, words in NAMES.items() if known in sent and re.search(words, text, re.IGNORECASE)]
    if name in NAMES:
        named = [name] if name in sent else []
    if not named:
        return None
    bound = AT_LEAST if named[0] in TOKENS else AT_MOST if named[0] == "logprobs" else None
    refused = code.startswith(("unsupported", "unknown")) or REFUSED.search(text) or (bound and bound.search(text))
    if refused or (named[0] in ("system", "response_format", "reasoning_effort") and WRONG_VALUE.search(text)):
        return named[0]
    return None
