"""The first messages that a run would send about a Case, rendered exactly as an evaluation would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Self

from llmrank.engine import ESTIMATED, estimated_tokens, rank_alone
from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSet, cases_of
from llmrank.evaluation.method import Composer, named_template, tasks_of, template_of
from llmrank.evaluation.session import Session
from llmrank.evaluation.settings import CaseSettings, PromptSettings
from llmrank.progress import Say, silent
from llmrank.prompting import difference, shared_prefix, transcript
from llmrank.rankers.order import Order
from llmrank.rankers.prompt import Prompt
from llmrank.store import request_key
from llmrank.types import Case, Message, Ranker, Reply, Request, Response


@dataclass(frozen=True, slots=True)
class Rendered:
    """The first messages about a Case."""

    template: Path
    case: Case
    messages: tuple[Message, ...]
    tokens: int
    counted_by: str
    """How the tokens were counted."""
    whose: str
    """Description of the next prompt; empty if there is none."""
    shared: str
    """The common prefix of both, which a prefix cache computes once."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-compatible values."""
        shared = {"characters": len(self.shared), "of": len(transcript(self.messages)), "ends": self.shared[-60:]}
        return {
            "template": str(self.template),
            "user": self.case.user_id,
            "case": self.case.case_id,
            "messages": [{"role": message.role, "content": message.content} for message in self.messages],
            "tokens": self.tokens,
            "counted_by": self.counted_by,
            "shared_prefix": {"with": self.whose, **shared},
        }


@dataclass(frozen=True, slots=True)
class Rendering:
    """A prompt and the Cases that it is rendered for."""

    prompt: Prompt
    ranker: Ranker | None
    """None for a prompt that asks for a profile."""
    cases: CaseSet
    order: Order
    session: Session
    """Provides the context length and stored answers. It sends no requests here."""
    profile: str | None
    """Profile text to show instead of the answer to the profile prompt."""

    @classmethod
    def of(
        cls,
        settings: PromptSettings,
        case_settings: CaseSettings,
        session: Session,
        *,
        profile: str | None = None,
        say: Say = silent,
    ) -> Self:
        """Return the rendering for these settings; `say` receives progress messages."""
        template, seed = named_template(settings), case_settings.seed
        catalogue, tasks = template.front.candidates == "catalogue", tasks_of(settings, template)
        cases = cases_of(None, case_settings, tasks, catalogue=catalogue, say=say)
        # Render this prompt, not that of a first stage.
        alone = replace(settings, first=None, options=replace(settings.options, fuse=None, fuse_term=None))
        domain = cases.domain
        composer = Composer(alone, cases.training, seed, session.backend, session.labels, domain=domain)
        order = Order.parse(settings.order, seed)
        if template.front.task == "profile":
            return cls(composer.profile(template), None, cases, order, session, profile)
        method = composer.method(template_of(settings))
        assert method.prompt is not None
        return cls(method.prompt, method.ranker, cases, order, session, profile)

    def requests(self, case: Case) -> list[Request]:
        """Return the first batch of calls about a Case, after the profile call has been answered; empty for a list that
        needs none."""
        if self.ranker is None:
            return [self.prompt.ask(self.order.arrange(case).blinded()).request]
        batches: list[list[Request]] = []

        def answer(batch: list[Request]) -> Sequence[Reply]:
            batches.append(batch)
            return [self._profile(request) for request in batch]

        rank_alone(case, self.ranker, self.order.arrange, answer)
        return batches[0 if self.prompt.profile_for(case) is None else 1] if batches else []

    def _profile(self, request: Request) -> Response:
        if self.profile is not None:
            return Response(self.profile)
        asks = self.prompt.profile.template.name if self.prompt.profile else ""
        stored = self.session.store.get(request_key(self.session.backend.identity, request))
        return stored or Response(f"(the answer to {asks}, which is not in the Store)")

    def of_user(self, user_id: str | None) -> Rendered:
        """Return the first messages about a case id or a user id (None: any), and their shared prefix.

        The first such Case that needs a call is shown; a case id takes precedence over a user id. Raises InputError if
        there is none.
        """
        cases = self.cases.cases
        named = [at for at, case in enumerate(cases) if user_id == case.case_id]
        of_user = [at for at, case in enumerate(cases) if user_id in (None, case.user_id)]
        if not (found := named or of_user):
            raise InputError(f"no case for user {user_id!r}", field="user", hint="give a user or case id of the data")
        calls = ((at, self.requests(cases[at])) for at in found)
        position, requests = next((one for one in calls if one[1]), (found[0], []))
        case, whose = cases[position], "the same user's next call"
        if not requests and self.ranker is not None:
            problem = f"{self.ranker.name} makes no calls for a list of {len(case.candidates)}"
            raise InputError(problem, user=case.user_id, hint="show more candidates")
        if len(requests) == 1:
            others = ((one, self.requests(one)) for one in (*cases[position + 1 :], *cases[:position]))
            following, more = next((one for one in others if one[1]), (case, []))
            requests, whose = [*requests, *more], f"the prompt of user {following.user_id}"
        messages = requests[0].messages
        shared = shared_prefix(messages, requests[1].messages) if len(requests) > 1 else ""
        exact = self.session.backend.count_tokens(messages)
        return Rendered(
            template=self.prompt.template.path,
            case=case,
            messages=messages,
            tokens=exact or estimated_tokens(messages),
            counted_by="counted by the model's tokenizer" if exact else ESTIMATED,
            whose=whose if len(requests) > 1 else "",
            shared=shared,
        )


def prompt_differences(paths: tuple[Path, Path], names: tuple[str, str], settings: CaseSettings) -> list[list[str]]:
    """Return, for each Case, a diff of its prompts by two templates; empty if they are equal.

    There are at most as many Cases as `settings` draws users. `names` label the templates in the diff headers. Raises
    InputError for templates of different tasks.
    """
    with Session.without_model() as session:
        first, second = (Rendering.of(PromptSettings(prompt=path), settings, session) for path in paths)
        if first.cases.task != second.cases.task:
            tasks = f"{names[0]} asks for a {first.cases.task}, {names[1]} for a {second.cases.task}"
            raise InputError(f"the tasks differ: {tasks}", hint="give two templates for the same task")
        found: list[list[str]] = []
        for case, counterpart in islice(zip(first.cases, second.cases, strict=True), settings.users or None):
            heads = f"{names[0]}, {case.whom}", f"{names[1]}, {case.whom}"
            pair = (first.requests(case), second.requests(counterpart))
            asked, instead = (calls[0].messages if calls else () for calls in pair)
            found.append([*difference(asked, instead, heads)])
        return found
