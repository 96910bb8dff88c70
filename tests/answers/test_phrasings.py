"""Phrasings of one choice, each with the reading by hand, in every way of naming the items.

`a` and `b` are the item that a phrasing chooses, `-` none. They were read by hand before llmrank read them.
"""

import pytest

from llmrank.answers import answer_format
from llmrank.types import Item, Question, Response

ALWAYS = r"""
a|I'd go with {a}.
a|I would pick {a} because of the user's taste.
a|My pick: {a}
a|The best choice is {a}, since they liked thrillers.
a|While {b} is good, {a} is better.
a|Although {b} comes close, {a} wins.
a|Instead of {b}, I recommend {a}.
a|{a}, not {b}.
a|{b} would be fine, but {a} is the stronger match.
a|Between {a} and {b}, I lean towards {a}.
a|I was torn between {a} and {b}. In the end: {a}.
-|Avoid {b}.
a|They have seen {b}, so {a}.
-|{a} or {b}.
-|Both {a} and {b} are fine.
-|Either {a} or {b} would work.
-|If they want action, {a}; if not, {b}.
-|It depends: {a} for a quiet evening, {b} for a party.
a|First choice: {a}. Second choice: {b}.
a|Reasoning: {b} is close.\n\nAnswer: {a}
a|Answer: {a}
a|The answer is {a}.
a|Final answer: {a}
a|I considered {b}, {c} and {a}. I choose {a}.
a|{b}? Too violent. {c}? No. {a}? Yes.
b|I'd say {a}. Actually, {b}.
b|{a}. Wait, no: {b}.
a|You should watch {a}.
a|Go for {a}!
a|Definitely {a}, hands down.
a|The user will most likely enjoy {a}.
-|The worst choice is {b}.
-|{a} is the least suitable.
a|Je recommande {a}.
a|Recomiendo {a}.
a|Consiglio {a}.
a|Bien que {b} soit bon, je choisis {a}.
a|Я рекомендую {a}.
a|我推荐 {a}。
a|おすすめは {a} です。
-|None of them.
-|I can't decide between {a} and {b}.
-|{a}. They have seen it.
a|Since {b} was their favourite, {a}.
a|{a} suits them best, {b} less so.
a|There's no contest: {a}.
a|{a}, obviously.
a|The top spot goes to {a}.
a|All right: {a}.
a|Sure! {a} would be the ideal recommendation here.
a|Option {a} matches best, option {b} comes close.
-|I have no preference between {a} and {b}.
a|I'd go with {a} (not {c}).
a|I'd recommend {a} - not {b} - for its pace.
a|My pick is {a} – a better one than {b}.
-|I suggest {a} (or {b}).
a|I recommend {a} – though {b} is close.
a|I'd go for {a} (unlike {b}, it is scary).
-|If they like {a}, go for {b}; if they like {c}, go for {d}.
-|If you enjoy crime, I recommend {a}. If you love space, I recommend {b}.
a|{a} is the best pick. {b} is slow.
a|{b} is a good option, but {a} is better.
b|{a}. Corrected: {b}
b|{a}. Make it {b}.
a|{a}\n\nIf they have seen it, go with {b}.
a|{a}.\nMy second choice is {b}.
a|{a}\nBackup: I would pick {b}
a|{b} is better than {c}, and {a} is even better than {b}.
-|{a} for action, {b} for drama.
-|{a} for a night in and {b} for a night out
-|{a} in summer, {b} in winter
-|I like {a} for thrills, {b} for love.
-|{a} on weekdays, {b} on weekends
a|{b}: funny\n\nThe best is {a}
a|Because they loved {b}, I'd suggest {a}.
a|They enjoyed {b} and {c}, so {a} is the logical next one.
a|I would rule out {b} and {c}. That leaves {a}.
a|{b} is my backup; my pick is {a}.
-|{a} and {b} are tied.
-|I would not pick {a}.
-|Is it {a}?
-|Anything but {a}.
b|My first thought was {a}, but {b} fits better.
b|I'd pick {a}. On reflection, {b}.
b|{a}? No, {b}.
a|{a}\n\nReason: they liked {b}.
a|Seeing as they loved {b}, the answer is {a}.
"""
"""Read so in every way of naming the items."""
SOMETIMES = r"""
a|{a}
a|{a}.
a|**{a}**
a|Not {b} but {a}.
a|{a} rather than {b}.
a|{a} over {b}.
a|{a} beats {b}.
a|{a} is better than {b}.
a|Neither {b} nor {c} fits; {a} does.
a|{b} is too long and {c} too slow, which leaves {a}.
a|1. {a}\n2. {b}\n3. {c}
a|- {a}\n- {b}\n- {c}
a|{b}: too slow\n{c}: too long\n\n{a}
a|Most people would choose {b}, but this user would like {a} most.
a|Hmm, {a} is the closest to what they enjoyed.
a|The runner-up is {b}, the winner is {a}.
a|{a} stands out.
a|It has to be {a}.
a|Let me recommend {a} to this user.
a|{"choice": "{a}"}
a|{"title": "{a}", "reason": "like {b}"}
a|Ich würde {a} empfehlen.
a|Obwohl {b} gut ist, passt {a} besser.
a|{a} > {b} > {c}
a|{a}, {b}, {c}
a|{a}, which they haven't seen.
a|Given that they loved {b}, {a} is the natural next step.
a|As much as I like {b}, {a} is what I'd choose.
a|{b} comes second; {a} is my number one.
a|{a} fits best.
a|I think they'd enjoy {a} the most.
a|Rank 1 is {a}, rank 2 is {b}, rank 3 is {c}.
a|{c} is worse than {b}, which is worse than {a}.
a|Skip {b} and {c}; take {a}.
a|Unlike {b}, {a} has the humour they like.
a|{a} edges out {b}.
a|{b} loses to {a}.
a|Out of these, {a} is the closest match.
a|My vote is for {a}.
a|{a} (my choice), {b} (also fine)
a|If they liked {b} and if they liked {c}, I recommend {a}.
a|{a} would be a great fit. They also liked {b}.
a|{a} is a perfect choice for fans of {b}.
a|{a} because they love classics like {b}.
a|{a} seems a strong match if they like {b}.
a|{a} would be an excellent recommendation. Similar to {b}.
b|{a}\n\nI apologize, {b}.
b|{a}\nSorry! {b}
a|I think {a} > {b}.
a|{a} > {b}. The others are too long.
a|Order: {a} > {b}
a|{b} is fine. {a} > {b} > {c}.
a|I thought of {b}.\n{a} > {b} > {c}
a|{b}? Hmm.\n\n{a} > {b}
a|{b} beats {c}. {a} beats {b}.
a|{b} is closer than {c}, {a} is closer than {b}.
a|My reasoning\n{a}
a|Best of all\n{a}
a|{b} came second. {a} is the one.
a|If you liked {b}, you'll love {a}.
a|Not {b}, not {c}: {a}.
a|After {b}, they should watch {a}.
a|Compared with {b}, {a} is closer to their taste.
a|The choice is between {a} and {b}; {a} it is.
a|It comes down to {a} and {b}, and {a} is better.
a|{a}! {b} was too slow for them.
a|Given {b}, {a}.
a|{b} is out. {c} is out. {a} it is.
a|{a} is my number one; {b} comes second.
a|Number one: {a}. Number two: {b}.
"""
"""Read so, or not at all: in some ways of naming the items, other readings are possible."""
LEAST = 0.7
"""Share of the readings of `SOMETIMES` that must not be lost."""
FILMS = ("Heat (1995)", "Fargo (1996)", "Alien (1979)", "Casablanca (1942)")
BOOKS = ("Dune by Frank Herbert", "Emma by Jane Austen", "1984 by George Orwell", "The Hobbit")
WAYS = {
    "title": ("", "{title}"),
    "short": ("", "{short}"),
    "quoted": ("", '"{short}"'),
    "bold": ("", "**{title}**"),
    "number": ("1234", "{name}"),
    "bracket": ("1234", "[{name}]"),
    "letter": ("ABCD", "{name}"),
    "letter and title": ("ABCD", "{name}) {title}"),
    "bracket and title": ("1234", "[{name}] {title}"),
}


def readings(table: str, name: str, way: str) -> list[tuple[str, str, str]]:
    """Return each text with its reading by hand and by llmrank: a letter of the phrasing, or `-`."""
    shown, form = WAYS[way]
    found: list[tuple[str, str, str]] = []
    for titles in (FILMS, BOOKS):
        items = tuple(Item(one, title) for one, title in zip("bacd", titles, strict=True))
        question = Question(items, tuple(shown))
        for line in table.strip().splitlines():
            meant, text = line.replace("\\n", "\n").split("|", 1)
            for number, (item, title) in enumerate(zip(items, titles, strict=True)):
                short = title.partition(" (")[0]
                named = form.format(title=title, short=short, name=shown[number] if shown else "")
                text = text.replace(f"{{{item.item_id}}}", named)
            found.append((text, meant, "".join(answer_format(name).read(Response(text), question).ranked) or "-"))
    return found


CASES = [
    (way, name)
    for way, (_, form) in WAYS.items()
    for name in ("choice", "one_title")
    if name == "choice" or "title" in form or "short" in form
]


@pytest.mark.parametrize(("way", "name"), CASES)
def test_phrasings_are_read_as_by_hand(way: str, name: str) -> None:
    assert [one for one in readings(ALWAYS, name, way) if one[1] != one[2]] == []
    sometimes = readings(SOMETIMES, name, way)
    assert [one for one in sometimes if one[2] not in (one[1], "-")] == []


def test_few_phrasings_are_not_read() -> None:
    sometimes = [one for way, name in CASES for one in readings(SOMETIMES, name, way)]
    assert sum(meant == read for _, meant, read in sometimes) >= LEAST * len(sometimes)
