"""What sentences predict that a user would do (`I think they would like it`), for the format `yes_no`.

A prediction counts only if nothing in its clause may turn it into its opposite, and if it depends on no condition. The
item's title has been replaced by `it`.
"""

from __future__ import annotations

import re

from llmrank.answers.text.normalise import caseless

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
TAKE = (
    r"like|enjoy|love|appreciate|watch|want|play|read|buy|order|click(?: on)?|try|make|cook|visit|finish|use|save"
    r"|stream"
)
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
_NOT_LIKED = (
    r" (?:to|through)\b| an? (?:rule|habit|point)\b|(?<=\buse it) as\b|(?<=\bsave it) for\b"
    r"|(?<=\btry it),? (?:and|but|once)\b"
)
"""What follows `it` if a verb does not mean that the user likes it: `They will make it through the first hour`."""
_THEIR = rf"(?:their|his|her|(?:the|this) {USER}['’]s)"
_ADVERB = "(?: (?:well|perfectly|nicely|closely))?"
_THEIRS = (
    rf"(?: (?:for|to|with|from))?(?: (?:them|him|her|(?:the|this) {USER}|{_THEIR}(?: \w+){{0,2}} (?:tastes?"
    r"|preferences?|interests?|profile|history|style|moods?|habits|likes)))?"
)
_SMALL = (
    "is|are|would|will|should|do|does|wo|looks?|seems?|appears?|feels?|like|be|to|not|never|hardly|very|really|quite"
    "|rather|clearly|probably|most|highly|likely|definitely|exactly|all|that|much|of|an?|the|also|one|still|by|no|means"
)
_NEGATIVE = caseless(
    r"\b(?:not|never|no|hardly|poor|bad|weak|wrong|terrible|unlikely|far from|doubt|dislik\w+|hat(?:e|ing)|low"
    r"|little|small|slim|skip)\b|n['’]t\b"
)
ABOUT_ANOTHER = caseless(
    rf"^\W*(?:based on (?:the|their|this) (?:\w+ ){{1,3}})?the {USER} (?:will|would|is)(?: not|n['’]t)?{_SURELY}"
    rf"(?: to)? (?:{TAKE}|download|listen)\b[ \"“*]{{0,3}}(?-i:[A-Z])"
)
"""`The user will like Psycho`: a text that begins by predicting something of another item."""
HEDGED = re.compile(
    r"[\W_]*(?:(?:it is|it['’]s|that['’]s|very|highly|quite|most|extremely|rather|more than) )*"
    r"(?P<un>not (?:very |at all )?|un)?(?:likely|probably|probable)(?P<not> not)?"
    r"[*_]{0,3}(?:[.!;]| [–—-] (?!\d)|,(?= (?:because|since|as|given)\b)|$)"
    r"(?!.*(?:[.!?–—-] |\n)\W{0,3}(?:so |but |then )?(?:yes|no)\b)",
    re.IGNORECASE | re.DOTALL,
)
"""`Very likely, since they love Hitchcock.`: how a text may begin."""


def predictions(text: str, *, opening: bool = False) -> set[bool]:
    """Return whether sentences say that the user will like the item, or will not, or both. Conditions do not count,
    and neither does what other words may deny. `opening`: only the first sentence counts."""
    found: set[bool] = {False} if _BUT_NOT.search(text[:SEARCH_LIMIT]) else set()
    text = _EXPECTS.sub(r"\1 that \2 will", _ELLIPSIS.sub(r"\1they ", text.strip()[:SEARCH_LIMIT]))
    for kind in (_PREDICTION, _SUCH):
        for sentence in SENTENCES.split(text)[: 1 if opening else None]:
            if not _IFFY.search(sentence):
                found |= {_polarity(one) for one in kind.finditer(sentence) if not _is_turned(one)}
    main = _CONCEDED.sub("", text)
    for sentence in [] if _CONTRAST.search(main) else SENTENCES.split(main)[: 1 if opening else None]:
        if not _IFFY.search(sentence):
            fits = ((one, len(_NEGATIVE.findall(one[0]))) for one in _FIT.finditer(sentence))
            found |= {not denied for one, denied in fits if denied < 2 and not _is_turned(one)}
    for sentence in SENTENCES.split(text)[: 1 if opening else None]:
        if not _IFFY_ABROAD.search(sentence):
            foretold = _PREDICTION_ABROAD.finditer(sentence)
            found |= {not any(one.groups()) for one in foretold if not _is_turned_abroad(one)}
    return found


_PREDICTION = caseless(
    r"(?:(?P<doubt>\bi (?:(?:do|would)(?: not|n['’]t) (?:really )?(?:think|believe|expect|imagine|see (?:why|how))"
    r"|doubt)"
    r"|\b(?:(?<!not )unlikely|doubtful|not (?:(?:very|too|so|at all|particularly) )?likely)"
    r"|\b(?:little|low|small|slim|no|not much(?: of a)?) (?:chance|likelihood)"
    r"|\bnothing (?:[^.!?\n]{1,60} )?suggests?)(?: that| if| whether| of)? )?"
    rf"\b(?:(?:the|this) {USER}|an? {USER} with (?:this|such an?|that) (?:history|taste|profile)|they|he|she)"
    rf"{_SURELY}(?: (?:will|would|should)|['’](?:ll|d)| wo(?=n['’]t)|(?: (?:is|are|am)|['’](?:re|s))(?P<never> not)?"
    rf"(?: going to|{_SURELY}(?: (?:very|highly|quite|rather|most|extremely))? (?P<un>un)?likely to))"
    rf"(?P<not>n['’]t| not| never)?{_SURELY}(?P<nor> not| never| hardly)?{_SURELY} "
    r"(?:(?:(?P<bored>be bored)|be interested)(?=[.!]|$)"
    rf"|(?:(?P<hate>hate|dislike|loathe|skip|avoid)|{TAKE}|download|listen to|be (?:interested in|into|a fan of)"
    r"|go for|pick(?: up)?|choose)"
    rf" (?:(?:this|the|that) (?:{_THINGS})|it(?!{_NOT_LIKED})|(?:this|that)(?! (?:{_ASPECTS})\b))\b"
    r"(?! (?:if|when|unless|or not|(?:even |much |far |no )?less|only|but only|as little)\b|, but only\b))"
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
    r"(?:\bi (?:(?:do|would)(?: not|n['’]t) (?:think|believe|say)|doubt)(?: that)? )?"
    rf"(?:(?<!would )(?<!does )(?<!will )\b(?:it|this|that|(?:this|the) (?:{_THINGS}))|\A[\W_]{{0,9}})"
    rf"(?:(?: |\b)(?:{_SMALL})(?:n['’]t)?\b|['’]s\b){{0,8}} ?"
    r"(?:\b(?:great|good|perfect|excellent|strong|natural|ideal|solid|suitable|poor|bad|weak|wrong|terrible)"
    r" (?:fit|match|choice|recommendation|pick)|(?<=\ba )(?:match|fit)"
    rf"|\b(?:(?:un)?likely to )?(?:fits?|match(?:es)?|suits?|appeals?|aligns?)|\bfar"
    rf"|\b(?:kind|sort|type) of \w+ (?:that )?(?:(?:the|this) {USER}|they) (?:likes?|enjoys?|loves?)){_ADVERB}"
    rf"{_THEIRS}{_ADVERB}(?=[.!\n]|$|,? (?:who|given|since|as|because)\b)"
)
"""`It would be a great fit.`, `A poor match.`; words of contrast in another sentence may take it back."""
_CONTRAST = caseless(r"\b(?:though|however|but|unfortunately|still|yet|hates?|dislikes?)\b")
_CONCEDED = caseless(
    r"\b(?:al|even )?though\b[^,.;!?\n]{0,200},|(?:^|(?<=[.!?\n] ))[^.!?;\n]{1,200}, but (?=(?:it|this|not an?)\b)"
)
"""The clauses that a sentence sets against its last one."""


_BUT_NOT = caseless(
    r"(?<!\blike it, )(?<!\blike it )(?<!enjoy it, )(?<!enjoy it )\bbut (?:would |will )?"
    r"(?:not|never) (?:really |actually )?(?:like|enjoy|love) (?:it|this)\b"
)
"""`They would watch it, but not like it.`"""
_EXPECTS = caseless(rf"\b(expect) ((?:the|this) {USER}) to\b")
_ELLIPSIS = caseless(
    rf"(\A\W*|(?:^|[.!?] )(?:the|this) {USER} [^.!?\n]{{1,200}}, but )(?=(?:wo|would)n['’]t |(?:will|would) )"
)
"""`The user liked no drama, but would like this one.`, `Would like it.`"""


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
_NO_DOUBT = caseless(
    r"\b(?:chances are(?: (?:good|high))?(?! \w+ that)|do(?: not|n['’]t) doubt|(?:little|without(?: any| a)?) doubt"
    r"|not unlikely)\b"
)


def _polarity(prediction: re.Match[str]) -> bool:
    return sum(one is not None for one in prediction.groups()) % 2 == 0


_IFFY = caseless(
    r"\b(?:if|unless|whether|when|might|may|could|perhaps|maybe|depends|unsure|uncertain|can(?:no|['’])t say"
    r"|(?:i['’]m|i am) not (?:sure|certain|convinced))\b|\?"
)
"""Words of a condition or a doubt, in whose sentence nothing is predicted."""
_IFFY_ABROAD = caseless(
    r"\b(?:si|se|cuando|quando|quand|quizás?|talvez|peut-être|forse|wenn|falls|vielleicht|dif[ií]cilmente|dudo|doute"
    r"|dubito|duvido|bezweifle|ли|может|знаю)\b|\?"
)
_TURNS_ABROAD = caseless(
    r"\b(?:no|nunca|jamás|nadie|nada|tampoco|ni|poco|menos|pero|sino|ne|n['’]\w+|pas|jamais|personne|rien|peu|moins"
    r"|mais|non|mai|nessuno|meno|ma|não|nem|ninguém|pouco|mas|nicht|nie|niemand\w*|kein\w*|kaum|wenig\w*|aber"
    r"|sondern)\b"
)
_PREDICTION_ABROAD = caseless(
    r"\b(?:(no )?les? (?:gustar(?:á|ía|a)|encantar(?:á|ía)|va a (?:gustar|encantar))|(ne )?(?:lui|leur) plaira( pas)?"
    r"|(ne )?devrait( pas)? (?:lui|leur) plaire|(non )?(?:gli|le) piacerà|(não )?vai (?:gostar|adorar)"
    r"|wird (?:ihm|ihr|ihnen|(?:dem|der|den) \w+) (?:(?!(?:nicht|nie|kaum|wenig\w*)\b)\w+ )?(nicht )?gefallen"
    r"|würde (?:(?:den|das|die|dieses|diesen|diese) \w+|es|it) (?:\w+lich )?(nicht )?mögen|(n['’])?(?:aimerait"
    r"|apprécierait)(?: probablement)?( pas)?(?= (?:ce|cet|cette|it)\b)"
    r"|(non )?apprezzerebbe|(não )?gostaria d[eoa]\w*|(не )?понравится(?! ли)|passt (?:gut "
    r"|(nicht) )?zum geschmack)\b"
    r"(?!(?: \w+){0,2} [\"“«*]?(?-i:[A-Z]))"
    r"(?! (?:algo|otr[oa]s?|más|qualcosa|altro|quelque|autre|etwas|outr[oa]s?)\b)"
)
"""`No le gustará.`, `Ça devrait lui plaire.`; the groups hold what denies it."""
_EVENT = (
    rf"(?: (?:that|of|for|to) (?P<{{0}}>[^.!?\n]{{{{0,40}}}}\b(?:lik|enjoy|lov|appreciat|interest|appeal|dislik|hat"
    rf"|yes)[^.!?,;\n]{{{{0,40}}}})"
    rf"| (?:that )?(?P<{{0}}2>(?:(?:the|this) {USER}|they|he|she)(?: [^.!?\n]{{{{0,20}}}}\b(?:like|enjoy|love)"
    rf"|(?:['’](?:d|ll)| would| will)? (?:{TAKE}|opens?)(?:e?s)?\b(?![^.!?\n]{{{{0,40}}}}\b(?:but|then"
    rf"|return|refund|regret|once|of it)))[^.!?,;\n]{{{{0,40}}}}))?"
)
_DEGREE = (
    r"(?:(?:very|quite|rather|fairly|about|around|roughly|only|also|an?|the) ){0,3}"
    r"(?:(?P<high>high|good|strong|great|excellent)|(?P<low>low|small|slim|little|poor|weak)"
    r"|(?P<percent>\d{1,3}(?:\.\d+)?) ?%|(?P<share>0?\.\d+))"
)
_LIKELIHOOD = r"(?:chances?|probability|likelihood|odds)"
_ODDS = (
    caseless(
        rf"(?:\A|[.!?:;,\n] ?|\b(?:is|s|say|think|believe|but|so|estimate|with) )[\W_]{{0,5}}{_DEGREE}"
        rf"(?: (?:{_LIKELIHOOD}|likely){_EVENT.format('event')}(?=[.!,;\n]|$)|(?<=%) yes(?=\W*\Z))"
    ),
    caseless(
        rf"\b{_LIKELIHOOD}{_EVENT.format('event')} ?(?: is| are| at| of|:"
        rf"|=|(?<=probability)(?= 0?\.\d)) ?{_DEGREE}(?:{_EVENT.format('behind')})(?=[.!,;\n]|$)"
    ),
)
"""`There is a high chance that they will like it.`, `Probability: 85%`, `with probability 0.3`"""


def odds(text: str) -> set[bool] | None:
    """Return whether a text calls it likely that the user will like the item; both if it gives even odds."""
    found: set[bool] = set()
    for one in (one for kind in _ODDS for one in kind.finditer(text[:SEARCH_LIMIT])):
        share = float(one["percent"] or 100 * float(one["share"] or 0))
        event = " ".join(text for name, text in one.groupdict().items() if text and name[:5] in ("event", "behin"))
        if not (one["high"] or one["low"]) and share == _EVEN:
            return {True, False}
        if event and not _OF_ITEM.search(event):
            continue
        likely = bool(one["high"]) or share > _EVEN
        found.add(likely == (_NEGATIVE.search(event) is None))
    return found or None


_EVEN = 50.0
_OF_ITEM = caseless(
    rf"\b(?:(?:dis)?lik(?:es?|ing)|enjoy(?:s|ing)?|(?:lov|appreciat|hat)(?:es?|ing)|appeal(?:s|ing)?"
    rf"|interest(?:s|ing|ed)?|yes|opens?|(?:{TAKE})(?:e?s|ing)?)(?: (?:in|to))?"
    rf"(?: (?:it|this|that|them|him|her|{USER}|(?:the|this) (?!(?:{_ASPECTS})s?\b)\w+))?"
    r"(?: (?:a lot|very much|too|as well))?\W*$"
)
"""What a chance is of: that they like it, and not something else or a part of it."""
_FOR = caseless(
    rf"\bright up {_THEIR} (?:alley|street)\b",
    r"\A\W*(?:highly |strongly )?recommended(?=[*_]{0,3}(?:[.!\n]|$))",
    rf"\bexactly {_THEIR} (?:kind|sort|type|style|thing|taste)\b",
    r"\b(?:it|this)(?: \w+){0,2} (?:is|would be|seems) (?:very |perfectly |well )?(?:suitable|suited|ideal|perfect"
    r"|right)"
    rf" (?:for|to) (?:them|him|her|(?:the|this) {USER})(?=[.,;!]|$)",
    r"\b(?:hard|difficult|impossible) to say no\b",
    r"\baucune raison de dire non\b|\A\W*prediction[\W_]{1,6}likes?(?=[*_]{0,3}(?:[.!\n]|$))",
    r"\bno reason not to (?:recommend|suggest|offer) (?:it|this)\b",
    r"\A\W*(?:i (?:do not|don['’]t) see why not|without (?:a )?doubt|claro que sí|bien sûr que oui"
    r"|por supuesto que sí)(?:[.!,]|\W*\Z)",
    r"\bwould(?: not|n['’]t) hesitate to recommend (?:it|this)\b",
    rf"\bi(?:['’]d| would) be (?:\w+ )?surprised if (?:they|he|she|(?:the|this) {USER}) (?:did(?:n['’]t| not)"
    rf" (?:{TAKE})"
    rf"|(?:disliked|hated|skipped)) (?:it|this)\b",
    r"\bno-brainer\b|\bno doubt about (?:it|that)\W{0,3}[.!–—-]",
    r"\bi(?:['’]d| would) bet on it\b",
    rf"\b(?:can(?:no|['’])t|do(?: not|n['’]t)) see why (?:they|he|she|the {USER}) would(?: not|n['’]t)(?=[.,;!]|$)",
    rf"\bnot only (?:will|would) (?:they|he|she|the {USER}) (?:{TAKE}) (?:it|this)\b",
    r"\bcan(?:no|['’])t go wrong with (?:it|this)\b",
    r"\A\W*why not\?(?! no\b)|👍",
    r"\A\W*no pewnie[!.]|\A\W*(?:acho que sim|creo que sí|je pense que oui|ich denke schon|penso di sì)[.!,]",
    rf"\bis (?:an? |an absolute )(?:hit|winner) for (?:them|him|her|(?:the|this) {USER})(?=[.!,;]|$)",
    r"\A\W*(?:com certeza|sem dúvida|con certezza|senza dubbio|auf jeden fall|absolument|sin duda(?: alguna)?"
    r"|desde luego|sans (?:aucun )?doute|certainement|seguramente|sehr wahrscheinlich"
    r"|direi (?:proprio )?di sì)[.!:]"
    r"(?! *(?:no|não|non|nein|nicht|pas)\b)",
    r"\bverdict\W{1,9}(?:highly |strongly )?recommend(?:ed)?(?=[*_]{0,3}(?:[.!\n]|$))|예(?:에|쪽에) (?:더 )?가깝",
    r"\A\W*推荐\W*\Z|\A\s*✅\s*\Z|좋아할 (?:것|겁)(?! 같지|이라고 (?:보기|생각하기) 어렵)|应该会喜欢",
    r"(?:\A|[。，,.\n])[^。，,.\n不没]{0,30}会(?:很)?喜欢(?![的吗么?？])|気に入ると思"
    r"|楽しめると思|好きだと思",
)
_AGAINST = caseless(
    r"\A\W*(?:claro que no|por supuesto que no|bien sûr que non|natürlich nicht|certo che no|конечно,? нет)\b",
    r"\A\W*(?:i doubt it|no way|不太?(?:会|可能)|acho difícil|lo dudo|no lo creo|je ne (?:le )?pense pas|j['’]en doute"
    r"|(?:das )?(?:glaube|denke) ich (?:eher )?nicht|не думаю|com certeza não|con (?:toda )?(?:certeza"
    r"|seguridad) no|certainement pas|sicuramente no"
    r"|sicher(?:lich)? nicht|auf keinen fall|direi (?:proprio )?di no"
    r"|unwahrscheinlich|peu probable|poco probab(?:le|ile)|ich (?:glaube|denke) (?:eher )?nicht)[.!,:。]|👎"
    r"|\A\W*不推荐\W*\Z",
    r"\A\W*(?:je ne (?:pense|crois) pas que?|no creo que|ich (?:glaube|denke) (?:eher )?nicht, dass"
    r"|non (?:penso|credo) che|não acho que)\b",
    r"\A\W*(?:acho que não|creo que no|je pense que non|penso di no)[.!,]",
    rf"\bi (?:do not|don['’]t|can(?:no|['’])t) see (?:them|him|her|(?:the|this) {USER}) (?:lik|enjoy|lov)ing (?:it"
    rf"|this)\b",
    r"\A\W*not recommended(?=[*_]{0,3}(?:[.!\n]|$))",
    r"\bit is (?:very |quite |rather )?unlikely to (?:work|appeal|suit|fit)\b",
    r"\bcan(?:no|['’])t say yes\b|\A\W*prediction[\W_]{1,6}dislikes?(?=[*_]{0,3}(?:[.!\n]|$))",
    r"\b(?:it|this)(?: \w+){0,2} (?:is|would be|seems)(?: not|n['’]t) (?:\w+ )?(?:suitable|suited|ideal|right)"
    rf" (?:for|to) (?:them|him|her|(?:the|this) {USER})(?=[.,;!]|$)",
    r"\bhard pass\b|\bverdict\W{1,4}skip\b|\A\W*not really[.!]",
    r"\bi(?:['’]d| would) (?:guess|say|think) (?:probably |rather |most likely )?not[.!]",
    r"(?<!probably, but )(?<!likely, but )(?<!maybe, but )(?<!yes, but )\bi would(?: not|n['’]t) bet on it\b",
    r"\bi(?:['’]d| would) (?:skip|pass on) (?:it|this)\b",
    rf"\bnot (?:(?:really|quite) )?{_THEIR} (?:thing|style|taste|cup of tea)\b",
    rf"\bi(?:['’]d| would) be (?:\w+ )?surprised if (?:they|he|she|(?:the|this) {USER}) (?:(?:lik|enjoy|lov|appreciat"
    r"|watch|play"
    r"|finish|click|order|pick)ed|wanted|bought|read|chose|sat through|stuck with|(?:got|made it) (?:past|through"
    r"|to))\b"
    r"(?![^.!?\n]*\b(?:less|only|other|already|before)\b)",
    rf"\bnot (?:really )?(?:one|something) for (?:them|him|her|(?:the|this) {USER})(?=[.,;!]|$)",
    r"\bgive (?:it|this) a miss\b",
    r"좋아하지 않|不(?:太|大)?(?:可能|会)(?:会|去)?(?:喜欢|点击|观看|购买|阅读|[看读玩买])"
    r"|不认为[^。，,.\n]{0,12}会喜欢",
    r"合わないと思|好まないと思|気に入らないと思",
)
"""Idioms that speak for the item, and against it."""


def idiomatic(text: str) -> set[bool] | None:
    """Return the verdict of an idiom: `right up their alley`, `hard pass`."""
    text = text[:SEARCH_LIMIT]
    idioms = ((True, _FOR), (False, _AGAINST))
    found = {verdict for verdict, idiom in idioms for one in idiom.finditer(text) if not _is_turned(one)}
    return found or None
