"""What a run would send: the first messages about a Case, rendered as an evaluation with the same settings does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from llmrank.engine import drive
from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSet, cases_of
from llmrank.evaluation.method import Composer, ContextWindow, prompt_name, tasks_of, template_of
from llmrank.evaluation.settings import CaseSettings, PromptSettings
from llmrank.progress import Say, silent
from llmrank.prompting import load_template
from llmrank.rankers.order import Order
from llmrank.rankers.prompt import Prompt
from llmrank.types import Case, Message, Ranker, Reply, Request, Response


@dataclass(frozen=True, slots=True)
class Rendering:
    """A prompt and the Cases that it is rendered for."""

    prompt: Prompt
    ranker: Ranker | None
    """None for a prompt that asks for a profile."""
    cases: CaseSet
    order: Order
    stored: Callable[[Request], Response | None]
    """Returns the stored answer to a Request, for a profile that the prompt shows."""
    profile: str | None

    @classmethod
    def of(
        cls,
        settings: PromptSettings,
        case_settings: CaseSettings,
        *,
        window: ContextWindow,
        stored: Callable[[Request], Response | None] = lambda _: None,
        profile: str | None = None,
        say: Say = silent,
    ) -> Self:
        """Return the rendering that the settings mean.

        Args:
            settings: Of the prompt.
            case_settings: Of the Cases.
            window: How much the model holds: a history that does not fit is shortened, as in a run.
            stored: What the Store has.
            profile: Shown in the place of the profile that the profile prompt would answer.
            say: Told what is being done.
        """
        template = load_template(str(prompt_name(settings)))
        front = template.front
        cases = cases_of(
            None, case_settings, tasks_of(settings, template), catalogue=front.candidates == "catalogue", say=say
        )
        composer = Composer(settings, cases.training, case_settings.seed, window, domain=cases.domain)
        order = Order.parse(settings.order, case_settings.seed)
        if front.task == "profile":
            return cls(composer.profile(template), None, cases, order, stored, profile)
        # What is asked with this prompt, not what a first stage asks before it.
        alone = replace(composer, settings=replace(settings, first=None))
        method = alone.method(template_of(settings))
        assert method.prompt is not None
        return cls(method.prompt, method.ranker, cases, order, stored, profile)

    @property
    def path(self) -> Path:
        """The template's file."""
        return self.prompt.template.path

    def requests(self, case: Case) -> list[Request]:
        """Return the calls that are made first about a Case, side by side; those for its profile are answered."""
        shown = self.order.arrange(case).blinded()
        if self.ranker is None:
            return [self.prompt.ask(shown).request]
        batches: list[list[Request]] = []

        def answer(batch: list[Request]) -> Sequence[Reply]:
            batches.append(batch)
            return [self._profile(request) for request in batch]

        drive(self.ranker, shown, answer)
        if not batches:
            raise InputError(
                f"{self.ranker.name} sends no request for a list of {len(shown.candidates)}",
                user=case.user_id,
                hint="show more candidates",
            )
        return batches[0 if self.prompt.profile is None else 1]

    def _profile(self, request: Request) -> Response:
        if self.profile is not None:
            return Response(self.profile)
        asks = self.prompt.profile.template.name if self.prompt.profile else ""
        return self.stored(request) or Response(f"(the answer to {asks}, which is not in the store)")

    def pair(self, user_id: str | None) -> tuple[Case, tuple[Message, ...], tuple[Message, ...] | None, str]:
        """Return the user's Case, its first messages, the messages sent next after them, and whose those are.

        Raises InputError for a user of whom there is no Case.
        """
        cases = self.cases.cases
        position = next((at for at, case in enumerate(cases) if user_id in (None, case.user_id)), None)
        if position is None:
            raise InputError(f"no case of user {user_id!r}", field="--user", hint="name one of the data's users")
        case, following = cases[position], cases[(position + 1) % len(cases)]
        requests = self.requests(case)
        if len(requests) > 1:
            return case, requests[0].messages, requests[1].messages, "the same user's next call"
        if len(cases) == 1:
            return case, requests[0].messages, None, ""
        next_messages = self.requests(following)[0].messages
        return case, requests[0].messages, next_messages, f"the prompt of user {following.user_id}"
