"""How Cases are ranked: from settings to a template, a Prompt and a Ranker, or to a baseline that needs no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from llmrank.answers import answer_format
from llmrank.errors import InputError
from llmrank.evaluation.settings import PromptSettings, flat, gather
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
)
from llmrank.rankers import registry
from llmrank.rankers.order import Order
from llmrank.rankers.prompt import Prompt, no_shots
from llmrank.rankers.registry import (
    BASELINES,
    RATING_BASELINES,
    USUAL_PROMPTS,
    build_baseline,
    build_ranker,
)
from llmrank.types import Backend, Case, Message, Ranker, Request

Task = Literal["ranking", "rating"]


@dataclass(frozen=True, slots=True)
class ContextWindow:
    """How much the model holds, and how it counts; unknown for an endpoint that does not say."""

    count_tokens: Callable[[Sequence[Message]], int | None] | None = None
    context_length: int | None = None
    """Tokens, prompt and answer together."""
    holds: Callable[[Request], bool | None] | None = None
    """Replay: whether a Request was answered."""
    labels: Callable[[], tuple[str, ...]] = tuple
    """Chooses labels that are single tokens of the model; none where its tokenizer is not known."""

    @classmethod
    def of(cls, backend: Backend, labels: Callable[[], tuple[str, ...]]) -> ContextWindow:
        """Return what the backend says of its model."""
        return cls(backend.count_tokens, backend.context_length, backend.holds, labels)


@dataclass(frozen=True, slots=True)
class Method:
    """How Cases are ranked."""

    ranker: Ranker
    title: str
    """What the result is called: the template's name, or the ranker's."""
    settings: Mapping[str, object]
    """Everything about it that can change a ranking, for the manifest."""
    order: Order
    """In which order the candidates are shown."""
    prompt: Prompt | None = None
    """What it asks with; None where it makes no model calls, or composes its own."""


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
    window: ContextWindow = ContextWindow()
    stored: StoredParts | None = None
    domain: str | None = None
    """What the data says its items are, such as `movies`."""

    def method(self, template: PromptTemplate | None) -> Method:
        """Return the method that asks with the template; without one, the baseline that the settings name.

        Raises InputError for a prompt and a method that do not fit each other, and for a wrong setting.
        """
        order = Order.parse(self.settings.order, self.seed)
        if template is None:
            ranker = self._baseline_alone()
            settings: dict[str, object] = {"prompt": ranker.name, "ranker": ranker.name, "order": self.settings.order}
            return Method(ranker, ranker.name, settings, order)
        prompt = self.prompt(template)
        first = self._first_template()
        ranker = self._ranker(prompt, first)
        return Method(ranker, template.name, self._manifest(prompt, ranker, first), order, prompt)

    def method_of(self, ranker: Ranker) -> Method:
        """Return the method that is a ranker of the caller's own; its name stands for all that it asks."""
        settings: dict[str, object] = {"prompt": ranker.name, "ranker": ranker.name, "order": self.settings.order}
        return Method(ranker, ranker.name, settings, Order.parse(self.settings.order, self.seed))

    def prompt(self, template: PromptTemplate) -> Prompt:
        """Return what a ranker asks with: the template with its view, shots, answer format and context window."""
        front, settings = template.front, self.settings
        count = front.shots if settings.shots is None else settings.shots
        task = template_task(template)

        def shots(case: Case) -> Sequence[Case]:
            if self.stored is not None:
                return self.stored.shots.get(case.case_id, ())
            return self.training.shot_pool.choose(case, count, self.seed, task)

        profile = profile_name(template, settings)
        return Prompt(
            template=template,
            answer=answer_format(template.answer_for(settings.view.ids)),
            view=self._labelled_view(template),
            sampling=replace(
                front.sampling,
                seed=self.seed,
                temperature=front.sampling.temperature if settings.temperature is None else settings.temperature,
                max_tokens=front.sampling.max_tokens if settings.max_tokens is None else settings.max_tokens,
            ),
            shots=shots if count else no_shots,
            scale=self.training.scale,
            count_tokens=self.window.count_tokens,
            context_length=self.window.context_length,
            holds=self.window.holds,
            profile=None if profile is None else self.profile(self._profile_template(profile)),
        )

    def profile(self, template: PromptTemplate) -> Prompt:
        """Return the Prompt that asks for a user's profile; its answer is shown as it comes."""
        return Prompt(
            template=template,
            answer=answer_format("titles"),
            view=self.view,
            sampling=replace(template.front.sampling, seed=self.seed),
            count_tokens=self.window.count_tokens,
            context_length=self.window.context_length,
            holds=self.window.holds,
        )

    def _profile_template(self, name: str) -> PromptTemplate:
        stored = self.stored and self.stored.profile
        return stored or load_template(name)

    @property
    def view(self) -> View:
        """What of a Case is shown, in the words of the data's domain unless another is named."""
        domain = self.settings.view.domain or find_domain(self.domain)
        return replace(self.settings.view, seed=self.seed, domain=domain)

    def _labelled_view(self, template: PromptTemplate) -> View:
        """Return the view; where label log-probabilities are read, with labels that this model has as single tokens."""
        if template.front.answer_for(self.settings.view.ids) != "label_logprobs":
            return self.view
        return replace(self.view, labels=self.stored.labels if self.stored else self.window.labels())

    def _ranker(self, prompt: Prompt, first: PromptTemplate | None) -> Ranker:
        front = prompt.template.front
        name = front.ranker or ("pointwise" if front.about_one_item else "listwise")
        options = replace(self.settings.options, seed=self.seed, first=self._first(first))
        return build_ranker(name, prompt, options)

    def _first(self, template: PromptTemplate | None) -> Ranker | None:
        if self.settings.first is None:
            return None
        if template is None:
            return self._baseline(self.settings.first)
        behind = replace(self, settings=self._settings_of_first())
        return behind._ranker(behind.prompt(template), None)

    def _first_template(self) -> PromptTemplate | None:
        """Return the template of the ranker that preselects; None where there is none, or it needs no model."""
        first = self.settings.first
        if first == "oracle" or first in RATING_BASELINES:
            raise InputError(
                f"{first} cannot preselect what a model ranks",
                field="--first",
                hint="take one that orders candidates without the truth, such as recall_order or bm25",
            )
        if first is None or first in BASELINES:
            return None
        if self.stored is not None and self.stored.first is not None:
            return with_settings(self.stored.first, self._settings_of_first())
        return template_of(self._settings_of_first())

    def _settings_of_first(self) -> PromptSettings:
        settings = self.settings
        once = replace(settings.options, repeats=1)
        return replace(
            settings, ranker=settings.first, prompt=settings.first_prompt, first=None, answer=None, options=once
        )

    def _baseline_alone(self) -> Ranker:
        settings = self.settings
        assert settings.ranker is not None
        if settings.first is not None or settings.prompt is not None:
            raise InputError(
                f"{settings.ranker} makes no model calls, so it takes neither a prompt nor a first stage",
                field="--prompt" if settings.prompt is not None else "--first",
                hint="leave that out, or choose a --ranker that asks a model",
            )
        return self._baseline(settings.ranker)

    def _baseline(self, name: str) -> Ranker:
        training = self.training
        made_of = registry.TrainingData(lambda: training.popularity, lambda: training.rating_means)
        return build_baseline(name, made_of, self.seed)

    def _manifest(self, prompt: Prompt, ranker: Ranker, first: PromptTemplate | None) -> dict[str, object]:
        """Return everything about prompt and method that can change an answer."""
        template, options = prompt.template, flat(self.settings)
        inner = [name for name in options if name in RANKER_SETTINGS]
        settings: dict[str, object] = {
            "prompt": template.name,
            "template": template.text,
            "template_sha256": template.sha256,
            "ranker": ranker.name,
            "ranker_options": {name: options[name] for name in inner},
            "answer": prompt.answer.name,
            "view": asdict(prompt.view),
            "top": template.front.top,
            "order": self.settings.order,
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
            settings["profile"] = prompt.profile.template.name
            settings["profile_template"] = prompt.profile.template.text
            settings["profile_template_sha256"] = prompt.profile.template.sha256
        return settings


RANKER_SETTINGS = frozenset(
    {
        "window",
        "step",
        "sort",
        "sort_top",
        "group",
        "rounds",
        "repeats",
        "combine",
        "first",
        "first_prompt",
        "first_top",
    }
)


def needs_model(settings: PromptSettings) -> bool:
    """Return whether the method makes model calls; a baseline needs neither prompt nor model."""
    return settings.ranker not in BASELINES


def load_prompt(name: str | Path) -> PromptTemplate:
    """Return the template of that name or path, checked.

    Raises InputError for an unknown name (with the nearest), and with file and line for what is wrong in the file.
    """
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
    chosen = gather(PromptSettings, settings | {"ranker": name})
    if isinstance(prompt, PromptTemplate):
        template = check_prompt(with_settings(prompt, chosen))
    elif needs_model(chosen):
        template = template_of(replace(chosen, prompt=prompt))
    else:
        template = None
    return Composer(chosen, TrainingData(lambda: ()), seed).method(template).ranker


def template_of(settings: PromptSettings) -> PromptTemplate:
    """Return the template that the settings name, with what they say in the place of its own keys.

    Raises InputError for an unknown name, a file that cannot be read, one that the linter refuses, or a template that
    asks for a profile.
    """
    return check_prompt(with_settings(load_template(str(prompt_name(settings))), settings), settings.view)


def check_prompt(template: PromptTemplate, view: View | None = None) -> PromptTemplate:
    """Return the template; raises InputError if the linter refuses it, or if it asks for a profile."""
    if problems := check(template, answer_format, view or View()):
        raise problems[0]
    if template.front.task == "profile":
        raise InputError(
            f"{template.name} asks for a profile, not for a ranking or a rating",
            path=template.path,
            hint="choose a prompt that shows it, such as palr",
        )
    return template


def prompt_name(settings: PromptSettings) -> str | Path:
    """Return the name or path of the template: the one given, else the usual one of the method."""
    usual = USUAL_PROMPTS["listwise"]
    return settings.prompt or USUAL_PROMPTS.get(settings.ranker or "listwise", usual)


def with_settings(template: PromptTemplate, settings: PromptSettings) -> PromptTemplate:
    """Return the template with what the settings say in the place of its own keys."""
    return template.override(
        ranker=settings.ranker,
        answer=settings.answer,
        top=settings.top,
        thinking=None if settings.thinking is None else parse_thinking(settings.thinking),
        extra_body=None if settings.extra_body is None else parse_extra_body(settings.extra_body),
    )


def profile_name(template: PromptTemplate, settings: PromptSettings) -> str | None:
    """Return the template that asks for a profile first; a history that is not shown has none."""
    hidden = settings.no_profile or not settings.view.show_history or settings.view.history == 0
    return None if hidden else template.front.profile


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
