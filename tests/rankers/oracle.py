"""A backend that answers from known truth, with set rates of noise, of malformed answers and of failures.

It sees what a model sees, the messages, and answers in the form that they ask for; so it proves the rankers together
with the shipped templates and the answer formats.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from random import Random

from llmrank import engine
from llmrank.answers import answer_format
from llmrank.prompting import View, load_template
from llmrank.rankers.prompt import Prompt
from llmrank.types import Case, Event, Failure, Item, Ranker, Ranking, Reply, Request, Response

SHOWN = re.compile(r"(\w+)\W+(Film \d{3})\b")
PREFER = "Would the user prefer"
UNREADABLE = ("", "I'm sorry, but I can't help with that.", "Here you go!", "Well.", "<think>Let me see")
DRESSING = ("Sure! Here is my answer:\n{}", "**{}**", "{}\n", "<think>Is it the last one?</think>\n{}")


def case(n: int, *, seed: int = 0, user: str = "u", scores: bool = False) -> Case:
    """A Case whose candidates stand in a seeded order; the best is Film 000, with the item id `i000`."""
    items = [Item(f"i{place:03}", f"Film {place:03}") for place in range(n)]
    Random(f"{seed}:{n}").shuffle(items)
    history = tuple(Event(Item(f"h{place}", f"Seen {place}"), 4.0) for place in range(3))
    return Case(user, history, tuple(items), tuple(float(n - at) for at in range(n)) if scores else None)


def truth(case: Case) -> tuple[str, ...]:
    """The true order."""
    return tuple(sorted(item.item_id for item in case.candidates))


def prompt(name: str, answer: str | None = None, **changes: object) -> Prompt:
    """A shipped template, ready to ask."""
    template = load_template(name)
    view = View(**{key: changes.pop(key) for key in ("ids", "show_scores") if key in changes})  # type: ignore[arg-type]
    return Prompt(
        template, answer_format(answer or template.answer_for(view.ids)), view, template.front.sampling, **changes
    )


@dataclass(frozen=True)
class OracleBackend:
    noise: float = 0.0
    """How often an answer is as good as drawn at random."""
    dressed: float = 0.0
    """How often a right answer stands among other words."""
    unreadable: float = 0.0
    failures: float = 0.0
    seed: int = 0

    def reply(self, request: Request) -> Reply:
        draw = Random(f"{self.seed}:{request.repeat}:{request.messages}")
        if draw.random() < self.failures:
            return Failure("503: overloaded")
        unreadable = draw.random() < self.unreadable
        text = request.messages[-1].content
        labels = {title: label for label, title in SHOWN.findall(text)}
        goodness = {title: -int(title[-3:]) for title in labels}
        if draw.random() < self.noise:
            goodness = dict(zip(goodness, draw.sample(sorted(goodness.values()), len(goodness)), strict=True))
        best_first = sorted(goodness, key=lambda title: -goodness[title])
        if request.labels:
            if unreadable:
                return Response("", label_logprobs={})
            yes = 0.9 + min(goodness.values()) / 1200
            if PREFER in text:
                yes = 0.6 if next(iter(goodness)) == best_first[0] else 0.3
            weights = {"Yes": yes, "No": 0.0}
            weights["No"] = 0.95 - weights["Yes"]
            if request.labels != ("Yes", "No"):
                weights = {labels[title]: 0.5 ** (place + 1) for place, title in enumerate(best_first)}
            return Response("", label_logprobs={label: math.log(weights[label]) for label in request.labels})
        if unreadable:
            return Response(draw.choice(UNREADABLE))
        answer = self.words(text, request, best_first, labels)
        return Response(draw.choice(DRESSING).format(answer) if draw.random() < self.dressed else answer)

    def words(self, text: str, request: Request, best_first: list[str], labels: dict[str, str]) -> str:
        if PREFER in text:
            return "Yes." if next(iter(labels)) == best_first[0] else "No."
        if "relavance score" in text:
            return f"{10 + 9 * -int(best_first[0][-3:]) / 999:.3f}"
        if "what rating" in text:
            return f"{5 + 4 * -int(best_first[0][-3:]) / 999:.3f}"
        if asked := re.search(r"select the (\d+)", text):
            return ", ".join(f"Movie {labels[title]}" for title in best_first[: int(asked[1])])
        if "RankGPT" in request.messages[0].content:
            return " > ".join(f"[{labels[title]}]" for title in best_first)
        return labels[best_first[0]]


def drive(ranker: Ranker, case: Case, backend: OracleBackend) -> tuple[Ranking, list[list[Request]]]:
    """Run the generator; return the Ranking and the batches it asked for."""
    batches: list[list[Request]] = []

    def answer(batch: list[Request]) -> list[Reply]:
        assert batch, "an empty batch costs a turn and asks nothing"
        batches.append(batch)
        return [backend.reply(request) for request in batch]

    return engine.drive(ranker, case, answer), batches
