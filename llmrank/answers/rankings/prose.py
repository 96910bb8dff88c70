"""Stage 3 for answers without a list: read a ranking that is told in sentences.

`I'd start with Heat. After that comes Fargo, and I would leave Alien for last.` The items are located first, and the
words between them are split into those that follow one item and those that introduce the next. Each gap must consist of
known words, and together they must give exactly one order. If any word is unknown, or might set a condition or
contradict the order, nothing is read, and the stages that read lists decide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Literal

from llmrank.answers.items.identifiers import Identifiers
from llmrank.answers.items.listing import Listing, Mention
from llmrank.answers.items.matching import Match, TitleIndex
from llmrank.answers.items.title import normalised
from llmrank.answers.text.lines import CARDINALS, word_set
from llmrank.answers.text.normalise import ORDINALS, caseless
from llmrank.answers.text.phrases import BEST_TO_WORST, meaning

Place = int | Literal["next", "last"] | None
"""The place of an item in the ranking, judging by the words around it."""

_OPENING = " \t*_`\"“”„«»‚‘'’(["
_MARKS = f"{_OPENING[:-2]}.,;:!?"
_BRACKETED = re.compile(r"\W*[\[(](\w{1,3})[\])]\W*")

_ENDINGS = ("st", "nd", "rd", *7 * ("th",))
_ABROAD = (
    "premierement premier premiere primero primer primera primo prima primeiro primeira zuerst erstens erster erste"
    " eerste первое первыи первом перше pierwsze pierwszym",
    "deuxiemement deuxieme seconde segundo segunda secondo seconda zweitens zweiter zweite"
    " tweede второе второи втором друге drugie drugim",
    "troisiemement troisieme tercero tercer tercera terzo terza terceiro terceira drittens dritter dritte"
    " derde третье третии третьем третє trzecie trzecim",
    "quatriemement quatrieme cuarto cuarta quarto quarta viertens vierter vierte"
    " vierde четвертое четвертыи четвертом четверте czwarte czwartym",
    "cinquiemement cinquieme quinto quinta funfter funfte vijfde пятое пятыи пятом пяте piate piatym",
    "sixieme sexto sexta sesto sesta sechster sechste zesde шестое шестыи шестом шосте szoste",
    "septieme septimo setimo settimo siebter siebte zevende седьмое седьмои седьмом сьоме siodme",
)  # fmt: skip
_ORDINALS = {
    form: at
    for at, (word, ending) in enumerate(zip(ORDINALS, _ENDINGS, strict=True), 1)
    for form in (word, f"{word}ly", f"{at}{ending}")
} | {word: at for at, words in enumerate(_ABROAD, 1) for word in words.split()}
_PLACES = word_set(
    "place spot position choice pick option recommendation rank platz stelle lieu posto puesto lugar opcion eleccion"
    " opcao escolha opzione scelta choix wahl plaats место месте місце miejsce"
)
_NOUNS = word_set("movie film book game album title product item option candidate passage number no")
_BEST = _PLACES | _NOUNS | word_set("match fit bet overall")
_LIKELY = word_set("likely relevant recommended suitable")
_LAST = word_set(
    "last least end finish closes bottom zuletzt letzter letzte dernier derniere ultimo ultima"
    " ostatnim ostatnie последнюю последнем"
)
_OPENS = word_set(
    "start starting begin beginning lead leading open opening recommend suggest offer reach pick choose"
    " rank watch put try read play go love"
    " enjoy beginnen anfangen empfehle empfehlen commencerais recommande recommanderais mettrais placerais classerais"
    " gostar gustara piacera aimera aanraden gefallen"
    " inizierei consiglio consiglierei metterei empezaria recomiendo recomendaria pondria comecaria recomendo colocaria"
)
_NEXT = word_set(
    "then next also finally lastly afterwards subsequently follow followed after ensuite puis enfin suivi suivie dann"
    " danach schliesslich gefolgt seguida entao poi infine seguito seguita luego despues finalmente seguido depois"
)
_SPLITS = word_set("and then while with followed next also finally et und y puis dann")
_AFTER = word_set("that this which those it")
_PLACE_WORDS = (*_ORDINALS, *CARDINALS, *_BEST, *_LIKELY, *_LAST, "winner", "runner", "up")
_COMES = word_set(
    "comes come coming goes going go is are be in at to for would should my the very most top best and a by far"
)
_TAIL_WORDS = frozenset((*_PLACE_WORDS, *_COMES)) | word_set(
    "gets takes as close closes dead next foremost rounds it out until en als auf em na op por au an"
)
"""Words after an item that may surround its place."""


@dataclass(frozen=True, slots=True)
class _Named:
    """An item and the position of its name in a text."""

    at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Gap:
    """The words between one item and the next."""

    tail: str
    """The words that follow the previous item, up to the first separator."""
    middle: str
    lead: str
    """The words that introduce the next item: the last clauses that can do so."""
    ends: bool
    """Whether a sentence ends right before the next item."""
    known: tuple[str, ...]
    """Clauses in the middle that could introduce an item."""


def read_sentences(text: str, index: TitleIndex, identifiers: Identifiers) -> Listing | None:
    """Return the ranking that sentences give, best first, None if they give none or more than one.

    Each item is named once. The first one is introduced as the first or as a recommendation. At least one of the others
    has a place (`then`, `second`, `last`), and no place contradicts the order of the text. If all items are numbered,
    the numbers give the order.
    """
    text = _PIECE.sub("the ", _CLOSE.sub("finish", _without_left_out(text[: _LIMIT + 1], index)))
    for aside in (_REASON, _IF_TIME):
        text = aside.sub(lambda found: found[0] if index.named_in(found[0]) else "", text)
    found = _without_repeats(text, _named(text, index, identifiers)) if len(text) <= _LIMIT else []
    if len(found) < 2 or len({one.at for one in found}) < len(found):
        return None
    between = [text[one.end : two.start] for one, two in pairwise(found)]
    if any("=" in part for part in between):
        return None
    opening = _FOR_WHOM.sub("", text[: found[0].start])
    gaps = [_gap(part) for part in (f"\n{opening}", *between, f"{text[found[-1].end :]}\n")]
    if not all(_is_known(gap.lead) for gap in gaps[:-1]) or _is_doubtful(gaps):
        return None
    places = _places(gaps)
    if not all(
        _is_introduced(gap, before, place) for gap, (before, place) in zip(gaps[1:], pairwise(places), strict=False)
    ):
        return None
    opened = not _OPENS.isdisjoint(normalised(gaps[0].lead).split())
    headed = opening.rstrip(' *_"“').endswith(":") and meaning(opening) in ("ranking", "final")
    opened |= (headed or not opening.strip(_MARKS)) and all(places[1:])  # Heat, then Fargo, then Alien
    order = _order(places, opened=opened, listed=_IN_ORDER.search(opening) is not None)
    lines = [text.count("\n", 0, one.start) + 1 for one in found]
    mentions = [
        Mention(text[one.start : one.end].strip(_MARKS), Match((one.at,), "normalised"), line)
        for one, line in zip(found, lines, strict=True)
    ]
    return Listing([mentions[at] for at in order], ordered=True) if order else None


_LIMIT = 6000
"""Maximum number of characters to read. A ranking in sentences is short, and the limit keeps the time linear."""


def _without_left_out(text: str, index: TitleIndex) -> str:
    """Blank out the sentences that leave items out (`I would not recommend Heat`)."""
    parts = _SENTENCE.split(text)
    return "".join(
        " " * len(part) if meaning(index.without_titles(part)) == "left out" or _NOT_THIS.match(part) else part
        for part in parts
    )


_NOT_THIS = caseless(r"\W*(?:not|skip|avoid|never) [^,;:.!?\n]{1,80}[.!]\s*\Z")
"""`Not Heat.`"""


_CLOSE = caseless(r"\b(?:close|wrap up|round (?:it|things) off)(?= with\b)")
_PIECE = caseless(
    r"\bthe (?:[\w'’-]+ ){1,4}(?:piece|one|story|article|headline|film|movie|book|novel|song|track|album|course"
    r"|recipe),? (?=[(\"“*])"
)
"""`the bottled-water piece ("Why You Should …")`"""
_REASON = caseless(r",? (?:given that|because|since) (?:you|they|he|she|(?:the|this) \w+)\b[^.,;\n]{0,120}(?=[.;\n]|$)")
"""`Heat last, given that you don't like crime`"""
_IF_TIME = caseless(
    r"(?<=[a-z)]),? if (?:there(?:['’]s| is| are)|you (?:still )?have|(?:the )?time"
    r"|they (?:still )?have)\b[^.,;!?\n]{0,80},(?= )"
)
"""`and, if there's still time, Heat`"""
_FOR_WHOM = caseless(r"\b(?:for|given|since|because|as)\b[^.,:;!?\n]* (?=I(?:['’]d| would|['’]ll)\b)")
"""`For somebody who likes thrillers I'd start with Heat`"""
_IN_ORDER = caseless(
    r"\b(?:in (?:this|the following|that) (?:order|sequence)|in dieser reihenfolge"
    r"|dans (?:cet|l['’]) ?ordre(?: suivant)?|en este orden|in quest['’]ordine|nesta ordem)\b[^.\n]{0,40}:\W*$"
)
_AFTER_THESE = caseless(r"\bafter (?:these|those|all|the)(?: [\w-]+){1,3}(?=,)")
"""`After these three thrillers, Heat`"""
_SENTENCE = re.compile(r"((?<=[.!?]) |(?<=;) (?=the (?:rest|others?)\b)|\n)")


def _is_doubtful(gaps: Sequence[_Gap]) -> bool:
    """Return whether words beside the items may contradict the order or set conditions."""
    beside = " ".join((*(f"{gap.tail} {gap.middle}" for gap in gaps), gaps[-1].lead))
    beside = normalised(BEST_TO_WORST.sub(" ", beside))
    return _AGAINST.search(beside) is not None or beside.split().count("if") > 1


_AGAINST = re.compile(
    r"\b(?:not|no|never|cannot|nor|neither|none|(?:do|does|did|is|are|was|wo|ca|would|could|should|has|have)nt"
    r"|instead"
    r"|actually|wait|rather|skip|avoid|swap|unless|except|worst|least|weakest|poorest|lowest|revers\w*|ascending"
    r"|alphabetical\w*|random\w*"
    r"|particular|equal\w*|tied?|or|either|both|before|above|ahead|over|beats?|worse|lower|sorry|unable"
    r"|hm+|however|draw|toss|nicht|kein\w*|nie|oder|statt|ausser|schlecht\w*|wenigsten|pas|sauf|ou|pire|moins|non|ni"
    r"|nunca|peor|menos|peggio\w*|meno|pior)\b"
)
"""Words beside the items that may change what the sentences say."""


def _places(gaps: Sequence[_Gap]) -> list[Place]:
    """Return the place of each item, judging by the words before and after it."""
    places: list[Place] = [_place(before.lead, behind.tail) for before, behind in pairwise(gaps)]
    if places[-1] is None and any(_place_in_words(piece.split()) == "last" for piece in gaps[-1].known):
        places[-1] = "last"  # so save it for the end
    return places


def _is_introduced(gap: _Gap, before: Place, place: Place) -> bool:
    """Return whether the item after a gap is introduced: it directly continues the previous one, or has a place."""
    follows_on = not gap.tail.strip(_MARKS) + gap.middle.strip()
    told_behind = place is not None and (gap.ends or (before is not None and not gap.middle.strip()))
    return bool(gap.lead.strip()) or follows_on or told_behind


# --- the place of an item


def _order(places: Sequence[Place], *, opened: bool, listed: bool) -> list[int] | None:
    """Return the order of items with these places, None if the places do not determine one. `opened`, `listed`: the
    first item is introduced as the first, or all as being in order."""
    count = len(places)
    numbers = [count if place == "last" else place for place in places]
    given = [number for number in numbers if isinstance(number, int)]
    if len(given) == count:
        in_full = sorted(given) == [*range(1, count + 1)]
        return sorted(range(count), key=given.__getitem__) if in_full else None
    agree = all(number == at for at, number in enumerate(numbers, 1) if isinstance(number, int))
    begun = numbers[0] == 1 or (numbers[0] is None and opened)
    return [*range(count)] if agree and (listed or (begun and any(places[1:]))) else None


def _place(lead: str, tail: str) -> Place:
    """Return the place of an item from the words that introduce it and the words that follow it."""
    follows = [*takewhile(_TAIL_WORDS.__contains__, normalised(tail).split())]
    before, behind = _place_in_words(normalised(lead).split()), _place_in_words(follows)
    if before is None or before == "next":
        return before if behind is None else behind
    return before if behind in (None, "next", before) else None


def _place_in_words(words: Sequence[str]) -> Place:
    if "second to last" in " ".join(words):
        return "next"
    for word, after in pairwise([*words, ""]):
        if word in _ORDINALS:
            return _ORDINALS[word]
        if word in _COUNTS and (after in CARDINALS or (after.isdigit() and len(after) < 3)):
            return int(after) if after.isdigit() else CARDINALS.index(after) + 1
        if word == "winner" or (word in ("top", "best") and after in _BEST) or (word == "most" and after in _LIKELY):
            return 1
        if word == "runner":
            return 2
        if word in _LAST:
            return "last"
    return None if _NEXT.isdisjoint(words) else "next"


_COUNTS = _PLACES | word_set("number no at")


def _is_known(lead: str) -> bool:
    """Return whether words can do nothing but introduce an item."""
    words = ["", *normalised(lead).split(), ""]
    return all(
        before in ("followed", "closely") or after == "far"
        if word == "by"
        else after in _AFTER
        if word == "after"
        else word in _LEAD_WORDS or word.isdigit()
        for before, word, after in zip(words, words[1:], words[2:], strict=False)
    )


_LEAD_WORDS = frozenset((*_PLACE_WORDS, *_COMES, *_OPENS, *_NEXT, *_SPLITS, *_AFTER)) | word_set(
    "i id ill we you youll your they user could can might will want see of on so foremost have straight directly right"
    " closely leave save keep it add move moving books movies films games suggestion suggestions"
    " personally definitely certainly clearly probably honestly obviously favourite"
    " favorite ranking rounds rounding out its sequel obvious show only reader viewer ich wurde mit von auf an kommt"
    " kommen je dabord par de du en vient viennent viendrait pour finir commencer terminer au la le les el il con"
    " pres viendraient viendra viennent"
    " da al por em com o e para este esta aluno usuario usuaria leitor cliente all tout behind put these order had dead"
    " op на na zou aanraden provavelmente vai gostar mais gustara probablemente"
    " metto pongo coloco setze mets stawiam piacera probabilmente wahrscheinlich"
    " gefallen wird aimera probablement utilisateur nutzer utente gebruiker"
)
"""Words that may stand between a separator, or the previous item, and the item that they introduce."""


def _gap(text: str) -> _Gap:
    """Split the text between two items into its parts."""
    text = _AFTER_THESE.sub("after that", text)
    marks = [*_MARK.finditer(text)]
    if not marks:
        words = text.split()  # comes second while
        at = next((at for at, word in enumerate(words) if normalised(word) in _SPLITS), 0)
        return _Gap(" ".join(words[:at]), "", " ".join(words[at:]), ends=False, known=())
    tail, *pieces = _MARK.split(text)
    if not "".join(pieces).strip() and normalised(tail).split(" ")[0] in _SPLITS and _is_known(tail):
        return _Gap("", "", tail, ends=False, known=())  # and then its sequel, Heat
    begins = len(pieces) - 1
    while begins and pieces[begins - 1].strip() and _is_known(pieces[begins - 1]):
        begins -= 1  # After that, Heat
    middle = pieces[:begins]
    ends = any(mark in marks[-1][0] for mark in ".!?\n")
    known = tuple(normalised(piece) for piece in pieces if piece.strip() and _is_known(piece))
    return _Gap(tail, " ".join(middle), " ".join(pieces[begins:]), ends, known)


_MARK = re.compile(r"[.,;:!?()\n—–]+| - ")
"""Separators of clauses."""


# --- the items that are named


def _without_repeats(text: str, found: Sequence[_Named]) -> list[_Named]:
    """Drop the items that are named again without an introduction (`much like Heat`)."""
    kept: list[_Named] = []
    for one in found:
        again = any(other.at == one.at for other in kept)
        if not again or _is_known(_gap(text[kept[-1].end : one.start]).lead):
            kept.append(one)
    return kept


def _named(text: str, index: TitleIndex, identifiers: Identifiers) -> list[_Named]:
    """Return the items in a text, in order; none if a name could belong to another item."""
    chunks = [(found.start(), found.end()) for found in _CHUNK.finditer(text)]
    found: list[_Named] = []
    at = 0
    while at < len(chunks):
        one, end = (
            _title_at(text, chunks, at, index, identifiers)
            or _identifier_at(text, chunks, at, identifiers)
            or (None, at + 1)
        )
        if one is not None and one.at < 0:
            return []
        if one is not None and found and found[-1].at == one.at and not text[found[-1].end : one.start].strip(_MARKS):
            found[-1] = _Named(one.at, found[-1].start, one.end)  # Heat [3]
        elif one is not None:
            found.append(one)
        at = end
    return found


_CHUNK = re.compile(r"[^\s—–]+")


_UNSURE = -1
_ACROSS = re.compile(r"[»”\"*_`)\]][.,;] |; |[»”\"*_`] (?=[^\W\d_])")
"""Where one title ends and another may begin."""
_ARTICLE_BEHIND = re.compile(r", (?:The|An?|Der|Die|Das|Les?|La|El|Los|Las|Il|I|Os?|As?)$")


def _title_at(
    text: str, chunks: Sequence[tuple[int, int]], at: int, index: TitleIndex, identifiers: Identifiers
) -> tuple[_Named, int] | None:
    """Return the longest title that begins with a word, and the index of the word after it."""
    start, end = chunks[at]
    word = text[start:end].strip(_OPENING)
    if not word[:1].isalnum() or not index.begins_with(word):
        return None
    is_marked = text[start] != word[0]
    if word[0].islower() and not is_marked and not index.has_lower_case_title_at(text, start):
        return None
    for until in range(min(at + _LONGEST, len(chunks)), at, -1):
        last = chunks[until - 1][1]
        bracketed = _BRACKETED.fullmatch(text[slice(*chunks[until - 1])]) if until > at + 1 else None
        if bracketed and identifiers.find(bracketed[1]) is not None:
            continue  # Heat (3)
        piece = text[start:last].strip(_MARKS)
        piece = piece.strip("[]") if piece[:1] == "[" else piece
        if _ACROSS.search(piece):
            continue
        match = index.find(piece if piece.count("(") == piece.count(")") else piece.strip("()"))
        if match is None:
            continue
        if piece[-5:].strip(", ").isdigit() and "," in piece[-6:] and index.find(piece[-4:]):
            continue  # Dune, 1984
        stop, after = start + len(text[start:last].rstrip(_MARKS)), text[last:].lstrip()
        goes_on = stop == last and (after[:1].isupper() or after[:1].isdigit())
        head, _, end = piece.rpartition(", ")
        shorter = index.find(head) if head else None
        if goes_on and (_ARTICLE_BEHIND.search(piece) or (shorter and shorter.positions == match.positions)):
            continue  # Heat, The Godfather; Heat, One Fine Day
        if shorter and shorter.positions == match.positions and index.find(end):
            continue  # Creep, One
        other_year = after[:1] == "(" and after[1:2].isdigit() and not _BRACKETED.match(after)
        in_words = not is_marked and word.casefold() in _FUNCTION_WORDS
        by_grammar = until == at + 1 and in_words and _begins_sentence(text, start)
        unsure = len(match.positions) != 1 or goes_on or other_year or by_grammar or text[stop : stop + 1] == ":"
        return _Named(_UNSURE if unsure else match.positions[0], start, stop), until
    return None


_LONGEST = 14
"""Maximum number of words in a title."""
_FUNCTION_WORDS = word_set(
    "it its up her him his once them us we you he she they if when after before now then here there"
)
"""Words that are also titles, and are capitalised at the beginning of a sentence."""


def _begins_sentence(text: str, start: int) -> bool:
    """Return whether a word may be capitalised only because it begins a sentence: `Once`, `It`, `Up`."""
    before = text[:start].rstrip(" ")
    return not before or before[-1] in ".!?\n:"


def _identifier_at(
    text: str, chunks: Sequence[tuple[int, int]], at: int, identifiers: Identifiers
) -> tuple[_Named, int] | None:
    """Return the item that an identifier names: in brackets, after a noun (`Movie 2`), or as a single letter."""
    start, end = chunks[at]
    chunk = text[start:end]
    name = _BRACKETED.fullmatch(chunk)
    if name is None and identifiers.are_letters:
        name = _LETTER.fullmatch(chunk)
        plain = name is not None and len(chunk) == 1
        if plain and chunk == "I":
            return None
        follows = text[end : end + 20].split()
        if plain and chunk == "A" and follows and follows[0].islower() and follows[0] not in _TAIL_WORDS | _SPLITS:
            return None
    if name is None and at and normalised(text[slice(*chunks[at - 1])]) in _NOUNS:
        name = _NUMBERED.fullmatch(chunk)
    place = identifiers.find(name[1]) if name else None
    return None if name is None or place is None else (_Named(place, start, start + len(chunk.rstrip(_MARKS))), at + 1)


_LETTER = re.compile(r"[*_\"'“”]*([A-Z])[*_\"'“”]*[.,;:!?)]*")
_NUMBERED = re.compile(r"[*_#\[(]*(\w{1,3})[*_\])]*[.,;:!?)]*")
