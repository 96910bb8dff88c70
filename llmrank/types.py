"""The nouns of llmrank as frozen dataclasses. This module imports nothing else from llmrank.

A `Case` is one evaluation instance. A `PromptTemplate` renders it into `Message`s. A `Request` is one model call, and a
`Response` is what came back. An answer format reads the Response into an `Answer`, and a ranker turns Answers into a
`Ranking`, which carries exactly one `Outcome`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, Self, TypeVar

from annotated_types import Ge, Gt, Le, Lt, MinLen

if TYPE_CHECKING:
    from pydantic import TypeAdapter

NO_COUNTS: Mapping[str, int] = MappingProxyType({})
"""A default for function parameters. Not for dataclass fields: their defaults must be hashable and picklable."""
Task = Literal["ranking", "rating"]
"""What the model is asked about a Case: to order its candidates, or to rate its target."""

T = TypeVar("T")


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return the pydantic adapter that converts a noun (a frozen dataclass) to plain values and back.

    `dump_python` returns dicts and lists. `validate_python` raises ValueError for invalid values.
    """
    return _adapter(kind)


@cache
def _adapter(kind: type[Any]) -> Any:  # noqa: ANN401 - typed by `adapter`
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


# --- resources ------------------------------------------------------------------------------------------------------


class Closable(ABC):
    """A resource to close after use. As a context manager, it is closed at the end of the block."""

    @abstractmethod
    def close(self) -> None:
        """Release the resource."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


# --- the data -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be recommended."""

    item_id: str
    title: str
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other text attributes: genres (joined with ", "), year, brand, description."""

    def __hash__(self) -> int:
        return hash((self.item_id, self.title))

    def __repr__(self) -> str:
        # What the dataclass would generate, minus its recursion guard: data fingerprints hash this text often.
        return f"Item(item_id={self.item_id!r}, title={self.title!r}, attributes={self.attributes!r})"


@dataclass(frozen=True, slots=True)
class Event:
    """One interaction of a user with an item."""

    item: Item
    rating: float | None = None
    timestamp: float | None = None
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Case:
    """One evaluation instance: a user, what they did, and what they could be offered.

    A ranking Case has `candidates`. A rating Case has a `target` instead.
    """

    user_id: str
    history: tuple[Event, ...]
    """Oldest first. Contains nothing after the cut-off."""
    candidates: tuple[Item, ...] = ()
    """In the order to be shown; as they leave the recall stage, in recall order."""
    recall_scores: tuple[float, ...] | None = None
    """Aligned with `candidates`; higher is better."""
    relevant: tuple[str, ...] = ()
    """Ids of the items the user interacted with next; empty if unknown. They need not be among the candidates."""
    target: Item | None = None
    """Rating task: the item to rate."""
    rating: float | None = None
    """Rating task: the true rating; None if unknown."""
    case_id: str = ""
    """Unique within a run. Defaults to the user id, which suffices if the user has only one Case."""
    gains: tuple[float, ...] | None = None
    """Graded relevance, aligned with `relevant`, each above zero. None: every relevant item has gain 1."""
    columns: Mapping[str, str] = field(default_factory=dict[str, str], hash=False, repr=False)
    """Other columns of the input row, such as the user's country, for grouping results. Never shown in a prompt."""
    only_ordered: bool = field(default=False, repr=False)
    """Whether `recall_scores` state no more than the order of the candidates. Then no prompt shows them."""

    def __post_init__(self) -> None:
        if not self.case_id:
            object.__setattr__(self, "case_id", self.user_id)

    @property
    def whom(self) -> str:
        """Its user and, if it differs, its own id: the name of a Case in texts."""
        return f"user {self.user_id}" + (f", case {self.case_id}" if self.case_id != self.user_id else "")

    @property
    def asked(self) -> tuple[Item, ...]:
        """The items to rank or rate: the candidates, or the target alone."""
        return self.candidates if self.target is None else (self.target,)

    @property
    def recall_places(self) -> Sequence[int]:
        """The indices of the candidates in recall order: by descending score. Ties, and candidates without scores, keep
        their order."""
        scores, places = self.recall_scores, range(len(self.candidates))
        return places if scores is None else sorted(places, key=scores.__getitem__, reverse=True)

    @property
    def gain_of(self) -> Mapping[str, float]:
        """The gain of each relevant item: 1 if relevance is binary."""
        return dict(zip(self.relevant, self.gains or [1.0] * len(self.relevant), strict=True))

    def blinded(self) -> Case:
        """Return the Case without its ground truth: all that a ranker or a template may see."""
        return replace(self, relevant=(), gains=None, rating=None, columns={})


# --- one model call -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model samples its answer. Every field is sent explicitly, so server defaults cannot change an answer."""

    temperature: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
    top_p: Annotated[float, Gt(0), Le(1)] = 1.0
    top_k: Annotated[int, Ge(0)] = 0
    """0: no limit. Sent only to backends that support it (it is not part of the OpenAI API)."""
    max_tokens: Annotated[int, Ge(1)] = 400
    seed: int = 0
    stop: tuple[Annotated[str, MinLen(1)], ...] = ()
    presence_penalty: Annotated[float, Ge(-2), Le(2)] = 0.0
    frequency_penalty: Annotated[float, Ge(-2), Le(2)] = 0.0


@dataclass(frozen=True, slots=True)
class Structured:
    """A constraint on the form of the answer, for backends that can enforce it."""

    kind: Literal["choice", "regex", "json_schema"]
    spec: str
    """The regular expression, the JSON schema, or the choices, one per line."""


REASONING_TAGS = r"(?:think|thinking|thought|reasoning|seed:think)"
"""A pattern for the names of the tags in which models enclose their reasoning."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """Whether, and for how long, the model reasons before it answers."""

    on: bool = False
    budget: int | None = None
    """Maximum number of reasoning tokens; None: limited only by `max_tokens`. Requires `on`."""

    def __str__(self) -> str:
        return f"{self.budget} tokens" if self.budget is not None else "on" if self.on else "off"


@dataclass(frozen=True, slots=True)
class Request:
    """One model call."""

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    labels: tuple[str, ...] = ()
    """Texts whose log-probabilities at the first answer token are requested."""
    structured: Structured | None = None
    thinking: Thinking = Thinking()
    """Off unless the prompt turns it on. With a budget, `sampling.max_tokens` includes the reasoning."""
    extra_body: str = ""
    """Extra fields for the request body: a JSON object with sorted keys, as (hashable) text. Empty: none."""
    repeat: int = 0
    """Index of this repetition. Repeats have different Store keys, so each one is sent to the model."""

    @property
    def reads_only_logprobs(self) -> bool:
        """Whether the log-probabilities of a single token are all that is read from the answer."""
        return bool(self.labels) and self.structured is None and self.sampling.max_tokens == 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one call, or of several added up."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens served from the backend's prefix cache; 0 if the backend does not report them."""
    completion_tokens: int = 0
    """Tokens that the model generated, including its reasoning."""
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )

    def __sub__(self, other: Usage) -> Usage:
        return self + Usage(
            -other.prompt_tokens, -other.cached_tokens, -other.completion_tokens, -other.reasoning_tokens
        )


@dataclass(frozen=True, slots=True)
class Spending:
    """What some calls have used."""

    requests: int = 0
    """Number of calls sent."""
    usage: Usage = Usage()
    """Of the answered calls."""
    of_batches: Usage = Usage()
    """The part of `usage` that came through a Batch API."""
    doubtful: Usage = Usage()
    """What calls without a usable answer may have been billed for."""

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.requests + other.requests,
            self.usage + other.usage,
            self.of_batches + other.of_batches,
            self.doubtful + other.doubtful,
        )

    def __sub__(self, other: Spending) -> Spending:
        return Spending(
            self.requests - other.requests,
            self.usage - other.usage,
            self.of_batches - other.of_batches,
            self.doubtful - other.doubtful,
        )


@dataclass(frozen=True, slots=True)
class Response:
    """What a backend returned for a Request."""

    text: str
    finish_reason: str = "stop"
    """`stop`, `length`, `content_filter`, `refusal`, or the endpoint's own value."""
    usage: Usage = Usage()
    label_logprobs: Mapping[str, float] | None = None
    """Natural-log probability of each label. A label that the backend did not return is absent. None: the backend
    returned no log-probabilities at all."""
    reasoning: str = ""
    """What the model wrote before its answer, if the backend separates the two."""
    seconds: float = 0.0
    batch: bool = False
    """Whether it came through a Batch API, which is priced differently."""
    model: str = ""
    """The name of the model that answered, as the endpoint reports it; empty if it does not."""
    system_fingerprint: str = ""
    """The endpoint's fingerprint of its configuration; empty if it reports none."""
    left_out: str = ""
    """Comma-separated names of the parameters that were not sent because the endpoint does not accept them."""

    def can_answer(self, request: Request) -> bool:
        """Return whether the Response holds what the Request asked for. If only log-probabilities are read and they are
        missing, it does not, unless it was refused: another replica, or the same one later, may still return them."""
        refused = self.finish_reason in ("content_filter", "refusal")
        return self.label_logprobs is not None or refused or not request.reads_only_logprobs


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that got no answer; a ranker receives it in place of a Response. It is never stored or parsed."""

    reason: str


Reply = Response | Failure


# --- reading an answer ----------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """How a Case ended. Each Case has exactly one."""

    OK = "ok"
    REPAIRED = "repaired"
    UNPARSED = "unparsed"
    ERROR = "error"


USUAL_SCALE = (1.0, 5.0)
"""Lowest and highest rating where nothing else is known."""


def liked_from(scale: tuple[float, float]) -> float:
    """Return the lowest rating that counts as liked: three quarters up the scale, so 4 on 1 to 5, and 1 of 0 and 1.

    On whole stars this is the `above 3` of TALLRec (2305.00447 §3.1). A single half star changes nothing.
    """
    low, high = scale
    return low + 0.75 * (high - low)


@dataclass(frozen=True, slots=True)
class Question:
    """What the model was shown, as far as it is needed to read the answer."""

    items: tuple[Item, ...] = ()
    """The items in the order shown."""
    identifiers: tuple[str, ...] = ()
    """The identifier shown beside each item (number, letter, …); empty if items were shown by title alone."""
    top: int | None = None
    """How many items the model was asked to return; None: all of them."""
    scale: tuple[float, float] = USUAL_SCALE
    """Lowest and highest rating (rating task)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A span of the answer that was read as the name of an item."""

    text: str
    """As it appears in the normalised answer."""
    line: int
    """Line number in the normalised answer, from 1; 0 if unknown."""
    read_as: str
    """How it was matched (`exact`, `normalised`, `fuzzy`, `loose`, `identifier`, `item_id`), or, if it matches no item,
    why: one of the keys of `Answer.repairs`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed Response. The answer format determines which values are set."""

    outcome: Outcome
    reason: str = ""
    """Why the answer is unparsed (`empty`, `refusal`, `out_of_range`, `ambiguous`, …) or in error."""
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    """Number of repairs of each kind: `missing`, `duplicate`, `not_a_candidate`, `truncated`, …"""
    ranked: tuple[str, ...] = ()
    """Ids of the items that the answer names, best first, without duplicates."""
    value: float | None = None
    """The predicted rating."""
    scores: Mapping[str, float] | None = None
    """A score per label or item id."""
    matches: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many titles were matched in each way: `exact`, `normalised`, `fuzzy`, `loose`."""
    label_mass: float | None = None
    """Probability that the first token is one of the labels; None for a format that reads text."""
    entries: tuple[Entry, ...] = field(default=(), repr=False, compare=False)
    """What was read where, for people who inspect the answer; nothing else depends on it."""


class AnswerFormat(Protocol):
    """Turns a Response into an Answer. Pure: no I/O and no state. Never sees the ground truth."""

    @property
    def name(self) -> str:
        """The name in front matter and on the command line."""
        ...

    def read(self, response: Response, question: Question) -> Answer:
        """Return the Answer. Never raises, whatever the text."""
        ...

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return the labels whose log-probabilities the format reads; empty for a format that reads text."""
        ...

    def structured(self, question: Question) -> Structured | None:
        """Return the constraint that guarantees a readable answer, for `constrain: true`; None if there is none."""
        ...


# --- the result -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ranking:
    """A full permutation of a Case's candidates, with its Outcome.

    The rating task uses it too: `order` then holds only the target, and `scores` its predicted rating (None if
    unparsed).
    """

    order: tuple[str, ...]
    """Item ids, best first; contains every candidate once."""
    scores: tuple[float, ...] | None = None
    """Aligned with `order`. Equal scores are ties; -inf means unscored. None: strictly ordered up to `named`."""
    named: int | None = None
    """How many items at the head the method placed; the rest are tied. None: all of them."""
    outcome: Outcome = Outcome.OK
    reason: str = ""
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    matches: Mapping[str, int] = field(default_factory=dict[str, int])
    history_dropped: int = 0
    """Number of events, oldest first, dropped from the history so that the prompt fits the model's context."""
    label_mass: float | None = None
    """The smallest `label_mass` among its Answers; None if no labels were read."""

    @property
    def answered(self) -> bool:
        """Whether the model's answer was readable."""
        return self.outcome in (Outcome.OK, Outcome.REPAIRED)


RankingSteps = Generator[list[Request], Sequence[Reply], Ranking]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a ranker needs to rank one list. By default it needs no model."""

    calls: int = 0
    """Maximum number of calls."""
    likely: int | None = None
    """Expected number of calls, if fewer than `calls`. None: exactly `calls`."""
    labels: int = 0
    """Maximum number of labels whose log-probabilities one call reads; 0 if it can read the answer's text instead."""
    long_labels: bool = False
    """Whether its labels are whole titles, which only the `titles` backend can score."""

    @property
    def likely_calls(self) -> int:
        """Expected number of calls."""
        return self.calls if self.likely is None else self.likely

    def __add__(self, other: Needs) -> Needs:
        likely = None if self.likely is other.likely is None else self.likely_calls + other.likely_calls
        long_labels = self.long_labels or other.long_labels
        return Needs(self.calls + other.calls, likely, max(self.labels, other.labels), long_labels)

    def __mul__(self, times: int) -> Needs:
        return replace(self, calls=self.calls * times, likely=None if self.likely is None else self.likely * times)


class BaseRanker(Protocol):
    """Defaults for a Ranker. Inherit from it, add `name` and `rank`, and override what differs."""

    __slots__ = ()

    @property
    def sees_truth(self) -> bool:
        """Whether `rank` receives the Case with its ground truth. True only for the oracle."""
        return False

    @property
    def needs_recall_order(self) -> bool:
        """Whether the method uses the recall order, which shuffling would destroy."""
        return False

    def needs(self, n: int) -> Needs:
        """Return what ranking a list of `n` candidates needs. Makes no calls and renders no prompts.

        Raises InputError if the method cannot rank a list of that length.
        """
        return Needs()

    def planned(self) -> Self:
        """Return the ranker to use in a dry run, which answers unreadably: one that continues where this one would give
        up."""
        return self


class Ranker(BaseRanker, Protocol):
    """A ranking method: a pure generator (sans I/O)."""

    @property
    def name(self) -> str:
        """The method's name on the command line."""
        ...

    def rank(self, case: Case) -> RankingSteps:
        """Yield batches of Requests that can run concurrently, receive their Replies in the same order, and return the
        Ranking. The Case comes without its ground truth, with its candidates in the order shown."""
        ...


@dataclass(frozen=True, slots=True)
class WrappedRanker(BaseRanker):
    """A ranker that wraps another. It delegates everything; subclasses override what differs."""

    ranker: Ranker

    @property
    def sees_truth(self) -> bool:
        """See the wrapped ranker."""
        return self.ranker.sees_truth

    @property
    def needs_recall_order(self) -> bool:
        """See the wrapped ranker."""
        return self.ranker.needs_recall_order

    def needs(self, n: int) -> Needs:
        """Return the needs of the wrapped ranker."""
        return self.ranker.needs(n)

    def planned(self) -> Self:
        """Return this wrapper around the wrapped ranker's planned version."""
        return replace(self, ranker=self.ranker.planned())


LABEL_LIMIT = 128
"""Maximum number of labels whose log-probabilities a backend returns in one call."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do."""

    label_logprobs: int = 0
    """Maximum number of labels per call whose log-probabilities it returns; 0: it returns none."""


class BackendDefaults(Protocol):
    """Defaults for a Backend: it returns text, knows nothing about its model, and holds no resources."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do besides returning text."""
        return Capabilities()

    @property
    def context_length(self) -> int | None:
        """Maximum tokens of prompt and answer together; None if unknown."""
        return None

    @property
    def concessions(self) -> Mapping[str, object]:
        """Where it deviated from what was requested, as JSON values for the manifest; empty if it did not."""
        return {}

    @property
    def sent_beside(self) -> int:
        """Number of calls sent so far in addition to one per Request, to learn what the endpoint supports."""
        return 0

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Return the number of tokens in the prompt; None if the backend cannot count them."""
        return None

    def holds(self, request: Request) -> bool | None:
        """Return whether the answer is stored (a replay); None for a backend that answers any Request."""
        return None

    def switches_thinking(self) -> bool | None:
        """Return whether the model's reasoning can be switched on and off; None if unknown."""
        return None

    async def label_tokens(self, texts: Sequence[str]) -> Mapping[str, int] | None:
        """Return the token id of every text that is a single token; None if the model's tokenizer is unknown."""
        return None

    async def probe(self, ask: Callable[[Request], Awaitable[Response]], *, labels: bool) -> None:
        """Find out before a run whether the backend answers and, with `labels`, whether it returns log-probabilities;
        then update `capabilities`.

        `ask` answers from the Store if it can. Raises whatever `ask` raises, and MissingError if the reply is not an
        answer.
        """

    async def answers_others(self, request: Request) -> bool:
        """Return whether a short test request with the settings of this one is answered now; False if unknown."""
        return False

    async def load(self) -> None:
        """Load the model now, if it would otherwise be loaded by the first call.

        Raises FatalBackendError if it cannot be loaded.
        """

    async def close(self) -> None:
        """Release the model or close the connections."""


class Backend(BackendDefaults, Protocol):
    """Answers Requests. `llmrank.backends.BaseBackend` has defaults for everything except the members below;
    `WrappedBackend` delegates everything to another backend."""

    @property
    def identity(self) -> Mapping[str, str]:
        """Everything about it that can change an answer (kind, base URL, model, revision, adapter); part of the Store's
        key."""
        ...

    async def answer(self, request: Request) -> Response:
        """Return the Response; raise BackendError if there is none."""
        ...
