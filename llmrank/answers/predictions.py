"""What sentences predict that a user would do (`I think they would like it`), for the format `yes_no`.

A prediction counts only if nothing in its clause may turn it into its opposite, and if it depends on no condition. The
item's title has been replaced by `it`.
"""

from __future__ import annotations

import re

from llmrank.answers.normalise import caseless

SEARCH_LIMIT = 2000
"""Maximum number of characters to search for predictions."""
_LEAD_SIGNS = 200
"""Maximum number of characters before a prediction to search for words that deny it."""
SENTENCES = re.compile(r"(?<=[.!?]) |\n")
"""Where sentences end."""
USER = (
    "(?:user|person|viewer|reader|player|listener|customer|guest|subscriber|shopper|diner|gamer|learner|student|visitor"
    "|buyer|client)"
)
TAKE = r"like|enjoy|love|appreciate|watch|want|play|read|buy|order|click(?: on)?|try|make|cook|visit|finish|use"
"""What a user does who likes an item."""
_THINGS = "movie|film|book|game|song|album|track|show|series|product|item|one|title|article|story|dish|place|course"
_ASPECTS = (
    "kind|sort|type|style|genre|director|actor|author|artist|band|brand|ending|aspect|part|scene|theme|element|plot|cast"
    "|setting|pace|premise"
)
"""What a sentence may be about that is not the item: `They will not like this ending`."""
_SURELY = (
    r"(?: (?:(?:most|very|almost|highly|more than) )?(?:likely|probably|definitely|certainly|surely|really|absolutely"
    r"|also|still|thoroughly|truly|totally|actually|just|fully|genuinely|strongly))*"
)
_NOT_LIKED = r" (?:to|through)\b| an? (?:rule|habit|point)\b|(?<=\buse it) as\b|(?<=\btry it),? (?:and|but|once)\b"
"""What follows `it` if a verb does not mean that the user likes it: `They will make it through the first hour`."""
_PREDICTION = caseless(
    r"(?:(?P<doubt>\bi (?:(?:do not|don['’]t) (?:really )?(?:think|believe|expect|imagine|see (?:why|how))|doubt)"
    r"|\b(?:(?<!not )unlikely|doubtful|not (?:(?:very|too|so|at all|particularly) )?likely)"
    r"|\b(?:little|low|small|slim|no|not much(?: of a)?) (?:chance|likelihood)"
    r"|\bnothing (?:[^.!?\n]{1,60} )?suggests?)(?: that| if| whether| of)? )?"
    rf"\b(?:(?:the|this) {USER}|an? {USER} with (?:this|such an?|that) (?:history|taste|profile)|they|he|she)"
    r"(?: (?:will|would)|['’](?:ll|d)| wo(?=n['’]t)|(?: (?:is|are|am)|['’](?:re|s))(?P<never> not)?"
    rf"(?: going to|{_SURELY}(?: (?:very|highly|quite|rather|most|extremely))? (?P<un>un)?likely to))"
    rf"(?P<not>n['’]t| not| never)?{_SURELY}(?P<nor> not| never)?{_SURELY} "
    rf"(?:(?P<hate>hate|dislike|loathe|skip|avoid)|{TAKE}|download|listen to|be (?:interested in|into|a fan of)"
    r"|go for|pick(?: up)?|choose)"
    rf" (?:(?:this|the|that) (?:{_THINGS})|it(?!{_NOT_LIKED})|(?:this|that)(?! (?:{_ASPECTS})\b))\b"
    r"(?! (?:if|when|unless|(?:even |much |far |no )?less|only|but only|as little)\b|, but only\b)"
)
"""`I don't think the user would like it`: a sentence about the item, whose title is replaced by `it`."""
_SUCH = caseless(
    rf"\b(?:it|this|that)(?: is|['’]s)(?P<not> not|n['’]t)?{_SURELY}"
    rf" (?:something|one|(?:the|an?)(?: \w+){{1,4}}) (?:that |which )?(?:(?:the|this) {USER}|they|he|she)"
    rf"(?: will|(?: would|['’]d))(?P<nor>n['’]t| not| never)?{_SURELY} (?:{TAKE}|be interested in)"
    r"(?=[.;!\n]|,(?! but)|$)"
)
"""`It is not something they would enjoy`"""
_FIT = caseless(
    rf"\b(?:it|this){_SURELY}(?:(?: is|['’]s)(?P<unfit> not|n['’]t)?|(?: would|['’]d)(?P<misfit> not"
    rf"|n['’]t)? be){_SURELY}"
    r" an? (?:\w+ly )?(?:great|good|perfect|excellent|strong|natural|ideal)"
    rf" (?:fit|match|choice|recommendation|pick)(?: for (?:them|him|her|(?:the|this) {USER}))?(?=[.!\n]|$|, (?:who"
    rf"|given|since|as|because)\b)"
)
"""`It would be a great fit.`; words of contrast in another sentence may take it back."""
_CONTRAST = caseless(r"\b(?:though|however|but|unfortunately|still|yet|hates?|dislikes?)\b")
_TURNS = caseless(
    r"\b(?:not|\w{1,6}n['’]t|cannot|no|nothing|nobody|none|never|neither|nor|hardly|scarcely|barely|little|few|less"
    r"|least|without|hard|difficult|impossible|unlikely|doubt\w*|surpris\w+|far from|lying|wrong|chances?|odds"
    r"|likelihood|probability|idea|notion|used to|at first|on paper|(?:you|one)(?:['’]d| would)|was|were|than"
    r"|friends?|said|claim\w*)\b"
)
"""Words that turn what follows them in a clause into its opposite, or into no prediction."""
_CLAUSES_BEFORE = caseless(
    r"(?:.*(?:[;:–—]|,? but\b|, (?:so|yet|therefore|thus|hence|and)\b))?"
    r"(?:\W*(?:(?:al|even )?though|while|whereas|despite|since|because|as|given|based)\b[^,]*,)?"
)
"""The clauses of a sentence that say nothing about its last one: `Although it is not a comedy,`"""
_NO_DOUBT = caseless(r"\b(?:do(?: not|n['’]t) doubt|(?:little|without(?: any| a)?) doubt|not unlikely)\b")
ABOUT_ANOTHER = caseless(
    rf"^\W*(?:based on (?:the|their|this) (?:\w+ ){{1,3}})?the {USER} (?:will|would|is)(?: not|n['’]t)?{_SURELY}"
    rf"(?: to)? (?:{TAKE}|download|listen)\b[ \"“*]{{0,3}}(?-i:[A-Z])"
)
"""`The user will like Psycho`: a text that begins by predicting something of another item."""
HEDGED = re.compile(
    r"[\W_]*(?:(?:it is|it['’]s|that['’]s|very|highly|quite|most|extremely|rather|more than) )*"
    r"(?P<un>not (?:very |at all )?|un)?(?:likely|probably|probable)(?P<not> not)?"
    r"[*_]{0,3}(?:[.!]|,(?= (?:because|since|as|given)\b)|$)"
    r"(?!.*(?:[.!?–—-] |\n)\W{0,3}(?:so |but |then )?(?:yes|no)\b)",
    re.IGNORECASE | re.DOTALL,
)
"""`Very likely, since they love Hitchcock.`: how a text may begin."""


def predictions(text: str, *, opening: bool = False) -> set[bool]:
    """Return whether sentences say that the user will like the item, or will not, or both. Conditions do not count,
    and neither does what other words may deny. `opening`: only the first sentence counts."""
    found: set[bool] = set()
    kinds = (_PREDICTION, _SUCH) if _CONTRAST.search(text[:SEARCH_LIMIT]) else (_PREDICTION, _SUCH, _FIT)
    sentences = SENTENCES.split(text.strip()[:SEARCH_LIMIT])
    for sentence in sentences[:1] if opening else sentences:
        if not _IFFY.search(sentence):
            made = (one for kind in kinds for one in kind.finditer(sentence))
            found |= {_polarity(one) for one in made if not _is_turned(one)}
        if not _IFFY_ABROAD.search(sentence):
            foretold = _PREDICTION_ABROAD.finditer(sentence)
            found |= {not any(one.groups()) for one in foretold if not _is_turned_abroad(one)}
    return found


def _is_turned_abroad(found: re.Match[str]) -> bool:
    """Return whether any other word of the sentence may turn a prediction into its opposite (`No creo que …`)."""
    sentence = found.string[max(0, found.start() - _LEAD_SIGNS) : found.end() + _LEAD_SIGNS]
    return _TURNS_ABROAD.search(sentence.replace(found[0], " ")) is not None


def _is_turned(found: re.Match[str]) -> bool:
    """Return whether words before a match, in its clause, may turn it into its opposite (`I wouldn't say …`)."""
    sentence = SENTENCES.split(found.string[max(0, found.start() - _LEAD_SIGNS) : found.start()])[-1]
    before = _CLAUSES_BEFORE.match(sentence)
    clause = _NO_DOUBT.sub(" ", sentence[before.end() if before else 0 :])
    return _TURNS.search(clause) is not None


def _polarity(prediction: re.Match[str]) -> bool:
    return sum(one is not None for one in prediction.groups()) % 2 == 0


_IFFY = caseless(
    r"\b(?:if|unless|whether|when|might|may|could|perhaps|maybe|depends|unsure|uncertain|can(?:no|['’])t say"
    r"|(?:i['’]m|i am) not (?:sure|certain|convinced))\b|\?"
)
"""Words of a condition or a doubt, in whose sentence nothing is predicted."""
_IFFY_ABROAD = caseless(
    r"\b(?:si|se|cuando|quando|quand|quizás?|talvez|peut-être|forse|wenn|falls|vielleicht|dif[ií]cilmente|dudo|doute"
    r"|dubito|duvido|bezweifle)\b|\?"
)
_TURNS_ABROAD = caseless(
    r"\b(?:no|nunca|jamás|nadie|nada|tampoco|ni|poco|menos|pero|sino|ne|n['’]\w+|pas|jamais|personne|rien|peu|moins"
    r"|mais|non|mai|nessuno|meno|ma|não|nem|ninguém|pouco|mas|nicht|nie|niemand\w*|kein\w*|kaum|wenig\w*|aber"
    r"|sondern)\b"
)
_PREDICTION_ABROAD = caseless(
    r"\b(?:(no )?les? (?:gustar[áa]|encantará|va a (?:gustar|encantar))|(ne )?(?:lui|leur) plaira( pas)?"
    r"|(ne )?devrait( pas)? (?:lui|leur) plaire|(non )?(?:gli|le) piacerà|(não )?vai (?:gostar|adorar)"
    r"|wird (?:ihm|ihr|ihnen|(?:dem|der|den) \w+) (?:(?!(?:nicht|nie|kaum|wenig\w*)\b)\w+ )?(nicht )?gefallen)\b"
    r"(?!(?: \w+){0,2} [\"“«*]?(?-i:[A-Z]))"
)
"""`No le gustará.`, `Ça devrait lui plaire.`; the groups hold what denies it."""
_THEIR = rf"(?:their|his|her|(?:the|this) {USER}['’]s)"
_FOR = caseless(
    rf"\bright up {_THEIR} (?:alley|street)\b",
    r"\A\W*(?:highly |strongly )?recommended(?=[*_]{0,3}(?:[.!\n]|$))",
    rf"\bexactly {_THEIR} (?:kind|sort|type|style|thing|taste)\b",
    r"\b(?:hard|difficult|impossible) to say no\b",
    r"\baucune raison de dire non\b|\A\W*prediction[\W_]{1,6}likes?(?=[*_]{0,3}(?:[.!\n]|$))",
    r"\bno reason not to (?:recommend|suggest|offer) (?:it|this)\b",
    r"\A\W*(?:i (?:do not|don['’]t) see why not|without (?:a )?doubt|claro que sí|bien sûr que oui"
    r"|por supuesto que sí)[.!]",
    r"\bwould(?: not|n['’]t) hesitate to recommend (?:it|this)\b",
    r"\bno-brainer\b|\bno doubt about (?:it|that)\W{0,3}[.!–—-]",
    r"\bi(?:['’]d| would) bet on it\b",
    rf"\b(?:can(?:no|['’])t|do(?: not|n['’]t)) see why (?:they|he|she|the {USER}) would(?: not|n['’]t)(?=[.,;!]|$)",
    rf"\bnot only (?:will|would) (?:they|he|she|the {USER}) (?:{TAKE}) (?:it|this)\b",
    r"\bcan(?:no|['’])t go wrong with (?:it|this)\b",
    r"\A\W*why not\?(?! no\b)|👍",
    r"\A\W*no pewnie[!.]|\A\W*(?:acho que sim|creo que sí|je pense que oui|ich denke schon|penso di sì)[.!,]",
    rf"\bis (?:an? |an absolute )(?:hit|winner) for (?:them|him|her|(?:the|this) {USER})(?=[.!,;]|$)",
    r"\A\W*(?:com certeza|sem dúvida|con certezza|senza dubbio|auf jeden fall|absolument|sin duda(?: alguna)?"
    r"|desde luego"
    r"|direi (?:proprio )?di sì)[.!:]"
    r"(?! *(?:no|não|non|nein|nicht|pas)\b)",
    r"\bverdict\W{1,9}(?:highly |strongly )?recommended(?=[*_]{0,3}(?:[.!\n]|$))|예(?:에|쪽에) (?:더 )?가깝",
    r"应该会喜欢|(?<!不)会(?:很)?喜欢|気に入ると思|楽しめると思|好きだと思",
)
_AGAINST = caseless(
    r"\A\W*(?:claro que no|por supuesto que no|bien sûr que non|natürlich nicht|certo che no|конечно,? нет)\b",
    r"\A\W*(?:i doubt it|no way|不太?(?:会|可能)|acho difícil|lo dudo|no lo creo|je ne (?:le )?pense pas|j['’]en doute"
    r"|(?:das )?(?:glaube|denke) ich (?:eher )?nicht|не думаю|com certeza não|con (?:toda )?(?:certeza"
    r"|seguridad) no|certainement pas|sicuramente no"
    r"|sicher(?:lich)? nicht|auf keinen fall|direi (?:proprio )?di no)[.!,:。]|👎",
    r"\A\W*(?:je ne (?:pense|crois) pas que?|no creo que|ich (?:glaube|denke) (?:eher )?nicht, dass"
    r"|non (?:penso|credo) che|não acho que)\b",
    r"\A\W*(?:acho que não|creo que no|je pense que non|penso di no)[.!,]",
    rf"\bi (?:do not|don['’]t|can(?:no|['’])t) see (?:them|him|her|(?:the|this) {USER}) (?:lik|enjoy|lov)ing (?:it"
    rf"|this)\b",
    r"\A\W*not recommended(?=[*_]{0,3}(?:[.!\n]|$))",
    r"\bit is (?:very |quite |rather )?unlikely to (?:work|appeal|suit|fit)\b",
    r"\bcan(?:no|['’])t say yes\b|\A\W*prediction[\W_]{1,6}dislikes?(?=[*_]{0,3}(?:[.!\n]|$))",
    r"\bhard pass\b|\bverdict\W{1,4}skip\b|\A\W*not really[.!]",
    r"\bi(?:['’]d| would) (?:guess|say|think) (?:probably |rather |most likely )?not[.!]",
    r"(?<!probably, but )(?<!likely, but )(?<!maybe, but )(?<!yes, but )\bi would(?: not|n['’]t) bet on it\b",
    r"\bi(?:['’]d| would) (?:skip|pass on) (?:it|this)\b",
    rf"\bnot (?:(?:really|quite) )?{_THEIR} (?:thing|style|taste|cup of tea)\b",
    r"\bgive (?:it|this) a miss\b",
    r"不(?:太|大)?(?:可能|会)(?:会)?喜欢|合わないと思|好まないと思|気に入らないと思",
)
"""Idioms that speak for the item, and against it."""


def idiomatic(text: str) -> set[bool] | None:
    """Return the verdict of an idiom: `right up their alley`, `hard pass`."""
    text = text[:SEARCH_LIMIT]
    idioms = ((True, _FOR), (False, _AGAINST))
    found = {verdict for verdict, idiom in idioms for one in idiom.finditer(text) if not _is_turned(one)}
    return found or None
