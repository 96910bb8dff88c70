"""Stage 1, before normalising: remove what wraps an answer and is no part of it.

Models reason aloud and invent turns, which `without_reasoning` drops. They greet (`Sure! Here is my answer.`), quote
(`> `), put everything into one code block, and close with an offer (`Let me know if you need more!`). None of this says
anything about the items, but it hides how an answer begins and how it ends, which is where ratings, verdicts and
choices stand.
"""

from __future__ import annotations

import re
from textwrap import dedent

from llmrank.types import REASONING_TAGS

_FINAL_CHANNEL = "assistantfinal"
"""What remains before gpt-oss's last channel if a server removes the special tokens but keeps the words between
them."""


def answer_alone(raw: str) -> str | None:
    """Return the answer without its reasoning and envelope; None if the reasoning never ends."""
    text = without_reasoning(plain_lines(raw))
    return text and unwrapped(text)


def plain_lines(text: str) -> str:
    """Return a text with each line end as `\\n`, without no-break spaces, and outside a Markdown quotation."""
    if "\r" in text or not text.isascii():
        text = _LINE_ENDS.sub("\n", text).translate(_NO_BREAK)
    if text.lstrip().startswith(">"):
        lines = [line for line in text.split("\n") if line.strip()]
        text = _QUOTED.sub("", text) if all(line.lstrip().startswith(">") for line in lines) else text
    text = _LINE_BREAKS.sub("", text) if " \n" in text or "\t\n" in text else text
    return dedent(text) if text[:1] in (" ", "\t") else text


_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029]")
"""Line ends of Windows, and the separators of Unicode."""
_NO_BREAK = dict.fromkeys(map(ord, "\u00a0\u202f"), " ")
_QUOTED = re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE)
"""The sign of a Markdown quotation."""
_LINE_BREAKS = re.compile(r"(?<![ \t])[ \t]+$", re.MULTILINE)
"""Spaces at the end of a line, which Markdown makes a line break of."""


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


_FENCE = re.compile(
    r"\A\s*```(?:text|txt|plaintext|plain|markdown|md)?[ \t]*\n((?:(?!```).)*?)\n?[ \t]*```\s*\Z", re.DOTALL
)
"""A code block that is the whole text."""
_DECORATION = re.compile(
    "(?<!\\s)\\s+[\U0001f600-\U0001f644\U0001f64c-\U0001f64f\U0001f970-\U0001f97a🎬🍿🎉✨🎵🎶📚📖🎮🎧🎥🚀💡🍝🎯🤔🤗🤩🥳]+\ufe0f?\\s*\\Z"
)
"""Emoji at the end that say nothing; thumbs, stars, hearts, ticks and medals do."""
_EMPHASISED = re.compile(r"\A\s*(\*\*|__|[\"“])((?:(?!\*\*|__)[^\\\"“”])+?)(\*\*|__|[\"”])\s*\Z")
"""`**Heat**`, `"Heat"`: a text that is emphasised or quoted as a whole."""
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


def without_reasoning(text: str) -> str | None:
    """Return the answer alone: the text after the last `</think>`, or inside `<answer>` if present.

    Return None if the reasoning never ends, so that there is no answer. A template may already have opened the
    reasoning: then the text begins inside it and has only the closing tag.
    """
    if text.lstrip().startswith(_THINKING[0]) and _THINKING[1] in text:
        text = text.partition(_THINKING[1])[2]
    signs = ("<", "◁", "##", "\nUser: ", "\nHuman: ", "\nInput:", _FINAL_CHANNEL)
    if not (any(map(text.__contains__, signs)) or _WORD_IN_BRACKETS.search(text)):
        return text
    for step in (_after_question, _in_channel, _without_details, _in_first_turn, _outside_tags):
        if (answer := step(text)) is None:
            return None
        text = answer
    for found in _ANSWER.finditer(text):
        if found[1].strip():
            return found[1]
    return text


_WORD_IN_BRACKETS = re.compile(r"\[/?[^\W\d]")
"""`[THINK]`, `[/INST]`, but not `[3]`."""
_ANSWER = re.compile(r"(?:(?i:<answer>)|\[ANSWER\])((?:[^<\[]++|(?!(?i:</answer>)|\[/ANSWER\])[<\[])*+)")
_THINKING = ("Thinking...\n", "...done thinking.")  # as ollama prints it


def _after_question(text: str) -> str:
    """Return a text without the question that it repeats."""
    question = _QUESTION.match(text)
    begins = _RESPONSE.search(text, question.end()) if question else None
    return text[begins.end() :] if begins else text


_QUESTION = re.compile(r"\s{0,20}(?:(?:<s>)?\s{0,20}\[INST\]|#{2,3} ?(?:Instruction|Human|User|Input)\b)")
"""The beginning of a text that repeats the question in its template before the answer."""
_RESPONSE = re.compile(r"\[/INST\]|\n#{2,3} ?(?:Response|Assistant|Answer|Output)\b:?")
"""The separator between a repeated question and the answer."""


def _in_channel(text: str) -> str | None:
    """Return the text of the last channel, None if that channel is still reasoning."""
    before, channel, answer = text.rpartition(_CHANNEL)
    if not channel and text.lstrip().startswith("analysis"):
        answer = text.rpartition(_FINAL_CHANNEL)[2]
    return None if channel and _ANALYSIS.search(before[-200:]) else answer


_ANALYSIS = re.compile(r"<\|channel\|>\s{0,9}analysis\b[^<>]{0,80}$")
_CHANNEL = "<|message|>"


def _without_details(text: str) -> str | None:
    """Return a text without reasoning that a chat interface has collapsed, None if it never ends."""
    if "<details" not in text:
        return text
    found = _DETAILS.search(text)
    ends = found is None or found[1] is not None
    return _DETAILS.sub("", text) if ends else None


_DETAILS = re.compile(r"<details type=\"reasoning\"[^<>]{0,200}>(?:(?!</details>).)*+(</details>)?", re.DOTALL)
"""Reasoning that a chat interface has collapsed."""


def _in_first_turn(text: str) -> str:
    """Return a text up to the beginning of another turn."""
    end = None if "<s>" in text else _TURN_ENDS.search(text)
    begun = text.lstrip().startswith(("User: ", "Human: "))
    return text[: end.start()] if end and text[: end.start()].strip() and not begun else text


_TURN_ENDS = re.compile(
    r"\n#{2,3} ?(?:Instruction|Human|User|Input)\b|\n ?\[INST\]|</s>|<end_of_turn>"
    r"|(?<![:\n])\n{1,3}(?:User|Human|Input):\s(?=(?:[^\n]{0,2000}\n{1,2}){1,4}?(?:Assistant|AI|Bot|Model|Output):)"
    r"|<[|｜](?:im_end|end|return|endoftext|end_of_text|end▁of▁sentence|eot_id|eom_id|END_RESPONSE|END_TEXT)[|｜]>"
)
"""The beginning of another turn, which the model invents."""


def _outside_tags(text: str) -> str | None:
    """Return the text outside reasoning tags, None if they contain all of it and never end."""
    parts: list[str] = []
    depth = start = 0
    for tag in _TAG.finditer(text):
        if tag.lastgroup is None:
            if depth == 0:
                parts.append(text[start : tag.start()])
            depth += 1
            continue
        if depth == 0:  # opened by the template
            parts.clear()
        depth, start = max(depth - 1, 0), tag.end()
    outside = "".join(parts if depth else (*parts, text[start:]))
    return None if depth and not outside.strip() else outside


_TAG = re.compile(
    rf"[<\[◁](?P<end>/)?{REASONING_TAGS}[>\]▷]|<\|START_THINKING\|>|<\|channel>thought\b"
    r"|(?P<end_sign><\|(?:END_THINKING|START_(?:RESPONSE|TEXT))\|>|<channel\|>)",
    re.IGNORECASE,
)
"""The beginning and end of reasoning: the tags of most models, and the tokens of Cohere's and Gemma's."""
