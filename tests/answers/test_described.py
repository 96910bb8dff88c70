"""Titles together with attributes: of two songs with one title, the artist tells which one is meant."""

from __future__ import annotations

import json
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.answers import answer_format
from llmrank.answers.items.matching import title_index
from llmrank.types import Answer, Item, Outcome, Question, Response

SONGS = (
    Item("a", "Hello", {"artist": "Adele", "album": "25"}),
    Item("l", "Hello", {"artist": "Lionel Richie", "album": "Can't Slow Down"}),
    Item("y", "Yellow", {"artist": "Coldplay", "album": "Parachutes"}),
    Item("n", "Red Kettle", {"brand": "Nike", "price": "19.99"}),
    Item("b", "Red Kettle", {"brand": "Bosch", "price": "29.99"}),
    Item("w", "The Wall (1979)", {"artist": "Pink Floyd", "genres": "Rock|Progressive"}),
)


def read(text: str, name: str = "titles", items: tuple[Item, ...] = SONGS) -> Answer:
    return answer_format(name).read(Response(text), Question(items, ()))


@pytest.mark.parametrize(
    ("text", "ranked"),
    [
        ("1. Hello by Lionel Richie\n2. Yellow by Coldplay\n3. Hello by Adele", "lya"),
        ('1. "Hello" by Lionel Richie\n2. "Yellow" by Coldplay\n3. "Red Kettle" by Bosch', "lyb"),
        ("1. Hello - Lionel Richie\n2. Red Kettle - Bosch\n3. Hello – Adele\n4. Red Kettle — Nike", "lban"),
        ("1. Lionel Richie - Hello\n2. Coldplay - Yellow\n3. Adele - Hello", "lya"),
        ("1. Hello (Lionel Richie)\n2. Yellow (Coldplay)\n3. Hello (Adele)", "lya"),
        ("1. Red Kettle, Bosch, $29.99\n2. Hello, Adele\n3. The Wall (1979), Pink Floyd, Rock", "baw"),
        ("1. Bosch Red Kettle\n2. Nike Red Kettle\n3. Yellow", "bny"),
        ("1. **Hello** by Lionel Richie - a classic\n2. **Yellow** by Coldplay", "ly"),
        ("1. Hello by Lionel Richie: you like slow songs\n2. Hello by Adele: a strong voice", "la"),
        ("1. Hello\n   Artist: Lionel Richie\n2. Yellow\n   Artist: Coldplay\n3. Hello\n   Artist: Adele", "lya"),
        ("| Rank | Title | Artist |\n|---|---|---|\n| 1 | Hello | Lionel Richie |\n| 2 | Hello | Adele |", "la"),
        ("Hello (Lionel Richie) > Yellow (Coldplay) > Hello (Adele)", "lya"),
        ("Yellow by Coldplay, Hello by Lionel Richie, The Wall by Pink Floyd", "ylw"),
        ('I would start with "Hello" by Lionel Richie, then "Yellow" by Coldplay.', "ly"),
        ('["Hello by Lionel Richie", "Yellow by Coldplay", "Hello by Adele"]', "lya"),
    ],
)
def test_the_attribute_beside_a_title_tells_which_item_is_meant(text: str, ranked: str) -> None:
    answer = read(text)
    assert "".join(answer.ranked) == ranked
    assert not answer.repairs.keys() & {"shared_title", "not_a_candidate"}


BOOKS = (
    Item("s", "Sapiens: A Brief History of Humankind", {"author": "Yuval Noah Harari", "year": "2014"}),
    Item("d", "Dune (Dune, #1)", {"author": "Frank Herbert"}),
    Item("m", "Dune Messiah (Dune, #2)", {"author": "Frank Herbert"}),
    Item("o", "Dreams - 2004 Remaster", {"artist": "Fleetwood Mac"}),
    Item("c", "Dreams", {"artist": "The Cranberries"}),
    Item("p", "Peanut Butter, Creamy", {"brand": "Jif", "size": "16 oz"}),
    Item("1", "Joe's Pizza", {"address": "7 Carmine St, New York"}),
    Item("2", "Joe's Pizza", {"address": "216 Bedford Ave, Brooklyn"}),
)


@pytest.mark.parametrize(
    ("text", "ranked"),
    [
        ("Sapiens (Yuval Noah Harari)\nDune by Frank Herbert\nDune Messiah by Frank Herbert", "sdm"),
        ("1. Sapiens by Yuval Noah Harari (2015)\n2. Dune Messiah, Frank Herbert", "sm"),
        ("1. Dreams – Fleetwood Mac\n2. Sapiens (Harari)", "os"),
        ("1. **Dreams** by Fleetwood Mac, for a calm evening\n2. **Dune** by Frank Herbert, of course", "od"),
        ('1. "Dreams" by The Cranberries\n2. "Dreams" by Fleetwood Mac (2004 Remaster)', "co"),
        ("1. Dreams (Fleetwood Mac)\n2. Dreams (The Cranberries)", "oc"),
        ("1. Jif Creamy Peanut Butter (16 oz)\n2. Joe's Pizza, Bedford Ave, Brooklyn: a perfect slice", "p2"),
        ("1. Joe's Pizza on Carmine St\n2. Joe's Pizza (216 Bedford Ave)", "12"),
    ],
)
def test_every_word_of_an_entry_must_belong_to_the_item(text: str, ranked: str) -> None:
    """Words may be in any order, and the subtitle or version may be missing; part of a long attribute is enough."""
    answer = read(text, items=BOOKS)
    assert "".join(answer.ranked) == ranked
    assert not answer.repairs.keys() & {"shared_title", "not_a_candidate"}


def test_a_book_of_the_same_author_is_another_book() -> None:
    assert read("1. Children of Dune by Frank Herbert\n2. Dune by Frank Herbert", items=BOOKS).ranked == ("d",)


@pytest.mark.parametrize("text", ["Forever Young", "A Boy and His Dog", "Harvest King", "Halo 360"])
def test_a_part_of_an_attribute_needs_a_separator_before_it(text: str) -> None:
    """`Sapiens (Harari)` names the author, but `Forever Young` is a different song from Neil Young's `Forever`."""
    items = (
        Item("1", "Forever", {"artist": "Neil Young"}),
        Item("2", "The Dog", {"about": "A boy and his horse in Paris"}),
        Item("3", "Harvest", {"artist": "Ben King"}),
        Item("4", "Halo", {"platform": "Xbox 360"}),
    )
    assert read(text, items=items).reason == "no_candidate_named"


@pytest.mark.parametrize("text", ["1. Dracula, 1958\n2. Dracula, 1931", "1. Dracula (1958)\n2. Dracula (1931)"])
def test_a_year_attribute_distinguishes_equal_titles(text: str) -> None:
    items = (Item("1", "Dracula", {"year": "1931"}), Item("2", "Dracula", {"year": "1958"}))
    answer = read(text, items=items)
    assert (answer.ranked, answer.outcome) == (("2", "1"), Outcome.OK)


@pytest.mark.parametrize("more", [{"price": "5.99"}, {"rating": "5"}, {"players": "5 to 8", "maker": "Bungie"}])
def test_a_number_in_an_attribute_is_not_a_sequel(more: dict[str, str]) -> None:
    """Halo costs 5.99 here; Halo 5 is another game."""
    items = (Item("h", "Halo", more), Item("o", "Portal", {"price": "9.99"}))
    answer = read("1. Portal\n2. Halo 5\n3. Halo 5 by Bungie", items=items)
    assert answer.ranked == ("o",)
    assert answer.repairs["not_a_candidate"] == 2


def test_json_fields_distinguish_equal_titles() -> None:
    songs = [{"title": "Hello", "artist": "Lionel Richie"}, {"title": "Yellow", "artist": "Coldplay"}]
    answer = read(json.dumps({"ranking": [*songs, {"title": "Hello", "artist": "Adele"}]}), "json")
    assert answer.ranked == ("l", "y", "a")
    assert "shared_title" not in answer.repairs


def test_a_choice_by_title_and_artist() -> None:
    assert read("Hello by Adele", "choice").ranked == ("a",)
    assert read('The best is "Hello" by Lionel Richie.', "choice").ranked == ("l",)
    assert read("Hello", "choice").reason == "ambiguous"


def test_one_title_of_several_items_is_counted() -> None:
    assert read("Hello", "one_title").repairs == {"shared_title": 1}
    assert read('It is "Hello".', "one_title").repairs == {"shared_title": 1}
    assert read("Yellow", "one_title").outcome is Outcome.OK


@pytest.mark.parametrize(
    "text",
    [
        "1. Hello\n2. Yellow",
        "1. Hello – soulful, unlike Adele\n2. Yellow",
        "1. Hello (a cover of Adele)\n2. Yellow",
        "1. Hello - not Adele\n2. Yellow",
        "| Title | Why |\n|---|---|\n| Hello | Adele fans will like it |\n| Yellow | calm |",
    ],
)
def test_an_undecided_shared_title_is_counted(text: str) -> None:
    """The artist is in a remark, or missing, so nothing tells which song is meant."""
    answer = read(text)
    assert answer.ranked[1] == "y"
    assert answer.outcome is Outcome.REPAIRED
    assert answer.repairs["shared_title"] == 1


def test_another_artist_means_another_song() -> None:
    answer = read("1. Hello by Beyoncé\n2. Yellow by Coldplay")
    assert answer.ranked == ("y",)
    assert answer.repairs["not_a_candidate"] == 1


def test_a_different_year_is_not_accepted() -> None:
    items = (Item("1", "Heat (1995)", {"genres": "Crime"}), Item("2", "Fargo (1996)", {"genres": "Crime"}))
    assert read("1. Fargo, Crime\n2. Heat (1986), Crime", items=items).ranked == ("2",)
    assert read("1. Fargo (1996), Crime\n2. Heat (1995), Crime", items=items).ranked == ("2", "1")


def seconds(text: str, name: str, items: tuple[Item, ...]) -> float:
    """Return the time of one reading: the best of two, because the first also builds the tables of the catalogue."""

    def once() -> float:
        began = time.process_time()
        read(text, name, items)
        return time.process_time() - began

    return min(once(), once())


def test_time_is_not_cubic_in_items_with_one_title() -> None:
    def of(count: int) -> float:
        items = tuple(Item(str(at), "Starbucks", {"address": f"{at} Main{at} St"}) for at in range(count))
        return seconds("\n".join(f"{at}. Starbucks" for at in range(1, count + 1)), "titles", items)

    assert of(240) < 16 * max(of(60), 0.01)


def test_attributes_common_to_all_items_are_not_compared_with_each() -> None:
    def of(count: int) -> float:
        items = tuple(Item(str(at), f"Film w{at} (1995)", {"genres": "Drama", "by": "Bob Ray"}) for at in range(count))
        return seconds("I think of drama, by Bob. " * 100, "one_title", items)

    assert of(4000) < 4 * max(of(500), 0.02)


WORDS = st.lists(st.sampled_from(["amber", "birch", "coral", "delta", "ember", "fjord"]), min_size=1, max_size=2)
FORMS = ("{title} by {artist}", "{title} - {artist}", "{artist} - {title}", "{title} ({artist})", "{title}, {artist}")


@given(
    st.lists(st.tuples(st.sampled_from(["One Moon", "Two Moons", "Sun"]), WORDS), min_size=2, max_size=6),
    st.sampled_from(FORMS),
    st.randoms(use_true_random=False),
)
def test_every_song_is_read_as_itself_or_not_at_all(
    songs: list[tuple[str, list[str]]], form: str, draw: Random
) -> None:
    """No matter how many songs share a title, only a line with an item's own title and artist names it."""
    items = tuple(
        Item(str(at), title, {"artist": " ".join(artist).title()}) for at, (title, artist) in enumerate(songs)
    )
    order = [*range(len(items))]
    draw.shuffle(order)
    lines = [form.format(title=items[at].title, artist=items[at].attributes["artist"]) for at in order]
    answer = read("\n".join(f"{at}. {line}" for at, line in enumerate(lines, 1)), items=items)
    kinds = [(items[at].title, items[at].attributes["artist"]) for at in order]
    read_kinds = [(items[int(one)].title, items[int(one)].attributes["artist"]) for one in answer.ranked]
    if len({(title, frozenset(artist.split())) for title, artist in kinds}) == len(kinds):
        assert read_kinds == kinds
    else:
        assert answer.outcome is not Outcome.OK or sorted(read_kinds) == sorted(kinds)


HEADPHONES = tuple(
    Item(f"h{place}", title, {"brand": brand})
    for place, (brand, title) in enumerate(
        (
            ("Bose", "QuietComfort 45 Headphones"),
            ("Sony", "WH-1000XM5 Wireless Noise Cancelling Headphones"),
            ("JBL", "Tune 510BT Case"),
            ("Sennheiser", "Momentum 4 Wireless"),
        )
    )
)


def test_a_brand_may_stand_before_the_beginning_of_a_title() -> None:
    text = (
        "1. Sony WH-1000XM5\n2. Bose QuietComfort 45\n3. Sennheiser Momentum 4\n4. JBL Tune 510BT\n5. Sony WH-1000XM4"
    )
    answer = answer_format("titles").read(Response(text), Question(HEADPHONES))
    assert answer.ranked == ("h1", "h0", "h3") and answer.repairs["not_a_candidate"] == 2


def test_titles_as_they_were_shown_need_no_index_of_attributes() -> None:
    items = tuple(Item(f"i{at}", f"Film {at} (1995)", {"genres": "Crime|Drama"}) for at in range(50))
    answer = answer_format("titles").read(Response("\n".join(item.title for item in items)), Question(items))
    assert answer.outcome is Outcome.OK
    assert "_descriptions" not in vars(title_index(items))  # to build it takes longer than to read the answer
