"""The arguments that all verbs share (prompt, model, limits), resolved once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

from llmrank.backends.adapter import CARD, PROMPT, check_trained_with, differs_from_training, read_card
from llmrank.errors import InputError
from llmrank.evaluation.method import (
    Composer,
    MadeRanker,
    Method,
    asked_template,
    may_vary,
    needs_model,
    template_of,
)
from llmrank.evaluation.session import Session, for_titles
from llmrank.evaluation.settings import Limits, ModelSettings, PromptSettings, changed, split_settings
from llmrank.evaluation.training_data import TrainingData
from llmrank.progress import Say
from llmrank.prompting import PromptTemplate, template_origin
from llmrank.rankers.order import Order
from llmrank.rankers.registry import WITHOUT_PROMPT
from llmrank.store import Store
from llmrank.types import Backend, BackendDefaults, BaseRanker, Needs, Ranker


@dataclass(frozen=True, slots=True)
class Setup:
    """The resolved prompt, model and limits."""

    prompt: PromptSettings = field(default_factory=PromptSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    limits: Limits = field(default_factory=Limits)
    template: PromptTemplate | None = None
    """None if the method does not use a template of llmrank."""
    ranker: Ranker | None = None
    """Overrides the ranker that the settings name."""
    backend: Backend | None = None
    """Overrides the backend that the settings name."""
    seed: int | None = None
    """Seed that the method must have; None: any."""
    names_model: bool = False
    """Whether the settings name a model: a ranker that is an object may leave open how many calls it makes."""

    @classmethod
    def of(
        cls,
        *others: Any,  # records, or their types
        prompt: str | Path | PromptTemplate | PromptSettings | None = None,
        ranker: str | Ranker | None = None,
        model: str | ModelSettings | None = None,
        backend: str | Backend | None = None,
        limits: Limits | None = None,
        beside: Sequence[str] = (),
        **settings: Any,
    ) -> tuple[Self, list[Any]]:
        """Resolve these arguments, and return the setup and the records of `others`, filled from `settings`.

        Settings given by name override those of a record. `beside` lists further arguments of the caller, for the error
        about an unknown one.

        Raises InputError for an unknown setting, an invalid value, or an invalid template.
        """
        named = {"prompt": prompt, "ranker": ranker, "model": model, "backend": backend}
        settings |= {name: one for name, one in named.items() if isinstance(one, str | Path)}
        _refuse_objects(named | {"limits": limits})
        kinds = ((prompt, PromptSettings), (model, ModelSettings), (limits, Limits))
        records = [one if isinstance(one, kind) else kind for one, kind in kinds]
        prompts, models, bounds, *more = split_settings(settings, *records, *others, beside=beside)
        Order.parse(prompts.order)  # fail early on an invalid order
        own_template = prompt if isinstance(prompt, PromptTemplate) else None
        own_ranker = None if isinstance(ranker, str) else ranker
        own_backend = None if isinstance(backend, str) else backend
        prompts, template, titles = _method_of(prompts, own_ranker, own_template)
        if titles and own_backend is None:
            models = for_titles(models)
        seed: int | None = None
        if isinstance(own_ranker, MadeRanker):
            own_ranker, seed = None, own_ranker.seed
        names_model = model is not None or not settings.keys().isdisjoint(("base_url", "backend"))
        return cls(prompts, models, bounds, template, own_ranker, own_backend, seed, names_model), more

    @property
    def asks_model(self) -> bool:
        """Whether the method makes model calls; baselines do not."""
        if self.ranker is not None and self.backend is None:
            return self.names_model or _needs(self.ranker).calls > 0
        return needs_model(self.prompt) or not (self.template is self.ranker is self.backend is None)

    @property
    def adapter_card(self) -> Mapping[str, Any] | None:
        """The card of the adapter; None without an adapter, or if another trainer made it."""
        folder = self.model.adapter
        return read_card(folder) if folder is not None and (folder / CARD).is_file() else None

    def differs_from_training(self, method: Method) -> str | None:
        """Return a note on what the adapter's prompt showed otherwise in training; None if nothing."""
        card = self.adapter_card
        return None if card is None or card["kind"] != PROMPT else differs_from_training(card, method.settings)

    def with_options(self, **options: Any) -> Self:
        """Return a copy with these `RankerOptions`."""
        return replace(self, prompt=replace(self.prompt, options=replace(self.prompt.options, **options)))

    def session(self, say: Say, store: Store | None = None) -> Session:
        """Open a session, without a model if none is needed. Raises what `Session` raises.

        Also warns about a template that overrides a shipped one of the same name, and about answers sampled again
        although nothing varies.
        """
        if self.template is not None and template_origin(self.template) == "edited":
            say(f"using the prompt {self.template.name} from {self.template.path}, not the one shipped with llmrank")
        if self.template is not None and self.prompt.draw > 1 and not may_vary(self.prompt, self.template):
            say("the temperature is 0: most models answer as before, and --draw pays again; --temperature changes that")
        if not self.asks_model:
            return Session.without_model(say=say)
        return Session(self.model, self.limits, backend=self.backend, store=store, say=say)

    def method(self, session: Session, training: TrainingData, seed: int, domain: str | None = None) -> Method:
        """Return the method for the session's backend.

        Raises InputError for a ranker made with another seed (a Run has only one), for an adapter that was trained for
        another prompt, and what `Composer.method` raises.
        """
        if self.seed not in (None, seed):
            problem = f"the ranker has seed {self.seed}, and the Cases have seed {seed}"
            raise InputError(problem, field="seed", hint="omit seed= in make_ranker, or give both the same")
        card, template = self.adapter_card, self.template
        if card is not None and card["kind"] == PROMPT and template is not None and self.model.adapter is not None:
            check_trained_with(card, template.name, template.sha256, self.model.adapter)
        composer = Composer(self.prompt, training, seed, session.backend, session.labels, domain=domain)
        return composer.method(self.template, self.ranker)


def _method_of(
    prompts: PromptSettings, ranker: Ranker | None, template: PromptTemplate | None
) -> tuple[PromptSettings, PromptTemplate | None, bool]:
    """Return the settings and the template of the method, and whether its model continues lists of titles.

    `ranker` and `template` are the caller's own objects. Raises InputError for settings that would change nothing
    beside a ranker, and for an invalid template.
    """
    if ranker is None:
        return prompts, asked_template(prompts, template), prompts.ranker in WITHOUT_PROMPT
    _refuse_beside(ranker, prompts)
    if not isinstance(ranker, MadeRanker):
        return prompts, None if template is None else template_of(prompts, template), _needs(ranker).long_labels
    if template is not None:
        raise InputError("the ranker has its own prompt", field="prompt", hint="give it to make_ranker")
    made = replace(ranker.settings, **changed(prompts))  # order and draw
    return made, ranker.template, made.ranker in WITHOUT_PROMPT


def _needs(ranker: Ranker) -> Needs:
    """Return what a ranker of a user needs for two candidates. Raises InputError if it does not say so in a Needs."""
    needs = cast(object, ranker.needs(2))
    if not isinstance(needs, Needs):
        problem = f"`needs` of {type(ranker).__name__} returns {needs!r:.60}"
        raise InputError(problem, field="ranker", hint="return llmrank.types.Needs: Needs(1) for one call")
    return needs


_KINDS: Mapping[str, tuple[Any, str]] = {
    "prompt": (str | Path | PromptTemplate | PromptSettings, "give a name, a path, or a PromptTemplate"),
    "model": (str | Path | ModelSettings, "give a name, a path or a ModelSettings"),
    "limits": (Limits, "give a Limits, or the limits by name"),
}
"""What an argument may be, and the hint for anything else."""
_MEMBERS = {
    "ranker": (("name", "rank"), BaseRanker, "llmrank.types.BaseRanker"),
    "backend": (("identity", "answer"), BackendDefaults, "llmrank.backends.BaseBackend"),
}
"""What a class must write itself, what it can inherit, and from where."""


def _refuse_objects(given: Mapping[str, object]) -> None:
    """Raise InputError for an argument of the wrong type, and for an incomplete ranker or backend."""
    for name, (kind, hint) in _KINDS.items():
        if given[name] is not None and not isinstance(given[name], kind):
            raise InputError(f"unexpected type {type(given[name]).__name__}", field=name, hint=hint)
    for name in _MEMBERS:
        if given[name] is not None and not isinstance(given[name], str):
            _refuse_incomplete(name, given[name])


def _refuse_incomplete(field: str, one: object) -> None:
    """Raise InputError for a class in place of an object, and if an object lacks members of a ranker or a backend."""
    if isinstance(one, type):
        problem, hint = f"expected an object, got the class {one.__name__}", f"make an instance: {one.__name__}(…)"
        raise InputError(problem, field=field, hint=hint)
    own, base, where = _MEMBERS[field]
    members = [*own, *(name for name in vars(base) if not name.startswith("_"))]
    if missing := [f"`{name}`" for name in members if name not in dir(one) and not hasattr(one, name)]:
        problem = f"an object of the class {type(one).__name__} is no {field}: it has no {', '.join(missing)}"
        written = " and ".join(f"`{name}`" for name in own)
        raise InputError(problem, field=field, hint=f"inherit from {where}, and write {written} (docs/extending.md)")


def _refuse_beside(ranker: Ranker, prompts: PromptSettings) -> None:
    """Raise InputError for settings beside a ranker that is an object: they would change nothing."""
    if unused := [name for name in changed(prompts) if name not in ("order", "draw")]:
        hint = "give it to make_ranker"
        if not isinstance(ranker, MadeRanker):
            hint = "build it into the ranker, or wrap it in llmrank.rankers.fusion.Fused to add recall scores"
        raise InputError("this has no effect on a ranker given as an object", field=unused[0], hint=hint)
