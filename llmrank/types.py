"""The nouns of llmrank, as frozen values. This module imports nothing of ours.

A `Case` is one evaluation instance. A `PromptTemplate` renders it into `Message`s; a `Request` is one model call and a
`Response` what came back. An answer format reads the Response into an `Answer`, and a ranker turns Answers into a
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
"""A default for functions; a field's default must be hashable and picklable, which this is not."""
Task = Literal["ranking", "rating"]
"""What is asked about a Case: an order of its candidates, or the rating of its target."""

T = TypeVar("T")


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return what turns a noun, a frozen dataclass, into plain values and back.

    `dump_python` gives dicts and lists; `validate_python` raises ValueError for what are not the values of the noun.
    """
    return _adapter(kind)


@cache
def _adapter(kind: type[Any]) -> Any:  # noqa: ANN401 - `adapter` says it
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


# --- what is open until it is closed --------------------------------------------------------------------------------


class Closable(ABC):
    """Something to close after use; as a context manager it is closed at the end of the block."""

    @abstractmethod
    def close(self) -> None:
        """Release what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


# --- what is ranked -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be recommended."""

    item_id: str
    title: str
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Any further text: genres (joined with ", "), year, brand, description."""

    def __hash__(self) -> int:
        return hash((self.item_id, self.title))

    def __repr__(self) -> str:
        # As a dataclass writes it, without its guard against a value that holds itself: data are hashed by it.
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
    """One evaluation instance: a user, what they did, and what they are to be offered.

    A ranking Case has `candidates`; a rating Case has a `target` in their place.
    """

    user_id: str
    history: tuple[Event, ...]
    """Oldest first; nothing after the cut-off."""
    candidates: tuple[Item, ...] = ()
    """In the order in which they are to be shown; in recall order as they come from the recall stage."""
    recall_scores: tuple[float, ...] | None = None
    """Aligned with `candidates`; higher is better."""
    relevant: tuple[str, ...] = ()
    """Item ids of what the user did next; empty when unknown. They need not be among the candidates."""
    target: Item | None = None
    """Rating task: the item whose rating is asked."""
    rating: float | None = None
    """Rating task: the true rating, None when unknown."""
    case_id: str = ""
    """Names the Case among all of a run; the user id where the user has one Case only."""
    gains: tuple[float, ...] | None = None
    """Graded relevance, aligned with `relevant` and above zero; None: every relevant item counts 1."""
    columns: Mapping[str, str] = field(default_factory=dict[str, str], hash=False, repr=False)
    """Further columns of its row, such as the user's country, by which results can be grouped; no prompt shows them."""

    def __post_init__(self) -> None:
        if not self.case_id:
            object.__setattr__(self, "case_id", self.user_id)

    @property
    def asked(self) -> tuple[Item, ...]:
        """The items that are to be ranked or rated: the candidates, or the target alone."""
        return self.candidates if self.target is None else (self.target,)

    @property
    def recall_places(self) -> Sequence[int]:
        """The places of the candidates in recall order: by score, equal ones and those without scores as they stand."""
        scores, places = self.recall_scores, range(len(self.candidates))
        return places if scores is None else sorted(places, key=scores.__getitem__, reverse=True)

    @property
    def gain_of(self) -> Mapping[str, float]:
        """The gain of each relevant item: 1 where relevance is binary."""
        return dict(zip(self.relevant, self.gains or [1.0] * len(self.relevant), strict=True))

    def blinded(self) -> Case:
        """Return the Case without its truth: all that a ranker or a template may see."""
        return replace(self, relevant=(), gains=None, rating=None, columns={})


# --- one model call -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model draws its answer. Every field is sent explicitly, so no server default can change an answer."""

    temperature: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
    top_p: Annotated[float, Gt(0), Le(1)] = 1.0
    top_k: Annotated[int, Ge(0)] = 0
    """0: no limit. Sent only to backends that know it (it is no part of the OpenAI interface)."""
    max_tokens: Annotated[int, Ge(1)] = 400
    seed: int = 0
    stop: tuple[Annotated[str, MinLen(1)], ...] = ()
    presence_penalty: Annotated[float, Ge(-2), Le(2)] = 0.0
    frequency_penalty: Annotated[float, Ge(-2), Le(2)] = 0.0


@dataclass(frozen=True, slots=True)
class Structured:
    """A constraint on the form of the answer, for backends that can enforce one."""

    kind: Literal["choice", "regex", "json_schema"]
    spec: str
    """The regular expression, the JSON schema, or the choices, one a line."""


REASONING_TAGS = r"(?:think|thinking|thought|reasoning|seed:think)"
"""The names of the tags between which models put their reasoning, as a pattern."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """Whether the model reasons before it answers, and for how long at most."""

    on: bool = False
    budget: int | None = None
    """The most tokens of reasoning; None: no limit but that of the whole answer. Only with `on`."""

    def __str__(self) -> str:
        return f"{self.budget} tokens" if self.budget is not None else "on" if self.on else "off"


@dataclass(frozen=True, slots=True)
class Request:
    """One model call."""

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    labels: tuple[str, ...] = ()
    """Label texts whose log-probabilities at the first answer token are wanted."""
    structured: Structured | None = None
    thinking: Thinking = Thinking()
    """Off unless the prompt says otherwise. With a budget, `sampling.max_tokens` covers the reasoning too."""
    extra_body: str = ""
    """Further fields of the call's body: a JSON object with sorted keys, as text, which is hashable; empty: none."""
    repeat: int = 0
    """Number of this repetition of the same question, so that repeats are asked anew and not served from the Store."""

    @property
    def reads_only_logprobs(self) -> bool:
        """Whether nothing of the answer is read but the log-probabilities at its one token."""
        return bool(self.labels) and self.structured is None and self.sampling.max_tokens == 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call or of many."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens that the backend took from its prefix cache; 0 where it does not say."""
    completion_tokens: int = 0
    """Tokens that the model wrote, its reasoning among them."""
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
class Response:
    """What a backend answered."""

    text: str
    finish_reason: str = "stop"
    """`stop`, `length`, `content_filter`, `refusal`, or what the endpoint said."""
    usage: Usage = Usage()
    label_logprobs: Mapping[str, float] | None = None
    """Natural-log probability of each label asked for; a label the backend did not return is absent. None: no
    log-probabilities came at all."""
    reasoning: str = ""
    """What the model wrote before its answer, where the backend tells the two apart."""
    seconds: float = 0.0
    batch: bool = False
    """Whether it came through a Batch API, which has its own price."""
    model: str = ""
    """The model that answered, as the endpoint names it; empty when it does not say."""
    system_fingerprint: str = ""
    """The endpoint's name for its configuration; empty when it does not say."""
    left_out: str = ""
    """The parameters that the endpoint did not take, and that were not sent, with commas between."""

    def can_answer(self, request: Request) -> bool:
        """Return whether there is something to read. Without the log-probabilities that alone are read it is no answer
        of the model: another machine of the same endpoint, or the same one another day, may return them."""
        return self.label_logprobs is not None or not request.reads_only_logprobs


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that got no answer: what a ranker receives in the place of a Response. It is never stored or parsed."""

    reason: str


Reply = Response | Failure


# --- reading an answer ----------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """How a Case ended; exactly one per Case."""

    OK = "ok"
    REPAIRED = "repaired"
    UNPARSED = "unparsed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Question:
    """What was shown to the model, as far as it is needed to read the answer."""

    items: tuple[Item, ...] = ()
    """The items offered, in the order shown."""
    identifiers: tuple[str, ...] = ()
    """The identifier shown beside each item (numbers, letters, …); empty when items were shown by title alone."""
    top: int | None = None
    """How many items the model was asked to return; None: all."""
    scale: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest rating (rating task)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A text of an answer that was read as the name of an item."""

    text: str
    """As it stands in the normalised answer."""
    line: int
    """Of the normalised answer, from 1; 0 where it is not known."""
    read_as: str
    """How it was matched (`exact`, `normalised`, `fuzzy`, `loose`, `identifier`, `item_id`), or why it names
    nothing, as in `Answer.repairs`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A Response, read. Which of the values is set depends on the answer format."""

    outcome: Outcome
    reason: str = ""
    """Why it is unparsed (`empty`, `refusal`, `out_of_range`, `ambiguous`, …) or in error."""
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    """What had to be mended, counted: `missing`, `duplicate`, `not_a_candidate`, `truncated`, …"""
    ranked: tuple[str, ...] = ()
    """Item ids that the answer names, best first, each once."""
    value: float | None = None
    """A rating."""
    scores: Mapping[str, float] | None = None
    """A score for each label or item id."""
    matches: Mapping[str, int] = field(default_factory=dict[str, int])
    """How each named title was matched: `exact`, `normalised`, `fuzzy`, `loose`."""
    label_mass: float | None = None
    """Probability that the first token is one of the labels asked for; None for a format that reads text."""
    entries: tuple[Entry, ...] = field(default=(), repr=False, compare=False)
    """What was read in the text, for people who look at it; nothing else depends on it."""


class AnswerFormat(Protocol):
    """How a Response becomes an Answer. Pure: no I/O, no state, and it never sees the truth."""

    @property
    def name(self) -> str:
        """What it is called in front matter and on the command line."""
        ...

    def read(self, response: Response, question: Question) -> Answer:
        """Return the Answer; never raises, whatever the text."""
        ...

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return the label texts whose log-probabilities it reads; empty for a format that reads text."""
        ...

    def structured(self, question: Question) -> Structured | None:
        """Return the constraint that makes every answer readable, for `constrain: true`; None where there is none."""
        ...


# --- the result -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ranking:
    """A full permutation of a Case's candidates, and how it came about.

    The rating task uses it too: `order` holds the target alone, and `scores` its predicted rating (None if unparsed).
    """

    order: tuple[str, ...]
    """Item ids, best first, every candidate once."""
    scores: tuple[float, ...] | None = None
    """Aligned with `order`; equal scores are ties, -inf is unscored. None: strict as far as `named` reaches."""
    named: int | None = None
    """How many items at the head the method really placed; what follows is tied. None: all of them."""
    outcome: Outcome = Outcome.OK
    reason: str = ""
    repairs: Mapping[str, int] = field(default_factory=dict[str, int])
    matches: Mapping[str, int] = field(default_factory=dict[str, int])
    history_dropped: int = 0
    """Events, oldest first, that were left out because the prompt would not have fitted the model."""
    label_mass: float | None = None
    """The smallest of its Answers' label masses; None where no labels were read."""

    @property
    def answered(self) -> bool:
        """Whether the model's answer could be read."""
        return self.outcome in (Outcome.OK, Outcome.REPAIRED)


RankingSteps = Generator[list[Request], Sequence[Reply], Ranking]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a ranker needs to rank one list; the default needs no model."""

    calls: int = 0
    """The most calls that the method makes."""
    likely: int | None = None
    """How many calls to expect, where that is fewer than `calls`; None: the method makes exactly `calls`."""
    labels: int = 0
    """The most labels whose log-probabilities one call reads; 0 where the text of the answer can be read instead."""
    long_labels: bool = False
    """Whether its labels are whole titles, which the backend `titles` alone can score."""

    @property
    def likely_calls(self) -> int:
        """How many calls to expect."""
        return self.calls if self.likely is None else self.likely

    def __add__(self, other: Needs) -> Needs:
        likely = None if self.likely is other.likely is None else self.likely_calls + other.likely_calls
        long_labels = self.long_labels or other.long_labels
        return Needs(self.calls + other.calls, likely, max(self.labels, other.labels), long_labels)

    def __mul__(self, times: int) -> Needs:
        return replace(self, calls=self.calls * times, likely=None if self.likely is None else self.likely * times)


class BaseRanker(Protocol):
    """The defaults of a Ranker. A ranker inherits from it, adds `name` and `rank`, and overrides what differs."""

    __slots__ = ()

    @property
    def sees_truth(self) -> bool:
        """Whether `rank` receives the Case with its ground truth: true for the oracle only."""
        return False

    @property
    def needs_recall_order(self) -> bool:
        """Whether the method reads the order of the recall stage, which shuffling would hide from it."""
        return False

    def needs(self, n: int) -> Needs:
        """Return what ranking a list of `n` candidates needs; calls nothing and takes no time that grows with a prompt.

        Raises InputError where the method cannot rank so long a list.
        """
        return Needs()

    def planned(self) -> Self:
        """Return the ranker that a dry run drives with unreadable answers: one that asks on where this one gives up."""
        return self


class Ranker(BaseRanker, Protocol):
    """A method of ranking: a pure generator (sans I/O)."""

    @property
    def name(self) -> str:
        """The method's name on the command line."""
        ...

    def rank(self, case: Case) -> RankingSteps:
        """Yield batches of Requests that can run side by side, receive their Replies in the same order, return the
        Ranking. The Case comes without its truth, its candidates in the order in which they are shown."""
        ...


@dataclass(frozen=True, slots=True)
class WrappedRanker(BaseRanker):
    """A ranker around another, which sees and needs what that one does. What wraps overrides what differs."""

    ranker: Ranker

    @property
    def sees_truth(self) -> bool:
        """Whether the ranker within does."""
        return self.ranker.sees_truth

    @property
    def needs_recall_order(self) -> bool:
        """Whether the ranker within does."""
        return self.ranker.needs_recall_order

    def needs(self, n: int) -> Needs:
        """Return the needs of the ranker within."""
        return self.ranker.needs(n)

    def planned(self) -> Self:
        """Return the same around what the ranker within returns."""
        return replace(self, ranker=self.ranker.planned())


LABEL_LIMIT = 128
"""The most labels whose log-probabilities a backend returns in one call."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do."""

    label_logprobs: int = 0
    """For how many labels it returns log-probabilities in one call; 0: for none."""


class BackendDefaults(Protocol):
    """What a Backend can leave as it is: it returns text, knows nothing of its model, and has nothing to close."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beside returning text."""
        return Capabilities()

    @property
    def context_length(self) -> int | None:
        """Tokens that the model holds, prompt and answer together; None when that is unknown."""
        return None

    @property
    def concessions(self) -> Mapping[str, object]:
        """What was done differently from what was asked, as JSON values for the manifest; empty when nothing was."""
        return {}

    @property
    def sent_beside(self) -> int:
        """Calls that it has sent so far beside the one that answers each Request, to learn what the endpoint takes."""
        return 0

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Return how many tokens the prompt has; None when the backend cannot count them."""
        return None

    def holds(self, request: Request) -> bool | None:
        """Return whether the answer is there (a replay); None for a backend that answers any Request."""
        return None

    def switches_thinking(self) -> bool | None:
        """Return whether the model's reasoning can be switched on and off; None when that is not known."""
        return None

    async def label_tokens(self, texts: Sequence[str]) -> Mapping[str, int] | None:
        """Return the token id of every text that is a single token of the model; None if its tokenizer is unknown."""
        return None

    async def probe(self, ask: Callable[[Request], Awaitable[Response]], *, labels: bool) -> None:
        """Find out before a run whether the backend answers and, with `labels`, whether it returns log-probabilities;
        `capabilities` then says so.

        `ask` answers from the Store where it can. Raises what `ask` raises; `MissingError` when what comes back is no
        answer.
        """

    async def load(self) -> None:
        """Load the model, where that is left to the first call, so that no call has to wait for it.

        Raises `FatalBackendError` where it cannot be loaded.
        """

    async def close(self) -> None:
        """Release the model or the connections."""


class Backend(BackendDefaults, Protocol):
    """Something that answers Requests. `llmrank.backends.BaseBackend` has a default for everything but what is written
    here; `WrappedBackend` passes everything on."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What of it can change an answer (kind, base URL, model, revision, adapter), for the Store's key."""
        ...

    async def answer(self, request: Request) -> Response:
        """Return the Response; raise `BackendError` when there is none."""
        ...
