"""The form in which an endpoint takes a Request: every sampling field that it knows, and nothing that it refuses.

Endpoints take different parameters. One that refuses a parameter by name is asked again without it, and from then on it
is left out. That is not part of the Store's key, which holds the Request as it was asked: what the endpoint takes
follows from its URL and model, which the key has. So the first question of a second session, which is looked up before
the endpoint has refused anything, finds the answer of the first session; and two questions that differ, if only in a
temperature that the endpoint ignores, never share one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmrank.backends.thinking import BUDGETS, SWITCHES, effort, template_arguments
from llmrank.progress import Say
from llmrank.types import Message, Request, Structured, Thinking

TOP_LOGPROBS = 20
"""The most that an endpoint which is not vLLM returns."""


class Dialect:
    """What one endpoint takes, learned from its refusals: what it refused once goes in another form, or not at all."""

    def __init__(self, model: str, url: str, say: Say) -> None:
        """`say` is told of what is learned."""
        self._model, self._url, self._say = model, url, say
        self.is_vllm = False
        """Whether every sampling field, every constraint, and labels by token id are taken."""
        self.left_out: set[str] = set()
        """The parameters that the endpoint does not take."""
        self.replaced: dict[str, str] = {}
        """Those it takes in another form."""

    @property
    def concessions(self) -> Mapping[str, object]:
        """What was learned, for the manifest."""
        return {"left_out": sorted(self.left_out), "replaced": dict(self.replaced)}

    def body(self, request: Request, label_ids: Sequence[int] = ()) -> dict[str, Any]:
        """Return the JSON that is sent for a Request, whose labels have these token ids; none: they go by text."""
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model,
            "messages": self._messages(request.messages),
            "n": 1,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self.replaced.get("max_tokens", "max_tokens"): sampling.max_tokens,
            # Repeats of a question must be able to differ.
            "seed": sampling.seed + request.repeat,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if self.is_vllm:
            body |= {"top_k": sampling.top_k, "min_p": 0.0, "repetition_penalty": 1.0}
        if request.labels:
            body |= {"logprobs": True, "top_logprobs": len(label_ids) or TOP_LOGPROBS}
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
        if self.left_out:
            gone = {*self.left_out, "top_logprobs"} if "logprobs" in self.left_out else self.left_out
            body = {name: value for name, value in body.items() if name not in gone}
        return body

    def _thinking(self, thinking: Thinking) -> dict[str, Any]:
        """Return what switches reasoning: the chat template's variables for vLLM, elsewhere `reasoning_effort`.

        A budget goes to vLLM as it is; elsewhere it becomes the effort that stands for it.
        """
        if not self.is_vllm:
            named = effort(thinking)
            return {"reasoning_effort": named if thinking.on else self.replaced.get("reasoning_effort", named)}
        arguments = template_arguments(frozenset(SWITCHES) | frozenset(BUDGETS), thinking)
        if not thinking.on:
            # A template without a switch of its own may take the effort for an order to reason.
            del arguments["reasoning_effort"]
        budget = {} if thinking.budget is None else {"thinking_token_budget": thinking.budget}
        return {"chat_template_kwargs": arguments, **budget}

    def _messages(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """Return the messages as the endpoint takes them: what was meant for the system goes by another role, or in
        front of the first user message."""
        role = self.replaced.get("system", "system")
        if role != "user":
            return [
                {"role": role if message.role == "system" else message.role, "content": message.content}
                for message in messages
            ]
        system = [message.content for message in messages if message.role == "system"]
        others = [
            {"role": message.role, "content": message.content} for message in messages if message.role != "system"
        ]
        first = next((message for message in others if message["role"] == "user"), None)
        if system and first is None:
            return [{"role": "user", "content": "\n\n".join(system)}, *others]
        if first is not None:
            first["content"] = "\n\n".join([*system, first["content"]])
        return others

    def do_without(self, name: str, said: str) -> None:
        """From now on send what the endpoint takes in the parameter's place, or nothing."""
        if name == "max_tokens" and name not in self.replaced:
            self._replace(name, "max_completion_tokens")
        elif name == "system":
            developer = "developer" in said and "system" not in self.replaced
            self._replace(name, "developer" if developer else "user")
        elif name == "reasoning_effort" and (milder := self._milder_effort(said)):
            self._replace(name, milder)
        else:
            self.leave_out(name, "refuses it")

    def _milder_effort(self, said: str) -> str | None:
        """Return the least effort among those that a refusal of `none` names, or None where it names none."""
        if "reasoning_effort" in self.replaced:
            return None
        return next((name for name in ("minimal", "low") if re.search(rf"\b{name}\b", said)), None)

    def leave_out(self, name: str, why: str) -> None:
        """From now on send nothing of the kind; `why` is told."""
        self.left_out.add(name)
        self._say(f"{self._url} {why}: {name} is left out from now on")

    def _replace(self, name: str, other: str) -> None:
        self.replaced[name] = other
        self._say(f"{self._url} refuses it: {name} is sent as {other} from now on")

    def _constraint(self, structured: Structured) -> dict[str, Any]:
        """Return the constraint in the endpoint's words; nothing where it knows no such kind."""
        if not self.is_vllm:
            if structured.kind != "json_schema":
                return {}
            schema = {"name": "answer", "schema": json.loads(structured.spec), "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        match structured.kind:
            case "choice":
                return {"structured_outputs": {"choice": structured.spec.splitlines()}}
            case "regex":
                return {"structured_outputs": {"regex": structured.spec}}
            case "json_schema":
                return {"structured_outputs": {"json": json.loads(structured.spec)}}
