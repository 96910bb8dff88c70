"""Cases and templates for the tests of prompting."""

from pathlib import Path

from llmrank.prompting import PromptTemplate, read_template
from llmrank.types import Case, Event, Item

FRONT = "name: mine\ntask: ranking\nranker: listwise\nanswer: titles\n"
CANDIDATES = "{% for item in candidates %}{{ item.title }}\n{% endfor %}"


def item(number: int, **attributes: str) -> Item:
    return Item(f"i{number}", f"Title {number}", attributes)


def events(count: int, first: int = 100) -> tuple[Event, ...]:
    return tuple(Event(item(first + n), 1.0 + n % 5, 8.7e8 + n * 86_400) for n in range(count))


def listed(history: int = 3, candidates: int = 3, user: str = "u") -> Case:
    return Case(user, events(history), tuple(item(n) for n in range(candidates)), relevant=("i1",))


def rated(history: int = 3, user: str = "u") -> Case:
    return Case(user, events(history), target=item(7), rating=4.0)


def template(body: str, front: str = FRONT, strict: bool = True) -> PromptTemplate:
    if "{% block" not in body:
        body = f"{{% block user %}}\n{body}\n{{% endblock %}}\n"
    return read_template(f"---\n{front}---\n{body}", Path("mine.jinja"), strict)


def shown(body: str, case: Case | None = None, front: str = FRONT, **options: object) -> str:
    """Return the user message that a template body makes of a Case."""
    made, case = template(body, front), case or listed()
    view = options.get("view")
    question = made.question(case, view) if view else made.question(case)
    return made.render(case, question, **options)[-1].content
