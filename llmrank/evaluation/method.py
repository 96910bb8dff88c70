"""From settings to a ranking method: a template, a Prompt and a Ranker, or a baseline that needs no model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, Protocol, Self, cast, runtime_checkable
from uuid import uuid4

from llmrank.answers import answer_format
from llmrank.backends.base import NullBackend
from llmrank.errors import InputError
from llmrank.evaluation.settings import PromptSettings, changed, flat, gather, settings_of
from llmrank.evaluation.training_data import TrainingData
from llmrank.plugin import find_plugin
from llmrank.prompting import (
    PromptTemplate,
    View,
    check,
    find_domain,
    load_template,
    parse_extra_body,
    parse_thinking,
    template_origin,
)
from llmrank.rankers.options import RankerOptions
from llmrank.rankers.order import Order
from llmrank.rankers.prompt import Prompt, no_shots
from llmrank.rankers.registry import (
    BASELINES,
    RATING_BASELINES,
    USUAL_PROMPTS,
    WITHOUT_PROMPT,
    BaselineData,
    build_baseline,
    build_ranker,
    check_name,
    check_options,
    refuse_unused,
)
from llmrank.rankers.repeated import AskedAgain
from llmrank.types import USUAL_SCALE, AnswerFormat, Backend, Case, Ranker, RankingSteps, Task, WrappedRanker


@dataclass(frozen=True, slots=True)
class Method:
    """How Cases are ranked."""

    ranker: Ranker
    settings: Mapping[str, object]
    """Everything that can change a ranking, for the manifest."""
    order: Order
    """The order of the candidates in the prompt."""
    prompt: Prompt | None = None
    """The Prompt; None if the method makes no model calls, or builds its own prompts."""

    def without_truth(self) -> Self:
        """Return the method. Raises InputError if it depends on the ground truth."""
        if self.ranker.sees_truth:
            problem = f"{self.ranker.name} needs the relevant items, which are known only in an evaluation"
            raise InputError(problem, field="ranker", hint="choose another method")
        if self.order.mode == "target-at":
            problem = "this order needs the relevant items, which are known only in an evaluation"
            raise InputError(problem, field="order", hint="use shuffled, recall or reversed")
        return self


@dataclass(frozen=True, slots=True)
class StoredParts:
    """The parts of a method that a finished Run stores. They replace what the settings refer to now."""

    shots: Mapping[str, Sequence[Case]]
    """The solved examples of each Case, by case id."""
    labels: tuple[str, ...] = ()
    profile: PromptTemplate | None = None
    first: PromptTemplate | None = None


@dataclass(frozen=True, slots=True)
class Composer:
    """Builds the Method of an evaluation from its settings."""

    settings: PromptSettings
    training: TrainingData
    seed: int = 0
    backend: Backend = field(default_factory=NullBackend)
    """Counts the tokens of prompts, and knows the context length. It receives no requests here."""
    labels: Callable[[], tuple[str, ...]] = tuple
    """Chooses labels that are single tokens of the model; returns none if its tokenizer is unknown."""
    stored: StoredParts | None = None
    domain: str | None = None
    """The kind of items in the data, such as `movies`."""
    format_of: Callable[[str], AnswerFormat] = answer_format
    """Looks up an answer format by name."""

    def method(self, template: PromptTemplate | None, ranker: Ranker | None = None) -> Method:
        """Return the method that uses the template; without one, the method or baseline that the settings name.

        A `ranker` replaces both. The manifest then holds its class and what `described` tells of it.

        Raises InputError for a prompt that does not fit the method, and for an invalid setting.
        """
        settings, prompt = self.settings, None
        order = Order.parse(settings.order, self.seed)
        if ranker is not None:
            recorded = self._recorded(ranker) | {OWN_RANKER: described(ranker)}
        elif template is None and settings.ranker not in WITHOUT_PROMPT:
            assert settings.ranker is not None
            ranker = self._baseline(settings.ranker)
            recorded = self._recorded(ranker)
        else:
            prompt = None if template is None else self.prompt(template)
            first, first_template = self._first()
            ranker = self._ranker(prompt, first)
            recorded = self._manifest(prompt, ranker, first_template)
        if settings.draw != 1:
            ranker, recorded = AskedAgain(ranker, settings.draw), recorded | {"draw": settings.draw}
        return Method(ranker, recorded, order, prompt)

    def prompt(self, template: PromptTemplate) -> Prompt:
        """Return the Prompt of a ranker: the template with its view, shots, answer format and context length."""
        front, settings = template.front, self.settings
        count = front.shots if settings.shots is None else settings.shots

        def shots(case: Case) -> Sequence[Case]:
            if self.stored is not None:
                return self.stored.shots.get(case.case_id, ())
            return self.training.shot_pool.choose(case, count, self.seed, template_task(template))

        view, answer = self._view, template.answer_for(settings.view.ids)
        if answer == "label_logprobs":
            view = replace(view, labels=self.stored.labels if self.stored else self.labels())
        given = {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
        prompt = self._prompt(template, answer, view, {name: own for name, own in given.items() if own is not None})
        # No history, no profile.
        hidden = settings.no_profile or not settings.view.show_history or settings.view.history == 0
        profile = None
        if front.profile is not None and not hidden:
            profile = self.profile((self.stored and self.stored.profile) or load_template(front.profile))
        return replace(prompt, shots=shots if count else no_shots, scale=self.training.scale, profile=profile)

    def profile(self, template: PromptTemplate) -> Prompt:
        """Return the Prompt that asks for a user's profile. The main prompt shows its answer unchanged.

        The settings for all calls (thinking, extra_body) apply to it too.
        """
        return self._prompt(with_call_settings(template, self.settings), "titles", self._view, {})

    def _prompt(self, template: PromptTemplate, answer: str, view: View, sampling: Mapping[str, Any]) -> Prompt:
        return Prompt(
            template,
            self.format_of(answer),
            view,
            replace(template.front.sampling, seed=self.seed, **sampling),
            count_tokens=self.backend.count_tokens,
            context_length=self.backend.context_length,
            holds=self.backend.holds,
            history_scale=self.training.history_scale if "liked" in template.names else USUAL_SCALE,
        )

    @property
    def _view(self) -> View:
        """The View of the settings, with the domain of the data as the default."""
        domain = self.settings.view.domain or find_domain(self.domain)
        return replace(self.settings.view, seed=self.seed, domain=domain)

    def _ranker(self, prompt: Prompt | None, first: Ranker | None) -> Ranker:
        name = method_name(self.settings, prompt and prompt.template)
        return build_ranker(name, prompt, replace(self.settings.options, seed=self.seed, first=first))

    def _first(self) -> tuple[Ranker | None, PromptTemplate | None]:
        """Return the preselecting ranker and its template; None for either that does not exist."""
        name, settings = self.settings.first, self.settings
        if name is None:
            return None, None
        if name == "oracle" or name in RATING_BASELINES:
            hint = "use one that ranks candidates without the truth, such as recall_order or bm25"
            raise InputError(f"{name} cannot preselect candidates for a model", field="first", hint=hint)
        if name in BASELINES:
            return self._baseline(name), None
        if {name, settings.ranker} & WITHOUT_PROMPT.keys():
            problem = f"{settings.ranker or 'the method'} and {name} need different models, but a run has only one"
            hint = "use a first stage without model calls, such as recall_order or bm25"
            raise InputError(problem, field="first", hint=hint)
        options = replace(settings.options, repeats=1, fuse=None, fuse_term=None, calibrate=None)
        own = replace(settings, ranker=name, prompt=settings.first_prompt, first=None, answer=None, options=options)
        kept = self.stored and self.stored.first
        template = template_of(own) if kept is None else with_settings(kept, own)
        behind = replace(self, settings=own)
        return behind._ranker(behind.prompt(template), None), template

    def _baseline(self, name: str) -> Ranker:
        training = self.training
        learned_from = BaselineData(lambda: training.popularity, lambda: training.rating_means)
        return build_baseline(name, learned_from, self.seed)

    def _recorded(self, ranker: Ranker, **options: object) -> dict[str, object]:
        """Return what the manifest holds of every method, and its options."""
        return {"prompt": ranker.name, "ranker": ranker.name, **options, "order": self.settings.order}

    def _manifest(self, prompt: Prompt | None, ranker: Ranker, first: PromptTemplate | None) -> dict[str, object]:
        """Return everything about prompt and method that can change an answer."""
        options = flat(self.settings)
        names = (*(setting.name for setting in settings_of(RankerOptions, "options")), "first", "first_prompt")
        recorded = self._recorded(ranker, ranker_options={name: options[name] for name in names})
        return recorded if prompt is None else recorded | self._asked(prompt, first)

    def _asked(self, prompt: Prompt, first: PromptTemplate | None) -> dict[str, object]:
        template = prompt.template
        settings: dict[str, object] = {
            "prompt": template.name,
            "template": template.text,
            "template_sha256": template.sha256,
            "answer": prompt.answer.name,
            "view": asdict(prompt.view),
            "top": template.front.top,
            "shots": template.front.shots if self.settings.shots is None else self.settings.shots,
            "sampling": asdict(prompt.sampling),
            "thinking": asdict(template.front.thinking),
            "extra_body": dict(template.front.extra_body),
        }
        if template_origin(template) == "edited":
            settings["prompt_edited"] = True
        if first is not None:
            settings["first_template"] = first.text
        shown = (template, first, prompt.profile and prompt.profile.template)
        if any("liked" in one.names for one in shown if one is not None):
            settings["history_scale"] = list(self.training.history_scale)
        named = (
            ("ranker", "llmrank.rankers", template.front.ranker),
            ("first", "llmrank.rankers", self.settings.first),
            ("answer", "llmrank.answers", prompt.answer.name),
        )
        plugins = {role: find_plugin(group, name) for role, group, name in named if name is not None}
        if packages := {role: plugin.package for role, plugin in plugins.items() if plugin is not None}:
            settings["plugins"] = packages
        if prompt.profile is not None:
            profile = prompt.profile.template
            settings |= {"profile": profile.name, "profile_template": profile.text}
            settings["profile_template_sha256"] = profile.sha256
        return settings


def needs_model(settings: PromptSettings) -> bool:
    """Return whether the method makes model calls; baselines do not."""
    return settings.ranker not in BASELINES


def method_name(settings: PromptSettings, template: PromptTemplate | None) -> str:
    """Return the name of the method: the template's, or else the settings'."""
    front = template and template.front
    if front is None:
        assert settings.ranker is not None
        return settings.ranker
    return front.ranker or ("pointwise" if front.about_one_item else "listwise")


def load_prompt(name: str | Path) -> PromptTemplate:
    """Load and check the template with this name or path.

    Raises InputError for an unknown name, with the closest match; and for an error in the file, with its line.
    """
    if not isinstance(name, str | Path):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem = f"expected a template name or path, got {type(name).__name__}"
        raise InputError(problem, field="name", hint="see `llmrank prompts list` for the names")
    return check_prompt(load_template(name))


OWN_RANKER = "own_ranker"
"""The manifest's entry on a ranker that the caller wrote."""


@runtime_checkable
class Described(Protocol):
    """A ranker of the caller's that tells its settings."""

    @property
    def settings(self) -> Mapping[str, object]:
        """Everything that can change a ranking, as JSON values."""
        ...


def described(ranker: Ranker) -> object:
    """Return a JSON value that tells a ranker from others: its class, and its `settings`, fields or attributes.

    A value that cannot be told from others of its class, such as a model, differs in every process: its Run is never
    taken for that of another ranker.
    """
    if isinstance(ranker, Described):
        return {"class": _name_of(type(ranker)), "settings": dict(ranker.settings)}
    if is_dataclass(ranker):
        return _described(ranker)
    return {"class": _name_of(type(ranker)), **{name: _described(value) for name, value in vars(ranker).items()}}


def _described(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, PromptTemplate):
        return {"template": value.name, "sha256": value.sha256}
    if isinstance(value, MadeRanker):
        return {"made": repr(value), "template": _described(value.template)}
    if isinstance(value, type | FunctionType | MethodType) and "<" not in value.__qualname__:
        return _name_of(value)
    if isinstance(value, Mapping):
        entries = cast("Mapping[object, object]", value)
        return {str(name): _described(one) for name, one in entries.items()}
    if isinstance(value, list | tuple):
        return [_described(one) for one in cast("Sequence[object]", value)]
    if is_dataclass(value):
        own = {one.name: _described(object.__getattribute__(value, one.name)) for one in fields(value)}
        return {"class": _name_of(type(value)), **own}
    return f"{_name_of(type(value))} {uuid4().hex}"


def _name_of(value: type | FunctionType | MethodType) -> str:
    return f"{value.__module__}.{value.__qualname__}"


@dataclass(frozen=True, slots=True, repr=False)
class MadeRanker(WrappedRanker):
    """The result of `make_ranker`. An evaluation composes it anew from its settings, for its own model and data."""

    settings: PromptSettings
    template: PromptTemplate | None
    seed: int | None

    @property
    def name(self) -> str:
        """The name of the method."""
        return self.ranker.name

    def rank(self, case: Case) -> RankingSteps:
        """Rank the Case without knowing the model or the data."""
        return self.ranker.rank(case)

    def __repr__(self) -> str:
        given = changed(self.settings) | ({} if self.seed is None else {"seed": self.seed})
        named = (f", {name}={value!r}" for name, value in given.items() if name != "ranker")
        return f"make_ranker({self.settings.ranker!r}{''.join(named)})"


def make_ranker(
    name: str,
    prompt: str | Path | PromptTemplate | None = None,
    *,
    seed: int | None = None,
    **settings: Any,
) -> Ranker:
    """Return the ranker with this name, for `evaluate(cases, ranker=…)`.

    `evaluate(cases, ranker=make_ranker("setwise", sort="heap"))` gives the same Run as `evaluate(cases,
    ranker="setwise", sort="heap")`.

    Args:
        name: A method, such as `setwise`, or a baseline that needs no training data, such as `bm25`.
        prompt: Name or path of its template, or the template itself; None: the method's default.
        seed: Seed for sampling and shuffles; None: that of the Cases, from which it must not differ.
        settings: Any field of `PromptSettings`, by name: `sort="heap"`, `ids="letters"`.

    Raises InputError for an unknown name, and for a prompt that the method cannot use.
    """
    own = prompt if isinstance(prompt, PromptTemplate) else None
    chosen = gather(PromptSettings, settings | {"ranker": name, "prompt": None if own else prompt})
    template = asked_template(chosen, own)
    ranker = Composer(chosen, TrainingData(lambda: ()), seed or 0).method(template).ranker
    return MadeRanker(ranker, chosen, template, seed)


def asked_template(settings: PromptSettings, own: PromptTemplate | None = None) -> PromptTemplate | None:
    """Return the template of the method (see `template_of`); None for a method without one.

    Raises InputError for options that the method does not support, and for a prompt that it would not use.
    """
    template = None
    if settings.first is not None:
        check_name(settings.first, "first")
    if settings.ranker is not None:
        check_name(settings.ranker)
    if settings.ranker in WITHOUT_PROMPT or not needs_model(settings):
        _refuse_prompt(settings, own)
    else:
        template = template_of(settings, own)
    name = method_name(settings, template)
    check_options(name, settings.options)
    refuse_unused((name, settings.first), settings.options)
    if template is not None and not _has_two_prompts(settings):
        _refuse_unshown(settings, template, name)
        if settings.first_prompt is not None:
            hint = "add --first, a ranker that calls a model; or omit it"
            raise InputError("no first stage has a prompt, so this has no effect", field="first_prompt", hint=hint)
    return template


def may_vary(settings: PromptSettings, template: PromptTemplate) -> bool:
    """Return whether a model may answer otherwise when asked again: a temperature is above 0."""
    temperature = template.front.sampling.temperature if settings.temperature is None else settings.temperature
    profile = None if settings.no_profile else template.front.profile
    of_profile = 0 if profile is None else load_template(profile).front.sampling.temperature
    return temperature > 0 or of_profile > 0 or _has_two_prompts(settings)


def _has_two_prompts(settings: PromptSettings) -> bool:
    """Return whether the first stage has a prompt too, which may use what the method's own does not."""
    return settings.first is not None and settings.first not in BASELINES


def _refuse_prompt(settings: PromptSettings, own: PromptTemplate | None) -> None:
    """Raise InputError for prompt settings given to a method that has no prompt."""
    used = {"ranker", "order", *(setting.name for setting in settings_of(RankerOptions, "options"))}
    problem = f"{settings.ranker} makes no model calls, so this has no effect"
    hint = "omit it, or choose a --ranker that calls a model"
    if settings.ranker in WITHOUT_PROMPT:
        used |= {"first"}
        problem = f"{settings.ranker} reads the history as a list of titles, without a prompt"
        hint = "omit it, or choose another --ranker"
    unused = [name for name in changed(settings) if name not in used]
    if own is not None or unused:
        raise InputError(problem, field=unused[0] if unused else "prompt", hint=hint)


def _refuse_unshown(settings: PromptSettings, template: PromptTemplate, ranker: str) -> None:
    """Raise InputError for a setting of what the prompt shows that would change nothing in it."""
    front, view, names = template.front, settings.view, template.names
    if front.profile is not None and not settings.no_profile:
        names |= load_template(front.profile).names
    unused: dict[str, tuple[str, str]] = {}
    if front.profile is None:
        unused["no_profile"] = (f"{template.name} asks for no profile", "omit it")
    if ranker == "tournament":
        unused["top"] = ("tournament asks each group for its better half", "omit it, or choose another --ranker")
    elif "top" not in names and not front.constrain:
        problem = f"{template.name} does not say how many items to return"
        unused["top"] = (problem, "omit it, or choose a --prompt that shows `top`, such as palr")
    if "domain" not in names:
        unused["domain"] = (f"{template.name} has no words of a domain", "omit it")
    if names.isdisjoint(("history", "newest")):
        about = ("history", "history_order", "show_history")
        unused |= dict.fromkeys(about, (f"{template.name} shows no history", "omit it"))
    elif not view.show_history:
        said = ("no history is shown", "omit it, or omit --no-history")
        unused |= dict.fromkeys(("history", "history_order"), said)
    given = changed(settings)
    for name, (problem, hint) in unused.items():
        if name in given:
            raise InputError(f"{problem}, so this has no effect", field=name, hint=hint)


def template_of(settings: PromptSettings, own: PromptTemplate | None = None) -> PromptTemplate:
    """Return the template that the settings name, or the caller's own, with the settings applied.

    Raises InputError for an unknown name, an unreadable file, an invalid template, or one that asks for a profile.
    """
    return check_prompt(with_settings(own or named_template(settings), settings), settings.view)


def named_template(settings: PromptSettings) -> PromptTemplate:
    """Return the template that the settings name, or else the method's default, as it is in its file.

    Raises InputError for a method without a template.
    """
    if settings.ranker in WITHOUT_PROMPT:
        raise InputError(f"{settings.ranker} does not use a prompt", field="ranker", hint="choose another --ranker")
    usual = USUAL_PROMPTS.get(settings.ranker or "listwise", USUAL_PROMPTS["listwise"])
    return load_template(usual if settings.prompt is None else str(settings.prompt), field="prompt")


SHORTEST_KEY = 8
"""Shorter keys may be placeholders (`none`, `EMPTY`), and are not searched for."""


def check_prompt(template: PromptTemplate, view: View | None = None) -> PromptTemplate:
    """Return the template.

    Raises InputError if it is invalid, if it asks for a profile, or if its `extra_body` contains the endpoint's key,
    which would be stored with every answer and in the Run.
    """
    if problems := check(template, answer_format, view or View()):
        raise problems[0]
    if template.front.task == "profile":
        problem = f"{template.name} asks for a profile, not for a ranking or a rating"
        raise InputError(problem, path=template.path, hint="choose a prompt that shows the profile, such as palr")
    key = os.environ.get("OPENAI_API_KEY", "")
    if len(key) >= SHORTEST_KEY and json.dumps(key)[1:-1] in template.front.extra_body_text:
        hint = "remove it; OPENAI_API_KEY is sent with each call anyway"
        problem = "it contains the endpoint's key, which would be stored with every answer"
        raise InputError(problem, field="extra_body", hint=hint)
    return template


def with_settings(template: PromptTemplate, settings: PromptSettings) -> PromptTemplate:
    """Return the template with the settings in place of its own keys."""
    own = template.override(ranker=settings.ranker, answer=settings.answer, top=settings.top)
    return with_call_settings(own, settings)


def with_call_settings(template: PromptTemplate, settings: PromptSettings) -> PromptTemplate:
    """Return the template with the settings that apply to every call."""
    return template.override(
        thinking=None if settings.thinking is None else parse_thinking(settings.thinking),
        extra_body=None if settings.extra_body is None else parse_extra_body(settings.extra_body),
    )


def template_task(template: PromptTemplate) -> Task:
    """Return the task of the template."""
    return "rating" if template.front.task == "rating" else "ranking"


def tasks_of(settings: PromptSettings, template: PromptTemplate | None) -> tuple[Task, ...]:
    """Return the tasks that the method supports: the template's, or the baseline's.

    A yes/no prompt about a single item ranks candidates by their answers. It can also rate a single target (TALLRec's
    test set, with truth 0 or 1).
    """
    if template is None:
        return ("rating",) if settings.ranker in RATING_BASELINES else ("ranking",)
    if template.front.about_one_item and template.answer_for(settings.view.ids) == "yes_no":
        return ("ranking", "rating")
    return (template_task(template),)
