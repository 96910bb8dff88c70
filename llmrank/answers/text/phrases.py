"""The words before and beside a list: what they say about its meaning, its direction, and its grade.

A list may be the ranking, the candidates, the user's history, or the items that were left out; its introduction says
which. `PHRASES` holds the words for each meaning, and the first match wins. `DIRECTIONS` holds the words for "from
worst to best" in 25 languages, from which the patterns `WORST_FIRST` and `BEST_FIRST` are built. `grade` reads the
headings of graded lists (`High:`, `S tier:`). docs/reading-answers.md shows the examples given here, and tests check
them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llmrank.answers.text.normalise import ORDINALS, Pattern, caseless


class Phrase(NamedTuple):
    """Words that tell what a list is."""

    meaning: str
    pattern: Pattern
    examples: tuple[str, ...]


def _words(starting: str, within: str) -> Pattern:
    """Return a pattern for words with these beginnings, and for text that may also occur within a word."""
    return caseless(rf"\b(?:{starting})|{within}")


PHRASES = (
    Phrase("left out", _words(
        r"(?:not|cannot|unable to|(?:ca|wo|do|would|could|should)n['’]t|never|nicht|nie|ne|pas|no|não|non|niet"
        r"|не|inte|ikke)\b[^.,:\n]{0,30}\b(?:includ|aufgenom|recommend|rank|select|show to\b|chos"
        r"|list|suggest|empf|enthalten|aufgef|recommand|retenu|inclu|recomend|recomiend|consigl|aanbe|рекоменд|polec"
        r"|rekommend|anbefal)|nem ajánl|nu (?:aș |te |vă )?recomand|tidak (?:di)?rekomend|không (?:nên|đề xuất"
        r"|khuyên)"
        r"|δεν (?:θα )?(?:προτείν|συνιστ)|nedoporuč|neodporúč|en suosittele|önerm(?:iyor|em|edi)"
        r"|not (?:a (?:good )?(?:fit|match)|suitable|relevant)|(?:not|\w+n['’]t) (?:fit|suit)\b|exclu(?!siv)|esclus"
        r"|le(?:ft|av(?:e|ing))(?: (?:it|them|this|that|those))? (?:out|off (?:the|my|this))|omit|avoid(?!s\b)"
        r"|reject|(?:do|would)n['’]t bother|not bother|not for (?:you|them|this user|the user)\b"
        r"|not (?:in|on|among|part of) (?:my |the |this )?(?:top|list|ranking|order|final|picks?|table)\b"
        r"|unranked\b|missed (?:out\b|the cut\b)|just miss(?:es|ing)? the cut\b|did(?: not|n['’]t) (?:quite )?make "
        r"(?:it\b"
        r"|the (?:cut|list)\b)"
        r"|nothing to do with the (?:placing|ranking|order)|threw out\b|thrown out\b|skip(?:ped)?\b|dislike|hated?\b"
        r"|(?:like|enjoy|love|want)s?(?: it)? (?:the )?least\b(?! (?:up )?to\b| and (?:end|finish)ing\b)"
        r"|am wenigsten\b(?![^\n]{0,60}\b(?:bis|ehesten|meisten|besten)\b)"
        r"|(?:would|will|may|might)(?: not|n['’]t) (?:really )?(?:like|enjoy|watch|read|play|buy|choose)\b"
        r"|output format|format (?:is|of|should)|(?:steer|keep|stay)\b[^.\n]{0,30}\b(?:away|clear)\b"
        r"|(?:output|answer|response) should look"
        r"|weggelassen|ausgeschlossen|lasse ich (?:weg|aus)\b|écart|laisse\w* de côté|descart|dej\w+ (?:fuera"
        r"|de lado)"
        r"|lascio (?:fuori|da parte)|deixo de (?:fora|lado)|laat ik weg|ignor|discard"
        r"|déconseill|sconsigl|desaconse",
        r"(?m:^[^\w\n]*(?:unsure|undecided)\b[^,.\n]{0,20}:|^[^\w\n]*dropped\b[^:\n]{0,30}:)"
        r"|(?m:^[^\w\n]*не (?:включен|вошл|рекоменд|попал)\w*)|未入选|제외|お(?:すすめ|勧め)(?:しません|できません)"
        r"|(?m:\b(?:zum Beispiel|par exemple|por (?:exemplo|ejemplo)|per esempio|na przykład|например)\b[^:\n]{0,40}"
        r":\W*$)|추천하지 않|추천하지는 않|لا (?:أوصي|أنصح)|(?<!最)不(?:太|建议)?推[荐薦]|除外|пропущен|исключ"
        r"|(?m:^[^\w\n]*(?:(?:for|an) example\W*$|example (?:of|output|answer|ranking))"
        r"|\bin the (?:format|form|style)\W*$)"
        r"|(?m:^(?![^\n]*\b(?:most|best|top|highest)\b)[^\n]*\bleast\*{0,2} likely to (?:\w+ ){0,2}"
        r"(?:like|enjoy|love|watch|read|play|buy)\b)"),
        ("Not included:", "I would avoid", "Nicht empfohlen:")),
    Phrase("first try", _words(
        r"(?:first|initial|preliminary|draft|rough|tentative|previous|old|earlier) (?:attempt|try|ranking|list|draft"
        r"|idea|guess|order|version|pass|thoughts?|impression|instinct)|draft\b|entwurf|brouillon|bozza|borrador"
        r"|rascunho"
        r"|erster versuch|vorläufig|premi(?:er|ère) (?:essai|jet|version)|provisoire|primer intento|provisional"
        r"|prim[ao] (?:tentativo|idea)"
        r"|eerste (?:opzet|poging|versie)|voorlopig|primera idea|première idée|erste idee|primeira ideia"
        r"|чернов|первая попытка",
        r"初稿|初步|草稿|仮|暫定|暂定|(?m:^[^\w\n]*(?:(?:the|in|here is|this is"
        r"|for (?:comparison|reference),?) ){0,3}"
        r"(?:original|given|provided|shown|presented|input|listed) (?:order|list|ranking|in (?:this|the) order)"
        r"(?: of (?:the )?(?:candidates|items|titles|options))?(?: (?:is|was))?\W*$)"),
        ("First attempt:", "Initial ranking:", "Erster Versuch:")),
    Phrase("final", _words(
        r"final|(?<!no )consensus\b(?! (?:of|among|from)\b)|(?:combined|aggregated?) (?:ranking|order|list)\b"
        r"|answers?\b|verdict\b|decision\b(?! (?:matrix|table))"
        r"|(?:complete|full|whole) (?:list|ranking|order)\b(?! of (?:the )?(?:candidates|options|items))|oops\b"
        r"|bottom line|in the end\b|overall\b|conclusion|my (?:own )?(?:ranking"
        r"|order|list|recommendation|pick|choice)|result\b|output\b(?! format)|therefore|thus\b|so the (?:order"
        r"|ranking)|summary\b|should read\b|(?:order|ranking|list) should be\b"
        r"|revis|redo\b|re-?rank|new (?:order|ranking|list)\b|start(?:ing)? over|wait\b|scratch that|updated?\b"
        r"|correct(?:ed|ion)|let me correct\b|on reflection|on second thought|actually\b|rather:|better:|reconsider"
        r"|ultimate|endgültig|endfassung|urteil|antwort|ergebnis|meine (?:rangliste|reihenfolge|empfehlung)|fazit"
        r"|hence\b|überarbeitet|korrigiert|corrigé|corregid|corrett[ao]|corrigid|gecorrigeerd|poprawion|réponse"
        r"|définiti(?:f|ve)|mon classement|ma liste|résultat|respuesta|definitiv|resultado"
        r"|mi (?:lista|clasificación|ranking)|resposta|minha lista|risposta|risultato|la mia (?:lista|classifica)"
        r"|antwoord|eindlijst|odpowied|ostatecz|wynik|sonuç|cevap|nihai|slutlig|slutgiltig|endelig|svar\b|lopulli"
        r"|vastaus|végső|válasz|konečn|výsledn|odpově|răspuns|τελικ|απάντησ|остаточн|відповід|cuối cùng|kết quả"
        r"|câu trả lời|jawaban|hasil akhir|peringkat akhir",
        r"(?m:^[^\w\n]*so\W*$)|(?m:\bfixed(?: (?:order|ranking|list))?:\W*$)"
        r"|исправленн|ответ|итог|окончательн|最终|最終|答案|结果|結果|答え|정답|최종|결과|답변|النهائي|الإجابة|अंतिम"
        r"|उत्तर|คำตอบ"
        r"|สุดท้าย|סופי|תשובה"),
        ("Final ranking:", "Answer:", "Mon classement final :", "答案：")),
    Phrase("ranking", _words(
        r"because (?:you|the user)|since you|rank|recommend|order\b|ordered|sorted|top\b|picks?\b|shortlist"
        r"|\d+ best\b|best \d|here (?:are|is)\b|suggest|best to worst|rangliste"
        r"|reihenfolge|empf|classement|recommand|clasific|recomend|classific|consigl|rekommend|rangordn|anbefal|polec"
        r"|doporuč|odporúč|preporuč|ajánl|suositt|öner|sırala|recomand|προτείν|κατάταξ|đề xuất|gợi ý|xếp hạng"
        r"|rekomendasi|peringkat",
        r"рейтинг|рекоменд|порядок|排序|排名|推荐|推薦|おすすめ|ランキング|順位|순위|추천|सुझाव|แนะนำ|อันดับ|המלצ|דירוג|ترتيب|أوصي"),
        ("Recommendations:", "Reihenfolge:")),
    Phrase("given", _words(
        r"(?:candidates?|given|provided|proposed|available|options?(?! ?(?:\d|[a-e]\b))"
        r"|watched(?!(?: ?[→>-]{1,2} ?| )next)|history|(?<!next )watches|viewed|bought|gave|purchase[sd]|recently"
        r"|liked|loved|seen|rated|enjoyed|original"
        r"|similar to|pairs (?:well )?with|for fans of|input|shuffled|pool|previously|thoughts|explanations?|why"
        r"|vus?|vist[ao]s?)\b|e\.g\.|format should|discuss"
        r"|go through\b|consider|restat"
        r"|analy[sz]|reason|kandidat|vorgeschlagen|gesehen|verlauf|proposé|historique|candidat|propuest|historial"
        r"|histórico|caveats|aday|kandyda|obejrza|oglądan|izlediğ|geçmiş|historik|katsotu|megnézett|előzmény"
        r"|riwayat|đã xem",
        r"(?m:^[^\w\n]*(?:(?:a few|some|two|three|short) )?(?:notes|remarks|comments)\W*$)"
        r"|кандидат|истори|просмотр|候选|候選|候補|观看|觀看|視聴|履歴|후보|시청|المرشح"),
        ("Candidates:", "You have watched:", "Les films proposés :")),
)  # fmt: skip
"""Words before a list, by their meaning, in the order in which they are tried."""


class Direction(NamedTuple):
    """How a language says that a list begins with the worst or with the best."""

    language: str
    worst: str
    best: str
    to: str
    """The words between the two; empty if the language uses endings instead."""
    example: str
    """`From worst to best` in this language, shown in docs/reading-answers.md and tested."""
    between: int = 1
    """Maximum number of words before `to`. Each additional one allows an unrelated idiom (`minst fem filmer till
    bästa`)."""
    first: str = ""
    """Words for the beginning of a list: `The weakest match comes first`."""
    last: str = ""
    """Words for its end."""


DIRECTIONS = (
    Direction("English", r"worst|(?<!at )least|lowest|bottom(?! line)|weakest|poorest",
        "best|most|highest|top|strongest|favou?rite", "to|through", "From worst to best", 3,
        r"first|(?:at the|on) top", r"last|(?:at|until|till|for) the (?:very )?(?:end|bottom)|until last"),
    Direction("German", r"schlechteste\w?|schwächste\w?|niedrigsten|unwahrscheinlichsten",
        r"beste\w?|stärkste\w?|höchsten|wahrscheinlichsten", "zum|zur|bis", "Vom schlechtesten zum besten", 3,
        r"zuerst|oben|am anfang|als erste[srn]?", r"zuletzt|unten|am ende|zum schluss|als letzte[srn]?"),
    Direction("French", "pires?|moins|faible", "meilleure?s?|plus|fort", "au|à", "Du pire au meilleur", 3,
        r"en premier|d['’]abord|en tête|au début", r"en dernier|à la fin|en bas"),
    Direction("Spanish", r"peor|menor|(?<!al )menos|débil", "mejor|mayor|más|fuerte", "a|al", "De peor a mejor", 3,
        r"primero|al principio", r"al final|por último|al último"),
    Direction("Portuguese", "pior|fraco|menor|menos", "melhor|maior|mais|forte", "ao?|para|até", "Do pior ao melhor", 3,
        r"primeiro|no início|no topo", r"no final|no fim|por último"),
    Direction("Italian", "peggiore|meno|debole", "migliore|più|forte", "a|al|alla", "Dal peggiore al migliore", 3,
        r"per prim[oaie]|prima|all['’]inizio|in alto", r"per ultim[oaie]|alla fine|in fondo"),
    Direction("Dutch", r"slechtste|(?<!zijn )minst|zwakste|laag", "beste|meest|sterkste|hoog", "naar|tot",
        "Van slechtste naar beste", 3,
        r"eerst|bovenaan", r"laatst|onderaan|aan het eind"),
    Direction("Russian", "худш(?:его|их|ий|ая|ие)|слабого|наименее|менее|меньше всего",
        "лучш(?:ему|им|ий|ая|ие)|сильному|наиболее|более", "к|до",
        "От худшего к лучшему", 1,
        r"сначала|первым|вначале", r"в конце|последним"),
    Direction("Ukrainian", r"найгірш\w+|найменш", r"найкращ\w+|найбільш", "до", "Від найгіршого до найкращого"),
    Direction("Polish", r"najgorsz\w+|najmniej|najsłabsz\w+|najniższ\w+",
        r"najlepsz\w+|najbardziej|najsilniejsz\w+|najwyższ\w+", "do", "Od najmniej do najbardziej polecanego", 1,
        r"na początku|jako pierwsz\w+|najpierw", r"na końcu|jako ostatni\w*"),
    Direction("Czech", r"nejhorší\w*|nejméně", r"nej(?!hor|mén)\w+", "ke?|po", "Od nejhoršího k nejlepšímu"),
    Direction("Slovak", r"najhorš\w+|najmenej", r"najlepš\w+|najviac", "po|k", "Od najhoršieho po najlepší"),
    Direction("Croatian", r"najgor\w+|najmanje", r"najbolj\w+|najviše", "do|ka?|prema", "Od najgoreg do najboljeg"),
    Direction("Swedish", r"sämst\w*|lägst\w*|minst|svagast\w*", r"bäst\w*|högst\w*|mest|starkast\w*", "till",
        "Från sämst till bäst", 1,
        r"först|överst", r"sist|nederst"),
    Direction("Danish", r"dårligst\w*|værst\w*|lavest\w*|svagest\w*|mindst", r"bedst\w*|højest\w*|stærkest\w*|mest",
        "til", "Fra dårligst til bedst"),
    Direction("Norwegian", r"verst\w*|dårligst\w*|lavest\w*|svakest\w*|minst", r"best\w*|høyest\w*|sterkest\w*|mest",
        "til", "Fra minst til mest anbefalt"),
    Direction("Finnish", r"(?:huonoimma|heikoimma)sta|vähiten \w+sta", r"parhaaseen|vahvimpaan|eniten", "",
        "Huonoimmasta parhaaseen"),
    Direction("Hungarian", r"(?:a )?leg(?:rosszabb|gyengébb)\w*|legkevésbé \w+",
        r"(?:a )?leg(?:jobb\w*|erősebb\w*|inkább)", "", "A legrosszabbtól a legjobbig"),
    Direction("Turkish", r"en (?:kötü|düşük|zayıf|az)[^\s.,:;]*(?: [^\s.,:;]+[dt][ae]n)?",
        r"en (?:iyi|yüksek|uygun|güçlü|ço[kğ])[^\s.,:;]*(?: [^\s.,:;]+[dt][ae]n)?", "",
        "En kötüden en iyiye"),
    Direction("Romanian", r"ce(?:l|le|a|i) mai (?:slab|prost|puț|puţ)\w*",
        r"ce(?:l|le|a|i) mai (?!slab|prost|puț|puţ)\w+", "la", "De la cel mai slab la cel mai bun"),
    Direction("Greek", r"χειρότερ\w+|λιγότερο", r"καλύτερ\w+|περισσότερο", "στ(?:ο|α|η|ις|ους)",
        "Από το χειρότερο στο καλύτερο"),
    Direction("Indonesian", r"terburuk|terendah|kurang \w+|paling (?:tidak|rendah)",
        r"terbaik|tertinggi|paling (?!tidak|sedikit|rendah)\w+", "ke|hingga|sampai",
        "Dari yang terburuk hingga yang terbaik"),
    Direction("Vietnamese", r"(?:tệ|kém|thấp|ít)(?: \w+){0,3} nhất|thấp", "(?:tốt|cao|nhiều|phù hợp) nhất|cao", "đến",
        "Từ kém phù hợp nhất đến phù hợp nhất"),
    Direction("Arabic", r"الأسوأ|الأدنى|الأقل(?: \w+)?", "الأفضل|الأعلى|الأكثر", "إلى", "من الأسوأ إلى الأفضل"),
    Direction("Hindi", "सबसे (?:खराब|ख़राब|ख़राब)", r"सबसे (?!कम|खराब)", "से", "सबसे खराब से सबसे अच्छे तक", 0),
)  # fmt: skip
"""The languages whose words for the direction of a list are known. Chinese, Japanese and Korean express it in other
ways."""
WORST = "|".join(direction.worst for direction in DIRECTIONS)


def _from_to(direction: Direction, one: str, other: str) -> str:
    between = " "
    if direction.to:
        words = rf"(?: [^\s.,:;]{{1,20}}){{0,{direction.between}}}?"
        between = rf"{words} ?(?:{direction.to}|→|->|-|–|—) ?(?:[^\s.,:;]{{1,8}} )?"
    return rf"\b(?:{one})(?!\w){between}(?:{other})"


def _at_end(pole: str, place: str) -> str:
    """Return the words that put what is worst or best at an end of a list: `The weakest match comes first`."""
    between = rf"(?: (?!(?:of|and|or|{_HAD})\b)[^\s.,:;()]{{1,20}}){{0,3}}?"
    return rf"\b(?:{pole})(?!\w){between} (?:{place})(?=\W*(?:$|\n)|[.,:;)]| [^\w\s]| (?:and|und|et|y|e|en|и|i)\b)"


_HAD = "watched|saw|seen|liked|loved|read|played|bought|rated|enjoyed"
_WORST_FIRST = "|".join(
    f"{_at_end(one.worst, one.first)}|{_at_end(one.best, one.last)}" for one in DIRECTIONS if one.first
)
_BEGINS = (
    r"(?:start|begin|open|kick|lead)\w*(?: off| out)? (?:with|from|at|by)|beginn\w* (?:mit|bei)|commen\w+ par"
    r"|(?:emp[ie]\w*z|comi?en[zc])\w+ (?:por|con)|(?:come[çc]|inici)\w+ (?:por|com|pel[oa]s?)"
    r"|(?:cominci|inizi|partendo|parto)\w* (?:da|con|dal|dalla)|begin\w* (?:met|bij)|нач\w+ с"
)
_WORST_BEGINS = (
    rf"\b(?:{_BEGINS}) (?:(?!\b(?:{'|'.join(one.best for one in DIRECTIONS[:8])}|and|but|then|down"
    r"|before|until|leav\w*|save\w*)\b)[^.:;\n]){0,60}?"
    rf"\b(?:{WORST}|low end)\b(?!-)(?=[^.:\n]{{0,100}}: ?\W{{0,4}}(?:$|\n)"
    r"|,? (?:and|then|to) (?:\w+ )?(?:work|mov|go|climb|build|end|finish|proceed)\w*\b)"
)
"""`Starting with the one that I would recommend least:`"""
_WEAK_TO_STRONG = (
    r"(?<!range from )(?<!ranges from )(?<!ranging from )\b(?:(?:low|weak|poor)(?:er)?|bad|min(?:imum)?"
    r"|(?:un|less )likely|less|schwach\w*|weniger|niedrig|schlecht|zwakk?e?|laag|minder|débil|bajo|fraco|baixo|debole"
    r"|basso|(?:gor|słab)sz\w+|(?:hor|slab)š\w+)(?: (?:fit|match|relevan|score|interest|rating|likelihood|appeal)\w*)?"
    r"(?:[ -](?:to|nach|zu|naar|al?|ao?|do|ke?|po)[ -]| ?(?:→|->) ?)(?:(?:high|strong)(?:er)?|better|good|great"
    r"|excellent|max(?:imum)?|(?:more )?likely|more|stark\w*|mehr|hoch|gut|sterke?|hoog|meer|fuerte|alto|forte"
    r"|(?:lep|mocniej|silniej)sz\w+|(?:lep|siln)[eě]?[jš]\w+)\b"
)
"""`Low to high`, `from weaker to stronger matches`"""
_WORST_TO_BEST = "|".join((*(_from_to(one, one.worst, one.best) for one in DIRECTIONS), _WEAK_TO_STRONG))
_BEST_TO_WORST = "|".join(_from_to(one, one.best, one.worst) for one in DIRECTIONS)
_ENGLISH = DIRECTIONS[0]
WORST_FIRST = caseless(
    rf"{_WORST_TO_BEST}|{_WORST_FIRST}|{_WORST_BEGINS}"
    rf"|\bfrom (?:(?!\b(?:{_ENGLISH.best})\b)[^.:;\n]){{0,60}}\b(?:{_ENGLISH.worst})\b[^.:;\n]{{0,60}}?"
    rf" to [^.:;\n]{{0,40}}\b(?:{_ENGLISH.best})\b"
    r"|\b(?:beginnend mit (?:dem|der|den)|von (?:dem|der|den)|vom)\b[^\n:]{0,40}\bam wenigsten\b[^\n:]{0,60}"
    r"\bam (?:ehesten|meisten|besten)\b|\bvo[mn] (?:am )?(?:un\w{3,30}sten|wenigsten)\b[^\n:]{0,30}? (?:zum|zur"
    r"|bis)\b"
    rf"|\((?:{_ENGLISH.worst})\b[^()\n]{{0,20}}\)[^\n]{{3,2000}}\((?:{_ENGLISH.best})\b[^()\n]{{0,20}}\)"
    r"|\b(?:ascending|increasing) order (?:of|by|in) (?!(?:their |its )?(?:rank|position|place))"
    r"|\b(?:ascending|increasing) (?:preference|relevance|likelihood|interest|probability|recommendation|quality"
    r"|score|fit|suitability|match)"
    r"|\b(?:1 ?(?:=|is|being|means)|(?:(?:start|begin)(?:s|n?ing)|(?:i|we)(?:['’]ll| will)? (?:start|begin))"
    rf" (?:with|from)) ?(?:the )?(?:{_ENGLISH.worst})"
    r"|\blast (?:(?:one|title|item|movie|film|entry) )?(?:is |being |= ?)(?:the |my )?(?:best|strongest|top"
    r"|(?:one|what) (?:i|they|you|the user)\b[^.:\n]{0,30}\b(?:most|best)\b)"
    r"|\b(?:first|top) (?:(?:one|title|item|movie|film|entry) )?(?:is |being |= ?)(?:the |my )?"
    rf"(?:(?:one|what)\b(?:(?!\b(?:{_ENGLISH.best})\b)[^.:\n]){{0,40}}\b)?(?:worst|weakest|least)\b(?!-)"
    r"|\b(?:best(?! known)|strongest|favou?rite|winner|top (?:pick|choice|recommendation|match))"
    r"(?: (?:one|film|movie|pick|match))? (?:(?:closes|ends|concludes) (?:the|this|my) list\b|(?:is|being|comes|goes)"
    r" (?:the )?(?:very )?(?:last|final|bottom|lowest)\b(?! (?:\w+ )?(?:of|by|i|you|they)\b))"
    r"|\bworking (?:my|our) way up\b|\b(?:working|building|climbing|moving|leading|going) up (?:to|towards?) (?:the|my)"
    r" (?:\w+ )?(?:best|strongest|favou?rite|winner|top|number one|no\.? ?1)\b"
    r"|\b(?:gets?|getting) (?:better|stronger) (?:as (?:you|we|it) (?:go|move|read|scroll)(?:es|s)? (?:down|on|along)"
    r"|towards? the (?:end|bottom)|from top to bottom)\b"
    r"|\beach (?:one|title|item|movie|film|entry)? ?(?:is|being) (?:better|stronger|closer)\b[^.:\n]{0,20} than the"
    r" (?:one before|previous|last)\b"
    r"|\b(?:number|no\.?|#) ?1\b(?:(?!\b(?:best|most|highest|strongest|number|no)\b)[^.\n]){0,50}"
    rf"\b(?:{_ENGLISH.worst})\b"
    r"|\b(?:most|more) unlikely (?:\w+ )?first\b"
    r"|\b(?:discard|eliminate|drop|remove|cut)\b[^.:\n]{0,30}\bin (?:this|the following) order\b"
    r"|\b(?:end|finish|conclud|culminat)(?:s|e|es|ing)? (?:with|in) my (?:number one|no\.? ?1|favou?rite|strongest"
    r"|best (?:match|pick|choice|fit)|top (?:pick|choice|recommendation))\b"
    r"|\bfrom right to left\b|下(?:に行く)?ほど(?:おすすめ|お勧め|良い|いい)|越往下越"
    r"|(?m:^[^\w\n]*(?:is beaten by|loses to|is worse than)[^\w\n]*$)"
    r"|\b(?:last|bottom) (?:line|entry|one|title|item) is (?:the one|what) (?:to|they should|you should)"
    r" (?:watch|read|play|see|take) first|\brightmost (?:one )?(?:is |being |= ?)(?:the )?best"
    r"|\bhigher (?:the )?number\w*\b[^.\n]{0,20}\bbetter\b"
    r"|\bbottom[- ]up\b|\bfrom (?:the )?bottom up|\bvon unten nach oben|\bde abajo (?:a|hacia) arriba"
    r"|\bde bas en haut|\breversed? (?:order|ranking)"
    r"|\baufsteigend|\bordre croissant|\borden ascendente|\bordine crescente|\bordem crescente"
    r"|по возрастанию|从差到好|由差到好|从弱到强|由弱到强|由低到高|从低到高|從低到高|从最不|由劣到优|由劣至优"
    r"|升序|昇順|低い順|悪い順|(?:しない|低い|悪い|弱い)(?:もの|作品|映画)?から"
    r"|最(?:不[^\s。，,]{1,4}?|差|弱)的?(?:放|排|列)?在?(?:最?前|第一|首位|开头)"
    r"|最(?:好|佳|推荐|合适|适合)的?(?:放|排|列)?在?(?:最?[后後]|末尾)"
    r"|最[后後](?:的?(?:一[个個部项項]|作品|映画|もの))?(?:才?是|が|は)(?:一番|最も?)(?!不|差|弱|悪)"
    r"|마지막(?:이| 것이| 작품이| 영화가) 가장 (?!덜|안)"
    r"|오름차순|(?:낮은|나쁜|약한) (?:것|순위|순서)?(?:부터|순)|가장 덜 [^.:\n]{0,30}(?:부터|에서)|최하위부터"
    r"|가장 안 좋은 것부터|(?:最)?下位から(?:順|発表|上位へ)|低い(?:方|ほう)から|从最差"
    r"|מהפחות [^.:\n]{1,20} ליותר|מהגרוע(?: ביותר)? (?:ל|אל ה)טוב"
    r"|(?:แย่ที่สุด|น้อยที่สุด|น้อย)[^.:\n]{0,20}ไป[^.:\n]{0,10}(?:ดีที่สุด|มาก)"
)
"""Says that the last entry of a list is the best: `from worst to best`, `vom schlechtesten zum besten`, `升序`."""
COUNTDOWN = caseless(
    r"\bfrom (?:#|number |no\. )?(?!1\b)\d{1,3} (?:down )?to (?:#|number |no\. )?1\b"
    rf"|\bfrom (?:the |my )?(?:last|bottom|{'|'.join(ORDINALS[1:])}) (?:place|choice|pick|rank|position|spot)"
    r" (?:(?:all the way )?(?:down|up) )?to (?:the |my )?(?:first|top|number one)\b"
    r"|\bcount(?:ing)? ?down|\bcompte à rebours|\bcuenta (?:atrás|regresiva)|倒数|倒數|カウントダウン"
)
BEST_TO_WORST = caseless(_BEST_TO_WORST)
BEST_FIRST = caseless(
    rf"{BEST_TO_WORST.pattern}|\bdescending|\b(?:best |(?:most|highest|strongest) (?!unlikely)(?:\w+ ){{0,2}})first"
    r"|\b1 (?:is |being |= ?)(?:the )?(?:best|most)|absteigend|décroissant|descendente|decrescente"
    r"|降序|由高到低|从高到低|高い順"
)
NOT_THIS_WAY = caseless(
    rf"(?:{_WORST_TO_BEST})[^.:;\n]{{0,30}}\bthen (?:reversed|flipped|inverted)"
    rf"(?: it| them| the (?:list|order|ranking))?(?=\W*(?:$|[\n:.,;)]))|"
    r"[(,]? ?\b(?:(?:and|et|und|y|e|en) )?(?:not|non(?: pas)?|nicht|no|não|niet|instead of|rather than)"
    rf"(?: (?:from|du|de|vom?n?|dal|van))? (?:{_WORST_TO_BEST}|{_BEST_TO_WORST}"
    r"|(?:in )?(?:a|de)scending \w+|(?:in )?(?:in|de)creasing \w+)\)?"
)
"""Rules a direction out: `best to worst (and not worst to best)`, `from worst to best, then reversed`."""
_GRADES = (
    (
        1,
        r"low(?:er|est)?|less|bottom|last|worst|least|poor(?:est)?|weak(?:er|est)?|unlikely|bad|no|loser|skip|mismatch"
        r"|(?:not|\w+n['’]t|hardly|barely|scarcely) (?:\w+ )?worth",
    ),
    (
        2,
        r"mid|middle|medium|moderate(?:ly)?|average|maybe|possibl[ey]|second|then|next|runner-up|honou?rable|also worth"
        r"|if you (?:have|want|still|like)|optional(?:ly)?|backups?"
        r"|(?<!not )(?<!n['’]t )(?<!ly )(?<!well )worth (?:an? \w+|consider\w+|watch\w+|try\w+)",
    ),
    (3, r"top|high(?:er|est|ly)?|best|most|must|strong(?:er|est|ly)?|excellent|perfect|great|good|yes|winner"),
)
_GRADED = tuple((grade, caseless(rf"\b(?:{words})\b")) for grade, words in _GRADES)


def grade(intro: str) -> int | None:
    """Return the grade in the heading of a list, None if there is none. Grades are 1 to 3 (`Low:`, `Mid tier:`, `Most
    likely:`), or up to 9 for numbered and lettered tiers (`Tier 2:`, `S tier:`)."""
    heading = last_line(intro).strip(" *_#:.-")
    if tier := _TIER.search(heading):
        name = (tier[1] or tier[2]).upper()
        return 10 - int(name) if name.isdigit() else 9 - "SABCDEF".index(name)
    if len(heading.split()) > 4 or last_line(intro).rstrip(" *_").endswith(".") or BEST_FIRST.search(heading):
        return None
    grades = {grade for grade, words in _GRADED if words.search(heading)}
    return grades.pop() if len(grades) == 1 else 3 if not grades and _LIKELY.match(heading) else None


def degree(text: str) -> float | None:
    """Return the place of a verdict on one item on the scale of `grade`, in finer steps (`very high`, `somewhat
    likely`, `★★★`, `true`); None if a text is none."""
    word = text.strip(' *_#:.-"').casefold()
    if word and not word.strip("★⭐☆"):
        return float(len(word.rstrip("☆")))
    if word in _VERDICTS:
        return 3.0 if _VERDICTS.index(word) % 2 else 1.0
    step = _STEP.match(word)
    word = word[step.end() :] if step else word
    base = 2 if word.partition(" ")[0] in _MIDDLING else grade(word) if word else None
    if base is None or base > 3:
        return None
    more = (0.5 if step["more"] else -0.5) if step else 0.5 if _UTMOST.match(word) else 0.0
    return base + (more if base > 1 else -more)


_VERDICTS = ("false", "true", "hate", "love", "dislike", "like")
_MIDDLING = ("fair", "ok", "okay", "decent", "neutral", "so-so")
_STEP = caseless(
    r"(?P<more>(?:very|extremely|highly|really) )"
    r"|(?:somewhat|fairly|slightly|rather|quite|moderately|medium|mid)[ -](?=\w)"
)
_UTMOST = caseless(r"(?:excellent|perfect|best|must|(?:high|low|poor|weak)est|worst)\b")


def is_in_tier(intro: str) -> bool:
    """Return whether the heading of a list begins with the name of a tier."""
    return _TIER.match(last_line(intro).strip(" *_#:.-")) is not None


def is_tier(text: str) -> bool:
    """Return whether a text is only the name of a tier (`C tier`)."""
    return _TIER.fullmatch(text.strip(" *_#:.-")) is not None


_TIER = caseless(r"\b(?:tier(?: |(?=\d))([1-9SA-F])|([SA-F])[- ]tier)\b")
_LIKELY = caseless(r"(?:likely|very \w+)\b")


def with_then(text: str) -> str:
    """Return the text with the words that lead to the next or last entry of a list as `then`."""
    if any(map(text.__contains__, (" last", " end", " bottom"))):
        text = _ENDS.sub(r", then \1", text)
    text = _NEXT.sub(", then ", text)
    return _FIRST.sub(r"\1", text) if ", then " in text else text


_ENDS = re.compile(
    r",? (?:and|with) ((?=[A-Z\d\"“*\[(])(?:(?!\. )[^,;:\n]){1,80}?) (?:in |at )?(?:the )?(?:last(?: place)?|end"
    r"|bottom)(?=[.!]?(?:\n|$))"
)
"""`Heat, then Alien, with Fargo last.`"""
_AND = r"(?:y|e|et|und|en|a|i|и|а|ve|dan|và|그리고|och|og|ja|és|și|and|&)"
_NEXT = re.compile(  # a title begins with a capital; and this is twice as fast as without regard to case
    rf"(?:,(?: {_AND})?| {_AND}),? ?(?:por (?:último|fim)|finalmente|enfin|finalement|pour (?:finir|terminer)"
    r"|schließlich|zuletzt|zum [Ss]chluss|am [Ee]nde|infine|per ultim[oa]|tot slot|(?:als|het) laatste?|ten ?slotte"
    r"|nakonec|na koniec|na końcu|наконец|в конце|(?:и )?в последнюю очередь|напоследок|(?:en )?son(?: olarak)?"
    r"|terakhir|cuối cùng(?: là)?"
    r"|最[后後](?:[是にはが]|に?は)?|마지막으로|till sist|til (?:sidst|slutt?)|lopuksi|végül|în final|finally|lastly"
    r"|quindi|dann|danach|anschließend|tiếp theo(?: là)?|puis|ensuite|luego|después|poi|depois|em seguida|então"
    r"|daarna|затем|потом"
    r"|далее|potem"
    r"|następnie|poté|pak|(?:ondan )?sonra|ardından|lalu|kemudian|rồi|sau đó|sedan|därefter|derefter|sitten|majd|apoi"
    r"|그다음|然后|次[にはが]),? ?(?=[\[({*_\"“„«‘'\d]|(?!I\b)[A-Z])"
)
"""`Heat, Alien y, por último, Fargo`"""
_FIRST = re.compile(
    r"^(\W{0,4})(?:Önce(?:likle)?|İlk (?:önce|olarak)|Сначала|Сперва|Во-первых|Prima|Per prim[oa]|Innanzitutto"
    r"|Primero|En primer lugar|Primeiro"
    r"|Em primeiro lugar|D['’]abord|Tout d['’]abord|En premier(?: lieu)?|Zuerst|Zunächst|Als [Ee]rstes|Eerst|Als"
    r" eerste|Najpierw"
    r"|Nejprve|Nejdříve|Först|Først|Ensin|Először|Mai întâi|Pertama(?:-tama)?|Đầu tiên(?: là)?|Trước tiên(?: là)?),? "
    r"(?=[\[({*_\"“„«‘'\dA-Z][^\n]*, then )",
    re.MULTILINE,
)
"""`Önce Heat, sonra Fargo`"""
SENTENCE = re.compile(r"(?<=[.!?]) ")
"""Where a sentence of a line ends."""


def last_line(text: str) -> str:
    """Return the last non-empty line."""
    return text.rstrip().rpartition("\n")[2]


def meaning(intro: str) -> str:
    """Return the meaning of a list from the words before it: a `Phrase.meaning`, or nothing."""
    intro = _CANNOT.sub(" ", _NONE_OUT.sub(" ", intro.replace("_", " ")))
    *before, nearest = _SENTENCE_END.split(last_line(intro).rstrip())
    if before and not nearest.rstrip(" *_").endswith(":"):
        nearest = ""  # a sentence after the one that announces the list
    if "least" in nearest:
        nearest = WORST_FIRST.sub(" ", nearest)  # Starting with the one that they would like least:
    searches = ((phrase, nearest if phrase.meaning == "left out" else intro) for phrase in PHRASES)
    found = next((phrase.meaning for phrase, words in searches if phrase.pattern.search(words)), "") if intro else ""
    if found == "ranking" and (_HISTORY.match(last_line(intro)) or _YOU_HAD.search(last_line(intro))):
        return "given"  # The user's history, sorted by date:
    return "" if found == "given" and _BY.match(last_line(intro)) else found


_NONE_OUT = caseless(
    r"\b(?:skipped|excluded|omitted|left out|dropped): ?0\b"
    r"|\b(?:0|no|none|nothing|zero) (?:\w+ ){0,2}(?:skipped|excluded|omitted|left out|dropped)"
)
"""`(8 of 8 ranked, 0 skipped)`"""
_CANNOT = caseless(
    r"[^.!?\n]{0,200}\b(?:cannot|can['’]t|(?:un|not )able to|do(?:n['’]t| not) have)\b[^.!?\n]{0,200}[.!?\n]"
)
"""A refusal announces nothing: `I cannot give recommendations.`"""
_SENTENCE_END = caseless(
    r"[.!?] |, so (?=the |my |here |all )"
    r"|, (?:but|aber|mais|pero|mas|ma|maar|men) (?=here|this|these|my |hier|voici|aquí|aqui|ecco|meine |mon"
    r" |ma |mi |minha)"
)
_HISTORY = caseless(
    r"\W*(?:the )?(?:(?:user|viewer|reader)['’]s |your )?(?:(?:watch|viewing|reading) )?history\b(?= ?[:,])"
    r"|\W*(?:the )?(?:candidates?|items|movies|films|titles|options) to (?:be ranked|rank|order|sort)\W*:"
    r"|\W*you (?:\w+ )?(?:asked|want(?:ed)?)(?: me)? to (?:rank|order|sort)\b"
)
_YOU_HAD = caseless(
    r"\byou(?:['’]ve| have)? (?:watched|loved|liked|enjoyed|rated|read|played)(?: and (?:loved|liked|enjoyed|rated))?"
    r"(?:, in (?:this|that) order)?:\W*$"
)
_BY = caseless(r"[\W_]*(?:by|based on|considering)\b")
"""`By similarity to the watch history:` gives the criterion of a list, which does not contain the history."""


def says_worst_first(text: str) -> bool:
    """Return whether an answer says that its list begins with the worst."""
    return WORST_FIRST.is_in(text) and not BEST_FIRST.is_in(text)


_MAY_BE_REVERSED = caseless(
    r"\b(?:reversed|backwards?|upside[- ]down|increasing(?:ly)?|ascending|zunehmend|steigend|toenemend|creciente"
    r"|crescente|croissante?|rosnąc\w*|возраст\w*)\b|逆順|逆序|역순|\bfrom the (?:end|bottom)\b"
    r"|\bthe (?:further|farther|lower)\b[^.\n]{0,40}\bthe (?:better|more|strong\w+|clos\w+|high\w+)\b"
    r"|\b(?:by|of)\b[^.:\n]{0,30}\b(?:unlik|dislik|irrelevan|unsuitab|how (?:little|un))\w*"
    rf"|\bfrom (?:the )?(?:{_ENGLISH.worst})\b"
)


def may_be_reversed(line: str) -> bool:
    """Return whether the line before a list may say that it begins with the worst, in words without a rule."""
    understood = WORST_FIRST.search(line) or BEST_FIRST.search(line)
    return not understood and _MAY_BE_REVERSED.search(NOT_THIS_WAY.sub(" ", line)) is not None
