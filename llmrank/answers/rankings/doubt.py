"""Stage 4: text beside a list that contradicts it as a ranking, or contradicts its order.

Models add remarks to their lists: the order is arbitrary, two entries should be swapped, all items are equally good.
Each function here recognises one kind of such remark. `of_the_list` combines them for a list that was chosen. Any hit
makes the reading `ambiguous`, because a text that can be read in two ways is never read. Words that may contradict the
list but that no rule here understands are counted in `comments.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice

from llmrank.answers.items.listing import Listing, Mention, agrees, is_as_shown
from llmrank.answers.items.matching import TitleIndex
from llmrank.answers.outcome import RETRACTION
from llmrank.answers.text.lines import marker
from llmrank.answers.text.normalise import ORDINALS, caseless, folded
from llmrank.answers.text.phrases import (
    BEST_FIRST,
    BEST_TO_WORST,
    SENTENCE,
    WORST_FIRST,
    last_line,
    may_be_reversed,
    meaning,
    says_worst_first,
)
from llmrank.types import Item

ASKS = caseless(
    r"\bplease (?:rank|order|sort|recommend|choose)\b",
    r"(?m:(?:^|[.!?:] [\"“]?)(?:rank|order|sort) (?:these|the following|the (?:above|\d+)|them)\b)",
    r"\byour task is (?:to|now)\b|\byou are an? (?:\w+ ){0,2}(?:assistant|expert|system|recommender|ranker|critic)\b",
    r"\bi(?:['’]ve| have) watched (?:these|the following|those)\b",
    r"(?m:(?:^|[.!?:] )do not (?:explain|include|output|add))",
)
"""Words that belong to a question rather than to an answer."""
_LEVEL = r"(?<!fast )(?<!nahezu )\bgleichauf\b|\bex æquo\b|\ba pari merito\b"
_EVEN = caseless(
    r"\b(?:not|never|cannot|\w+n['’]t)\b(?! (?:easy|simple|hard|difficult)\b)[^.\n]{0,40}\b(?:one|any|either)\b"
    r"[^.\n]{0,20} (?:above|over|ahead of|before|higher than) (?:the |an)?others?\b(?!,? (?:but|so)\b)",
    r"\bdepends? on (?:what|which|how|the) (?:\w+ )?(?:mood|genre|user|kind|type|you)\b",
    r"\b(?:let me know|tell me) if you(?:['’]d| would)? (?:want|like) me to (?:rank|order|sort)\b",
    r"\bno (?:\w+ )?(?:preference|order|ranking)(?: (?:among|between|here)\b|\W*$)"
    r"|\bwithout (?:any )?ranking\b(?! by)",
    r"^\W*(?:is|are) (?:all |both )?(?:equal|equally|tied)\b|\b(?:all|everything) (?:\w+ )?(?:are )?(?:tied|equal)"
    r"|\border (?:is|does)(?: not|n['’]t) (?:important|matter)",
    r"\b(?:(?:they|these)(?: are)? all|all of (?:them|these))\b[^.\n]{0,30}\b(?:equally\b|the same\W*$)",
    r"\blet me know (?:which|what)\b[^.\n]{0,40}\bprefer\b|\bno consensus\b",
    r"\bi (?:really |honestly )?(?:can(?:not|['’]t)|could(?: not|n['’]t)) (?:really )?(?:decide|tell|pick)\b(?! how)",
    r"\b(?:can(?:not|['’]t)|could(?: not|n['’]t)) separate (?:them|these|the two)\b(?! by)|\breally are level\b",
    r"\bsee no difference (?:between|among)\b|\b(?:sullo|allo) stesso livello\b|\bau même niveau\b"
    r"|\bal mismo nivel\b|\bno mesmo nível\b|\bauf (?:demselben|dem gleichen) niveau\b|\bop hetzelfde niveau\b",
    r"\bnothing to (?:rank|order|sort|go on)\b|\bnot a ranking\b|\btake (?:it|this) as a ranking\b",
    r"\bnot (?:recommend|suggest|rank) any of (?:the|these|them)\b",
    r"\bboth (?:orders|rankings|lists|ways)\b[^.\n]{0,30}\b(?:equally|valid|fine|possible|justified)\b",
    r"\blaat (?:maar |me )?weten welke van de\b",
    r"\bsettle on (?:either|one)\b|\bas for which\b|\bsend me\b[^.\n]{0,60}\band i(?:['’]ll| will)\b",
    r"\b(?:put|listed|sorted)\b[^.\n]{0,30}\balphabetical",
    r"\b(?:not|n['’]t|never) take (?:it|this|that) (?:for|as) a (?:ranking|recommendation)\b",
    _LEVEL,
    r"\bnot a (?:prediction|recommendation)\b|\bdoes(?: not|n['’]t) say which\b",
    r"\balle\b[^.\n]{0,30}\bgleich(?:ermaßen)? (?:gut|stark|passend|geeignet)|\bse valent\b"
    r"|\btou(?:s|tes)\b[^.\n]{0,30}\b(?:aussi bon|équivalent)|\ballemaal (?:even|net zo) goed"
    r"|\btod[oa]s\b[^.\n]{0,30}\b(?:igual(?:mente)? (?:de )?b|equivalent)"
    r"|\btutt[ie]\b[^.\n]{0,30}\b(?:ugualmente|altrettanto|equivalent)|\bвсе\b[^.\n]{0,30}\bодинаково"
    r"|똑같이|동등하게|우열을 가리|どれも(?:同じ|等し|甲乙)|甲乙(?:つけ|付け)|同じくらい(?:おすすめ|良|いい|素晴)"
    r"|[难難不]分(?:高下|伯仲|上下)|(?:同[样樣]|一[样樣])(?:好|棒|出色|优秀|優秀|精彩|适合|適合|值得)",
    r"\bno (?:basis|opinion)\b(?! (?:on|about) the (?:others?|rest))|\bno order can be given\b|\bsay nothing about\b",
    r"\b(?:can(?:not|['’]t)|will not|won['’]t|prefer not to) (?:rank|order|give an order|give a (?:\w+ )?ranking)\b"
    r"(?! (?:the )?(?:others?|rest|remaining|any))",
    r"\bbefore (?:i|we) (?:can|could) (?:give|make|offer|rank|order|say)\b|\bonce you(?:['’]ve| have)? confirm\w*\b",
)
"""Says, before or after a list, that no item is preferred: `I would not put one above another`."""
DEPENDS = caseless(r"\b(?:depends|das kommt darauf an|ça dépend|depende)\b")
"""`It depends: A if they want action, B if not`"""
_JUDGED = " (?:relevant|likely|recommended|preferred|liked|suitable|ranked)"
LOWER_IS_BETTER = caseless(
    r"\b(?:lower|smaller|less) (?:\w+ )?(?:is|are|=|means) (?:an? )?(?:better|closer|more (?:suitable|relevant))",
    r"(?<![\d.])0 ?(?:=|is|being|means) ?(?:an? |the )?(?:perfect|best|excellent|ideal|exact)",
    r"\b(?:lower|smaller|less)\b[^.\n]{0,40}\bthe (?:better|more|higher the (?:place|rank|position))\b",
)


def of_the_list(listing: Listing, beside: str, after: str, text: str) -> bool:
    """Return whether a list, or the words around it, say that it is not a ranking or leave its order open.

    `after` is the text after the list; `beside` is all text that is not an entry of a list.
    """
    lines = text.split("\n")
    rules = (
        _counts_otherwise,
        _is_discussion,
        _is_misplaced,
        _is_retracted_in_line,
        _is_called_unordered,
        _is_at_other_end,
        _is_compared,
        _says_equal,
        _is_tied,
        _has_bare_numbers,
    )
    return (
        _of_the_words(listing, beside, after)
        or _BOTH_ENDS.search(text) is not None
        or _OTHERWISE.search(text) is not None
        or _LEGEND.search(text) is not None
        or (not listing.scored and _NUMBERS_ARE.search(beside) is not None)
        or False in of_the_ends(listing, text)
        or (is_as_shown(listing.named) and _BEFORE_ORDERING.search(after[:2000]) is not None)
        or _is_repeated(listing)
        or _is_unranked(listing, beside, lines)
        or any(rule(listing, lines) for rule in rules)
    )


_BOTH_ENDS = caseless(
    r"\b(?:worst|least \w{1,20}|weakest|lowest): [^\n]{1,300}\b(?:best|most \w{1,20}|strongest|highest): "
)
"""`Worst: Heat, then Fargo, best: Alien`"""


_OTHERWISE = caseless(
    r"(?:^|[.!?\n] ?)\W{0,4}(?:if|assuming|supposing|provided|in case)\b[^.:\n]{3,80}[:,][^\n]{3,300}[.;] ?"
    r"(?:if not|otherwise|or else)[,:] (?=\W?[A-Z\d\[])"
)
"""`Assuming they like crime: Heat, Fargo. If not, Alien.`"""
_MEANS = (
    r"[\"'”’)]{0,2} (?:sign |symbol )?(?:here )?(?:means?|denotes?|stands for|indicates|reads?|is (?:to be )?read as|=)"
    r"[^.\n\w]{0,4}(?:is )?"
)
_LEGEND = caseless(
    rf"(?:[>→]|\b(?:sign|arrow|symbol)){_MEANS}(?:worse|less|lower|weaker|below|inferior)\b",
    r"\bor,? in (?:0|zero)[- ](?:based|indexed)\b",
    rf"<{_MEANS}(?:better|more|higher|stronger|above|superior)\b",
)
"""`(The > sign means "worse than".)`"""
_NUMBERS_ARE = caseless(
    r"\b(?:the )?(?:list )?(?:numbers?|numerals?|digits?|figures?)(?: (?:beside|before|next to|in front"
    r" of) [^.\n]{1,30})? "
    r"(?:are|is|show|shows|give|gives|stand for|represents?|means?|denotes?|indicates?|=) (?:\w+ ){0,3}?"
    r"(?:stars?|ratings?|scores?|points?|grades?)\b"
)
"""`Numbers are stars.`, beside a numbered list"""


def _of_the_words(listing: Listing, beside: str, after: str) -> bool:
    last = last_line(listing.intro)
    highest = None if listing.scored else _HIGHEST_IS_BEST.search(beside)
    of_first = (
        highest is not None and (highest[1] or highest[2]) == listing.mentions[0].text
    )  # 4 is the best match, followed by 2
    other_scale = (highest is not None and not of_first) or _OTHER_SCALE.search(beside) is not None
    bare = all(one.text.isdigit() and not one.row for one in listing.mentions) and not listing.chained
    return (
        (other_scale and not says_worst_first(beside))
        or any(pattern.search(last) for pattern in (_EVEN, _HARD_TO_RANK, _ASKS_BACK, _RANKS_OF))
        or _NTH_IS_RANK.search(after) is not None
        or bool(_unordered(last))
        or (not listing.ordered and not listing.worst_first and may_be_reversed(last))
        or (bare and _PER_ITEM.search(last) is not None)
        or (_FROM_TO.match(last) is not None and not (WORST_FIRST.search(last) or BEST_FIRST.search(last)))
        or (_WORST_BESIDE.search(last) is not None and not listing.worst_first and BEST_TO_WORST.search(last) is None)
        or (_GROUPED.search(beside) is not None and meaning(last) != "final")
        or len({*_CONDITIONS.findall(beside)}) > 1
        or (listing.scored and _MAY_BE_LOWER.search(beside) is not None and LOWER_IS_BETTER.search(beside) is None)
        or any(_CHANGES.search(line[:400]) or _EVEN.search(line[:400]) for line in after.split("\n"))
    )


_HARD_TO_RANK = caseless(
    r"(?:\b(?:hard|difficult|impossible) to (?:rank|order)\b|\b(?:трудно|сложно|невозможно) (?:ранжировать|упорядочить)"
    r"|\b(?:schwer|kaum|unmöglich)\b[^.\n]{0,20}\b(?:einzuordnen|zu (?:ordnen|sortieren)|reihen)"
    r"|\b(?:difficile|impossible|difícil|imposible|impossível|impossibile) (?:de |di )?(?:les )?"
    r"(?:class|départag|hiérarchis|orden|clasific|classific|ordin)"
    r"|순위를 (?:매기|정하)[^.\n]{0,6} (?:어렵습|어려워|어렵다|힘듭|힘들다|없습)"
    r"|順位(?:を|は)?(?:つけ|付け)(?:られません|られない|がたい|にくい|るのは難しい(?:です)?(?!が|けど|け))"
    r"|(?:[难難]以|很[难難]|[无無]法)(?:排[序名]|排出|分出))"
    r"(?![^\n]{0,60}(?:\b(?:but|aber|mais|pero|mas|ma|maar|но)\b|但|不过|可是))"
)
"""Says before a list that its items have no order, unless an order follows all the same."""
_GROUPED = caseless(
    r"\b(?:let me |i(?:['’]ll| will) )group (?:the|these|them)\b",
    r"\b(?:organi[sz]ed|grouped?|categori[sz]ed?|classified|divided|split|arranged) (?:as follows|by|into|in)\b"
    r"(?! (?:(?:an?|the) )?(?:rank|order|relevance|preference|likelihood|score|how)"
    r"|[^.:\n]{1,30} (?:and|but|then) (?:ranked|ordered|sorted)\b)",
    r"(?m:(?:^|[.;] )(?:if|for) [^.:;\n]{3,60}: [^.:;\n]{3,300}[.;] for [^.:;\n]{3,40}: )",
)
"""Introduces lists that are groups rather than a ranking."""
_CONDITIONS = re.compile(
    r"(?:^|[.!?] )[^\w\n]{0,10}if (?!(?:you|they) (?:like|liked|love|enjoy|enjoyed) (?:it|this)\b)"
    r"[^:.\n]{3,80}(?::|\*\*$)",
    re.IGNORECASE | re.MULTILINE,
)
"""`If they want a story: …`, with another list for another case."""
_ASKS_BACK = caseless(r"\b(?:which|do you|have you|did you|could you|can you|are (?:these|you)|is this)\b[^?]*\?\W*$")
_WORST_BESIDE = caseless(rf"\b(?:least|worst|lowest)(?:{_JUDGED})?[^\w:\n]*$")
"""`least relevant [3] > [1] most relevant`: the words and the sign give opposite directions."""
_FROM_TO = caseless(r"\W*\w{1,6} [«„“\"][^\n:]{2,60}[»“”\"] \w{1,4} [«„“\"][^\n:]{2,60}[»“”\"]:\W*$")
"""`From "skip it" to "see it tonight":`, where the two ends have no known meaning."""
_RANKS_OF = caseless(
    r"\b(?:ranks|places|positions) (?:of|for|that)\b[^\n:]{0,60}\b(?:respectively|in (?:the|that|this|your) order)\b"
)
"""Introduces the ranks of the candidates in the order shown."""
_NTH_IS_RANK = caseless(r"\b(?:[ikn]-?th (?:number|entry|value|position)|rank of (?:\w+ )?[ikn]\b)")
"""`3 > 1 > 2 (where the i-th number is the rank of movie i)`"""
_PER_ITEM = caseless(
    r"^\W*(?:(?:the|their|my) )?(?:ranks|positions|places|scores|ratings)(?: of (?:\w+ ){1,4})?\W{0,3}(?:are)?\W{0,4}$"
)
"""`ranks = [2, 3, 1]` may hold the rank of each item or the items by rank."""
_HIGHEST_IS_BEST = caseless(
    r"(?<![\d.])(?!1\b)(\d{1,3}) ?(?:is|=|being|means) (?:the |my )?(?:best|most|top|highest)"
    r"|\b(?:best|favou?rite|top) (?:\w+ ){0,2}(?:is|=) (?:at )?(?:number|no\.?|#) ?(?!1\b)(\d{1,3})\b"
)
"""Redundant for scores, but reverses ranks."""
_OTHER_SCALE = caseless(
    r"(?<![\d.])(?!1\b)\d{1,3} ?= ?(?:\w+ )?first\b|\border\W{1,6}asc(?:ending)?\b",
    r"\b(?:ascending|increasing) order\b(?! (?:of|by|in)\b)",
)
_MAY_BE_LOWER = caseless(
    r"\bdistances?\b|\bloss\b|\b(?:dislike|penalty|error|risk|abandon\w*|skip|quit|reject\w*|return|churn)"
    r" (?:scores?|probability|chance|likelihood|risk|rate)\b",
    r"\b(?:probability|chance|likelihood|risk)\b[^.:\n]{0,40}\b(?:abandon|dislike|skip|hate|quit|reject|return)\b",
    r"(?<![\d.])[01] ?(?:=|is|being|means) ?(?:an? |the )?(?:perfect|best|most|excellent|strong|highest|top|ideal"
    r"|great)",
)
_CHANGES = caseless(
    r"\b(?:swap|switch|exchange|reorder)\b.{0,80}\b(?:first|second|third|last|top|two|and|with|order)\b",
    rf"(?:{RETRACTION.pattern}|\b(?:edit|mistake|oops)\b)"
    r".{0,200}\b(?:first|second|third|last|top|bottom|above|below|before|after|ahead|higher|lower|place|position"
    r"|swapped|instead|wrong|order|outranks?|beats)\b",
    r"\b(?:should|would|must|needs? to|i['’]d|i['’]ll|let me|let['’]s) (?:be )?(?:moved?|bump(?:ed)?|push(?:ed)?"
    r"|promoted?|demoted?)\b",
    r"\b(?:ought to|should|must|needs? to|deserves? to)\b(?: \w+){0,4} (?:at|on|to) (?:the )?(?:very )?"
    r"(?:top|bottom)\b",
    r"\b\d+ (?:und|mit) (?:\w+ )?\d+\b.{0,20}tausch|\btausch\w* .{0,20}\d+ (?:und|mit) (?:\w+ )?\d",
    r"\b(?:intercambi\w+|invert\w+|échange[rz]|inverse[rz]|scambi\w+|byt|verwissel|zamień)\b.{0,30}\d+ "
    r"(?:y|e|et|och|en|i|con|avec) (?:\w+ )?\d",
    r"(?<!might )(?<!could )(?<!may )(?<!might well )(?<!could well )\b(?:trade|change|switch) places\b",
    r"\b(?:correction|fix|change|edit)\b[^.\n]{0,20}(?:\bno\.?|\bnumber|#|\bentry|\bitem|\bplace) ?\d",
    r"\b(?:please|so|i(?:['’]d| would|['’]ll| will)|let me|let['’]s)(?! feel)\b[^.\n]{0,30}\b(?:take|strike"
    r"|remove|cross|drop)\b[^.\n]{0,40}\b(?:off|from|out of) (?:the|my|this|that) (?:list|ranking)\b",
    r"\bwycofuj|\bзабудьте (?:этот|эту|про)\b|\bотзываю\b|\bziehe\b[^.\n]{0,40}\bliste\b[^.\n]{0,20}\bzurück\b"
    r"|\b(?:oubliez|je retire) (?:cette|ma|la) liste\b|\bvergessen sie (?:diese|die|meine) (?:liste|reihenfolge)\b"
    r"|\b(?:olvid[ae]|retiro|esqueça|dimentichi|ritiro) (?:esta|essa|questa|la|a|mi) list[ao]\b"
    r"|\bvergeet (?:deze|die|mijn) lijst\b|忘れてください|请忽略(?:上面|以上)|忽略上面|잊어",
    r"(?:^|[.!?(] ?)\W{0,4}(?:these|they|this|(?:the|my) (?:list|ranking|movies|films|items|titles)|listed)"
    r" (?:(?:is|are|were|was) )?(?:(?:just|simply|only|all) )?(?:listed |shown |sorted |given |ordered )?"
    r"in the (?:same |original )?order (?:in which |that )?(?:you|they|it) (?:\w+ )?(?:gave|provided|listed|sent"
    r"|appear(?:ed)?"
    r"|(?:were|are) (?:given|listed|provided|shown))\b",
    r"\bwrong way a?round\b|\bwith (?:just |only )?(?:that|this) (?:one )?(?:change|swap|tweak)\b",
    r"(?:#|\bnumbers? )\d[^.\n]{0,25}\b(?:swapped|switched|exchanged|flipped)\b",
    r"\bi take (?:it|that|this) back\b|\bupside down\b",
    r"\bnone of (?:these|them) can be (?:ordered|ranked)\b",
    r"\b(?:mixed up|reversed?)\b.{0,40}\b(?:order|list|ranking|above)\b|\breverse (?:that|this|it)\b",
    r"\b(?:ignore|disregard|discard|scrap|withdraw)\b.{0,40}\b(?:above|list|ranking|order)\b",
    r"\b(?:order|list|ranking) (?:above )?(?:is|was) (?:\w+ )?(?:random|arbitrary|wrong|reversed|incorrect|made up"
    r"|in no)",
    r"^\W*(?:is|are|was) (?:wrong|incorrect|not (?:right|correct))\b|\bi (?:\w+ )?disagree\b"
    r"|\bdisagree\b[^.\n]{0,40}\b(?:order|ranking|list|this|that|above)\b",
    r"\b(?:other|opposite) way a?round\b|\bexactly the (?:opposite|reverse)\b|\bhard to say\b"
    r"|\b(?:not sure|unsure) (?:which|of the order|about the order)",
)
"""A line after a list that changes or retracts its order: `Actually, swap the first two.`"""


def is_unordered(intro: str) -> bool:
    """Return whether the line before a list says that it is unordered, or sorted by something other than preference.
    A line that calls all items equally good does not count, since the list may still be the intended order."""
    line = last_line(intro)
    if meaning(intro) == "final":  # I ranked by popularity there. Here is the updated list:
        line = SENTENCE.split(line.rstrip())[-1]
    return _unordered(line) not in ("", "equally")


def _unordered(line: str) -> str:
    """Return the words of a line that say so, in lower case; "" if it has none, or also calls the list a ranking."""
    found = None if _ORDERED_YET.search(line) else _UNORDERED.search(line)
    return found[0].lower() if found else ""


_UNORDERED = caseless(
    r"\bin (?:no|any) (?:\w+ ){0,2}order|\bequally\b|(?:\bnot|n['’]t|\bun)[ -]?(?:really |actually |yet )?(?:ranked"
    r"|sorted|ordered)\b|\bunordered|\brandom order"
    r"|\bi (?:just |randomly )?(?:shuffled|made (?:this|the) order up)|\bby how (?:long|short|old|new|popular)\b",
    r"\b(?:alphabetical|chronological)(?:ly| order)|\bby (?:release )?(?:year|date)\b|\bby title\b",
    r"\bin the order (?:in which )?they (?:came out|were released|appeared|aired)\b",
    r"\b(?:short|long|old|new|cheap|earli|lat)est to (?:most |least )?\w+est\b",
    r"\b(?:worldwide|domestic|total) box office\b|\bbox[- ]office (?:of|results|gross|takings|numbers|order)\b",
    r"\bfrom one end\b[^\n:]{0,60}\bto the other\b",
    r"\bin (?:the )?order of (?:their )?(?:release|publication|appearance|year|date|price|length)\b"
    r"|(?:^\W*|\b(?:sorted|ordered|ranked|listed|arranged) )by (?:release|decade|runtime|price|(?:imdb|critics?['’]?"
    r"|audience) (?:rating|score)s?)\b(?=[,.:\n]| \()|\b(?:cheapest|longest|shortest|oldest|newest) first\b",
    r"\b(?:sort|order|rank|arrang|list|group)(?:ed|ing)? by (?:[\w']+ ){0,2}(?:popularity|genre|studio|director|decade"
    r"|theme|mood|box office|run(?:ning )?time|length|imdb|rotten tomatoes|release|price|cost|size|weight)\b"
    r"(?! (?:fit|match|similar|and))",
    r"\bby (?:your|the user's) (?:own )?ratings?\b|\bbest[- ]reviewed|\bcritically acclaimed",
    r"\bin beliebiger reihenfolge|\bkeine[rs]? bestimmten? reihenfolge|\balphabetisch|\bsans ordre",
    r"\bordre alphabétique|\bsin (?:un )?orden|\borden alfabético|不分先后|順不同|无特定顺序",
    r"в (?:алфавитном|произвольном) порядке",
)
"""Introduces a list that is not a ranking: `in no particular order`, `alphabetically`, `sorted by year`."""
_ORDERED_YET = caseless(
    r"\bcolumn\b[^.\n]{0,30}\b(?:is|has|holds|gives|shows) my (?:final )?rank",
    r"\b(?:predicted|expected) (?:interest|preference|relevance)\b",
)
"""Says that such a list is a ranking after all: `in alphabetical order; the last column is my ranking`."""


_BEFORE_ORDERING = caseless(
    r"\bbefore i (?:do|start|begin|rank|order|sort)\b[^.\n]{0,100}\?",
    r"\bplease (?:share|send|provide|give)\b(?:(?!\b(?:more|better|again|feedback)\b)[^\n]){0,100}"
    r"\b(?:i['’]ll|i will)(?: \w+)? (?:rank|order|sort)\b(?![^\n]*\b(?:again|more|better|differently)\b)",
)
"""A question after a list, before the list is ordered."""


def of_the_ends(listing: Listing, text: str) -> set[bool]:
    """Return what the last line of a list and the lines after it say about its first and last identifier. True
    supports the order, False contradicts it (`7 > 3 > 1, where 7 is the least likely`)."""
    first, *_, last = [one.text.strip(" []") for one in listing.mentions] * 2
    behind = "\n".join(text.split("\n")[max(one.line for one in listing.mentions) - 1 :])[:4000]
    ends = ((one["name"], one["best"] is not None) for one in _IS_AN_END.finditer(behind))
    return {(name == first) == best for name, best in ends if first != last and name in (first, last)}


_IS_AN_END = caseless(
    r"(?<!\w)(?P<name>\w{1,20})\]?\*{0,2} ?(?:is|as|being|=|:)? ?(?:the |my )?"
    rf"(?:(?P<best>best(?! known)|(?:most|highest){_JUDGED})|worst|(?:least|lowest){_JUDGED})\b"
)


def of_the_beginning(listing: Listing, text: str, index: TitleIndex) -> bool:
    """Return whether the sentence in which a list begins first names an item that the list lacks."""
    first, lines = listing.mentions[0] if listing.mentions else None, text.split("\n")
    if first is None or not first.text or not 0 < first.line <= len(lines):
        return False
    before, found, _ = lines[first.line - 1][:2000].partition(first.text)
    sentence = SINCE.sub("", SENTENCE.split(before)[-1])
    head, _, rest = sentence.rpartition("; ")
    sentence = rest if meaning(index.without_titles(head)) == "left out" else sentence  # I'd skip Heat; the others:
    reason = _BECAUSE.match(sentence) is not None and sentence.rstrip().endswith(":")
    in_words = any(map(str.isalpha, sentence)) and "|" not in sentence
    if not found or not in_words or reason:
        return False
    if half := _FIRST_HALF.fullmatch(sentence):
        named = {*match.positions} if (match := index.find(half[1])) else set[int]()  # Toy Story 3 (2010) - Heat (1995)
    else:
        named = index.named_in(sentence)
    return not named <= listing.named.keys()


SINCE = caseless(
    r"\W*(?:since|because|as|given that|the|this|you)\b(?:(?!\b(?:not|never|dis\w+)\b)[^.!?:\n]){0,200}"
    r"\b(?:liked|loved|watched|enjoyed|rated|seen|read|played|bought|favou?rites?)\b[^.!?:\n]{0,200}, (?:so )?"
    r"(?=(?:i|my)\b[^.,\n]{0,30}\b(?:recommend|suggest|rank|would|pick))"
)
"""`Since the user loved Heat, I recommend …`"""
_FIRST_HALF = re.compile(r"\W{0,4}(\w.*?) (?:[-–—→|]|->) ")
_BECAUSE = caseless(r"\W*(?:since|because|as|given that) (?:the (?:user|viewer|reader)|you|they)\b")
"""`Since the user liked Alien, I recommend, in order:`"""


def of_the_first(first: int, beside: Sequence[str], items: tuple[Item, ...], names: Callable[[str], set[int]]) -> bool:
    """Return whether a clause calls another item the best, or the first item of a ranking the worst. `names` returns
    the items that a text names."""
    lines = (line[:2000] for line in beside if _TOP.search(line[:2000]) or _BOTTOM.search(line[:2000]))
    for clause in islice((one for line in lines for one in _CLAUSE.split(line)), _SENTENCE_LIMIT):
        if not (named := names(clause)):
            continue
        words = clause.lower()
        for at in named:
            words = words.replace(bare_title(items[at]), " ")
        is_top = _TOP.search(words) is not None
        if is_top and first not in named and not _ON_CONDITION.search(words):
            return True
        if not is_top and named == {first} and _BOTTOM.search(words):
            return True
    return False


_TOP = caseless(
    r"\b(?:number one|no\. ?1|winner|top (?:pick|choice|spot|recommendation|match)|best (?:pick|choice|match|fit|bet)"
    r"|first (?:place|choice|pick)|most (?:likely|relevant|recommended|suitable)"
    r"|strongest (?:pick|choice|recommendation|match|fit)|recommend(?:ed)? (?:the )?most|start with|(?:love|like"
    r"|enjoy|prefer) (?:the )?most"
    r"|my favou?rite(?: of \w+)? is|(?:watch|read|play|try) +first)\b|#1\b(?<!, #1)"
)
_ON_CONDITION = caseless(
    r"\b(?:if|when|in case|unless|mood|tonight|not|also|second|another|honou?rable|bonus|worst|least|among|history"
    r"|for (?:an?|fans|those|someone))\b|\?"
)
_BOTTOM = caseless(r"\b(?:weakest|worst|poorest|least (?:likely|relevant|suitable|recommended))\b")
_CLAUSE = re.compile(r"(?<=[.!?;]) |, (?=while|whereas|but|and)")
_SENTENCE_LIMIT = 50
"""Maximum number of sentences to check, which keeps the time linear."""


def bare_title(item: Item) -> str:
    """Return a title in lower case without its year and trailing article: `Last Picture Show, The (1971)`."""
    return _BEHIND_TITLE.sub("", folded(item.title)).lower()


_BEHIND_TITLE = caseless(r" \(\d{4}\)$|, (?:the|an?)(?= \(\d{4}\)$|$)")


def _entries_by_line(listing: Listing, lines: Sequence[str]) -> dict[int, Mention]:
    """Return the entries of a list by line; of several in one line, the last."""
    return {one.line: one for one in listing.mentions if one.text and 0 < one.line <= len(lines)}


def _text_after(own: Mapping[int, Mention], lines: Sequence[str]) -> list[str]:
    """Return the text after each of these entries in its line."""
    return [lines[at - 1].partition(one.text)[2] for at, one in own.items()]


def _is_discussion(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether the items are discussed one by one in the order shown, without ranks."""
    identified = not listing.titled and all(one.match and one.match.stage == "identifier" for one in listing.mentions)
    if not _is_in_order_shown(listing, skips=identified) or listing.ordered or listing.worst_first:
        return False
    own = _entries_by_line(listing, lines)
    in_lines = len(own) > 2 or len(own) == len(listing.mentions)
    elsewhere = any(one.text and one.line not in own for one in listing.mentions)
    if not in_lines or elsewhere or meaning(listing.intro) in ("ranking", "final"):
        return False
    numbered = not identified and any(
        _NUMBERED.match(lines[at - 1]) or marker(lines[at - 1])[1] is not None for at in own
    )
    without_years = [_YEARS.sub("", words) for words in _text_after(own, lines)]
    has_words = [any(map(str.isalpha, words)) and not any(map(str.isdigit, words)) for words in without_years]
    return all(has_words[:-1] or has_words) and not numbered  # the last may be the conclusion


def _is_in_order_shown(listing: Listing, *, skips: bool) -> bool:
    """Return whether the entries are in the order shown; `skips`: some may be missing, each of which has its line."""
    places, first = [*listing.named], listing.mentions[0].line if listing.mentions else 0
    in_lines = skips and len(places) > 1 and [one.line - first for one in listing.mentions] == places
    return in_lines or is_as_shown(listing.named)


_NUMBERED = re.compile(r"\W*\d")


def _says_equal(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether one sentence names all items and says that they are tied, or that any of them would do."""
    own = {one.line for one in listing.mentions}
    line = "".join(lines[own.pop() - 1 :][:1])[:2000] if len(own) == 1 and 0 not in own else ""
    joined = any(one.match is None and _EVEN.search(one.text[:400]) for one in listing.mentions[-1:])
    return joined or (listing.intro == "" and _ANY_OF_THEM.search(line) is not None)


_ANY_OF_THEM = caseless(_LEVEL, r"\bany (?:of (?:them|these)|order would)\b|\bare all tied\b")


def _is_compared(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether lines of a list compare two items each. A title that contains `vs.` is not a comparison."""
    own = (one for one in listing.mentions if 0 < one.line <= len(lines) and not _VERSUS.search(one.text))
    compared = [found for one in own if (found := _COMPARED.match(lines[one.line - 1]))]
    names = tuple({one.text for one in listing.mentions if one.text})
    others = (found["other"].lstrip(' *_"').startswith(names) for found in compared)
    return any(found["winner"] for found in compared) or sum(others) > 1


_VERSUS = caseless(r"\b(?:vs|versus)\b")
_COMPARED = caseless(r"^\W*(?:[^\s:]{1,30} ){1,6}(?:vs\.?|versus) (?P<other>[^\n:]{1,100})(?P<winner>: )?")
"""`Heat vs Fargo: Fargo`, or two or more such lines without a winner."""


def _is_tied(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether a chain has more ties between neighbours than preferences."""
    own = {one.line for one in listing.mentions}
    chains = [line for number, line in enumerate(lines, 1) if number in own and " > " in line]
    ties, steps = (sum(line.count(sign) for line in chains) for sign in (" = ", " > "))
    return ties > max(steps, 1)


def _has_bare_numbers(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether most lines of a list are an unknown name and a number, where the numbers are 1 to n in some
    order: ranks, or ratings (`Dune 4`, `Emma 2`)."""
    own = [lines[one.line - 1] for one in listing.mentions if 0 < one.line <= len(lines)]
    found = [int(number[1]) for line in own[:_LINE_LIMIT] if (number := _BARE.search(line))]
    unknown = sum(one.match is None for one in listing.mentions)
    some_order = sorted(found) == [*range(1, len(found) + 1)] != found
    return len(found) == len(listing.mentions) > 2 and 2 * unknown > len(found) and some_order


_BARE = re.compile(r"[^\W_] (\d{1,2})\W{0,3}$")
_LINE_LIMIT = 100
"""Maximum number of lines of a list to check."""


def _is_misplaced(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether an entry says that it belongs elsewhere in the list."""
    own = _entries_by_line(listing, lines)
    within = (one.text for one in own.values() if one.match and one.match.stage == "normalised")  # Heat (should be …)
    return any(_MISPLACED.search(words[:400]) for words in chain(_text_after(own, lines), within))


_MISPLACED = caseless(
    r"\b(?:should|must|ought to|needs? to|deserves? to|belongs?)\b(?: (?:actually|really|probably|be|go|come|rank"
    r"|ranked|placed|moved|sit|stand|even|much|far|one|two|up|a|place|spot|in)){0,5}"
    r" (?:above|below|before|ahead of|higher|lower|at (?:#|number)|#)",
    r"\bswap(?:ped)? (?:this |it )?with (?:#|number )?\d",
    r"\b(?:would|should|['’]d) (?:actually )?(?:place|rank|put|move) (?:it|this)(?: one)? (?:at |in )?"
    rf"(?:{'|'.join(ORDINALS)}|#?\d)",
)
"""An entry's remark about its own place: `wait, this should be above Heat`."""


def _is_called_unordered(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether the line in which a list begins says before it that it has no order (`It is not sorted:`)."""
    first = next((one for one in listing.mentions if one.match and one.text), None)
    line = lines[first.line - 1][:_ENTRY_LIMIT] if first and 0 < first.line <= len(lines) else ""
    before, colon, _ = line.partition(": ")
    return bool(colon and _unordered(before))


def _is_retracted_in_line(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether the one line that holds a list takes it back and names an item again."""
    own = {one.line for one in listing.mentions}
    titled = [one for one in listing.mentions if one.match and one.match.stage != "identifier"]
    known = [one.text for one in titled if one.text]
    line = "".join(lines[own.pop() - 1 :][:1])[:_ENTRY_LIMIT] if len(own) == 1 and 0 not in own else ""
    back = RETRACTION.search(line, line.find(known[0]) + 1) if known and known[0] in line else None
    return (
        back is not None and sum(text in line[back.end() :] for text in known) > 1 and known[-1] in line[: back.start()]
    )


def _is_at_other_end(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether the words behind an entry call it the first or the last, and it is not (`Heat last; Alien
    first`)."""
    named = [one for one in listing.mentions if one.match and one.match.positions and one.match.stage != "identifier"]
    for place, one in enumerate(named[:_LINE_LIMIT]):
        line = lines[one.line - 1][:_ENTRY_LIMIT] if one.text and 0 < one.line <= len(lines) else ""
        found = line and _AT_END.match(line.partition(one.text)[2])
        if found and len(named) > 1 and (place == 0 if found["last"] else place > 0) and not listing.worst_first:
            return True
    return False


_ENTRY_LIMIT = 2000
_AT_END = caseless(
    r"[)*_\"”]{0,4},? (?:(?:comes?|goes|is|would be|as|at the very|ranks) ){0,2}(?:first|(?P<last>last))"
    r"(?:,? (?:and|but|then)\b|[,;.]|\W*$)(?! in line)"
)


def _is_repeated(listing: Listing) -> bool:
    """Return whether items are named again in another order (`For action: Heat, Jaws. For romance: Jaws, Heat.`)."""
    lines: dict[int, dict[int, None]] = {}
    for one in listing.mentions:
        if one.match and one.match.positions:
            lines.setdefault(one.line, {})[one.match.positions[0]] = None
    first, *others = lines.values() or [{}]
    shared = ([at for at in other if at in first] for other in others)
    if any(len(again) > 2 and not agrees(dict.fromkeys(again), first) for again in shared):
        return True
    if len(lines) != 1:
        return False
    named = [one.match.positions[0] for one in listing.mentions if one.match and one.match.positions]
    first = {at: place for place, at in reversed([*enumerate(named)])}
    again = [at for place, at in enumerate(named) if place > first[at]]
    by_title = any(one.match and one.match.stage != "identifier" for one in listing.mentions)
    return by_title and len({*again}) > 2 and not agrees(dict.fromkeys(again), listing.named)


def _counts_otherwise(listing: Listing, lines: Sequence[str]) -> bool:
    """Return whether numbers after the titles give another order (`Heat [2 of 3]`), or a line beside them does
    (`Rank: 2, 1, 3`)."""
    own, count = _entries_by_line(listing, lines), len(listing.mentions)
    if any(one.match and one.match.stage == "identifier" for one in listing.mentions):
        numbers = [one[1] for rest in _text_after(own, lines) if (one := _NUMBER_BEHIND.fullmatch(rest))]
        return not listing.ordered and len(numbers) == count > 2 and _is_other_order(numbers, count)  # [3] – 4
    beside = (line for line in lines if _NUMBERS_ONLY.fullmatch(line))
    if any(_is_other_order(_COUNTED.findall(line), count) for line in beside):
        return True
    behind = _text_after(own, lines)
    if len(own) < count or count < 3 or any("|" in rest or not any(map(str.isdigit, rest)) for rest in behind):
        return False
    columns = zip(*(_COUNTED.findall(_YEARS.sub(" ", rest)) for rest in behind), strict=False)
    return any(_is_other_order(column, count) for column in columns)


def _is_unranked(listing: Listing, beside: str, lines: Sequence[str]) -> bool:
    """Return whether items in the order shown are beside to be in the given order, or have scores that do not fall,
    each in its own line (`A: Heat - 7`, `B: Fargo - 9`)."""
    own = _entries_by_line(listing, lines)
    heads = [at for at, one in own.items() if one.match and one.match.positions]
    below = [_SCORE_LINE.match("".join(lines[at : at + 1])) for at in heads]
    rises = [float(one[1].replace(",", ".")) for one in below if one]
    if len(rises) == len(heads) > 1 and rises != sorted(rises, reverse=True):
        return not any(_NUMBERED.match(lines[at - 1]) for at in heads)  # **Heat**⏎Score: 7⏎⏎**Fargo**⏎Score: 9
    if listing.ordered or not is_as_shown(listing.named):
        return False
    found = [
        _SCORE.search(words) or _SCORE.search(one.text) or _SCORE_LINE.match("".join(lines[one.line : one.line + 1]))
        for one, words in zip(own.values(), _text_after(own, lines), strict=True)
    ]
    scores = [float(one[1].replace(",", ".")) for one in found if one]
    falls = scores in (sorted(scores, reverse=True), [*range(1, len(scores) + 1)])
    return _AS_GIVEN.search(beside) is not None or (len(scores) == len(listing.mentions) and not falls)


_AS_GIVEN = caseless(
    r"\b(?:just|only|simply|merely) (?:\w+ ){0,3}(?:order|list)\b[^.\n]{0,30}?\b(?:gave|given|provided|shown|sent)\b",
    r"\b(?:just|only|simply|merely|unchanged from) the (?:given|original|provided|initial|input|same) (?:order"
    r"|list)\b",
    r"\b(?:left|kept|leave|keep)\b[^.\n]{0,30}\b(?:list|order|items|candidates)\b[^.\n]{0,10}\bas\b[^.\n]{0,12}"
    r"\b(?:is|provided|given|shown|sent|presented)\b",
    r"(?:\b(?:not|without)|n['’]t have) enough (?:\w+ ){1,4}to (?:rank|order|sort)\b",
)
"""Says that items in the order shown were not ranked."""


_SCORE = caseless(
    r"[-–—:=(|][ *_]{0,3}(?:(?:score|rating|rated|match|relevance|rank)[ :=]{1,3})?(\d{1,3}(?:[.,]\d{1,4})?)"
    r"(?: ?(?:%|/ ?\d{1,3}|stars?\b|points?\b))?[*_]{0,3}(?=[)\]|. ]{0,3}$|[),;]| ?[-–—] )"
)
_SCORE_LINE = caseless(
    r"\W*(?:(?:predicted|expected|relevance|match) )?(?:score|rating|match|relevance)\W{1,6}(\d{1,3}(?:[.,]\d{1,4})?)"
)
_NUMBER_BEHIND = re.compile(r"[\])*]{0,3} ?(?:[:=,–—→-]|[-=]>) ?(\d{1,3})[.,;)]?")
_COUNTED = re.compile(r"(?<![\w.,])\d{1,4}(?![\w.,]?\d)")
_YEARS = re.compile(r"\b(?:18|19|20)\d\d\b")
_NUMBERS_ONLY = re.compile(r"(?:[A-Za-z ]{1,20}: ?)?\d{1,4}(?:, ?\d{1,4})+\W*")


def _is_other_order(numbers: Sequence[str], count: int) -> bool:
    values = [int(number) for number in numbers]
    return sorted(values) == [*range(1, count + 1)] and values not in (sorted(values), sorted(values, reverse=True))
