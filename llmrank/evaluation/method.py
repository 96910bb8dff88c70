"""How Cases are ranked: from settings to a template, a Prompt and a Ranker, or to a baseline that needs no model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from llmrank.answers import answer_format
from llmrank.backends.base import NullBackend
from llmrank.errors import InputError
from llmrank.evaluation.settings import PromptSettings, flat, gather, settings_of
from llmrank.evaluation.training_data import TrainingData
from llmrank.plugin import find_plugin
from llmrank.prompting import PromptTemplate, View, check, find_domain, load_template, parse_extra_body, parse_thinking
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
    refuse_idle,
)
from llmrank.rankers.repeated import AskedAgain
from llmrank.types import AnswerFormat, Backend, Case, Ranker, Task


@dataclass(frozen=True, slots=True)
class Method:
    """How Cases are ranked."""

    ranker: Ranker
    settings: Mapping[str, object]
    """Everything about it that can change a ranking, for the manifest."""
    order: Order
    """In which order the candidates are shown."""
    prompt: Prompt | None = None
    """What it asks with; None where it makes no model calls, or composes its own."""

    def without_truth(self) -> Self:
        """Return the method; raises InputError where it needs to know what the user does next."""
        if self.ranker.sees_truth:
            problem = f"{self.ranker.name} ranks by what the user does next, which only an evaluation knows"
            raise InputError(problem, field="ranker", hint="name another method")
        if self.order.mode == "target-at":
            problem = "this order places what the user does next, which only an evaluation knows"
            raise InputError(problem, field="order", hint="use shuffled, recall or reversed")
        return self


@dataclass(frozen=True, slots=True)
class StoredParts:
    """What a finished Run keeps of its method, used in the place of what the settings name today."""

    shots: Mapping[str, Sequence[Case]]
    """The solved examples of each Case, by case id."""
    labels: tuple[str, ...] = ()
    profile: PromptTemplate | None = None
    first: PromptTemplate | None = None


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes the Method of an evaluation from its settings."""

    settings: PromptSettings
    training: TrainingData
    seed: int = 0
    backend: Backend = field(default_factory=NullBackend)
    """Says how many tokens a prompt has and how many the model holds; nothing is asked."""
    labels: Callable[[], tuple[str, ...]] = tuple
    """Chooses labels that are single tokens of the model; none where its tokenizer is not known."""
    stored: StoredParts | None = None
    domain: str | None = None
    """What the data says its items are, such as `movies`."""
    format_of: Callable[[str], AnswerFormat] = answer_format
    """Finds the answer format of a name."""

    def method(self, template: PromptTemplate | None, ranker: Ranker | None = None) -> Method:
        """Return the method that asks with the template; without one, the method or baseline that the settings name.

        A `ranker` of the caller's own takes the place of both; its name stands for all that it asks.

        Raises InputError for a prompt and a method that do not fit each other, and for a wrong setting.
        """
        order = Order.parse(self.settings.order, self.seed)
        if ranker is None and (template is not None or self.settings.ranker in WITHOUT_PROMPT):
            prompt = None if template is None else self.prompt(template)
            first, first_template = self._first()
            ranker = self._ranker(prompt, first)
            return self._drawn(Method(ranker, self._manifest(prompt, ranker, first_template), order, prompt))
        ranker = ranker or self._baseline_alone()
        settings = {"prompt": ranker.name, "ranker": ranker.name, "order": self.settings.order}
        return self._drawn(Method(ranker, settings, order))

    def _drawn(self, method: Method) -> Method:
        """Return the method, asked for the time that the settings say."""
        draw = self.settings.draw
        if draw == 1:
            return method
        return replace(method, ranker=AskedAgain(method.ranker, draw), settings={**method.settings, "draw": draw})

    def prompt(self, template: PromptTemplate) -> Prompt:
        """Return what a ranker asks with: the template with its view, shots, answer format and context window."""
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
        # A history that is not shown has no profile.
        hidden = settings.no_profile or not settings.view.show_history or settings.view.history == 0
        profile = None
        if front.profile is not None and not hidden:
            profile = self.profile((self.stored and self.stored.profile) or load_template(front.profile))
        return replace(prompt, shots=shots if count else no_shots, scale=self.training.scale, profile=profile)

    def profile(self, template: PromptTemplate) -> Prompt:
        """Return the Prompt that asks for a user's profile; its answer is shown as it comes.

        What the settings say of every call, its reasoning and its body, is said of this one too.
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
        )

    @property
    def _view(self) -> View:
        """What of a Case is shown, in the words of the data's domain unless another is named."""
        domain = self.settings.view.domain or find_domain(self.domain)
        return replace(self.settings.view, seed=self.seed, domain=domain)

    def _ranker(self, prompt: Prompt | None, first: Ranker | None) -> Ranker:
        name = method_name(self.settings, prompt and prompt.template)
        return build_ranker(name, prompt, replace(self.settings.options, seed=self.seed, first=first))

    def _first(self) -> tuple[Ranker | None, PromptTemplate | None]:
        """Return the ranker that preselects, and the template that it asks with; None where there is none."""
        name, settings = self.settings.first, self.settings
        if name is None:
            return None, None
        if name == "oracle" or name in RATING_BASELINES:
            hint = "take one that orders candidates without the truth, such as recall_order or bm25"
            raise InputError(f"{name} cannot preselect what a model ranks", field="--first", hint=hint)
        if name in BASELINES:
            return self._baseline(name), None
        if {name, settings.ranker} & WITHOUT_PROMPT.keys():
            problem = f"{settings.ranker or 'the method'} and {name} ask two different models, and a run has one"
            hint = "take a first stage that asks no model, such as recall_order or bm25"
            raise InputError(problem, field="--first", hint=hint)
        options = replace(settings.options, repeats=1, fuse=None, fuse_term=None, calibrate=None)
        own = replace(settings, ranker=name, prompt=settings.first_prompt, first=None, answer=None, options=options)
        kept = self.stored and self.stored.first
        template = template_of(own) if kept is None else with_settings(kept, own)
        behind = replace(self, settings=own)
        return behind._ranker(behind.prompt(template), None), template

    def _baseline_alone(self) -> Ranker:
        settings = self.settings
        assert settings.ranker is not None
        check_options(settings.ranker, settings.options)
        return self._baseline(settings.ranker)

    def _baseline(self, name: str) -> Ranker:
        training = self.training
        learned_from = BaselineData(lambda: training.popularity, lambda: training.rating_means)
        return build_baseline(name, learned_from, self.seed)

    def _manifest(self, prompt: Prompt | None, ranker: Ranker, first: PromptTemplate | None) -> dict[str, object]:
        """Return everything about prompt and method that can change an answer."""
        options = flat(self.settings)
        inner = [setting.name for setting in settings_of(PromptSettings) if setting.inside == "options"]
        settings: dict[str, object] = {
            "prompt": ranker.name,
            "ranker": ranker.name,
            "ranker_options": {name: options[name] for name in (*inner, "first", "first_prompt")},
            "order": self.settings.order,
        }
        return settings if prompt is None else settings | self._asked(prompt, first)

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
        if first is not None:
            settings["first_template"] = first.text
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
    """Return whether the method makes model calls; a baseline needs neither prompt nor model."""
    return settings.ranker not in BASELINES


def method_name(settings: PromptSettings, template: PromptTemplate | None) -> str:
    """Return the name of the method: the template's, else the one that the settings name."""
    front = template and template.front
    if front is None:
        assert settings.ranker is not None
        return settings.ranker
    return front.ranker or ("pointwise" if front.about_one_item else "listwise")


def load_prompt(name: str | Path) -> PromptTemplate:
    """Return the template of that name or path, checked.

    Raises InputError for an unknown name (with the nearest), and with file and line for what is wrong in the file.
    """
    if not isinstance(name, str | Path):  # pyright: ignore[reportUnnecessaryIsInstance]
        problem = f"a value of type {type(name).__name__} names no template"
        raise InputError(problem, field="prompt", hint="give the name or the path of one")
    return check_prompt(load_template(name))


def make_ranker(
    name: str,
    prompt: str | Path | PromptTemplate | None = None,
    *,
    seed: int = 0,
    **settings: Any,  # noqa: ANN401 - checked by name and type
) -> Ranker:
    """Return the ranker of that name, for `evaluate(cases, ranker=…)`.

    Args:
        name: The method, such as `setwise`, or a baseline that needs no training data, such as `bm25`.
        prompt: Name or path of the template that it asks with, or the template; None: its usual one.
        seed: For shuffles and sampling.
        settings: Any field of `PromptSettings`, by name: `sort="heap"`, `ids="letters"`.

    Raises InputError for an unknown name, and for a prompt that the method cannot ask with.
    """
    own = prompt if isinstance(prompt, PromptTemplate) else None
    chosen = gather(PromptSettings, settings | {"ranker": name, "prompt": None if own else prompt})
    return Composer(chosen, TrainingData(lambda: ()), seed).method(asked_template(chosen, own)).ranker


def asked_template(settings: PromptSettings, own: PromptTemplate | None = None) -> PromptTemplate | None:
    """Return the template that the method asks with (see `template_of`); None for a method that asks with none.

    Raises InputError for options that the method cannot serve, and for a prompt that it would not use.
    """
    template = None
    if settings.first is not None:
        check_name(settings.first, "--first")
    if settings.ranker in WITHOUT_PROMPT or not needs_model(settings):
        _refuse_prompt(settings, own)
    else:
        template = template_of(settings, own)
    name = method_name(settings, template)
    check_options(name, settings.options)
    refuse_idle((name, settings.first), settings.options)
    return template


def _refuse_prompt(settings: PromptSettings, own: PromptTemplate | None) -> None:
    """Raise InputError for what is said of a prompt beside a method that asks with none."""
    used, given, usual = {"ranker", "order"}, flat(settings), flat(PromptSettings())
    problem = f"{settings.ranker} makes no model calls, and does nothing with it"
    hint = "leave that out, or choose a --ranker that asks a model"
    if settings.ranker in WITHOUT_PROMPT:
        used |= {"first"}
        problem = f"{settings.ranker} shows the history as a list of titles, and asks with no prompt"
        hint = "leave that out, or choose another --ranker"
    about = [setting.name for setting in settings_of(PromptSettings) if setting.inside != "options"]
    said = [name for name in about if name not in used and given[name] != usual[name]]
    if own is not None or said:
        raise InputError(problem, field=said[0] if said else "prompt", hint=hint)


def template_of(settings: PromptSettings, own: PromptTemplate | None = None) -> PromptTemplate:
    """Return the template that the settings name, or the caller's own, with what they say in the place of its keys.

    Raises InputError for an unknown name, a file that cannot be read, one that the linter refuses, or a template that
    asks for a profile.
    """
    return check_prompt(with_settings(own or named_template(settings), settings), settings.view)


def named_template(settings: PromptSettings) -> PromptTemplate:
    """Return the template that the settings name, else the usual one of the method, as it is in its file.

    Raises InputError for a method that asks with none.
    """
    if settings.ranker in WITHOUT_PROMPT:
        raise InputError(f"{settings.ranker} asks with no prompt", field="ranker", hint="choose another --ranker")
    usual = USUAL_PROMPTS.get(settings.ranker or "listwise", USUAL_PROMPTS["listwise"])
    return load_template(usual if settings.prompt is None else str(settings.prompt))


SHORTEST_KEY = 8
"""Characters below which a key may be any word (`none`, `EMPTY`)."""


def check_prompt(template: PromptTemplate, view: View | None = None) -> PromptTemplate:
    """Return the template.

    Raises InputError if the linter refuses it, if it asks for a profile, and if its `extra_body` holds the key of the
    endpoint, which every answer and the Run would keep.
    """
    if problems := check(template, answer_format, view or View()):
        raise problems[0]
    if template.front.task == "profile":
        problem = f"{template.name} asks for a profile, not for a ranking or a rating"
        raise InputError(problem, path=template.path, hint="choose a prompt that shows it, such as palr")
    key = os.environ.get("OPENAI_API_KEY", "")
    if len(key) >= SHORTEST_KEY and json.dumps(key)[1:-1] in template.front.extra_body_text:
        hint = "leave it out: OPENAI_API_KEY is sent as the key of each call"
        raise InputError(
            "it holds the key of the endpoint, which every answer would keep", field="extra_body", hint=hint
        )
    return template


def with_settings(template: PromptTemplate, settings: PromptSettings) -> PromptTemplate:
    """Return the template with what the settings say in the place of its own keys."""
    own = template.override(ranker=settings.ranker, answer=settings.answer, top=settings.top)
    return with_call_settings(own, settings)


def with_call_settings(template: PromptTemplate, settings: PromptSettings) -> PromptTemplate:
    """Return the template with what the settings say of every call, whatever it asks for."""
    return template.override(
        thinking=None if settings.thinking is None else parse_thinking(settings.thinking),
        extra_body=None if settings.extra_body is None else parse_extra_body(settings.extra_body),
    )


def template_task(template: PromptTemplate) -> Task:
    """Return what the template is for."""
    return "rating" if template.front.task == "rating" else "ranking"


def tasks_of(settings: PromptSettings, template: PromptTemplate | None) -> tuple[Task, ...]:
    """Return the tasks that the method can do: the template's, or the baseline's.

    A prompt that asks about one item, yes or no, ranks candidates by the answers, and rates a single target as well
    (TALLRec's test set, with truth 0 or 1).
    """
    if template is None:
        return ("rating",) if settings.ranker in RATING_BASELINES else ("ranking",)
    if template.front.about_one_item and template.answer_for(settings.view.ids) == "yes_no":
        return ("ranking", "rating")
    return (template_task(template),)
