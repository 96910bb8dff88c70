"""How a command ranks: from its options to a Prompt and a Ranker, or to a baseline that asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmrank.cli.cases import CaseSet
from llmrank.cli.options import CaseOptions, PromptOptions
from llmrank.errors import InputError
from llmrank.plugin import find_plugin
from llmrank.types import Case, Message, Ranker, Sampling

if TYPE_CHECKING:
    from llmrank.prompting import PromptTemplate, ShotPool, View
    from llmrank.rankers.baselines import RatingMeans
    from llmrank.rankers.prompt import Prompt


RANKER_OPTIONS = (
    *("window", "step", "sort", "sort_top", "group", "rounds", "repeats", "combine"),
    *("first", "first_prompt", "first_top"),
)


@dataclass(frozen=True)
class FileHistories:
    """The histories of a candidate file, for `rerank`: read only when shots or a baseline want them."""

    path: Path
    allow_empty_history: bool = False
    scale: tuple[float, float] = (1.0, 5.0)

    @cached_property
    def shot_pool(self) -> ShotPool:
        """The histories that solved examples are drawn from."""
        from llmrank.prompting import ShotPool

        return ShotPool.of([*self._cases()])

    @cached_property
    def popularity(self) -> Mapping[str, int]:
        """How many histories have each item."""
        from llmrank.rankers.baselines import popularity_in_histories

        return popularity_in_histories(self._cases())

    @cached_property
    def rating_means(self) -> RatingMeans:
        """The means of the ratings in the histories."""
        from llmrank.rankers.baselines import RatingMeans

        return RatingMeans.of_histories(self._cases())

    def _cases(self) -> Iterator[Case]:
        from llmrank.data.candidates import read_cases

        return read_cases(self.path, allow_empty_history=self.allow_empty_history)


@dataclass(frozen=True, slots=True)
class ContextWindow:
    """How much the model holds, and how it counts; unknown for an endpoint that does not say."""

    count_tokens: Callable[[Sequence[Message]], int] | None = None
    context_length: int | None = None
    labels: Callable[[], tuple[str, ...]] = tuple
    """Chooses labels that are single tokens of the model; none where its tokenizer is not known."""


@dataclass(frozen=True, slots=True)
class Method:
    """How a command ranks."""

    ranker: Ranker
    title: str
    """What the result is called: the template's name, or the baseline's."""
    settings: Mapping[str, object]
    """Everything about it that can change a ranking, for the manifest."""


def asks_nobody(options: PromptOptions) -> bool:
    """Return whether the ranker is a baseline: it needs no prompt, no model and no endpoint."""
    from llmrank.rankers.registry import BASELINES

    return options.ranker in BASELINES


def task_of(options: PromptOptions, template: PromptTemplate | None) -> Literal["ranking", "rating"]:
    """Return the task: the template's, or the baseline's."""
    from llmrank.rankers.registry import RATING_BASELINES

    rating = options.ranker in RATING_BASELINES if template is None else template.front.task == "rating"
    return "rating" if rating else "ranking"


def make_method(
    template: PromptTemplate | None,
    options: PromptOptions,
    cases: CaseSet | FileHistories,
    *,
    seed: int,
    room: ContextWindow = ContextWindow(),
) -> Method:
    """Return the method that the options name; without a template it is a baseline."""
    if template is None:
        assert options.ranker is not None
        if options.first is not None or options.prompt is not None:
            raise InputError(
                f"{options.ranker} asks nobody, so it takes neither a prompt nor a first stage",
                field="--prompt" if options.prompt is not None else "--first",
                hint="leave that out, or choose a --ranker that asks",
            )
        ranker = _baseline(options.ranker, cases, seed)
        return Method(ranker, ranker.name, {"prompt": ranker.name, "ranker": ranker.name, "order": options.order})
    prompt = make_prompt(template, options, cases, seed=seed, room=room)
    first = first_template(options)
    ranker = make_ranker(prompt, options, cases, seed=seed, room=room, first=first)
    return Method(ranker, template.name, prompt_settings(prompt, ranker, options, first))


def prompt_name(options: PromptOptions) -> str:
    """Return the name or path of the template: the one given, else the usual one of the method."""
    from llmrank.rankers.registry import USUAL_PROMPTS

    usual = USUAL_PROMPTS["listwise"]
    return options.prompt or USUAL_PROMPTS.get(options.ranker or "listwise", usual)


def load_prompt(options: PromptOptions) -> PromptTemplate:
    """Return the template, with what the options say in the place of its own keys; unless one is named it is the usual
    one of the method.

    Raises InputError for an unknown name, a file that cannot be read, or one that the linter refuses.
    """
    from llmrank.answers import answer_format
    from llmrank.prompting import check, load_template

    template = with_options(load_template(prompt_name(options)), options)
    front = template.front
    if problems := check(template, answer_format, make_view(options, seed=0)):
        raise problems[0].error()
    if front.task == "profile":
        raise InputError(
            f"{template.name} asks for a profile, not for a ranking or a rating",
            path=template.path,
            hint="choose a prompt that shows it, such as palr",
        )
    return template


def with_options(template: PromptTemplate, options: PromptOptions) -> PromptTemplate:
    """Return the template with what the options say in the place of its own keys."""
    return template.override(ranker=options.ranker, answer=options.answer, top=options.top)


def make_view(options: PromptOptions, seed: int) -> View:
    """Return the switches of the rendering."""
    from llmrank.prompting import View

    return View(
        history=options.history,
        history_order=options.history_order,
        show_scores=options.show_scores,
        show_history=not options.no_history,
        ids=options.ids,
        domain=options.domain,
        seed=seed,
    )


def make_prompt(
    template: PromptTemplate,
    options: PromptOptions,
    cases: CaseSet | FileHistories,
    *,
    seed: int,
    room: ContextWindow = ContextWindow(),
    profile_template: PromptTemplate | None = None,
) -> Prompt:
    """Return the Prompt: the template with its view, its shots, its answer format, and the room there is.

    `cases` says what shots are drawn from, and on which scale ratings are; `profile_template` is asked first where the
    template wants a profile, None: the one that it names.
    """
    from llmrank.answers import answer_format
    from llmrank.prompting import load_template
    from llmrank.rankers.prompt import Prompt, no_shots

    front = template.front
    count = front.shots if options.shots is None else options.shots
    task = _task(template)

    def shots(case: Case) -> Sequence[Case]:
        return cases.shot_pool.choose(case, count, seed, task)

    profile = None
    if (name := profile_of(template, options)) is not None:
        profile = make_profile(profile_template or load_template(name), options, seed=seed, room=room)
    return Prompt(
        template=template,
        answer=answer_format(template.answer_for(options.ids)),
        view=replace(
            make_view(options, seed), labels=room.labels() if front.answer_for(options.ids) == "label_logprobs" else ()
        ),
        sampling=_sampling(front.sampling, options, seed),
        shots=shots if count else no_shots,
        scale=cases.scale,
        count_tokens=room.count_tokens,
        context_length=room.context_length,
        profile=profile,
    )


def profile_of(template: PromptTemplate, options: PromptOptions) -> str | None:
    """Return the name of the template that asks for a profile first; of a history not shown there is none to make."""
    hidden = options.no_profile or options.no_history or options.history == 0
    return None if hidden else template.front.profile


def make_profile(template: PromptTemplate, options: PromptOptions, *, seed: int, room: ContextWindow) -> Prompt:
    """Return the Prompt that asks for a user's profile; its answer is shown as it comes."""
    from llmrank.answers import answer_format
    from llmrank.rankers.prompt import Prompt

    return Prompt(
        template=template,
        answer=answer_format("titles"),
        view=make_view(options, seed),
        sampling=replace(template.front.sampling, seed=seed),
        count_tokens=room.count_tokens,
        context_length=room.context_length,
    )


def make_ranker(
    prompt: Prompt,
    options: PromptOptions,
    cases: CaseSet | FileHistories,
    *,
    seed: int,
    room: ContextWindow = ContextWindow(),
    first: PromptTemplate | None = None,
) -> Ranker:
    """Return the method that the template, or --ranker, names, behind the one that --first names.

    `first` is what that one asks with (see `first_template`).
    """
    from llmrank.rankers.registry import RankerOptions, build_ranker

    name = prompt.template.front.ranker or ("pointwise" if prompt.template.front.about_one_item else "listwise")
    chosen = RankerOptions(
        window=options.window,
        step=options.step,
        sort=options.sort,
        sort_top=options.sort_top,
        group=options.group,
        rounds=options.rounds,
        repeats=options.repeats,
        combine=options.combine,
        first=None if options.first is None else _first(options.first, first, options, cases, seed=seed, room=room),
        first_top=options.first_top,
        seed=seed,
    )
    return build_ranker(name, prompt, chosen)


def _baseline(name: str, cases: CaseSet | FileHistories, seed: int) -> Ranker:
    from llmrank.rankers.registry import TrainingData, build_baseline

    return build_baseline(name, TrainingData(lambda: cases.popularity, lambda: cases.rating_means), seed)


def first_template(options: PromptOptions) -> PromptTemplate | None:
    """Return the template of the ranker that --first names, None where there is none or it asks nobody.

    Raises InputError for a baseline that cannot stand there.
    """
    from llmrank.rankers.registry import BASELINES, RATING_BASELINES

    if options.first == "oracle" or options.first in RATING_BASELINES:
        raise InputError(
            f"{options.first} cannot choose what a model ranks",
            field="--first",
            hint="take one that orders candidates without the labels, such as recall_order or bm25",
        )
    asks = options.first is not None and options.first not in BASELINES
    return load_prompt(options_of_first(options)) if asks else None


def options_of_first(options: PromptOptions) -> PromptOptions:
    """Return the options as they are for the ranker that --first names."""
    return replace(options, ranker=options.first, prompt=options.first_prompt, first=None, repeats=1, answer=None)


def _first(
    name: str,
    template: PromptTemplate | None,
    options: PromptOptions,
    cases: CaseSet | FileHistories,
    *,
    seed: int,
    room: ContextWindow,
) -> Ranker:
    if template is None:
        return _baseline(name, cases, seed)
    own = options_of_first(options)
    return make_ranker(make_prompt(template, own, cases, seed=seed, room=room), own, cases, seed=seed, room=room)


def prompt_settings(
    prompt: Prompt, ranker: Ranker, options: PromptOptions, first: PromptTemplate | None = None
) -> dict[str, object]:
    """Return everything about prompt and method that can change an answer, for the manifest."""
    template = prompt.template
    settings: dict[str, object] = {
        "prompt": template.name,
        "template": template.text,
        "template_sha256": template.sha256,
        "ranker": ranker.name,
        "ranker_options": {name: getattr(options, name) for name in RANKER_OPTIONS},
        "answer": prompt.answer.name,
        "view": asdict(prompt.view),
        "top": template.front.top,
        "order": options.order,
        "shots": template.front.shots if options.shots is None else options.shots,
        "sampling": asdict(prompt.sampling),
        "thinking": asdict(template.front.thinking),
        "extra_body": dict(template.front.extra_body),
    }
    if first is not None:
        settings["first_template"] = first.text
    named = (
        ("ranker", "llmrank.rankers", template.front.ranker),
        ("first", "llmrank.rankers", options.first),
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


def origin_options(options: PromptOptions, cases: CaseOptions) -> dict[str, object]:
    """Return what the manifest needs, beside the settings, to make the same Cases and Requests again."""
    data = Path(cases.data)
    return {
        "prompt": asdict(options),
        # Read again from another folder, it is the same file.
        "cases": asdict(replace(cases, data=str(data.resolve()) if data.exists() else cases.data)),
    }


def _sampling(own: Sampling, options: PromptOptions, seed: int) -> Sampling:
    return replace(
        own,
        seed=seed,
        temperature=own.temperature if options.temperature is None else options.temperature,
        max_tokens=own.max_tokens if options.max_tokens is None else options.max_tokens,
    )


def _task(template: PromptTemplate) -> Literal["ranking", "rating"]:
    return "rating" if template.front.task == "rating" else "ranking"
