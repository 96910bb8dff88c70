"""The identifiers by which a prompt, and so an answer, names its items."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice, product
from string import ascii_uppercase
from typing import Literal, get_args

from llmrank.errors import InputError
from llmrank.types import Item

Ids = Literal["titles", "numbers", "letters", "item_id", "words"]
IDS: tuple[Ids, ...] = get_args(Ids)

# Short, common, unlike each other, and none of them a rank, a number or a judgement.
WORDS: tuple[str, ...] = (
    "apple",
    "river",
    "stone",
    "cloud",
    "tiger",
    "lemon",
    "piano",
    "garden",
    "window",
    "bridge",
    "candle",
    "forest",
    "silver",
    "mountain",
    "table",
    "rabbit",
    "ocean",
    "ladder",
    "butter",
    "engine",
    "orange",
    "castle",
    "paper",
    "needle",
    "basket",
    "winter",
    "dragon",
    "pocket",
    "mirror",
    "cotton",
    "hammer",
    "island",
    "jacket",
    "kettle",
    "lantern",
    "marble",
    "napkin",
    "olive",
    "pencil",
    "quilt",
    "ribbon",
    "saddle",
    "tunnel",
    "umbrella",
    "velvet",
    "wagon",
    "yellow",
    "zebra",
    "anchor",
    "barrel",
    "camel",
    "desert",
    "eagle",
    "falcon",
    "ginger",
    "harbor",
    "insect",
    "jungle",
    "kitten",
    "lizard",
    "magnet",
    "nectar",
    "onion",
    "parrot",
    "rocket",
    "salmon",
    "temple",
    "uncle",
    "valley",
    "walnut",
    "yogurt",
    "arrow",
    "bottle",
    "carpet",
    "donkey",
    "elbow",
    "feather",
    "guitar",
    "helmet",
    "iron",
    "jewel",
    "knife",
    "ladle",
    "meadow",
    "nest",
    "oyster",
    "pepper",
    "queen",
    "radio",
    "spider",
    "tomato",
    "urn",
    "violin",
    "whale",
    "yard",
    "acorn",
    "bread",
    "copper",
    "daisy",
    "emerald",
    "fox",
    "glove",
    "honey",
    "ink",
    "jar",
    "key",
    "leaf",
    "moon",
    "nut",
    "owl",
    "plum",
    "rose",
    "ship",
    "tree",
    "van",
    "wolf",
    "barn",
    "crown",
    "drum",
    "flute",
    "goat",
    "hat",
    "kite",
    "lamp",
    "mouse",
    "nail",
    "oven",
    "shell",
)


def identifiers(scheme: Ids, items: Sequence[Item]) -> tuple[str, ...]:
    """Return one identifier per item, in order; empty where the titles themselves are the identifiers.

    Letters go on after Z as AA, AB, …. Raises InputError where `words` has fewer words than there are items.
    """
    match scheme:
        case "titles":
            return ()
        case "numbers":
            return tuple(str(place) for place in range(1, len(items) + 1))
        case "letters":
            lettered = ("".join(letters) for length in count(1) for letters in product(ascii_uppercase, repeat=length))
            return tuple(islice(lettered, len(items)))
        case "item_id":
            return tuple(item.item_id for item in items)
        case "words":
            if len(items) > len(WORDS):
                raise InputError(
                    f"the identifier scheme 'words' names {len(WORDS)} items, and {len(items)} are to be shown",
                    field="ids",
                    hint="show fewer candidates, or take --ids numbers",
                )
            return WORDS[: len(items)]
