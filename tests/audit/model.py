"""A model of known bias, behind the prompt `rankgpt` or another wording of it, and Cases that it can answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from llmrank.backends import BaseBackend
from llmrank.types import Case, Event, Item, Request, Response, Usage

N = 20
USERS = 300


def cases(users: int = USERS) -> list[Case]:
    """Each user's four events name a candidate each; the newest, the only one with 5 stars, names the relevant one."""
    found: list[Case] = []
    for user in range(users):
        items = tuple(Item(f"i{place}", f"Film {place}") for place in range(N))
        named = Random(user).sample(items, 4)
        stars = (1.0, 2.0, 3.0, 5.0)
        past = [Event(Item(f"h{user}-{at}", one.item_id), stars[at], float(at)) for at, one in enumerate(named)]
        found.append(Case(f"u{user}", tuple(past), items, relevant=(named[-1].item_id,)))
    return found


@dataclass(frozen=True)
class Asked:
    """One call, as the model sees it."""

    request: Request
    text: str
    identifiers: tuple[str, ...]
    """In the order shown."""
    titles: tuple[str, ...]
    liked: str
    """The title of the candidate that the user will choose."""

    @property
    def user(self) -> str:
        """What tells one user from another: the history."""
        return " ".join(re.findall(r'^- "(.*)", rated', self.text, re.MULTILINE))

    def draw(self, *what: object) -> Random:
        """Return a generator of its own for this user and whatever else is named."""
        return Random(f"{self.user}:{what}")


class Model(BaseBackend):
    """Puts the liked candidate first with the probability that `knows` returns, and is drawn by `coin`; else last.

    The others come in the order of their titles.
    """

    def __init__(
        self,
        knows: Callable[[Asked], bool],
        usage: Callable[[Request], Usage] = lambda _: Usage(100, 0, 10),
        answers: Callable[[Asked], bool] = lambda _: True,
    ) -> None:
        self.knows, self.usage, self.answers, self.asked = knows, usage, answers, 0

    @property
    def identity(self) -> Mapping[str, str]:
        return {"kind": "simulated", "model": "simulated"}

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        text = request.messages[-1].content
        shown: list[tuple[str, str]] = re.findall(r'^\[(\w+)\] "(.*)"$', text, re.MULTILINE)
        item_id = re.findall(r'^- "i(\d+)", rated 5', text, re.MULTILINE)[0]
        asked = Asked(request, text, *map(tuple, zip(*shown, strict=True)), liked=f"Film {item_id}")
        if not self.answers(asked):
            return Response("I would rather not say.", usage=self.usage(request))
        first = self.knows(asked)
        order = sorted(shown, key=lambda pair: (pair[1] != asked.liked if first else pair[1] == asked.liked, pair[1]))
        return Response(" > ".join(f"[{name}]" for name, _ in order), usage=self.usage(request))


ASKING: Mapping[str, Any] = {"prompt": "rankgpt", "measures": "HR@1", "progress": False}
"""The arguments with which a `Model` is audited."""
