"""A prompt template: a file with front matter and Jinja blocks that turns a Case into messages."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any

from jinja2 import Template, TemplateError, TemplateSyntaxError, UndefinedError, nodes

from llmrank.errors import InputError, count_of, nearest
from llmrank.prompting.environment import Environment
from llmrank.prompting.front import FrontMatter, read_front, split_front
from llmrank.prompting.identifiers import Ids, identifiers
from llmrank.prompting.references import wrong_references
from llmrank.prompting.variables import VARIABLES, Shown, plain, show_event, show_item
from llmrank.prompting.view import DOMAINS, View
from llmrank.types import USUAL_SCALE, Case, Message, Question
from llmrank.yaml_text import MOST_CHARACTERS

BLOCKS = ("system", "user", "shot")
PLAIN_VIEW = View()
ORDERS = {"oldest-first": "oldest first", "newest-first": "newest first", "shuffled": "in no particular order"}
TEMPLATE_FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RuntimeError)
"""The exceptions that a faulty expression in a template can raise (`{{ n + title }}`, an endless macro, …)."""


@dataclass(frozen=True, slots=True, repr=False)
class PromptTemplate:
    """A compiled template; `print` shows its text. Templates are equal if their texts and overrides are equal."""

    name: str
    path: Path = field(compare=False)
    text: str
    sha256: str
    front: FrontMatter
    blocks: Mapping[str, Template] = field(compare=False)
    lines: Mapping[str, int] = field(compare=False)
    """The line on which each block begins."""
    names: frozenset[str] = field(compare=False)
    """All variables and fields that the blocks mention, also in quotes: `selectattr("liked")`."""
    problems: tuple[InputError, ...] = field(default=(), compare=False)
    """Problems found by reading alone; always empty in a template returned by `load_template`."""
    overridden: Mapping[str, object] = field(default_factory=dict[str, object])
    """The front-matter keys replaced by options (see `override`)."""

    def __reduce__(self) -> tuple[Callable[..., PromptTemplate], tuple[str, Path, bool, Mapping[str, object]]]:
        # Compiled code cannot be pickled, so send the text.
        return read_template, (self.text, self.path, False, self.overridden)

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"PromptTemplate({self.name!r}, {str(self.path)!r})"

    def __str__(self) -> str:
        return self.text

    def override(self, **keys: object) -> PromptTemplate:
        """Return the template with front-matter keys (`ranker`, `answer`, `top`, `thinking`, `extra_body`) replaced by
        options; None leaves a key unchanged."""
        changed = {key: value for key, value in keys.items() if value is not None}
        front = self.front.model_copy(update=changed)
        return replace(self, front=front, overridden={**self.overridden, **changed})

    def answer_for(self, ids: Ids | None = None) -> str:
        """Return the answer format for an identifier scheme (None: the template's own).

        Raises InputError for a scheme without an answer format in the template, and for a profile prompt.
        """
        if (answer := self.front.answer_for(ids)) is None:
            known = ", ".join(self.front.answer) if isinstance(self.front.answer, Mapping) else ""
            problem = f"the template {self.name!r} names no answer format for {ids or self.front.ids!r} as identifiers"
            hint = f"use --ids {known}" if known else "add `answer: …`"
            raise InputError(problem, path=self.path, field="answer", hint=hint)
        return answer

    def question(self, case: Case, view: View = PLAIN_VIEW, *, scale: tuple[float, float] = USUAL_SCALE) -> Question:
        """Return the Question that the prompt asks about this Case.

        Its items are the Case's target (rating, pointwise) or its candidates in the given order; a profile prompt has
        none. Raises InputError if the Case lacks what the template asks about, or if the template cannot show what the
        view requires.
        """
        if self.front.task == "profile":
            return Question(scale=scale)
        self._can_show(view, case)
        ids = view.ids or self.front.ids
        scale = self.front.scale or scale
        if self.front.about_one_item:
            if case.target is None:
                hint = "give the Case a target item, or use a listwise template"
                raise self._unfit(case, "the Case has no target", hint)
            items = (case.target,)
        elif not (items := case.candidates):
            hint = "give the Case candidates, or use a rating template"
            raise self._unfit(case, "the Case has no candidates", hint)
        top = self.front.top
        if self.front.candidates == "catalogue":
            return Question(items=items, top=top, scale=scale)
        top = None if top is None else min(top, len(items))
        # If log-probabilities are read, the identifiers must be labels that are single tokens of the model.
        labels = view.labels if self.front.answer_for(ids) == "label_logprobs" else ()
        return Question(items, identifiers(ids, items, labels), top, scale)

    def render(
        self,
        case: Case,
        question: Question,
        *,
        view: View = PLAIN_VIEW,
        shots: Sequence[Case] = (),
        profile: str | None = None,
        history_scale: tuple[float, float] = USUAL_SCALE,
    ) -> tuple[Message, ...]:
        """Return the messages; the system message, if any, comes first.

        `question` determines the items shown, their order and their identifiers. `shots` are full Cases from training
        data, shown with their answers; the truth of `case` itself is never read. `history_scale` is the scale of the
        ratings in histories. Raises InputError with the template's line and the user if a block cannot be rendered.
        """
        if shots and "shot" not in self.blocks:
            problem = f"it has no block 'shot' to show {count_of(len(shots), 'solved example')}"
            hint = "add `{% block shot %}…{% endblock %}` and show `shots` in the block user, or use --shots 0"
            raise self._unfit(case, problem, hint)
        context = self._context(case, question, view, history_scale)
        context["profile"] = profile or ""
        context["shots"] = [
            self.render_shot(shot, view=view, scale=question.scale, history_scale=history_scale) for shot in shots
        ]
        return tuple(
            Message(role, self._render(role, context, case)) for role in ("system", "user") if role in self.blocks
        )

    def render_shot(
        self,
        shot: Case,
        *,
        view: View = PLAIN_VIEW,
        scale: tuple[float, float] = USUAL_SCALE,
        history_scale: tuple[float, float] = USUAL_SCALE,
    ) -> str:
        """Render a solved example with the block `shot`; raises InputError like `render`."""
        unscored = replace(view, show_scores=False)  # the candidates of an example have no recall scores
        context = self._context(shot, self.question(shot, unscored, scale=scale), unscored, history_scale)
        return self._render("shot", context | {"solved": self._solved(shot, context)}, shot)

    def fitting_events(self, case: Case, most: int, tokens: Callable[[int], int], limit: int) -> int:
        """Return how many of the newest events (at most `most`) fit a prompt of `limit` tokens.

        `tokens` returns the prompt's length for a number of events. Only the oldest events are dropped; the rest of the
        prompt stays complete. Raises InputError if the prompt is too long even without history, and says by how much.
        """
        if tokens(most) <= limit:
            return most
        if (bare := tokens(0)) > limit:
            problem = f"it takes {bare} tokens even without history, {bare - limit} more than the {limit} available"
            hint = "show fewer candidates (-k) or shots, ask for a shorter answer, or use a model with a longer context"
            raise self._unfit(case, problem, hint)
        return bisect_right(range(1, most), limit, key=tokens)

    def shown_events(self, case: Case, view: View) -> int:
        """Return the number of events of the Case to show."""
        if not view.show_history:
            return 0
        limit = self.front.history if view.history is None else view.history
        return len(case.history) if limit is None else min(limit, len(case.history))

    def _context(
        self, case: Case, question: Question, view: View, history_scale: tuple[float, float]
    ) -> dict[str, object]:
        attributes = self.front.attributes
        count = self.shown_events(case, view)
        events = case.history[len(case.history) - count :]
        history = [show_event(event, attributes, history_scale) for event in events]
        context: dict[str, object] = {
            "history": _ordered(history, view, case.user_id),
            "newest": history[-1] if history else None,
            "order": ORDERS[view.history_order],
            "ids": view.ids or self.front.ids,
            "scale": {"low": plain(question.scale[0]), "high": plain(question.scale[1])},
            "domain": DOMAINS[view.domain or self.front.domain],
        }
        if self.front.candidates == "catalogue":
            return context | {"top": question.top or len(question.items)}
        scores: Mapping[str, float] = {}
        if view.show_scores and case.recall_scores is not None:
            scores = {item.item_id: score for item, score in zip(case.candidates, case.recall_scores, strict=True)}
        shown = [
            show_item(item, attributes, identifier, scores.get(item.item_id))
            for item, identifier in zip_longest(question.items, question.identifiers)
        ]
        context |= {"candidates": shown, "n": len(shown), "top": question.top or len(shown)}
        if len(shown) == 1:
            context["target"] = shown[0]
        return context

    def _solved(self, shot: Case, context: Mapping[str, object]) -> object:
        """Return the answer of a solved example: its rating, or its relevant items."""
        if self.front.task == "rating":
            if shot.rating is None:
                raise self._unfit(shot, "a solved example without a rating", "choose shots among rated events")
            return plain(shot.rating)
        shown: Any = context.get("candidates") or [show_item(item, self.front.attributes) for item in shot.candidates]
        return [item for item in shown if item.values["item_id"] in shot.relevant]

    def _render(self, block: str, context: Mapping[str, object], case: Case) -> str:
        template = self.blocks[block]
        environment: Any = template.environment
        try:
            return environment.render(template.root_render_func(template.new_context(dict(context)))).strip("\n")
        except (*TEMPLATE_FAULTS, MemoryError) as error:
            reason = str(error) or type(error).__name__  # some errors have no message
            hint = "correct the expression on this line"
            if isinstance(error, RecursionError):
                reason = "endless recursion"
            elif isinstance(error, UndefinedError):
                hint = "guard values that may be missing, as in `{% if event.genres %}…{% endif %}`"
            line, problem = _line_of(error, template) or self.lines[block], f"block {block!r}: {reason}"
            raise InputError(problem, path=self.path, line=line, user=case.user_id, hint=hint) from error

    def _can_show(self, view: View, case: Case) -> None:
        if view.show_scores and "score" not in self.names:
            raise self._unfit(case, "it shows no recall scores", "add `{{ item.score }}`, or drop --show-scores")
        if view.show_scores and (case.recall_scores is None or case.only_ordered):
            hint = "give each candidate a `score`, or drop --show-scores"
            raise self._unfit(case, "the candidates have no recall scores", hint)
        if view.ids == "titles" and self.front.needs_identifiers("titles"):
            answer = self.front.answer_for("titles")
            raise self._unfit(case, f"{answer!r} reads identifiers", "use other --ids, or another --answer")
        if view.ids not in (None, "titles") and "identifier" not in self.names:
            raise self._unfit(case, "it shows no identifiers", "add `{{ item.identifier }}`, or drop --ids")

    def _unfit(self, case: Case, problem: str, hint: str) -> InputError:
        return InputError(f"template {self.name!r}: {problem}", path=self.path, user=case.user_id, hint=hint)


def read_template(
    text: str, path: Path, strict: bool = True, overridden: Mapping[str, object] | None = None
) -> PromptTemplate:
    """Parse and compile a template; `path` is used in messages, `overridden` as in PromptTemplate.

    Raises InputError with file and line for invalid front matter or Jinja syntax and, if `strict`, also for an
    undefined variable, an undeclared attribute or a reference to the truth.
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"longer than {MOST_CHARACTERS:,} characters", path=path, hint="shorten the template")
    source, first = split_front(text, path)
    front = read_front(source, path)
    environment = Environment()
    # Empty lines replace the front matter, so that line numbers match the file.
    body = "\n" * (first - 1) + "\n".join(text.split("\n")[first - 1 :])
    found: list[tuple[int, str, str]] = []
    try:
        tree = environment.parse(body)
        lines = {block.name: block.lineno for block in tree.find_all(nodes.Block)}
        blocks = {block.name: _alone(tree, block) for block in tree.find_all(nodes.Block)}
        found, catalogue = [*_misplaced(tree), *_unknown(tree, environment)], front.candidates == "catalogue"
        for name, block in blocks.items():
            found += wrong_references(block, available(front, name), front.attributes, catalogue)
        metered = environment.instrument(environment.parse(body))
        compiled = {
            block.name: Template.from_code(
                environment,
                environment.compile(_alone(metered, block), filename=f"{path} {block.name}"),
                environment.globals,
            )
            for block in metered.find_all(nodes.Block)
            if block.name in BLOCKS
        }
    except TemplateSyntaxError as error:
        default = (f"{error.message}", "use Jinja syntax: {{ value }}, {% if … %}")
        problem, hint = next(((known, hint) for line, known, hint in found if line == error.lineno), default)
        raise InputError(problem, path=path, line=error.lineno, hint=hint) from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        # Jinja's parser and compiler and Python's compiler each fail differently on deep nesting.
        hint = "split it into simpler parts"
        raise InputError("nested too deeply", path=path, line=_deepest(body), hint=hint) from error
    if "user" not in compiled and not found:
        found.append((first, "no block 'user'", "add `{% block user %}…{% endblock %}`"))
    problems = [InputError(problem, path=path, line=line, hint=hint) for line, problem, hint in sorted({*found})]
    if problems and strict:
        raise problems[0]
    made = PromptTemplate(
        name=front.name,
        path=path,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        front=front,
        blocks=compiled,
        lines=lines,
        names=frozenset(name for block in blocks.values() for name in _names_in(block)),
        problems=tuple(problems),
    )
    return made.override(**overridden or {})


def _names_in(block: nodes.Node) -> Iterator[str]:
    for node in block.find_all((nodes.Name, nodes.Getattr, nodes.Const)):
        match node:
            case nodes.Name(name=name) | nodes.Getattr(attr=name) | nodes.Const(value=str(name)):
                yield name
            case _:
                pass


def available(front: FrontMatter, block: str) -> frozenset[str]:
    """Return the variables that a block may use, given the front matter."""
    names = set(VARIABLES) - ({"shots", "profile"} if block == "shot" else {"solved"})
    if front.task == "profile":
        names -= {"candidates", "n", "target", "top", "shots"}
    elif front.about_one_item:
        names -= {"candidates", "n", "top"}
    else:
        names -= {"target", *(("candidates", "n") if front.candidates == "catalogue" else ())}
    return frozenset(names)


def _ordered(history: list[Shown], view: View, user_id: str) -> list[Shown]:
    """Return the history, given oldest first, in the order of the view."""
    match view.history_order:
        case "oldest-first":
            return history
        case "newest-first":
            return history[::-1]
        case "shuffled":
            return Random(f"{view.seed}:{user_id}").sample(history, len(history))


def _alone(tree: nodes.Template, block: nodes.Block) -> nodes.Template:
    """Return a block as a standalone template, preceded by the macros and assignments outside the blocks."""
    outside = [node for node in tree.body if isinstance(node, nodes.Macro | nodes.Assign | nodes.AssignBlock)]
    alone = nodes.Template([*outside, *block.body], lineno=block.lineno)
    if tree.environment is not None:
        alone.set_environment(tree.environment)
    return alone


def _misplaced(tree: nodes.Template) -> Iterator[tuple[int, str, str]]:
    """Yield line, problem and hint for everything that is misplaced: without effect there, or not allowed."""
    for node in tree.body:
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                text = part.data if isinstance(part, nodes.TemplateData) else "{{"
                if rest := text.lstrip():
                    line = part.lineno + text[: -len(rest)].count("\n")
                    yield line, "text outside the blocks is never shown", "move it into a block"
        elif not isinstance(node, nodes.Block | nodes.Macro | nodes.Assign | nodes.AssignBlock):
            yield node.lineno, "a statement outside the blocks has no effect", "move it into a block"
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        problem = "a template must be self-contained: no include, import or extends"
        yield node.lineno, problem, "copy the text into it"
    seen = set[str]()
    for block in tree.find_all(nodes.Block):
        if block.name in seen:
            yield block.lineno, f"duplicate block {block.name!r}", "merge the two: the first is never shown"
        seen.add(block.name)
        if block.name not in BLOCKS:
            yield block.lineno, f"unknown block {block.name!r}{nearest(block.name, BLOCKS)}", f"use {', '.join(BLOCKS)}"
        elif next(block.find_all(nodes.Block), None) is not None:
            yield block.lineno, "nested blocks are not allowed", "end the first block before the second"


def _unknown(tree: nodes.Template, environment: Environment) -> Iterator[tuple[int, str, str]]:
    """Yield line, problem and hint for unknown filters and tests: Jinja reports one inside an `if` only when run."""
    for kind, named, known in (("filter", nodes.Filter, environment.filters), ("test", nodes.Test, environment.tests)):
        for node in tree.find_all(named):
            if node.name not in known:
                offered = [name for name in known if not name.startswith("_")]
                problem = f"unknown {kind} {node.name!r}{nearest(node.name, offered)}"
                yield node.lineno, problem, f"use one of Jinja's built-in {kind}s"


def _deepest(body: str) -> int:
    """Return the line with the most open brackets and blocks; among equals, the longest line."""
    depth, deepest, line = 0, (0, 0), 1
    for number, text in enumerate(body.split("\n"), start=1):
        depth += sum(map(text.count, "([{")) + len(re.findall(r"{%[-+]?\s*(?:if|for|call|filter|with|set)\b", text))
        if (depth, len(text)) > deepest:
            deepest, line = (depth, len(text)), number
        depth -= sum(map(text.count, ")]}")) + len(re.findall(r"{%[-+]?\s*end", text))
    return line


def _line_of(error: BaseException, template: Template) -> int | None:
    """Return the template line that raised the error, from the innermost frame of the compiled code."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__jinja_template__") is template:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line
