import gc
import weakref

import pytest

from llmrank.answers.items.matching import Match, TitleIndex, title_index
from llmrank.types import Item
from tests.answers.asking import items


def named(text: str, *titles: str) -> tuple[str, str] | None:
    """Return the title that the text matches and the stage; ("", "ambiguous"); None if there is no match."""
    index = TitleIndex(items(*titles))
    match = index.find(text) or index.nearest(text)
    return match and (titles[match.positions[0]] if match.positions else "", match.stage)


@pytest.mark.parametrize(
    ("text", "title", "stage"),
    [
        ("Toy Story (1995)", "Toy Story (1995)", "exact"),
        ("The Matrix", "Matrix, The (1999)", "normalised"),
        ("Das Boot", "Boot, Das", "normalised"),
        ("Das Boot (1981)", "Boat, The (Das Boot) (1981)", "normalised"),
        ("Seven", "Seven (a.k.a. Se7en) (1995)", "normalised"),
        ("Se7en (1995)", "Seven (a.k.a. Se7en) (1995)", "normalised"),
        ("Twelve Monkeys (1995)", "Twelve Monkeys (a.k.a. 12 Monkeys) (1995)", "normalised"),
        ("Dr. Strangelove (1963)", "Dr. Strangelove or: How I Learned to Stop Worrying (1963)", "normalised"),
        ("Blade Runner 1982", "Blade Runner (1982)", "normalised"),
        ("seven samurai (shichinin no samurai) (1954)", "Shichinin no samurai (1954)", "normalised"),
        ("七人の侍", "七人の侍 (1954)", "normalised"),
        ("Boys' Club, The", "The Boy’s Club", "normalised"),
        ("Halo 3", "Halo 3 (Xbox 360)", "normalised"),
        ("Dark Souls III", "DARK SOULS™ III", "normalised"),
        ("Hunter × Hunter", "Hunter x Hunter (2011)", "normalised"),
        ("GTA V", "Grand Theft Auto V", "normalised"),
        ("Civilization VI", "Sid Meier's Civilization® VI", "normalised"),
        ("Life of Brian (1979)", "Monty Python's Life of Brian (1979)", "normalised"),
        ("The Hobbit", "The Hobbit, or There and Back Again", "normalised"),
        ("Campbell Biology (12th ed.)", "Campbell Biology, 12th Edition", "normalised"),
        ("Wonderwall", "Wonderwall - Remastered", "normalised"),
        ("Uptown Funk ft. Bruno Mars", "Uptown Funk (feat. Bruno Mars)", "normalised"),
        ("Don't Stop Believin'", "Don't Stop Believin' (2022 Remaster)", "normalised"),
        ("Soundcore Life Q30", "Soundcore by Anker Life Q30 Hybrid Headphones, 40H Playtime, Hi-Res", "fuzzy"),
        ("OPI Nail Lacquer (Big Apple Red)", "OPI Nail Lacquer, Big Apple Red, 0.5 oz", "fuzzy"),
        ("Schindlers Lst (1993)", "Schindler's List (1993)", "fuzzy"),
        ("Shawshenk Redemption", "Shawshank Redemption, The (1994)", "fuzzy"),
        ("Spiderman", "Spider-Man (2002)", "fuzzy"),
        ("Star Wars (1977)", "Star Wars: Episode IV - A New Hope (1977)", "fuzzy"),
        ("Star Wars: Episode V - The Empire Strikes Back (1980)", "Empire Strikes Back, The (1980)", "fuzzy"),
        ("The Usual Suspects, The (1995)", "Usual Suspects, The (1995)", "fuzzy"),
        ("Versace Bright Crystal Spray", "Versace Bright Crystal Spray for Women, 3 Ounce", "fuzzy"),
        ("AeroPress", "AeroPress Original Coffee Maker, 3-in-1 Brew Method", "fuzzy"),
        ("Hario V60", "Hario V60 Pour Over Starter Set, Dripper Size 02", "fuzzy"),
        ("Baratza Encore", "Baratza Encore Conical Burr Coffee Grinder, Black", "fuzzy"),
        ("Fellow Stagg EKG Kettle", "Fellow Stagg EKG Electric Gooseneck Kettle, Matte Black, 0.9 L", "fuzzy"),
        ("Purple Rain", "Prince - Purple Rain", "normalised"),
        ("Purple Rain by Prince", "Prince - Purple Rain", "normalised"),
        ("Toy Story 1 (1995)", "Toy Story (1995)", "normalised"),
        ("Star Wars: A New Hope", "Star Wars: Episode IV - A New Hope (1977)", "fuzzy"),
        ("Fargo, temporada 2", "Fargo, Season 2 (2015)", "normalised"),
        ("Fargo 시즌 2 (2015)", "Fargo, Season 2 (2015)", "normalised"),
        ("Fargo 第2季", "Fargo, Season 2 (2015)", "normalised"),
        ("Fargo S02", "Fargo, Season 2 (2015)", "normalised"),
        ("Twenty-One Grams (2003)", "21 Grams (2003)", "normalised"),
        ("The 13th Floor", "Thirteenth Floor, The (1999)", "normalised"),
        ("MacBook Air 15-inch M3 (16GB, 512GB)", "Apple MacBook Air 15-inch M3 (16 GB, 512 GB)", "fuzzy"),
        ('Apple MacBook Air 13" M3', "Apple MacBook Air 13-inch M3", "normalised"),
        ("Anker PowerCore 20000", "Anker PowerCore 20000 Portable Charger", "fuzzy"),
        ("Keychron K2 (Version 2)", "Keychron K2 Mechanical Keyboard (Version 2)", "fuzzy"),
        ("Nivea Cream", "Nivea Cream, Rich, 50 ml", "fuzzy"),
        ("Bosch MUM5 Kitchen Machine", "Bosch MUM5 Kitchen Machine 1000 W", "fuzzy"),
        ("Russell Hobbs Toaster (2-Slice)", "Russell Hobbs 2-Slice Toaster", "fuzzy"),
    ],
)  # fmt: skip
def test_a_text_finds_its_title(text: str, title: str, stage: str) -> None:
    assert named(text, "Alien (1979)", title, "Fargo (1996)") == (title, stage)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Toy Story", "Toy Story 2 (1999)"),
        ("Toy Story 2", "Toy Story (1995)"),
        ("Toy Story (1999)", "Toy Story 2 (1999)"),
        ("The", "The Thing (1982)"),
        ("The Lion King (1994)", "Lion King, The (2019)"),
        ("The Lion King 1½ (2004)", "Lion King, The (1994)"),
        ("Alien", "Aliens (1986)"),
        ("Alien: Covenant", "Alien (1979)"),
        ("Heart", "Heat (1995)"),
        ("Star Wars", "Star Wars: Episode V - The Empire Strikes Back (1980)"),
        ("Lord of the Rings", "Lord of the Rings: The Two Towers, The (2002)"),
        ("Lord of the Rings: The Return of the King", "Lord of the Rings: The Two Towers, The (2002)"),
        ("Harry Potter and the Deathly Hallows", "Harry Potter and the Deathly Hallows: Part 1 (2010)"),
        ("The Good, the Bad and the Ugly Trilogy (1966-1968)", "Good, the Bad and the Ugly, The (1966)"),
        ("Dark City Confidential", "L.A. Confidential (1997)"),
        ("Halo 3 (PlayStation)", "Halo 3 (Xbox 360)"),
        ("Xbox 360", "Halo 3 (Xbox 360)"),
        ("OPI Nail Lacquer, Red", "OPI Nail Lacquer, Rose"),
        ("Dove Shampoo for Dry Hair", "Dove Conditioner for Dry Hair"),
        ("(1979)", "Alien (1979)"),
        ("Dead Man", "Dead Man Walking (1995)"),
        ("Dead Man", "Dead Man Walking"),
        ("The Hunger Games", "Catching Fire (The Hunger Games, #2)"),
        ("Wii", "Wii Fit Plus with Balance Board 3 Pack"),
        ("Call of Duty", "Call of Duty: Black Ops II - PC"),
        ("Quake", "Quake 2 (Jewel Case) - PC"),
        ("Ninja Air Fryer", "Ninja AF101 Air Fryer, Black, 4 Qt"),
        ("COSRX Snail Essence", "COSRX Snail 96 Mucin Essence, 3.38 fl oz"),
        ("OPI", "OPI, Nail Lacquer Red"),
        ("Toy Story 1 (1999)", "Toy Story (1995)"),
        ("Fargo S1", "Fargo, Season 2 (2015)"),
        ("Star Wars: Return of the Jedi", "Star Wars: Episode IV - A New Hope (1977)"),
        ("The 12th Floor", "Thirteenth Floor, The (1999)"),
        ("Apple iPad 64 GB", "Apple iPad 128 GB"),
        ("Man Walking", "Dead Man Walking"),
        ("Saw 2", "Super Army War 2"),
        ("House 2", "Big Momma's House 2"),
        ("Gen X", "Generation X"),
        ("War (2007)", "Charlie Wilson's War (2007)"),
        ("Dracula", "Bram Stoker's Dracula"),
        ("Running Shoes", "Nike Women's Running Shoes"),
        ("Dial Two Hats", "Dial Ann Mary Smith's Two Hats"),
        ("Life of Brian (2019)", "Monty Python's Life of Brian (1979)"),
        ("Brother HL2270", "Toner Cartridge for Brother HL2270, Black"),
        ("Wonderwall - Live", "Wonderwall - Remastered"),
        ("Stand", "Stand by Me"),
    ],
)
def test_a_text_is_not_matched_with_another_title(text: str, title: str) -> None:
    assert named(text, title) is None


def test_an_ambiguous_title_needs_a_year_to_match() -> None:
    titles = ("Beauty and the Beast (1991)", "Beauty and the Beast (2017)")
    assert named("Beauty and the Beast", *titles) == ("", "ambiguous")
    assert named("Beauty and the Beast (2017)", *titles) == (titles[1], "exact")
    assert named("Beauty and the Beest", *titles) == ("", "ambiguous")
    assert named("Beauty and the Beast (2016)", *titles) is None


def test_a_common_beginning_of_two_products_names_neither() -> None:
    titles = ("Cetaphil Moisturizing Cream, Unscented, 16 oz", "Cetaphil Moisturizing Lotion, Unscented, 16 oz")
    assert named("Cetaphil", *titles) == named("Cetaphil Moisturizing", *titles) == ("", "ambiguous")


def test_equal_titles_are_found_together() -> None:
    index = TitleIndex(items("Emma (1996)", "Alien (1979)", "Emma (1996)"))
    assert index.find("Emma (1996)") == Match((0, 2), "exact")
    assert index.find("emma") == Match((0, 2), "normalised")


def test_the_article_distinguishes_two_titles() -> None:
    assert named("the thing", "Thing (1982)", "Thing, The (1982)") == ("Thing, The (1982)", "normalised")


def test_an_item_id_names_its_item_unless_the_title_is_anothers() -> None:
    index = TitleIndex((Item("B000142FVW", "Opi Nail Lacquer"), Item("B001AO0WCG", "Moroccan Oil"), Item("50", "Heat")))
    assert index.find("B000142FVW") == index.find("B000142FVW (Opi Nail Lacquer)") == Match((0,), "item_id")
    assert index.find("B000142FVW - Opi Nail Laquer, the pink one") == Match((0,), "item_id")
    assert index.find("B000142FVW (Moroccan Oil)") == Match((), "ambiguous")
    assert index.find("50") is None  # could be a number of the list


def test_the_index_of_a_tuple_is_built_once_and_released() -> None:
    some = items("Alien (1979)")
    assert title_index(some) is title_index(some)
    assert title_index(some) is not title_index(items("Alien (1979)"))
    dropped = weakref.ref(title_index(items("Fargo (1996)")))
    for number in range(10):
        title_index(items(f"Film {number}"))
    gc.collect()
    assert dropped() is None


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The Matirx", "Matrix, The (1999)"),
        ("Oldbooy", "Oldboy (2003)"),
        ("Amercan Psycho (2001)", "American Psycho (2000)"),
        ("Runn Lola Run", "Run Lola Run (1998)"),
        ("Loopers (2012)", "Looper (2012)"),
        ("Fury Road", "Mad Max: Fury Road (2015)"),
        ("Shawshank", "Shawshank Redemption, The (1994)"),
        ("Rumors", "Fleetwood Mac - Rumours"),
        ("New Deep-Sea Squid Species", "New Species of Deep-Sea Squid Discovered off Chile"),
        ("Lavazza Rossa 1kg", "Lavazza Qualità Rossa Ground Coffee, 1 kg"),
    ],
)
def test_a_text_recalls_its_title(text: str, title: str) -> None:
    index = TitleIndex(items("Heat (1995)", title, "Fargo (1996)"))
    assert index.recalled_by(text) == 1


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Alien", "Aliens (1986)"),
        ("Aliens (1979)", "Alien (1979)"),
        ("Dead Man (1995)", "Dead Man Walking (1995)"),
        ("Dead Man", "Dead Man Walking (1995)"),
        ("Mask of Zorro", "Mark of Zorro, The (1940)"),
        ("Twisted (1996)", "Twister (1996)"),
        ("Kung Fu Panda: Secrets of the Furious Five (2008)", "Kung Fu Panda (2008)"),
        ("Frankenstein", "Bride of Frankenstein (1935)"),
        ("Ghostbusters", "Ghostbusters II (1989)"),
        ("Toy Story 3", "Toy Story 2 (1999)"),
        ("Rocky", "Rock, The (1996)"),
    ],
)
def test_another_title_recalls_nothing(text: str, title: str) -> None:
    rival = ("Aliens (1986)",) if text.startswith("Aliens") else ()
    assert TitleIndex(items("Heat (1995)", title, *rival)).recalled_by(text) is None


def test_books_are_found_without_their_authors_where_most_titles_have_one() -> None:
    books = TitleIndex(items("Emma by Jane Austen", "Atonement by Ian McEwan (2001)", "Saturday by Ian McEwan (2005)"))
    assert books.find("Emma") is not None
    assert books.find("Saturday (Ian McEwan)") is not None
    assert TitleIndex(items("Stand by Me", "Heat", "Alien")).find("Stand") is None
