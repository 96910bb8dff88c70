"""What is asked, of which model, and within which limits: the arguments that all verbs share, resolved once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from llmrank.backends.adapter import CARD, PROMPT, check_trained_with, read_card
from llmrank.errors import InputError
from llmrank.evaluation.method import Composer, Method, asked_template, needs_model, template_of
from llmrank.evaluation.session import Session, for_titles
from llmrank.evaluation.settings import Limits, ModelSettings, PromptSettings, flat, settings_of, split_settings
from llmrank.evaluation.training_data import TrainingData
from llmrank.progress import Say
from llmrank.prompting import PromptTemplate, template_origin
from llmrank.rankers.fusion import RecallTerm
from llmrank.rankers.options import FuseWeight
from llmrank.rankers.order import Order
from llmrank.rankers.registry import WITHOUT_PROMPT
from llmrank.store import Store
from llmrank.types import Backend, Ranker


@dataclass(frozen=True, slots=True)
class Setup:
    """What is asked, of which model, and within which limits."""

    prompt: PromptSettings = field(default_factory=PromptSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    limits: Limits = field(default_factory=Limits)
    template: PromptTemplate | None = None
    """None where the method asks with no template of ours."""
    ranker: Ranker | None = None
    """Used in the place of the one that the settings name."""
    backend: Backend | None = None
    """Asked in the place of the one that the settings name."""

    @classmethod
    def of(
        cls,
        *others: Any,  # noqa: ANN401 - records, or their types
        prompt: str | Path | PromptTemplate | PromptSettings | None = None,
        ranker: str | Ranker | None = None,
        model: str | ModelSettings | None = None,
        backend: str | Backend | None = None,
        limits: Limits | None = None,
        beside: Sequence[str] = (),
        **settings: Any,  # noqa: ANN401 - checked by name and type
    ) -> tuple[Self, list[Any]]:
        """Return what these arguments mean, and the records of `others` with those of the settings that are theirs.

        What is given by name comes before what a whole record says. `beside` names further arguments that the caller
        takes, for the message about an unknown one.

        Raises InputError for an unknown setting, a wrong value, and what is wrong with the template.
        """
        named = {"prompt": prompt, "ranker": ranker, "model": model, "backend": backend}
        settings |= {name: one for name, one in named.items() if isinstance(one, str | Path)}
        named_or_made = str | Path | PromptTemplate | PromptSettings
        for name, one, kind, hint in (
            ("prompt", prompt, named_or_made, "give a name, a path, or a PromptTemplate"),
            ("model", model, str | Path | ModelSettings, "give a name, a path or a ModelSettings"),
            ("limits", limits, Limits, "give a Limits, or the limits by name"),
        ):
            if one is not None and not isinstance(one, kind):
                raise InputError(f"a value of type {type(one).__name__} cannot stand here", field=name, hint=hint)
        for name, one in (("ranker", ranker), ("backend", backend)):
            if isinstance(one, type):
                hint = f"make one of it: {one.__name__}(…)"
                problem = f"{one.__name__} is a class, and what is asked for is an object"
                raise InputError(problem, field=name, hint=hint)
        kinds = ((prompt, PromptSettings), (model, ModelSettings), (limits, Limits))
        records = [one if isinstance(one, kind) else kind for one, kind in kinds]
        prompts, models, bounds, *more = split_settings(settings, *records, *others, beside=beside)
        Order.parse(prompts.order)  # refuses a wrong one before anything is loaded
        own_template = prompt if isinstance(prompt, PromptTemplate) else None
        own_ranker = None if isinstance(ranker, str) else ranker
        own_backend = None if isinstance(backend, str) else backend
        if own_ranker is None:
            template, titles = asked_template(prompts, own_template), prompts.ranker in WITHOUT_PROMPT
        else:
            template = None if own_template is None else template_of(prompts, own_template)
            titles = own_ranker.needs(2).long_labels
            given, usual = flat(prompts), flat(PromptSettings())
            options = [one.name for one in settings_of(PromptSettings) if one.inside == "options"]
            if said := [name for name in ("first", *options) if given[name] != usual[name]]:
                hint = "let `make_ranker` build it with these options, or wrap it in llmrank.rankers.fusion.Fused"
                raise InputError("a ranker of your own is used as it is", field=said[0], hint=hint)
        if titles and own_backend is None:
            models = for_titles(models)
        return cls(prompts, models, bounds, template, own_ranker, own_backend), more

    @property
    def asks_model(self) -> bool:
        """Whether model calls are made; a baseline makes none."""
        if self.ranker is not None and self.backend is None:
            return self.ranker.needs(2).calls > 0
        return needs_model(self.prompt) or not (self.template is self.ranker is self.backend is None)

    @property
    def adapter_card(self) -> Mapping[str, Any] | None:
        """What the adapter in a folder says of itself; None where there is none, or another trainer made it."""
        folder = self.model.adapter
        return read_card(folder) if folder is not None and (folder / CARD).is_file() else None

    def fused(self, weight: FuseWeight | None, term: RecallTerm | None = None) -> Self:
        """Return the same with another weight of the recall stage; None: the method alone."""
        options = replace(self.prompt.options, fuse=weight, fuse_term=term)
        return replace(self, prompt=replace(self.prompt, options=options))

    def session(self, say: Say, store: Store | None = None) -> Session:
        """Return an open session; one without a model where none is asked. Raises what `Session` raises.

        Whoever asks with a template of their own under the name of one of llmrank's is told so.
        """
        if self.template is not None and template_origin(self.template) == "edited":
            say(f"the prompt {self.template.name} is {self.template.path}, not the one that comes with llmrank")
        if not self.asks_model:
            return Session.without_model(say=say)
        return Session(self.model, self.limits, backend=self.backend, store=store, say=say)

    def method(self, session: Session, training: TrainingData, seed: int, domain: str | None = None) -> Method:
        """Return how Cases are ranked with the session's backend.

        Raises InputError for an adapter that was trained for another prompt, and as `Composer.method`.
        """
        card, template = self.adapter_card, self.template
        if card is not None and card["kind"] == PROMPT and template is not None and self.model.adapter is not None:
            check_trained_with(card, template.name, template.sha256, self.model.adapter)
        composer = Composer(self.prompt, training, seed, session.backend, session.labels, domain=domain)
        return composer.method(self.template, self.ranker)
