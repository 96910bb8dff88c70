"""Stage 1: normalise an answer, so that later stages see one form of each sign.

Models write HTML, LaTeX and code, and one sign in many Unicode forms. `normalise` turns markup into plain lines, drops
text that is struck out, and maps variants of digits, brackets, quotes and arrows to one form (`SIGNS`). The text keeps
its lines, because line breaks separate entries. Titles of items pass through `folded` too, so both sides are written
alike.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any

from llmrank.answers.text.envelope import answer_alone

LIMIT = 400_000
"""Maximum number of characters to read, some 100,000 tokens. A longer answer is treated as truncated."""
SHORT = 20_000
"""Maximum number of characters to read of an answer that is one choice, rating or verdict."""


class Caseless:
    """A case-insensitive pattern with the methods of `re.Pattern`, compiled when the first of them is used.

    There are hundreds; compiling them all takes a third of a second, and most answers need few.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._last: tuple[str, bool] | None = None

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE)

    # Kept as attributes, so that only the first use costs more than with a compiled pattern.
    search = cached_property(lambda self: self._compiled.search)
    match = cached_property(lambda self: self._compiled.match)
    fullmatch = cached_property(lambda self: self._compiled.fullmatch)
    finditer = cached_property(lambda self: self._compiled.finditer)
    findall = cached_property(lambda self: self._compiled.findall)
    split = cached_property(lambda self: self._compiled.split)

    def is_in(self, text: str) -> bool:
        """Return whether the pattern occurs in a text. The last text is remembered: several steps ask about the same
        text, and a long pattern takes milliseconds to search it."""
        last = self._last
        if last is None or last[0] != text:
            last = self._last = (text, self.search(text) is not None)
        return last[1]

    def sub(self, replacement: str | Callable[[re.Match[str]], str], text: str, count: int = 0) -> str:
        """Return the text with matches replaced, as `re.Pattern.sub` does."""
        return self._compiled.sub(replacement, text, count)


Pattern = re.Pattern[str] | Caseless


def caseless(*patterns: str) -> Caseless:
    """Return a case-insensitive pattern for any of these patterns."""
    return Caseless("|".join(patterns))


SIGNS = (
    ("full-width and mathematical letters and digits", "［３］＞［１］", "[3]>[1]"),
    ("circled numbers and keycaps", "② ⑴ 3️⃣", "2. 1. 3."),
    ("medals", "🥇 🥈 🥉", "1. 2. 3."),
    ("East Asian brackets and quotation marks", "【３】《Heat》「Heat」", '[3] "Heat""Heat"'),
    ("East Asian commas and colons", "Heat、Fargo：", "Heat, Fargo:"),
    ("arrows and comparison signs", "A ≻ B ➜ C ≺ D", "A > B → C < D"),
    ("digits of other scripts", "٣", "3"),
    ("superscript numbers", "Alien³", "Alien 3"),
    ("box-drawing characters of a table", "│ 1 │ Heat │", "|1|Heat|"),
    ("UTF-8 decoded as Windows-1252", "CitÃ© dâ€™or", "Cité d’or"),
)
"""Signs that are normalised: name, example, and the normalised example."""

_RANGES = (
    *((0xFF01, 0xFF5F), (0xFFE0, 0xFFE7), (0x1D400, 0x1D800), (0x0660, 0x066A), (0x06F0, 0x06FA)),
    *((0x0966, 0x0970), (0x09E6, 0x09F0), (0x0E50, 0x0E5A), (0x2000, 0x2010), (0x2460, 0x249C)),
    *((0x24B6, 0x24EB), (0x2776, 0x2794), (0x2160, 0x2180)),
)
_SIGNS = {
    **dict.fromkeys("\u00a0\u202f\u205f\u3000\u1680", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\ufe0e\ufe0f\u00ad", ""),
    **dict.fromkeys("\u2028\u2029\u0085", "\n"),
    **dict.fromkeys("【〔〖", "["), **dict.fromkeys("】〕〗", "] "), **dict.fromkeys("《》『』「」〈〉", '"'),
    **dict.fromkeys("≻≫➤⊳≥≽⩾⪰", ">"), **dict.fromkeys("≺≪⊲≤≼⩽⪯", "<"), **dict.fromkeys("⇒⟶➔➜➝➞➡⟹⇨", "→"), "−": "-",
    "、": ", ", "，": ", ", "；": "; ", "：": ": ", "。": ". ", "！": "! ", "？": "? ",
    "،": ", ", "؛": "; ", "²": " 2", "³": " 3", "¹": "",
    **dict.fromkeys("│┃║├┤┼┌┐└┘┬┴╔╗╚╝╠╣╦╩╬╞╡╪", "|"), **dict.fromkeys("─━═", "-"),
    **dict.fromkeys("∼≈≃≅", "="),
    "№": "#", "\u20e3": ". ", "🥇": " 1. ", "🥈": " 2. ", "🥉": " 3. ", "🔟": " 10. ", "🏆": "", "⟨": "<", "⟩": ">",
}  # fmt: skip
_HTML = caseless(
    r"<(/?)(ol|ul|li|p|br|div|table|thead|tbody|tr|td|th|b|strong|i|em|u|span|h[1-6]|a|code|pre|s|del|strike|hr)\b"
    r"([^<>]{0,200})>"
)
_ENTITY = re.compile(r"&(?:#\d{1,6}|#[xX][0-9a-fA-F]{1,5}|[A-Za-z]\w{1,31});")
_STRUCK = caseless(r"~~[^~\n]{1,300}~~|<(s|del|strike)>[^<>]{1,300}</\1>")
_CROSSED = re.compile(r"^[ \t]{0,20}(?:[-*•] )?(?:❌|✗|✘|🚫|⛔|👎)[^\n]*$", re.MULTILINE)
_OPEN_BOX = re.compile(r"^[ \t]{0,20}(?:[-*] )?(?:\[ ?\]|☐)[^\n]*$", re.MULTILINE)
_CHECKED_BOX = re.compile(r"^([ \t]{0,20}(?:[-*] )?)(?:\[[xX✓✔]\]|☑) ?", re.MULTILINE)
_ROLE = caseless(r"\s*(?:assistant|ai|bot)\s?:\s?")
_LATEX = re.compile(
    r"\\(?:(?P<then>succ|gt|rightarrow|to)\b ?|(?P<entry>item|begin|end)\b(?:\{[a-z]{1,20}\*?\})? ?"
    r"|[a-z]{2,12}\{(?P<inside>[^{}\n]{0,300})\}|(?:boxed|text|textbf|mathbf|mathrm) ?\{)"
)
_FRACTION = re.compile(r"\\[dt]?frac\{(\d{1,3})\}\{(\d{1,3})\}")
_ESCAPE = re.compile(r"\\([_* .#>+&~|-]|\[(?=\w{1,3}\\\])|(?<=\w\\)\])")
"""A sign that Markdown escapes: `1\\. Heat`, `\\[3\\]`."""
_TEX_COMMENT = re.compile(r"^[ \t]{0,40}%[^\n]*$", re.MULTILINE)
HAN = "一二三四五六七八九十"
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
EAST_ASIAN = "\u3040-\u9fff\uac00-\ud7af"
"""Scripts whose words have no spaces between them, or have particles attached: a range for patterns."""
_NTH_INSIDE = re.compile(rf"(?<=[^\s\d].)第(\d{{1,2}}|[{HAN}])[名位]:? ?")
"""`第二名:` within a line."""
_NTH = re.compile(rf"第(?:(\d{{1,2}})(?=[部个個号號项項本款])|([{HAN}])(?=[名位]))")
"""`第6部`, an item; `第二名`, a rank."""
_TURNS = ("首先", "其次", "第三", "第四", "第五", "第六", "第七", "第八", "第九", "第十")
_IN_TURN = re.compile(rf"^({'|'.join(_TURNS)})(?:推[荐薦]|是)?", re.MULTILINE)
"""`首先推荐`, `其次是`: first and second."""
_THEN = re.compile(r"(?:[,;。] ?)?(?:再)?(?:其次|然后|接着|接下来|最后)(?:推[荐薦]|是)")
"""`首先是3，其次是5，最后是2`: one after another."""
_RANK_SIGN = re.compile(r"^(\d{1,3}) ?(?:순위|위|등|位)(?: ?[:.)→-]| (?=\S))", re.MULTILINE)
_NUMBER_SIGN = re.compile(r"(?<!\d)(\d{1,3})(?:번(?!째)|(?=순위|위|등|位))")
_JAPANESE_NUMBER = re.compile(r"(?<![^\s→:(,.])(\d{1,3})番(?!目)(?=\W|$|[とでが])")
"""`1순위: 5번`, `1位 → 5番`: rank 1, number 5."""
_COUNTED = re.compile(r"(候[选選补補]|[选選][项項]|[编編][号號]|电影|電影)(?=\d)")
"""`候选4`"""
_HAN_INSIDE = re.compile(rf"(?<=[:：;；。，,》」』”])([{HAN}])、")
"""`二、` within a line."""
_BOXED = re.compile(r"\\boxed ?\{((?:[^{}\n]|\{[^{}\n]{0,300}\}){1,300})\}")
"""The box in which models put the answer to a mathematical question."""
_LATEX_AS = {"item": "\n- ", "begin": "\n", "end": "\n"}
_MISREAD = re.compile(r"[ÂÃÄÅ][^\w\s]|[ÂÃÄÅ][ªº¹²³¼½¾µ\u00a0ŠšŒœŽžŸƒ]|â[€„]\S")
_REFERENCE = re.compile(r"\[([^\[\]\n]{3,300}+)\]\[[^\[\]\n]{0,20}+\]")
"""A Markdown link whose address stands elsewhere: `[Heat][3]`."""
_ELEMENT = re.compile(r"<(/?)([A-Za-z]\w{1,30})((?:\s[^<>]{0,200})?)/?>")
_LISTED = frozenset(
    (
        *("item", "entry", "movie", "film", "title", "product", "book", "option", "candidate", "element", "course"),
        *("song", "track", "game", "restaurant", "recipe", "article", "hotel", "podcast", "episode"),
    )
)
_LISTS = frozenset(
    ("ranking", "ranked", "list", "items", "movies", "films", "recommendations", "results", "result", "output", "root")
)
_LEFT_OUT = frozenset(("excluded", "dropped", "rejected", "omitted", "skipped", "removed", "not_recommended"))
_RANK_NAME = re.compile(r"(?:rank|position|place)_?(\d{1,3})")
"""`<rank1>`"""
_REMARKS = frozenset(("comment", "note", "notes"))
_NESTED = re.compile(r"(\n(?:Rank \d{1,4}:|-) )\s{0,40}\n- ")
"""`<item rank="2"><title>`, `<item><title>`"""
_YEAR_ELEMENT = caseless(r"</\w{1,20}>\s{0,40}<year>\s{0,9}(\d{4})\s{0,9}</year>")
_SCORE_ELEMENT = caseless(
    r"</\w{1,20}>\s{0,40}<(?:score|rating|relevance|confidence)>\s{0,9}(\d{1,3}(?:\.\d{1,6})?)\s{0,9}"
    r"</(?:score|rating|relevance|confidence)>"
)
_RANK_ELEMENT = caseless(
    r"<(item|entry|movie|film|product|book|option|candidate|song|game)>((?:(?!</\1>).){0,600}?)"
    r"<(?:rank|position|place)>\s{0,9}(\d{1,4})\s{0,9}</(?:rank|position|place)>"
)
"""`<movie><title>Heat</title><rank>3</rank></movie>`"""
_ATTRIBUTE = caseless(r"\b(?:rank|position|place|order)\s{0,4}=\s{0,4}[\"']?(\d{1,4})")
_TITLE_ATTRIBUTE, _ID_ATTRIBUTE = (
    caseless(rf"\b(?:{words})\s?=\s?(?:\"([^\"]{{1,200}})\"|'([^']{{1,200}})')")
    for words in ("title|name", "id|number|identifier")
)
"""`<item id="3" rank="1"/>`"""
_SCALE = caseless(r"\s(?:max|min|scale|range|out_of)\s?=\s?\"[^\"]{0,40}\"")
"""`<score max="5">`"""
_DOUBLED = re.compile(r"(?<=\S) ?([<>])\1+ ?(?=\S)")
_PROGRAM = re.compile(
    r"^[ \t]{0,40}(?:def \w+\(|for \w[^\n]{0,80} in [^\n]{1,200}:(?:$| ?print\()|function \w{0,40}\()"
    r"|\bsorted\(|\.sort\(|\blambda\b|\b(?:shuffle|sample|reversed|choices?)\(",
    re.MULTILINE,
)
"""A program that would produce a ranking; its output is unknown."""
_LITERAL = re.compile(r"^(\w{1,40}) ?= ?\[[^\[\]]{0,20000}+\][ \t]{0,40}(?:#[^\n]*)?$", re.MULTILINE)
_RETURNS = re.compile(
    r"^def \w+\([^()\n]{0,200}\)[^\n]{0,40}:\n(?:[ \t]+#[^\n]*\n)*[ \t]+(?:return|(?P<name>\w{1,40}) ?=) ?"
    r"(?P<list>\[[^\[\]]{0,20000}+\])(?(name)\s+return (?P=name)\s*$)",
    re.MULTILINE,
)
"""A function that only returns a list."""
_COMMENT = re.compile(r"\A(?:python|py)\b|^(?:#|assert )[^\n]*$", re.MULTILINE | re.IGNORECASE)
_HAS_COMMENTS = caseless(r"(?:python|py|json[5c]?|javascript|js|typescript|ts|ya?ml|toml|ruby|r)\b")
_COMMENT_IN_CODE = re.compile(
    r"^[ \t]{0,40}(?:#|//)[^\n]*$|[ \t]//[ \t][^\n]*$|(?<=['\"],)[ \t]{1,40}#[ \t][^\n]*$"
    r"|/\*(?:(?!\*/)[^\n]){0,400}\*/",
    re.MULTILINE,
)
_DISREGARDED = caseless(
    r"\n\W{0,4}(?:please )?(?:ignore|disregard) (?:my|the) (?:earlier|previous|first|initial|original|above"
    r")\b(?: \w+){0,3} (?:start|begin)(?:ing|s)? with "
    r"(?:(?!\b(?:instead|should|correct|right|actual)\b)[^\n:])*(?=\n|\Z)"
)
"""`(Please ignore my earlier order starting with [2] > [3].)`"""
_ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_ROMAN_INSIDE = re.compile(rf"(?:\A|(?<=[^\n] ))\(({'|'.join(_ROMANS)})\) ")
_ROMAN_LIST = re.compile(r"(?:\A|[\n:,]|\b(?:is|are|be))\s{0,9}\(i\) (?=[A-Z\d\"'“*_\[])")
"""`(i) Heat, (ii) Fargo`, but not `because (i) it is scary`"""
_PRINTED = re.compile(r"^[ \t]{0,9}(?:print|console\.log)\([rf]?[\"']([^\"'\n]{1,300})[\"']\);?[ \t]*$", re.MULTILINE)
"""`print("1. Heat")`"""
_CODE = re.compile(
    r"(?:[ \t]*+(?:(?:import|from|def|for|if|return)\b[^\n]*|print\([^\n]*|\w[\w.]*(?: ?=|\()[^\n]*|[\])}\"'#][^\n]*"
    r"|)(?:\n|\Z))++"
)
"""A text of which every line is code."""
_PRINTS = re.compile(
    r"^for [\w, ]{1,80} in (?:(\w{1,40})|enumerate\((\w{1,40}), ?(?:start ?= ?)?1\)):"
    r"\n[ \t]{1,8}print\((?:(?! if )[^\[\n]){1,80}\)\s*\Z",
    re.MULTILINE,
)
_LI_VALUE = re.compile(r"\bvalue\s?=\s?[\"']?(\d{1,4})")
_SPACES = re.compile(r"[ \t\f\v]{2,}+")


def plain_text(raw: str, limit: int = LIMIT) -> str | None:
    """Return the normalised answer without its reasoning and envelope; None if the reasoning never ends."""
    text = answer_alone(raw)
    return None if text is None else normalise(text[:limit]) if text.strip() else ""


def normalise(text: str) -> str:
    """Return a text without HTML, LaTeX and struck-out text, with each sign in one form."""
    return _after(_STEPS, text[:LIMIT])


def _after(steps: _Steps, text: str) -> str:
    """Apply the steps whose trigger appears in the text."""
    for sign, step in steps:
        if sign in text:
            text = step(text)
    return text


_TIER = re.compile(
    r"^\W{0,4}(?:Tier )?([SA-F])(?: Tier)?(?: ?\([^()\n]{1,30}\))?(?:[*_]{0,3} ?[–—-]|[*_]{2,3} ?:"
    r"|:[*_]{2,3})[*_]{0,3} ",
    re.MULTILINE,
)
"""`S – Heat, Alien`, `**A**: Fargo`"""
_DIFF = re.compile(r"```diff\n(.*?)(?:```|\Z)", re.DOTALL)
_FOOTNOTE = re.compile(r"^\[\^\d{1,3}\]: ?|\[\^\d{1,3}\]", re.MULTILINE)
"""Footnote marks. The text of the footnotes stays."""


def _apply_diff(diff: re.Match[str]) -> str:
    """Return the unchanged and the added lines of a diff. A list with dashes that adds nothing is returned
    unchanged."""
    if not any(line.startswith("+") and not line.startswith("+++") for line in diff[1].split("\n")):
        return diff[0]
    kept = (line for line in diff[1].split("\n") if not line.startswith(("-", "+++", "@@")))
    return "\n".join(line[1:] if line.startswith(("+", " ")) else line for line in kept)


def _uncommented(code: str) -> str:
    """Return a code block without the comments of its language, and with one-line YAML mappings as JSON objects."""
    if (tag := _HAS_COMMENTS.match(code)) is None:
        return code
    kept = _COMMENT_IN_CODE.sub("", code)
    return _FLOW.sub(_as_json, kept) if kept[tag.end() :].strip() else code  # only comments: they are the answer


def _as_json(mapping: re.Match[str]) -> str:
    return _FLOW_KEY.sub(r'\1"\2":', mapping[1])


_FLOW = re.compile(r"^[ \t]{0,20}- (\{ ?\w{1,20} ?:[^{}\n]{1,300}\})[ \t]{0,20}$", re.MULTILINE)
"""`- {title: "Heat (1995)", place: 2}`"""
_FLOW_KEY = re.compile(r"(\{ ?|, )(\w{1,20}) ?:(?= ?[\"\d])")


def _without_crossed(line: re.Match[str]) -> str:
    """Replace a line that is crossed out with nothing. A crossed-out heading before a list marks the list as left
    out."""
    text = line[0].strip()
    heads = text.endswith((":", "**", "__")) and not text.startswith(("-", "*", "•"))
    return "Not recommended:" if heads and _ENTRY_BELOW.match(line.string, line.end()) else ""


_ENTRY_BELOW = re.compile(r"\n{1,2}[ \t]{0,20}(?:1[.)]|[-*•] (?!✅|☑|✔)) ?")


def _unescaped(text: str) -> str:
    """Decode a JSON string. A text that begins with a quotation mark is always treated as one, and so is one in which
    every quotation mark is escaped."""
    if text.lstrip()[:1] == '"' and any(map(text.__contains__, _ESCAPED)):
        return str(decoded(text))
    return text.replace('\\"', '"') if text.count('"') == text.count('\\"') else text


def _content(text: str) -> str:
    """Return the answer inside the JSON of a whole chat completion, which a gateway has passed on as text."""
    value: Any = decoded(text.strip()) if '"choices"' in text[:_WRAPPER_LIMIT] else None
    try:
        content: object = value["choices"][0]["message"]["content"]
    except (TypeError, LookupError):
        return text
    return content if isinstance(content, str) else text


_WRAPPER_LIMIT = 400
"""`choices` must begin within this many characters of a chat completion."""
_ESCAPED = ('\\"', "\\n", "\\u")
_TEMPLATE_TOKENS = re.compile(r"\s{0,20}(?:(?:\[/?INST\]|</?s>)\s{0,20})+")
"""Template tokens at the beginning of an answer."""


def _after_prefix(beginning: Pattern, text: str) -> str:
    """Return a text without the part at its beginning that the pattern matches."""
    found = beginning.match(text)
    return text[found.end() :] if found else text


_SCORE_AT_END = r"\d{1,3}(?:\.\d{1,2})?(?:%|/\d{1,3})?[ \t]{0,9}$"
_LEADERS = re.compile(rf"(?<=[\w)]) ?\.{{3,99}} ?(?={_SCORE_AT_END})", re.MULTILINE)
_BEFORE_NUMBER = re.compile(rf"(?<=[\w)])(?: ?\.{{3,99}} ?| {{2,40}})(?={_SCORE_AT_END})", re.MULTILINE)
_ALIGNED = re.compile(rf"^[^\W\d][^\n|:]{{1,80}}?[\w)] {{2,40}}(?={_SCORE_AT_END})", re.MULTILINE)
"""`Heat ........ 93`: scores after dots or aligned with spaces."""
_SHARE_FIRST = re.compile(
    r"^(?:(\d{1,3}(?:\.\d{1,2})?(?: ?/ ?(?:5|10|100)| ?%))[:,]?[ \t](?:[–—-][ \t])?|(?:Score|Rating): ?(\d{1,3}"
    r"(?:\.\d{1,2})?)"
    r"(?:/\d{1,3})? ?[–—:-] )(?=[\"*_]{0,3}[A-Z])([^\n:|]{2,80})$",
    re.MULTILINE,
)
"""`9/10 Heat`, `Score: 9 - Heat`"""
_MEDAL_BEHIND = re.compile(r"^([^\n🥇🥈🥉]{2,200}?)[ \t]*([🥇🥈🥉])[ \t]*$", re.MULTILINE)
_HAS_RANK = re.compile(r"\W{0,6}(?:\d|(?:rank|place|no|#)\b)", re.IGNORECASE)


def _medal_first(line: re.Match[str]) -> str:
    """Return a line with the medal at its end in front, or without it if the line has a number in front."""
    return line[1] if _HAS_RANK.match(line[1]) else f"{line[2]} {line[1]}"


_SKIPPED = re.compile(r"^(\W{0,4}(?:[Ss]kip|[Aa]void|[Ee]xcluded?|[Nn]ot recommended)) ?(?:→|->|=>) ?", re.MULTILINE)
"""`Skip → Heat`"""
_DOTTED = re.compile(r"(?<=[\w).!?\"*]) • (?=[\w\"*])")
"""`Heat • Fargo`"""
_REPEATED_LEAD = re.compile(r"(?:\A|(?<=[.!] ))I recommend (?=[\"“*A-Z])")
"""`I recommend Heat. I recommend Fargo.`: small models repeat themselves like this."""


def _mark(found: re.Match[str]) -> str:
    """Return a number within a line as the marker of an entry, in figures."""
    return f" {HAN.find(found[1]) + 1 or found[1]}. "


def _in_turn(text: str) -> str:
    """Replace `首先` (first) and `其次` (second) with ranks, or with `>` between the items of one sentence."""
    if "其次" not in text:
        return text
    text = _IN_TURN.sub(lambda found: f"{_TURNS.index(found[1]) + 1}. ", text)
    return _THEN.sub(" > ", text) if len(_THEN.findall(text)) > 1 else text


def _with_plain_code(text: str) -> str:
    """Replace programs with the lists they contain, and remove comments from other code blocks."""
    parts = text.split("```")
    parts[1::2] = (_lists_of_program(part) if _PROGRAM.search(part) else _uncommented(part) for part in parts[1::2])
    return "```".join(parts)


def _with_tiers(text: str) -> str:
    """Put `S tier:` before the entries of each tier, if the text has more tiers than S."""
    return _TIER.sub(r"\1 tier: ", text) if "tier" in text.casefold() and {*_TIER.findall(text)} > {"S"} else text


_TICK, _CROSS = (re.compile(rf"(?<=\w):? ?(?:{signs})+$", re.MULTILINE) for signs in ("👍|✅|✔|✓", "👎|❌|✗|✘|🚫|⛔"))


def _with_verdicts(text: str) -> str:
    """Replace a tick or a cross behind each entry with `yes` or `no`, if there are both."""
    if text.isascii() or not (_TICK.search(text) and _CROSS.search(text)):
        return text
    return _TICK.sub(": yes", _CROSS.sub(": no", text))


def starred(text: str) -> str:
    """Return a text with asterisks at the end of a line as stars: `Heat ***` is `Heat ★★★`."""
    return _ASTERISKS.sub(lambda one: f"{one[1]} {'★' * len(one[2])}", text)


_ASTERISKS = re.compile(r"^([^*\n]{2,200}[^*\s]) (\*{1,5})$", re.MULTILINE)
_ARROW_BEHIND = caseless(
    r" (?:←|<-|⬅) (?=(?:the |my )?(?:best|worst|most|least|top|highest|lowest)\b[^\n]{0,30}(?:\n|\Z))"
)
"""`Heat ← best`"""


def _without_struck(text: str) -> str:
    """Return a text without anything struck or crossed out. If some entries are ticked, unticked ones are dropped
    too."""
    if "~~" in text or "</" in text:
        text = _STRUCK.sub("", text)
    if not text.isascii():
        text = _CROSSED.sub(_without_crossed, text)
    if any(map(text.__contains__, ("[ ]", "[]", "☐"))) and _CHECKED_BOX.search(text) and _OPEN_BOX.search(text):
        text = _CHECKED_BOX.sub(r"\1", _OPEN_BOX.sub("", text))
    return text


def _roman_mark(found: re.Match[str]) -> str:
    return f"\n{_ROMANS.index(found[1]) + 1}. "


def _lists_of_program(program: str) -> str:
    """Return the lists in a program that only assigns lists and prints one unchanged. Return nothing for any other
    program, since its output is unknown."""
    if returned := _RETURNS.search(program):
        return f"\n{returned['list']}\n"
    loop = _PRINTS.search(program)
    before = program[: loop.start()] if loop else program
    lists = [*_LITERAL.finditer(before)]
    if not lists or _COMMENT.sub("", _LITERAL.sub("", before)).strip():
        return ""
    printed = [one[0] for one in lists if loop is None or one[1] in (loop[1], loop[2])]
    return "\n".join(("", *printed[-len(lists) :], ""))


def decoded(value: object) -> object:
    """Decode a JSON string; any other value is returned unchanged."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def folded(text: str) -> str:
    """Return a text with each sign in one form (see `SIGNS`)."""
    if text.isascii():
        return text
    return (_MISREAD.sub(_repair_encoding, text) if _MISREAD.search(text) else text).translate(_table())


def _repair_encoding(found: re.Match[str]) -> str:
    """Repair a character whose UTF-8 bytes were decoded as Windows-1252; other text is returned unchanged."""
    try:
        return found[0].encode("cp1252").decode("utf-8")
    except UnicodeError:
        return found[0]


def _link_text(link: re.Match[str]) -> str:
    return link[1] if sum(map(str.isalpha, link[1])) > 2 else link[0]


def _latex(found: re.Match[str]) -> str:
    return found["inside"] or (" > " if found["then"] else _LATEX_AS.get(found["entry"] or "", ""))


def _without_elements(text: str) -> str:
    """Return the elements of an XML list as list lines, each with the rank from its attribute."""

    def plain(tag: re.Match[str]) -> str:
        name = tag[2].casefold()
        if name in _LISTS:
            return "\n"
        if name in _LEFT_OUT:
            empty = tag[0].endswith("/>") or text.startswith(f"</{tag[2]}>", tag.end())
            return "\n" if tag[1] or empty else "\nExcluded:\n"
        if numbered := _RANK_NAME.fullmatch(name):
            return "\n" if tag[1] else f"\nRank {numbered[1]}: "
        if name in ORDINALS:
            return "\n" if tag[1] else f"\nRank {ORDINALS.index(name) + 1}: "
        if name in _REMARKS:
            return "\n" if tag[1] else "\nNote: "
        if name not in _LISTED:
            return _SCALE.sub("", tag[0])
        rank = _ATTRIBUTE.search(tag[3])
        empty = tag[0].endswith("/>") or text.startswith(f"</{tag[2]}>", tag.end())
        named = (_TITLE_ATTRIBUTE.search(tag[3]) or _ID_ATTRIBUTE.search(tag[3])) if empty else None
        name = html.unescape(named[1] or named[2]) if named else ""
        return "\n" if tag[1] else f"\nRank {rank[1]}: {name}" if rank else f"\n- {name}"

    text = _RANK_ELEMENT.sub(r'<\1 rank="\3">\2', _SCORE_ELEMENT.sub(r": \1", _YEAR_ELEMENT.sub(r" (\1)", text)))
    return _NESTED.sub(r"\1", _ELEMENT.sub(plain, text))


def single_spaced(text: str) -> str:
    """Replace runs of spaces with one space."""
    return _SPACES.sub(" ", text).strip() if "  " in text or "\t" in text else text.strip()


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    table: dict[int, str] = {}
    for first, end in _RANGES:
        for code in range(first, end):
            sign = chr(code)
            digit, value = unicodedata.decimal(sign, None), unicodedata.numeric(sign, None)
            circled = value is not None and (0x2460 <= code < 0x249C or 0x2776 <= code < 0x2794)
            table[code] = f" {value:g}. " if circled else str(digit) if digit is not None else ""
            table[code] = table[code] or unicodedata.normalize("NFKC", sign)
    table.update({ord(sign): plain for sign, plain in _SIGNS.items()})
    return table


def without_tags(title: str) -> str:
    """Return a title without HTML tags and with HTML entities decoded."""
    title = html.unescape(title) if "&" in title else title
    return _HTML.sub("", title) if "<" in title else title


def _without_html(text: str) -> str:
    parts: list[str] = []
    numbers: list[int | None] = []
    at = cell = 0
    for tag in _HTML.finditer(text):
        name, closes = tag[2].lower(), bool(tag[1])
        parts.append(text[at : tag.start()])
        at = tag.end()
        if name in ("ol", "ul"):
            if closes:
                del numbers[-1:]
            else:
                numbers.append(0 if name == "ol" else None)
            parts.append("\nCounting down:\n" if "reversed" in tag[3] and not closes else "\n")
        elif name == "li" and not closes:
            indent = "   " * (len(numbers) - 1)
            if value := _LI_VALUE.search(tag[3]):
                parts.append(f"\n{indent}Rank {value[1]}: ")
            elif numbers and (last := numbers[-1]) is not None:
                numbers[-1] = last + 1
                parts.append(f"\n{indent}{last + 1}. ")
            else:
                parts.append(f"\n{indent}- ")
        elif name == "tr":
            cell = 0
            parts.append(" |\n" if closes else "\n")
        elif name in ("td", "th"):
            cell += not closes
            parts.append("" if closes else "| ")
        elif name in ("p", "br", "div", "table", "hr", "pre") or name[0] == "h":
            parts.append("\n")
    parts.append(text[at:])
    return "".join(parts)


_Steps = tuple[tuple[str, Callable[[str], str]], ...]
"""The steps of normalising, in order. Each has a trigger: without that text it would change nothing."""
_SOURCES = re.compile(
    r"^\W{0,6}(?:Sources|References|Citations|Quellen|Fuentes)\b\W{0,6}\[1\] .*\Z", re.MULTILINE | re.DOTALL
)
_NOTE_SIGN = r"[\u00b9\u00b2\u00b3\u2070-\u2079]{1,2}"
_NOTES = re.compile(rf"(?:\n\s*(?:{_NOTE_SIGN} ?(?=[^\W\d])|\[\d{{1,2}}\]:? ?(?=https?:))[^\n]{{1,300}}){{2,40}}\s*\Z")
_NOTED = re.compile(rf"(?<=\S)(?:{_NOTE_SIGN}|\[\d{{1,2}}\])(?=\s*$)", re.MULTILINE)
"""`Heat¹`, `Heat[1]`, above footnotes, which are dropped."""
_SOURCE = re.compile(r" ?[【\[]\d{1,2}(?::\d{1,2})?†[^\]】\n]{0,60}[】\]]")


def _without_notes(text: str) -> str:
    notes = _NOTES.search(text, max(0, len(text) - _NOTES_LIMIT))
    return _NOTED.sub("", text[: notes.start()]) if notes else text


_NOTES_LIMIT = 8000
"""Maximum number of characters at the end of a text that may be footnotes."""
_CITED = re.compile(r"(?<=\S) ?(?:\[\d{1,2}\]){1,6}(?=\s*$)", re.MULTILINE)
"""`Heat – IMDb 8.6 [1][2]`, above a list of sources."""
_LINK = re.compile(r"\[([^\[\]\n]{4,400}|[^\W\d_]\w{1,2}|\d½)\]\(https?://[^\s()|]{2,2000}\)")
_IN_ANGLES = re.compile(r"<([A-Z]|\d{1,3})>(?![^\n]{0,300}</\1>)")
"""`<3> > <1>`"""
_COMPARES = caseless(r"> (?:is|are|was) (?:\w+ ){0,3}(?:than|as)\b")


def _in_brackets(text: str) -> str:
    return _IN_ANGLES.sub(r"[\1]", text) if len({*_IN_ANGLES.findall(text)}) > 1 else text


_ESCAPED_SIGN = re.compile(r"(?<!\\)\\u((?!d[89a-f]|00[0-7])[0-9a-f]{4})", re.IGNORECASE)
"""`WALL\\u00b7E`, also in JSON that is cut off."""
_TENTH = re.compile(r"^🔟", re.MULTILINE)
_CURLY, _CURLY_JSON = re.compile("[“”]"), re.compile(r"[\[{［｛]\s{0,80}“")
_TIED = re.compile(r"^([ \t]{0,9})(?:=(\d{1,3})|(\d{1,3})=)(?:[.):]|(?= [^\W\d]))[ \t]", re.MULTILINE)
"""`=2. Heat`"""
_BEHIND_HEADING = re.compile(r"^([^\n]{2,80}[:：]) (?=1[.)] [^\n]+\n\s{0,40}2[.)] )", re.MULTILINE)
"""`Ranking: 1. Heat⏎2. Fargo`"""
_HASHED = re.compile(
    r"^([ \t]{0,9}[*_]{0,3})#(\d{1,3})[:.)]?[ \t](?!(?:is|ranks|comes|goes|gets) )(?=[^\W\d]|[\"'*_\[]|\d+\D)",
    re.MULTILINE,
)
"""`#1 Heat`"""
_HASH_CHAIN = re.compile(r"^\W{0,4}#\d{1,4}(?:\s?(?:→|>|->|,)\s?#\d{1,4})+", re.MULTILINE)
"""`№7 → №5 → №2`: not a list that begins with its seventh entry."""
_QUOTED_NUMBER = re.compile(r"^(\s{0,20}[\"'])(?P<number>\d{1,3})[.)] ", re.MULTILINE)
"""`"1. Heat",`"""
_NUMBER_BEFORE_COMMA = re.compile(r"^([ \t]{0,9})(?P<number>\d{1,3})、(?=[^\n]{0,80}[^\W\d_])", re.MULTILINE)
_NUMBER_BEFORE_SIGN = re.compile(r"^([ \t]{0,9})(?P<number>\d{1,3})> (?=[^>\n]{0,80}[^\W\d_][^>\n]*$)", re.MULTILINE)
_NUMBER_INSIDE = re.compile(
    r"(?:^|(?<=[\s:,;]))#(?P<number>\d{1,3})(?: ?[–—:-] (?=\S)| (?=[\"*_]{0,3}[A-Z\d]))", re.MULTILINE
)


def _where_they_count(mark: re.Pattern[str], written: str, text: str) -> str:
    """Write marks with a number in another way if there are several and they count from 1."""
    numbers = [int(found["number"]) for found in mark.finditer(text)]
    return mark.sub(written, text) if numbers == [*range(1, len(numbers) + 1)] and len(numbers) > 1 else text


def _with_inline_numbers(text: str) -> str:
    """Begin a line before each `#1 — Heat, #2 — Fargo` if two of these numbers are in one line."""
    line = next((line for line in text.split("\n") if "#1 " in line), "")
    inline = len(_NUMBER_INSIDE.findall(line)) > 1
    return _where_they_count(_NUMBER_INSIDE, r"\n\g<number>. ", text) if inline else text


_GENRES = re.compile(r"(?:[-–—:] |\()[A-Z][\w'’-]{2,15}(?:\|[A-Z][\w'’-]{2,15}){1,8}(?=\)?\s{0,9}$)", re.MULTILINE)
"""`Heat (1995) - Action|Crime`: no cells of a table."""
_ORDER_IS = re.compile(
    r"((?:おすすめ|推[薦奨])の?順[位番]?)は,? ?([^\n,]{2,600},[^\n]{2,600}?)(?:です|となります|になります|$)[.。]?",
    re.MULTILINE,
)
"""`おすすめ順は『A』、『B』です。`"""
_NEXT_IN_JAPANESE = re.compile(r"(?<=\"), ?(?:(?:その)?次[にがは]|続いて|さらに|最後[にがは])(?=\")")
_RECOMMENDS_MOST = re.compile(r"(?:最も|一番|いちばん|まず)(?:おすすめ|お勧め|合う|好みに近い)[^\"。\n]{0,12}\"")
"""`最もおすすめなのは「A」、次に「B」、最後に「C」です。`"""
_LEADS_IN_ASIA = re.compile(
    r"^[^\w\n]{0,4}(?:(?:我)?(?:首先|最)?推[荐薦]的?(?:是)?|首先(?:推[荐薦]|是)?|首推|まず(?:は)?|最初に|最も?"
    r"(?:おすすめ|お勧め)(?:なの)?は"
    r"|우선|먼저|가장 (?:먼저 )?추천하는 (?:것은|작품은|영화는)|最も(?:好み|合い)そうなのは)[、,]? ?(?=[^\n]{2,400})",
    re.MULTILINE,
)
_NEXTS_IN_ASIA = re.compile(
    r"(?:[をがで] ?|[을를] ?(?:추천(?:하고|하며)?)?|이?고|이며)?[,、;，；。]? ?(?:そして|그리고|再)?"
    r"(?:(?:その)?次[にがは]|続いて|最後[にがは]|其次(?:是|推[荐薦])?|然[后後](?:是)?|接着(?:是)?|接下来(?:是)?"
    r"|最[后後](?:是|推[荐薦])?"
    r"|그 ?다음(?:으로)?(?:은|는)?|다음(?:으로)?(?:은|는)|마지막(?:으로)?(?:은|는)?)[、,，]? ?"
)
_ENDS_IN_ASIA = re.compile(
    r" ?(?:が?(?:おすすめ|お勧め|良い|いい)?(?:です|と思います)|を(?:おすすめ|お勧め|推薦)します|[을를] 추천(?:합니다"
    r"|드립니다|해요)|(?: ?순)?입니다|이에요|예요)?"
    r"[。.!]?\s*\Z"
)


def _told_in_turn(text: str) -> str:
    """Return `まずA、次にB、最後にCです。` as a chain, if the text says no more than that."""
    lead = _LEADS_IN_ASIA.match(text)
    if lead is None or len(text) > _TURN_LIMIT or "\n" in text.strip():
        return text
    parts = _NEXTS_IN_ASIA.split(_ENDS_IN_ASIA.sub("", text[lead.end() :]))
    whole = len(parts) > 1 and all(part.strip() and not _SAYS_MORE.search(part) for part in parts)
    return " > ".join(part.strip() for part in parts) if whole else text


_TURN_LIMIT = 600
_SAYS_MORE = re.compile(r"[。！？\n,、，;]|不|ない|ません|않|말고|より|보다|比")
_STEPS_OF_EAST_ASIA: _Steps = (
    ("", _told_in_turn),
    ("次", lambda text: _NEXT_IN_JAPANESE.sub(" > ", text) if _RECOMMENDS_MOST.search(text) else text),
    ("", lambda text: _COUNTED.sub(r"\1 ", text) if any(map(text.__contains__, "候选選编編电電")) else text),
    ("首先", _in_turn),
    ("順", partial(_ORDER_IS.sub, r"\n\1: \2\n")),
    ("番", partial(_JAPANESE_NUMBER.sub, r"\1 ")),
    (" › ", lambda text: text.replace(" › ", " > ")),
    ("", lambda text: _NUMBER_SIGN.sub(r"\1", _RANK_SIGN.sub(r"\1. ", text)) if _NUMBER_SIGN.search(text) else text),
    ("第", lambda text: _NTH.sub(lambda found: f"第 {found[1]} " if found[1] else f"第{HAN.find(found[2]) + 1}", text)),
    ("第", partial(_NTH_INSIDE.sub, _mark)),
)
_OVER = re.compile(r" (?:(?:is|ranks|comes) )?(?:above|beats|over|outranks|better than|ahead of) ")
_AGAIN = re.compile(rf"(?<![^ ])(\S[^,;.\n]{{0,80}}?)[,;.] (?:and |which )?\1(?={_OVER.pattern})", re.IGNORECASE)


def _linked(line: str) -> str:
    """Return `A beats C, and C beats B` as a chain; a line that says more stays as it is."""
    chain = _AGAIN.sub(r"\1", line) if len(line) < _NOTES_LIMIT else line
    names = [one.strip(" .") for one in _OVER.split(chain)]
    alone = chain != line and len({*names}) == len(names) and not re.search(r"[,;]|\. ", chain)
    return " > ".join(names) if alone else line


_RANK_OF = re.compile(
    r"[;,]? ?\b(?:the )?rank of (?:the )?([^:=;\n]{1,120}?) ?(?:[:=]|is) ?#?(?=\d{1,3}[;,.]?(?:\s|$))", re.I
)
_STEPS: _Steps = (
    ("", lambda text: "\n".join(map(_linked, text.split("\n"))) if _OVER.search(text) else text),
    ("ank of ", partial(_RANK_OF.sub, r"\n\1: rank ")),  # Rank of [1]: 2
    ('"', _unescaped),
    ('"', _content),
    ("", partial(_after_prefix, _TEMPLATE_TOKENS)),
    ("...", lambda text: _BEFORE_NUMBER.sub(": ", text) if len(_LEADERS.findall(text)) > 1 else text),
    ("  ", lambda text: _BEFORE_NUMBER.sub(": ", text) if len(_ALIGNED.findall(text)) > 1 else text),
    ("", lambda text: _SHARE_FIRST.sub(r"\3: \1\2", text) if len(_SHARE_FIRST.findall(text)) > 1 else text),
    ("🥇", partial(_MEDAL_BEHIND.sub, _medal_first)),
    ("", partial(_SKIPPED.sub, r"\1: ")),
    (" • ", lambda text: _DOTTED.sub(", ", text)),
    ("I recommend ", lambda text: _REPEATED_LEAD.sub("\n- ", text) if text.count("I recommend ") > 2 else text),
    ("&", lambda text: _ENTITY.sub(lambda found: html.unescape(found[0]), text)),
    (" (ii) ", lambda text: _ROMAN_INSIDE.sub(_roman_mark, text) if _ROMAN_LIST.search(text) else text),
    ("一、", lambda text: _HAN_INSIDE.sub(_mark, text) if "二、" in text else text),
    ("🥈", lambda text: text if "🥇" in text else text.replace("🏆", "🥇", 1)),
    ("“", lambda text: _CURLY.sub('"', text) if _CURLY_JSON.search(text) else text),
    ("\\u", partial(_ESCAPED_SIGN.sub, lambda found: chr(int(found[1], 16)))),
    ("🔟", partial(_TENTH.sub, "10. ")),
    ("1、", partial(_where_they_count, _NUMBER_BEFORE_COMMA, r"\1\g<number>. ")),
    ("†", partial(_SOURCE.sub, "")),
    ("\n", _without_notes),
    ("", folded),
    (" » ", lambda text: text if "«" in text else text.replace(" » ", " > ")),
    ("#", partial(_HASH_CHAIN.sub, lambda found: found[0].replace("#", ""))),
    ("1. ", partial(_where_they_count, _QUOTED_NUMBER, r"\1")),
    ("1> ", partial(_where_they_count, _NUMBER_BEFORE_SIGN, r"\1\g<number>. ")),
    (": 1", partial(_BEHIND_HEADING.sub, r"\1\n")),
    ("#1 ", _with_inline_numbers),
    ("#1", lambda text: _HASHED.sub(r"\1\2. ", text) if "#2" in text else text),
    ("=", partial(_TIED.sub, r"\1\2\3. ")),
    ("|", partial(_GENRES.sub, lambda found: found[0].replace("|", ", "))),
    ("\\n", lambda text: text if "\n" in text.strip() or "{" in text else text.replace("\\n", "\n")),  # escaped
    ("", lambda text: text if text.isascii() else _after(_STEPS_OF_EAST_ASIA, text)),
    ("", lambda text: _DISREGARDED.sub("", text) if "gnore " in text or "isregard " in text else text),
    ("print(", lambda text: _PRINTED.sub(r"\1", text) if len(_PRINTED.findall(text)) > 1 else text),
    ("```", _with_plain_code),
    ("(", lambda text: _lists_of_program(text) if _CODE.fullmatch(text[:SHORT]) and _PROGRAM.search(text) else text),
    ("", _with_tiers),
    ("```diff", lambda text: _DIFF.sub(_apply_diff, text.replace("\r\n", "\n"))),
    ("[1] ", lambda text: _CITED.sub("", text[: found.start()]) if (found := _SOURCES.search(text)) else text),
    ("[^", partial(_FOOTNOTE.sub, "")),
    ("", _with_verdicts),
    ("", _without_struck),
    (" *", starred),
    ("", lambda text: _ARROW_BEHIND.sub(" - ", text) if "←" in text or "<-" in text or "⬅" in text else text),
    ("", partial(_after_prefix, _ROLE)),
    ("<", lambda text: text if _COMPARES.search(text) else _in_brackets(text)),
    ("<", lambda text: _without_html(_without_elements(text) if "</" in text or "/>" in text else text)),
    ("", lambda text: _DOUBLED.sub(r" \1 ", text) if ">>" in text or "<<" in text else text),
    ("\\begin{", partial(_TEX_COMMENT.sub, "")),
    ("\\begin{tab", lambda text: text.replace("\\\\", "").replace("&", "|")),
    ("\\boxed", partial(_BOXED.sub, r"\nFinal answer: \1\n")),
    ("frac{", partial(_FRACTION.sub, r"\1/\2")),
    ("\\", lambda text: _ESCAPE.sub(r"\1", _LATEX.sub(_latex, text))),
    ("](http", partial(_LINK.sub, r"\1")),
    ("][", partial(_REFERENCE.sub, _link_text)),
)
