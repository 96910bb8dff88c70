"""Stage 1, before normalising: remove what wraps an answer and is no part of it.

Chat models greet (`Sure! Here is my answer.`), quote (`> `), put everything into one code block, and close with an
offer (`Let me know if you need more!`). None of this says anything about the items, but it hides how an answer begins
and how it ends, which is where ratings, verdicts and choices stand.
"""

from __future__ import annotations

import re
from textwrap import dedent

_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029]")
_NO_BREAK = dict.fromkeys(map(ord, "\u00a0\u202f"), " ")
_FENCE = re.compile(
    r"\A\s*```(?:text|txt|plaintext|plain|markdown|md)?[ \t]*\n((?:(?!```).)*?)\n?[ \t]*```\s*\Z", re.DOTALL
)
_QUOTED = re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE)
_LINE_BREAKS = re.compile(r"(?<![ \t])[ \t]+$", re.MULTILINE)
"""Spaces at the end of a line, which Markdown makes a line break of."""
_DECORATION = re.compile(
    "(?<!\\s)\\s+[\U0001f600-\U0001f644\U0001f64c-\U0001f64f\U0001f970-\U0001f97a🎬🍿🎉✨🎵🎶📚📖🎮🎧🎥🚀💡🍝🎯🤔🤗🤩🥳]+\ufe0f?\\s*\\Z"
)
"""Emoji at the end that say nothing; thumbs, stars, hearts, ticks and medals do."""
_EMPHASISED = re.compile(r"\A\s*(\*\*|__|[\"“])((?:(?!\*\*|__)[^\\\"“”])+?)(\*\*|__|[\"”])\s*\Z")
_OPENS = re.compile(
    r"\A\W{0,4}(?:(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|great|got it|no problem|gerne|claro"
    r"|bien sûr|natürlich|certo)\b[!.,:]?\s{0,3})?"
    r"here(?:['’]s| is| are) (?:my|the|your) (?:answer|response|recommendation|ranking|result"
    r"|prediction)s?[.!](?:[ \t]*\n)+"
    r"|\A[^\w\n]{0,4}(?:(?:my|the|final) ){0,2}(?:answer|response|output)[*_]{0,3} ?:?[*_]{0,3}[ \t]*\n+"
    r"|\A[^\n:.!?]{0,120}\bhere(?:['’]s| is) (?:my|the) (?:answer|response):[*_]{0,3}[ \t]*\n+",
    re.IGNORECASE,
)
"""`Sure! Here is my answer.`, `**Answer:**`: a line of its own that says nothing about a list."""
_CLOSES = re.compile(
    r"(?:\n[ \t]*|(?<=[.!?*)\]\"”…]) )[*_\"'( ]{0,4}(?:(?:(?:i )?(?:really )?hope (?:this|that|these|it|you)\b"
    r"|(?:please |just |and )?(?:let (?-i:me know)|feel free|don['’]t hesitate)\b|enjoy(?: (?:your|the|watching"
    r"|reading))?\b(?=[^\n]{0,30}\Z)"
    r"|happy (?:watching|reading|listening|playing|viewing|shopping|learning|cooking)\b"
    r"|is there anything else\b|anything else (?:i|you)\b|have (?:fun|a (?:great|nice|good))\b"
    r"|if you(?:['’]d like| would like| have| need| want)\b[^.!?\n]{0,100}\b(?:let me know|feel free|just (?:ask"
    r"|tell|say))\b"
    r"|希望(?:这|這)?(?:对|對|能|个|個|份)|お役に立てれば|参考になれば|도움이 되(?:었으면|길)"
    r"|j['’]espère que|n['’]hésitez pas|bon (?:visionnage|film)|bonne lecture|espero que|buena suerte|spero che"
    r"|fammi sapere|buona visione)(?![^\n]*(?<=[a-z,–—-]) (?!I\b)[\"“*_]{0,3}(?-i:[A-Z]))"
    r"|ich hoffe,? (?:das|dass|diese)|viel spa(?:ß|ss)\b)"
    r"(?![^\n]*(?:\b(?:which|instead|but|unless|otherwise|either|rank|rating|stars?|title|pick|choose|switch|swap"
    r"|seen|watched)\b|\d))"
    r"[^\n]{0,160}\s*\Z",
    re.IGNORECASE,
)
"""`I hope this helps!`, `Let me know if you need anything else.`; a line that may say more, or name an item, stays."""
_COURTESIES, _LAST_SIGNS = 3, 400
"""Maximum number of closing sentences, and of characters at the end of a text that are searched for one."""


def plain_lines(text: str) -> str:
    """Return a text with each line end as `\\n`, without no-break spaces, and outside a Markdown quotation."""
    if "\r" in text or not text.isascii():
        text = _LINE_ENDS.sub("\n", text).translate(_NO_BREAK)
    if text.lstrip().startswith(">"):
        lines = [line for line in text.split("\n") if line.strip()]
        text = _QUOTED.sub("", text) if all(line.lstrip().startswith(">") for line in lines) else text
    text = _LINE_BREAKS.sub("", text) if " \n" in text or "\t\n" in text else text
    return dedent(text) if text[:1] in (" ", "\t") else text


def unwrapped(text: str) -> str:
    """Return an answer without its code block, greeting and closing; the text unchanged if it has none."""
    if "```" in text and (block := _FENCE.match(text)):
        text = block[1]
    text = _OPENS.sub("", text, count=1)
    text = text if text.isascii() else _DECORATION.sub("", text)
    for _ in range(_COURTESIES):
        closing = _CLOSES.search(text, max(len(text) - _LAST_SIGNS, 0))
        if closing is None or not text[: closing.start()].strip():
            break
        text = text[: closing.start()].rstrip()
    if (whole := _EMPHASISED.match(text)) and whole[1].strip('“"') == whole[3].strip('”"'):
        return whole[2]  # **Terminator 2, not the first one.**
    return text
