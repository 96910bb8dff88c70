"""Ordinary words around an ordinary list are no reason to doubt it, in whatever order the list is."""

from __future__ import annotations

import pytest

from llmrank.answers import answer_format
from llmrank.types import Item, Outcome, Question, Response

SHOWN = ("Heat", "Fargo", "Alien", "Jaws", "Speed")
ORDERS = (SHOWN, ("Alien", "Heat", "Speed", "Jaws", "Fargo"))
INTRODUCTIONS = """
Here is my ranking:
From the provided list, here are my top picks:
Based on the given list, the top 5 are:
The 5 best movies from the provided list.
Here are 5 movies from the given list that you might like:
Based on your ratings, here is my ranking:
Based on your own ratings and history, I recommend:
Here are the movies, ranked by genre fit and your ratings:
Considering IMDb scores and your taste, my list:
Your task is interesting! Here is the ranking:
You are a fan of thrillers, so here is the list:
Since you've watched many thrillers, I suggest:
I've watched your history closely. Ranking:
I rank these movies as follows:
I would rank them as follows:
Here is how I would order them:
Let me rank the following movies:
I will rank the 5 movies from most to least likely:
To rank these, I looked at genre and director. Result:
If I had to sort them, this would be my order:
The movies are organized into a ranking below:
By genre similarity, I would rank:
Most likely to be watched next:
Sure! Here is an example ranking based on the provided list:
Which would you like most? My guess:
Here is my ranking in the format you asked for:
Ranked from most likely to least likely to enjoy:
Here are the movies from most to least likely to watch:
Ordered from the film they would like most to the one they are least likely to watch:
User's history suggests the following ranking:
The user's history (mostly thrillers) suggests this order:
Number 1 is the best and number 5 the least suitable:
Ordered by predicted rating, no. 1 being the best and the last the worst:
Ranks of the movies by fit:
The box office aside, this is what fits best:
The ranking, best first, not worst to best:
I can rank these for you. Here you go:
My list would look like this:
If I could recommend only five: these.
In this order, best first:
The answer, in order of fit:
Before I rank them, a note: I looked at genre first.
""".strip().split("\n")
CLOSINGS = """
I hope this helps! Let me know if you would like a different order.
Note: This ranking is based on your history, and the order of preference may change.
These are ranked from most to least relevant.
Please note that I do not include movies you have already watched.
Actually, all of these are great movies!
This list is based on genre, ratings and popularity.
Sorry if I missed something above.
I apologize for any confusion. I ranked them above by relevance.
Is this the kind of list you wanted?
Would you like me to explain the order?
The first one is the best match for your taste.
You might also like The Thing.
If you can't decide, start with the first!
Please provide feedback if this is not what you wanted.
Once you have watched them, tell me how you liked them.
I have no doubt that they will enjoy the first.
I can't wait to hear what you think.
The last one is the least likely to be enjoyed.
They are unlikely to dislike any of these.
None of these has been watched before.
Their box office was great too.
You can't go wrong with any of these!
Let me know if you'd like the opposite order.
The lower the number, the better the match.
If they want action: start at the top.
Once you have seen the first, try the second.
They will like it. They would not like horror as much.
""".strip().split("\n")
LISTS = {
    "numbered": lambda titles: "\n".join(f"{at}. {title}" for at, title in enumerate(titles, 1)),
    "with reasons": lambda titles: "\n".join(f"{at}. {title} - great for you" for at, title in enumerate(titles, 1)),
    "bold up to a colon": lambda titles: "\n".join(
        f"{at}. **{title}:** A must-see" for at, title in enumerate(titles, 1)
    ),
    "sentences behind": lambda titles: "\n".join(
        f"{at}. {title}. Highly recommended." for at, title in enumerate(titles, 1)
    ),
    "records": lambda titles: "\n\n".join(f"Rank: {at}\nTitle: {title}" for at, title in enumerate(titles, 1)),
    "dashes": lambda titles: "\n".join(f"- {title}" for title in titles),
    "in one line": ", ".join,
    "JSON": lambda titles: str([*titles]).replace("'", '"'),
}


@pytest.mark.parametrize("titles", ORDERS, ids=("as shown", "another order"))
@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("words", [*((one, "") for one in INTRODUCTIONS), *(("", one) for one in CLOSINGS)], ids=str)
def test_ordinary_words_around_a_list_do_not_hide_it(
    words: tuple[str, str], form: str, titles: tuple[str, ...]
) -> None:
    text = "\n\n".join((words[0], LISTS[form](titles), words[1])).strip()
    items = tuple(Item(title, title) for title in SHOWN)
    answer = answer_format("titles").read(Response(text), Question(items, top=5))
    assert answer.outcome in (Outcome.OK, Outcome.REPAIRED), answer.reason
    assert answer.ranked == titles
