"""Watches an endpoint's answers for signs that it does not do what it was asked: no status or error shows these."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from llmrank.backends.completion import at, first_tokens
from llmrank.backends.endpoint import Endpoint
from llmrank.errors import count_of, one_line, safe_for_console
from llmrank.progress import Say
from llmrank.types import Request, Response, Usage

LONG_PROMPT, MAX_CHARACTERS_PER_TOKEN = 4000, 12
"""In a prompt of at least this many characters, more characters per token than this mean that it was truncated. English
has about four."""
PROMPTS_CUT = 5
"""Number of prompts of different lengths with the same, largest token count that indicates truncation."""
LATEST, REPEATS = 256, 5
"""How many of the latest answers are remembered, and how many repetitions of them are reported."""
MAX_NAMES = 20
"""How many names of models are remembered, or listed in an error."""
_VERSION = re.compile(r"(?:[-@:](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{3,4}|latest|preview|free))+$")
"""Suffixes of model names: `-2024-08-06`, `:latest`."""


class Watch:
    """Counts the signs in the answers of one endpoint, and reports each kind once."""

    def __init__(self, endpoint: Endpoint, model: str, say: Say) -> None:
        self._endpoint, self._model, self._say = endpoint, model, say
        self._counts = Counter[str]()
        self._most_tokens = (0, 0, 0, 0)
        """The largest token count of a prompt; how many prompts had it, and the shortest and longest of them, in
        characters."""
        self._latest = dict[tuple[str, int, str, Usage], Request]()
        """The latest completions, and the request that each answered."""
        self._served: dict[str, list[str]] = {"model": [], "system_fingerprint": []}

    @property
    def concessions(self) -> Mapping[str, object]:
        """The models that answered, if there were several or not the requested one (`served`); and the numbers of
        prompts that were truncated (`cut_prompts`) and of answers given to several prompts (`repeated`)."""
        served = {name: [*values] for name, values in self._served.items() if len(values) > 1}
        if not all(is_version(model, self._model) for model in self._served["model"]):
            served["model"] = [*self._served["model"]]
        return {"served": served, **{name: self._counts[name] for name in ("cut_prompts", "repeated")}}

    def see(self, request: Request, sent: Mapping[str, Any], body: Mapping[str, Any], response: Response) -> None:
        """Look for signs in the answer to `request`, which was `sent` and came as `body`."""
        self._see_names(response)
        self._see_truncation(request, response.usage.prompt_tokens)
        if response.label_logprobs is not None:
            requested = 0 if "logprob_token_ids" in sent else sent.get("top_logprobs", 0)
            self._see_logprobs(request.labels, len(response.label_logprobs), first_tokens(body), requested)
        self._see_repetition(request, body, response)

    def _count(self, sign: str, text: str, few: int = 1) -> None:
        """Count a sign, and report it when it has been seen `few` times."""
        self._counts[sign] += 1
        if self._counts[sign] == few:
            self._say(f"{self._endpoint.url}{text}")

    def _see_names(self, response: Response) -> None:
        """Report when the model changes: one run would then mix the results of two models."""
        url = self._endpoint.url
        for name, value in (("model", response.model), ("system_fingerprint", response.system_fingerprint)):
            known = self._served[name]
            if not value or value in known or len(known) >= MAX_NAMES:
                continue
            if name == "model" and not known and not is_version(value, self._model):
                self._say(f"{url} answers as {value!r}, but {safe_for_console(self._model)!r} was requested")
            # Endpoints with many machines have many fingerprints, so report only the first change.
            if known and (name == "model" or len(known) == 1):
                self._say(f"{url} now answers with {name} {value!r}; until now it was {known[-1]!r}")
            known.append(value)

    def _see_truncation(self, request: Request, tokens: int) -> None:
        """A prompt counts as truncated if it has too few tokens for its characters, or if prompts of different lengths
        have the same token count and none has more."""
        length = sum(len(message.content) for message in request.messages)
        if length <= LONG_PROMPT or tokens <= 0:
            return
        known, count, least, most = self._most_tokens
        if tokens > known:
            count, least, most = 0, length, length
        if tokens >= known:
            count, least, most = count + 1, min(least, length), max(most, length)
            self._most_tokens = tokens, count, least, most
        plateau = tokens >= known and count >= PROMPTS_CUT and most > 1.05 * least
        if tokens < length / MAX_CHARACTERS_PER_TOKEN or plateau:
            self._count(
                "cut_prompts",
                f" counted {count_of(tokens, 'token')} in a prompt of {length:,} characters"
                f"{', as in prompts of other lengths' if plateau else ''}: it truncates long prompts. "
                "Increase the model's context length (Ollama: num_ctx), or show fewer events (--history)",
            )

    def _see_logprobs(self, labels: Sequence[str], found: int, tokens: Sequence[str], requested: int) -> None:
        """Log-probabilities of labels are missing. `requested` is 0 if they were requested by id."""
        if found == len(labels):
            return
        if self._endpoint.faults["logprobs"] and not found:
            what = (
                " returned invalid log-probabilities (not numbers, above 0, or adding up to a probability above 1); "
                "they are dropped, and a prompt that reads nothing else gets no answer"
            )
        elif not found and tokens:
            what = (
                f": of {', '.join(labels[:3])}{', …' * (len(labels) > 3)} none is among the most likely first tokens "
                f"of an answer ({', '.join(repr(one_line(token, 20)) for token in tokens[:3])}); a prompt that "
                "reads nothing else gets no answer"
            )
        elif len(tokens) < requested:
            what = (
                f" returned only {len(tokens)} of {requested} requested log-probabilities; candidates whose label is "
                "not among them are not placed"
            )
        else:
            return
        self._count("logprobs", what)

    def _see_repetition(self, request: Request, body: Mapping[str, Any], response: Response) -> None:
        """A completion that answered another request too. A gateway with a cache by similarity returns it: prompts
        about different users are similar. A batch's file that is downloaded again repeats it for the same request."""
        name, created = at(body, str, "id"), at(body, int, "created")
        if not name or not created:
            return
        # An id alone may repeat by chance: Ollama chooses among a thousand.
        completion = (name, created, response.text, response.usage)
        if self._latest.get(completion, request) != request:
            last = f"{REPEATS} calls with the completion of another call (the last: {one_line(name, 100)})"
            advice = "a gateway may answer from a cache of similar prompts: turn it off"
            self._count("repeated", f" has answered {last}; {advice}", REPEATS)
        self._latest[completion] = request
        if len(self._latest) > LATEST:
            del self._latest[next(iter(self._latest))]


def is_version(answered: str, asked: str) -> bool:
    """Return whether two model names are the same apart from a date, a tag or the owner."""
    names: list[str] = []
    for name in (answered, asked):
        base = name.rstrip("/").rpartition("/")[2].casefold().removesuffix(".gguf")
        names.append(re.sub(r"[\W_]", "", _VERSION.sub("", base)))
    return names[0] == names[1]
