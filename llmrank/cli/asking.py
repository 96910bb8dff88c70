"""How a command asks: from its options to a Prompt and a Ranker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmrank.cli.cases import CaseSet
from llmrank.cli.options import CaseOptions, PromptOptions
from llmrank.errors import InputError
from llmrank.types import Case, Message, Ranker, Sampling

if TYPE_CHECKING:
    from llmrank.prompting import PromptTemplate, ShotPool, View
    from llmrank.rankers.prompt import Prompt


RANKER_OPTIONS = ("window", "step", "sort", "sort_top", "group", "rounds", "repeats", "combine")


@dataclass(frozen=True)
class FileShots:
    """What `rerank` draws shots from: the histories of a candidate file, read only when a prompt shows shots."""

    path: Path
    allow_empty_history: bool = False
    scale: tuple[float, float] = (1.0, 5.0)

    @cached_property
    def shot_pool(self) -> ShotPool:
        """The histories that solved examples are drawn from."""
        from llmrank.data.candidates import read_cases
        from llmrank.prompting import ShotPool

        return ShotPool.of([*read_cases(self.path, allow_empty_history=self.allow_empty_history)])


@dataclass(frozen=True, slots=True)
class Room:
    """How much the model holds, and how it counts; unknown for an endpoint that does not say."""

    count_tokens: Callable[[Sequence[Message]], int] | None = None
    context_length: int | None = None


def load_prompt(options: PromptOptions) -> PromptTemplate:
    """Return the template, with what the options say in the place of its own keys.

    Raises InputError for an unknown name, a file that cannot be read, or one that the linter refuses.
    """
    from llmrank.prompting import check, load_template

    template = with_options(load_template(options.prompt), options)
    front = template.front
    if problems := check(template):
        raise problems[0].error()
    if front.task == "profile":
        raise InputError(
            f"{template.name} asks for a profile, not for a ranking or a rating",
            path=template.path,
            mend="choose a prompt that shows it, such as palr",
        )
    return template


def with_options(template: PromptTemplate, options: PromptOptions) -> PromptTemplate:
    """Return the template with what the options say in the place of its own keys."""
    changed = {"top": options.top, "ranker": options.ranker, "answer": options.answer}
    front = template.front.model_copy(update={key: value for key, value in changed.items() if value is not None})
    return replace(template, front=front)


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
    cases: CaseSet | FileShots,
    *,
    seed: int,
    room: Room = Room(),
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
    if front.profile is not None and not options.no_profile:
        profile = make_profile(profile_template or load_template(front.profile), options, seed=seed, room=room)
    return Prompt(
        template=template,
        answer=answer_format(front.answer or "titles"),
        view=make_view(options, seed),
        sampling=_sampling(front.sampling, options, seed),
        shots=shots if count else no_shots,
        scale=cases.scale,
        count_tokens=room.count_tokens,
        context_length=room.context_length,
        profile=profile,
    )


def make_profile(template: PromptTemplate, options: PromptOptions, *, seed: int, room: Room) -> Prompt:
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


def make_ranker(prompt: Prompt, options: PromptOptions, seed: int) -> Ranker:
    """Return the method that the template, or --ranker, names."""
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
        seed=seed,
    )
    return build_ranker(name, prompt, chosen)


def prompt_settings(prompt: Prompt, ranker: Ranker, options: PromptOptions) -> dict[str, object]:
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
    }
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
