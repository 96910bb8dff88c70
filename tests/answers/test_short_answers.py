"""Short answers with words around them, as chat models write them, and what a careful person reads in each.

None stands for an answer that has no reading: it decides nothing, or it can be read in two ways.
"""

from __future__ import annotations

import pytest

from llmrank.answers import answer_format
from llmrank.types import Item, Outcome, Question, Response

FILMS = (
    *("Heat (1995)", "Usual Suspects, The (1995)", "Seven (a.k.a. Se7en) (1995)", "Fargo (1996)", "Casino (1995)"),
    "Toy Story 3 (2010)",
)

BY_LETTER: list[tuple[str, int | None]] = [
    ("A. Heat is the stronger film.", 1),
    ("B, because The Usual Suspects is the better fit.", 2),
    ("A is good, but B is the better choice.", 2),
    ("I would choose A over B.", 1),
    ("B rather than A.", 2),
    ("The answer is D. Casino is also a good choice.", 4),
    ("D. It is the best fit; E is the runner-up.", 4),
    ("D. Fargo (1996)", 4),
    ("My answer: D. Fargo is a dark comedy.", 4),
    ("The best choice is D. Fargo has the same humour.", 4),
    ("E is better than A, but D is the best.", 4),
    ("1. D\n2. E\n3. A", 4),
    ("1. D – Fargo\n2. E – Casino", 4),
    ("Ranking: D > E > A", 4),
    ("Option D is the safer pick, but option E is the one I'd go with.", 5),
    ("A and B are both crime films. C is a thriller. D it is.", 4),
    ("I'd pick D. A close second is E.", 4),
    ("The user would most likely watch D next.", 4),
    ("None of these.", None),
    ("A or D", None),
    ("Both A and D are fine.", None),
    ("I am torn between A and D.", None),
    ("D\n\nExplanation: A is too long, B is too old, and C is too dark.", 4),
    ("Explanation: A is too long.\nAnswer: D", 4),
    ("**D**", 4),
    ("d", 4),
    ("(d)", 4),
    ("d)", 4),
    ("Answer: d", 4),
    ("D) Fargo", 4),
    ("D: Fargo (1996)", 4),
    ("Fargo", 4),
    ("Fargo (1996)", 4),
    ("Fargo. It is the best fit.", 4),
    ("The second one is too long, so the fourth one.", None),
    ("The fourth one.", 4),
    ("I'd go with the fourth option because it is a comedy.", 4),
    ("The first one.", 1),
    ("It depends: A for crime, D for comedy.", None),
    ("D – my first thought was A, but the user disliked Heat.", 4),
    ("My first guess was A. On reflection, D.", 4),
    ("Not A. D.", 4),
    ("A? No. D.", 4),
    ("A is the better pick if they want action; otherwise D.", None),
    ("A 5-star pick: D", 4),
    ("I'd recommend D (Fargo) and not E (Casino).", 4),
    ("If I had to choose, D.", 4),
    ("D is what I'd choose, since A is the more obvious but weaker option.", 4),
    ("La mejor opción es D.", 4),
    ("Je choisis D, car A est trop long.", 4),
    ("Ich würde D nehmen, auch wenn A ebenfalls passt.", 4),
    ("选D", 4),
    ("选择D，因为A太长。", 4),
    ("答案是D。", 4),
    ("D가 가장 적합합니다.", 4),
    ("我选择A，而不是D。", 1),
    ("Dが最適です。", 4),
    ("A も良いですが、Dが最適です。", 4),
    ("I prefer A to B.", 1),
    ("A wins on action, B wins on comedy.", None),
    ("Choose A if they want action, B if they want comedy.", None),
    ("B, if I had to pick.", 2),
    ("A fits the history better than B.", None),
    ("A. Heat (1995)\n\nActually, wait. D is the safer choice here.", 4),
    ("A is the safer choice, but B is the better one.", 2),
    ("B is not the safest pick.", None),
    ("正解はDだと思います。Aも悪くありません。", 4),
    ("If I have to pick just one, I'd say D.", 4),
    ("Either A or D. If I have to pick just one, I'd say D.", 4),
    ("If I had to name one I'd say A is the worst.", None),
    ("It is between A and D, and their taste tips the scale toward the latter.", 4),
    ("I would take D because E is already overplayed.", 4),
    ("My pick is B (The Usual Suspects). Hmm, wait: that is too slow. D, then.", 4),
    ("At first I was going to answer B. The better pick is D.\n\nAnswer: D", 4),
    ("Answer: B\n\nAnswer: D", None),
    ("The user likes B-movies.\nMovie: Fargo\nAnswer: D", 4),
    ("D\nMovie: Heat\nAnswer: A", 4),
    ("Je recommande A ou D.", None),
    ("A oder D", None),
    ("I recommend D or E.", None),
    ("Either D or A would be fine.", None),
    ("推荐A或D。", None),
    ("AかDです。", None),
    ("D? Hard to say.", None),
    ("I would take any but A.", None),
    ("Non consiglio A.", None),
    ("Não escolheria A.", None),
    ("不是A。", None),
    ("用户不太可能选择A。", None),
    ("用户看过A后会看D。", 4),
    ("A不合适。", None),
    ("ユーザーはAを選ばないでしょう。", None),
    ("正解はAではなくDです。", 4),
    ("A를 추천하지 않습니다.", None),
    ("D를 추천합니다.", 4),
    ("Dに間違いありません。", 4),
    ("用户喜欢B级片，所以选D。", 4),
    ("Da sie Dramen mögen, würde ich D empfehlen. A wäre zu lang.", 4),
    ("They would most enjoy D, and least enjoy F.", 4),
    ("They would enjoy A, but D is better.", None),
    ("They would like A, but they'd love D.", None),
    ("I don't think they would enjoy A. D.", 4),
    ("If they were older they would enjoy A. D.", 4),
    ("Aを選ぶ人もいますが、Dです。", 4),
    ("None of the 6", None),
    ("I doubt they would enjoy A.", None),
]
BY_NUMBER: list[tuple[str, int | None]] = [
    ("3 stars? I'd pick 4.", 4),
    ("4. Fargo", 4),
    ("Number 4, as two of their five favourites are by the Coens.", 4),
    ("[4]", 4),
    ("Item 4", 4),
    ("I choose 4 because 3 of the 5 last films were comedies.", 4),
    ("6 (Toy Story 3)", 6),
    ("Toy Story 3", 6),
    ("Toy Story 3 is my pick.", 6),
    ("The 3 Toy Story films are favourites, so 6.", 6),
    ("1. 4\n2. 5\n3. 1", 4),
    ("1. [4]\n2. [5]", 4),
    ('{"choice": 4, "confidence": 0.9}', 4),
    ('{"item_id": 4, "alternatives": [5, 6]}', 4),
    ("4 or 5", None),
    ("Between 4 and 5 I prefer 5.", 5),
    ("4 is the better fit than 5.", 4),
    ("４番", 4),
    ("4番です。5番も良いです。", 4),
    ("选项4", 4),
    ("1, 2 and 3 are crime films; 4 is a comedy, as they wanted. So 4.", None),
    ("I'd go with the second film. The first one has 3 hours.", None),
    ("3番の「Seven」が一番おすすめです。1番は前回見たばかりです。", 3),
    ("For them I'd recommend #2. It has 8 awards, and the other 3 are slow.", 2),
    ("I would choose 4 or 5.", None),
    ("I recommend 4 and 5.", None),
    ("I recommend 4 and think 5 comes second.", 4),
    ("Não recomendo 1, recomendo 4.", 4),
    ("Je choisirais le n° 4, même si le 2 a une meilleure note.", 4),
    ("None of these. Their last 6 ratings are all romantic comedies, so no match among the 6 candidates.", None),
]
BY_TITLE: list[tuple[str, int | None]] = [
    ("Heat", 1),
    ("I recommend Fargo because the user liked Casino.", 4),
    ("Fargo – like Casino, it is about money.", 4),
    ("Fargo. If they have seen it, Casino.", 4),
    ("Fargo, followed by Casino.", 4),
    ("The user liked Heat and Casino, so I'd recommend Fargo.", 4),
    ("Since Heat is the best fit, I'd recommend it.", 1),
    ("Heat is a great choice, but Fargo is even better.", 4),
    ("Heat and Fargo are both great.", None),
    ("I would not recommend Heat.", None),
    ("Heat would be wrong. Fargo is right.", None),
    ("Go with Heat over Fargo.", 1),
    ("Fargo beats Heat.", 4),
    ("I'd start with Heat, then Fargo.", 1),
    ("Title: Fargo\nReason: similar to Heat", 4),
    ('{"title": "Fargo", "reason": "similar to Heat"}', 4),
    ('{"title": "Fargo"}', 4),
    ("My pick: Fargo (1996). Runner-up: Casino (1995).", 4),
    ("Fargo (1996) is my top pick.", 4),
    ("Unlike Heat, Fargo is a comedy. So Fargo.", 4),
    ("Heat isn't it. Fargo it is.", 4),
    ("Casino comes close, yet Fargo wins.", 4),
    ("Fargo\n\n(Heat was a close second.)", 4),
    ("Heat\nFargo\nCasino", 1),
    ("Heat, Fargo, Casino", 1),
    ('"Fargo"', 4),
    ("Best: Fargo. Worst: Casino.", 4),
    ("Heat? No. Fargo? Yes.", 4),
    ("Heat? Too long. Fargo? Too odd. Casino it is.", 5),
    ("Most people would recommend Heat, but I'd recommend Fargo.", 4),
    ("I'd recommend Fargo. People who like it also go for Heat.", 4),
    ("I'd recommend Fargo; if they've seen it, I'd recommend Heat.", 4),
    ("Casino would be the best choice for most users, but this one needs Fargo.", None),
    ("I'd choose Heat, but Casino would be fine too.", 1),
    ("You should watch Fargo! It is shorter than Heat or Casino.", 4),
    ("You should watch either Heat or Fargo.", None),
    ("The user should not watch Heat. They should watch Casino.", 5),
    ("The one I'd put first is Fargo, then Heat.", 4),
    ("My number one is Casino; Heat is number two.", 5),
    ("Je vous conseille Fargo, plus lumineux que Heat.", 4),
    ("Heat comes close, but Fargo is the one that fits best.", 4),
    ("Heat is not the one that fits best.", None),
    ('{"recommendation": {"movie": "Fargo", "because": ["Heat", "Casino"]}}', 4),
    ("Since they loved Heat (1995), another crime film makes sense: Fargo (1996).", 4),
    ("Not recommended for anyone who disliked Heat: Fargo.", None),
    ("おすすめは『Fargo』です。『Heat』を高く評価しているユーザーにぴったりです。", 4),
    ("我推荐《Fargo》。《Heat》风格过于暴力。", 4),
    ("不推荐《Fargo》。", None),
    ("おすすめは『Heat』ではありません。", None),
    ("用户可能已经看过《Heat》。", None),
    ("ユーザーは『Heat』を見ないでしょう。", None),
    ("『Heat』をおすすめします。長い作品ではありません。", 1),
    ("《Heat》不错。", 1),
    ("This film is what the user should avoid: Heat", None),
    ("It has to be Fargo. Heat is closer in tone, but they have skipped it twice.", 4),
    ("Weder Heat noch Casino dürften gut ankommen. Am ehesten passt wohl Fargo.", 4),
    ("Fargo is a good fit. Similar films: Casino", 4),
    ("Fargo. Backup: Heat", 4),
    ("They liked Casino. Last watched: Heat", None),
    ("Fargo has the same tone as a film they loved: Heat", None),
    ("One must see Heat once; for this user, Fargo.", 4),
    ("Heat or Fargo? Nothing points to the former.", None),
    ("Already seen: Heat", None),
    ('{"last_watched": "Heat"}', None),
    ("After Heat and Casino, one film remains: Fargo", 4),
    ("Fargo\n\nQuestion: What if they disliked Fargo?\nAnswer: Heat", 4),
    ("User: a fan of crime films\nAnswer: Fargo", 4),
    ("My recommendation is **Fargo 2 (1999)**. It deserves another look!", None),
    ("Since you enjoyed Heat, you'll love Fargo, which pokes fun at the genre.", 4),
    ("Casino... no, perdón, esa ya está en tu lista. Entonces me quedo con Fargo.", 4),
    ("Previously recommended: Heat. Now: Fargo.", None),
    ("Already recommended: Heat", None),
    ("Not Heat, that's my answer.", None),
    ("I would skip Heat; that's my answer.", None),
    ("They haven't seen Fargo, so that's the one.", 4),
    ("Heat matches their history, while Fargo is better.", 4),
    ("I'd pick Heat - no, Fargo.", None),
    ("I'd go with Heat – Fargo is too slow.", 1),
    ("When you want Casino again, watch it. Otherwise Fargo.", None),
    ("「Heat」が一番おすすめという人が多いですが、このユーザーには「Fargo」です。", None),
    ("「Heat」を選ぶ人もいますが、私は「Fargo」を選びます。", 4),
    ("「Heat」が最適か「Fargo」が最適か迷います。", None),
    ("以前「Heat」をおすすめしましたが、今回は「Fargo」をおすすめします。", 4),
    ("I'd pick either Fargo - a comedy - or Heat.", None),
    ("「Heat」または「Fargo」がおすすめです。", None),
    ("「Heat」をおすすめするのは難しい。", None),
    ("「Heat」よりも「Fargo」が最適です。", 4),
]
VERDICTS: list[tuple[str, int | None]] = [
    ("Yes.", 1),
    ("No.", 0),
    ("Yes, although they would not love the ending.", 1),
    ("No. They would enjoy Heat more.", 0),
    ("Yes, they would enjoy it. They did not like Heat.", 1),
    ("The user did not like Psycho, so they will not like this.", 0),
    ("The user would like it, but it is not their favourite genre.", 1),
    ("They would not mind it.", None),
    ("They would like it if it were shorter.", None),
    ("They'd like it more than Psycho.", 1),
    ("I don't think they'd dislike it.", 1),
    ("I doubt it.", 0),
    ("Probably yes.", 1),
    ("Probably no.", 0),
    ("Unlikely to be a hit with this user.", None),
    ("The user will enjoy Psycho.", None),
    ("Likely to enjoy it.", None),
    ("They will probably like it a lot.", 1),
    ("It's likely they'd like it, though not certain.", 1),
    ("There is no way they would like it.", 0),
    ("No way.", 0),
    ("Of course not.", 0),
    ("Not sure.", None),
    ("I can't say whether they would like it.", None),
    ("The user might like it.", None),
    ("The user may not like it.", None),
    ("They would never watch this.", 0),
    ("Never.", None),
    ("Hmm. The user loves Hitchcock. So yes.", 1),
    ("Would the user like it? The user loves Hitchcock, so they would like it.", 1),
    ("Does the user like it? Yes.", 1),
    ("It is not likely that the user would like it.", 0),
    ("It's not unlikely that they'd like it.", 1),
    ("Yes/No: No", 0),
    ("Answer: they would like it", 1),
    ("The user wouldn't watch this film.", 0),
    ("This is something they would definitely enjoy.", 1),
    ("The user would enjoy this kind of film.", None),
    ("They would enjoy it, but they have already seen it.", 1),
    ("They will love this!", 1),
    ("Not their cup of tea.", 0),
    ("Right up their alley!", 1),
    ("Hard to say.", None),
    ("👎", 0),
    ("👍", 1),
    ("Yes and no.", None),
    ("Maybe.", None),
    ("Yes, but I would not recommend it.", None),
    ("I'd say they'd like it.", 1),
    ("I'm not convinced they would like it.", None),
    ("I would be surprised if they liked it.", 0.0),
    ("The user is not interested in it.", None),
    ("They won't.", None),
    ("They will not be disappointed.", None),
    ("The user would rather watch Psycho than this.", None),
    ("The customer would likely buy this.", 1),
    ("This listener is unlikely to like this.", 0),
    ("I believe that this user would like Vertigo because they like Hitchcock, not because of the plot.", 1),
    ("It is not very likely that this user will watch it.", 0),
    ("They would like it less than Heat, which they hated.", None),
    ("Nothing suggests they would like it.", 0),
    ("I see no evidence that the user would like this.", 0),
    ("I see no evidence that the user would dislike this.", 1),
    ("Hard to imagine that they wouldn't like it.", None),
    ("There is little to suggest that they would enjoy it.", None),
    ("I wouldn't say they would like it.", None),
    ("It doesn't seem that they would like it.", None),
    ("I don't think, based on their history, they would enjoy it.", None),
    ("The chances that they will like it are slim.", 0),
    ("You'd think they would like it, but they hated Psycho.", None),
    ("They would like it to be shorter.", None),
    ("They would not like this ending.", None),
    ("Although it is not a comedy, they would like it.", 1),
    ("It's not short, but they would like it.", 1),
    ("I don't doubt that they will enjoy it.", 1),
    ("It's not right up their alley.", None),
    ("Heat was right up their alley; this is not.", None),
    ("Heat was a hard pass, but this one is a yes.", 1),
    ("It's a no-brainer: they hate violence, so no.", 0),
    ("At first glance they would like it, but no.", 0),
    ("If they like crime then yes, but if not then no.", None),
    ("Of course, it depends.", None),
    ("Certainly, I can help. What does the user like?", None),
    ('{"dislike": true}', None),
    ("Their friends think they would like it. They are wrong.", None),
    ("It is not something they would enjoy.", 0),
    ("It isn't the sort of thing this user would watch.", 0),
    ("It's something this user would love, if they liked horror.", None),
    ("I wish I could say it is something they'd enjoy.", None),
    ("No cabe duda de que le gustará.", 1),
    ("Creo que no le gustará mucho.", 0),
    ("No creo que le vaya a gustar.", 0),
    ("Si le gusta el terror, le gustará.", None),
    ("Le gustará mucho Psycho.", None),
    ("Ça devrait lui plaire.", 1),
    ("Ça ne lui plaira pas.", 0),
    ("Non gli piacerà.", 0),
    ("Acho que ele não vai gostar.", 0),
    ("Dificilmente vai gostar.", None),
    ("Der Film wird ihm nicht gefallen.", 0),
    ("Com certeza não.", 0),
    ("Eher nicht, der Nutzer mag keine Thriller.", 0),
    ("Yes, I can certainly help you with that! They will not enjoy it.", 0),
    ("Yes, I can help with that.", None),
    ("はい、と言いたいところですが、好まないと思います。", 0),
    ("My first instinct was no, but I'm changing that to yes.", 1),
    ("I was thinking of changing that to yes, but no.", 0),
    ("It would be a great fit.", 1),
    ("It would not be a good fit for this user.", 0),
    ("It would be a great fit for fans of horror.", None),
    ("Without a doubt! It is their favourite.", 1),
    ("Not really. They play farming sims.", 0),
    ("I don't see why not. They bought two.", 1),
    ("Hard to say, but I'd guess probably not.", 0),
    ("Claro que sí. No es fácil, pero le gusta.", 1),
    ("I wouldn't hesitate to recommend it.", 1),
    ("Not recommended\n\nPros: a classic", 0),
    ("Recommended. They love old films.", 1),
    ("It is unlikely to work for them.", 0),
    ("Je ne pense pas que cet utilisateur apprécierait ce film.", 0),
    ("No doubt about it, this is right up their street.", 1),
    ("No creo que le gustará.", 0),
    ("Nunca le gustará.", None),
    ("Je ne pense pas que ça lui plaira.", 0),
    ("Ça lui plaira peu.", None),
    ("Non credo che gli piacerà.", 0),
    ("Não acho que ele vai gostar.", 0),
    ("Der Film wird ihm kaum gefallen.", None),
    ("Psycho wird ihm gefallen, Vertigo nicht.", None),
    ("Ce film lui plaira beaucoup.", 1),
    ("Ce film ne lui plaira pas.", 0),
    ("Der Film wird ihm bestimmt gefallen.", 1),
    ("It's a great pick for the genre. The user hates the genre.", None),
    ("That is something they would enjoy, but this isn't.", None),
    ("I wouldn't hesitate to recommend something else.", None),
    ("I can't imagine this user not liking it.", 1),
    ("It probably isn't a good fit.", 0),
    ("不太可能。这位用户不看老片。", 0),
    ("Pourquoi pas ! Il a adoré deux films de ce genre. Donc oui.", 1),
    ("Reasons for yes:\n- likes Stewart\n\nReasons for no:\n- skipped two\n\nVerdict: skip it.", 0),
    ("I can't recommend it enough.", 1),
    ("Critics can't recommend it enough, but this user hates slow films.", None),
    ("I can't recommend it enough, but not to this user.", None),
    ("No reason they would like it.", 0),
    ("No reason they wouldn't like it, except that they hate old films.", 0),
    ("So no, they will not like it.", 0),
    ("They like Hitchcock. So no, this is not a stretch.", None),
    ("So no, I don't think they'd dislike it.", None),
    ("So yes, it's slow.", None),
    ("So yes, but no.", 0),
    ("Probability of yes: 85%", 1),
    ("Probability of no: 85%", None),
    ("Probability that they dislike it: 85%", 0),
    ("Chance that they won't like it: 70%", 0),
    ("Likelihood of regret: 70%", None),
    ("Not for this user, but yes, others would like it.", None),
    ("The user hates thrillers.\n\nNo.", 0),
    ("Have they seen it?\nNo.", None),
    ("Horror? Gore?\nNo.", None),
    ("Would they dislike it?\nNo.", None),
    ("It is a hit for this user.", 1),
    ("It is a hit for the kids.", None),
    ("They will make it through the first hour.", None),
    ("They'd use it as a sleeping aid.", None),
    ("They will try it and give up.", None),
    ("Con certezza. No.", 0),
    ("Auf jeden Fall. Nicht.", None),
    ("They have not seen it. So no, they can't have disliked it.", None),
    ("Probability that they enjoy it: about 20 %", 0),
    ("Will they skip it? No.", None),
    ("Does the user like it too? Yes.", 1),
]
RATINGS: list[tuple[str, float | None]] = [
    ("4", 4),
    ("4/5", 4),
    ("4.5", 4.5),
    ("I'd give it 4 out of 5.", 4),
    ("The rating is 4 (average of others: 3.2).", 4),
    ("4 (they gave 5 to Psycho)", 4),
    ("They gave 5 to Psycho and 3 to Rear Window, so 4.", 4),
    ("Average 3.8, predicted 4.", 4),
    ("Mean rating: 3.8. Prediction: 4.", 4),
    ("The average rating is 3.8.", None),
    ("Their average is 3.8, so probably 4.", 4),
    ("Rating (1-5): 4", 4),
    ("4 (1 = worst, 5 = best)", 4),
    ("Predicted rating (out of 5): 4", 4),
    ("(4/5)", 4),
    ("(I would say 4)", 4),
    ("Good film (rated 4 by most users, 5 by fans) - 3", 3),
    ("A solid four.", 4),
    ("A weak 3.", 3),
    ("3.5 stars (rounded up: 4)", 3.5),
    ("★★★★☆", 4),
    ("★ 4.5", 4.5),
    ("★4", 4),
    ("no more than 3", None),
    ("at least 4", None),
    ("not less than 4", None),
    ("<3", None),
    ("Rating: ≥ 4", None),
    ("3 to 4", None),
    ("4, I think.", 4),
    ("4 or 5", None),
    ("Trois étoiles et demie", 3.5),
    ("Je dirais 4.", 4),
    ("Vermutlich eine 4.", 4),
    ("probably 4 out of 5 stars, given 3 of 4 similar films were rated highly", 4),
    ("8/10", None),
    ("I'd give it 4 of 5; 9 of 10 fans agree.", 4),
    ("Rating: 4\nReason: they rated 3 similar films 5 stars.", 4),
    ("Most likely a 4, as the average is 3.9.", 4),
    ("They usually rate dramas 3, and this is a drama, so 3.", 3),
    ("They never give more than 4, so 4.", 4),
    ("If they were a Hitchcock fan I'd lean towards 5; as it is I'd say 3.", 3),
    ("I'd lean towards 5 if they liked old films. They don't: 3.", 3),
    ("I'm not leaning towards 3. 4.", 4),
    ("I'd love to say 5, but 4 it is.", None),
    ("One point above their usual 3, i.e. 4.", None),
    ("Not quite a 5, but more than a 3: a solid 4.", 4),
    ("4\n\nMovie: Heat (1995)\nRating: 2", 4),
    ("Movie: Vertigo (1958)\nRating: 4\n\nMovie: Heat\nRating: 5", 4),
    ("4\n\nUser: Psycho\nRating: 1", 4),
    ("I'd say 4.\n\nMovie: Heat (1995)\nRating: 2", 4),
    ("전편에 5점을 주었습니다. 5점 만점에 4점 정도.", 4),
    ("Yo diría que un 4. De las 12 películas, 9 tienen más de 3 estrellas.", 4),
    ("Per questo direi un 4, forse meno.", 4),
    ('"How would this user rate it from 1 to 5?"\n\n5 – they own 3 of his films.', 5),
    ("Four stars at least? No, make that five.", 5),
    ("Rating = (5 + 4 + 3) / 3 = 4", 4),
    ("They gave Psycho a 5 and Rope a 4, so I would expect something in between: 4.5.", 4.5),
    ("It should land at around a 4.", 4),
    ("予測評価は4.5です。理由は、『レベッカ』に5を付けているからです。", 4.5),
    ("Rating: 3. Rating: 5", None),
    ("The user has rated 12 films.\nMovie: Vertigo\nRating: 4", 4),
    ("The user gave Psycho 5.\nMovie: Vertigo\nRating: 4", 4),
    ("No diría que 5.", None),
    ("Diría 3, o 4.", None),
    ("Vertigo is slower – a 3; Psycho – a solid 5", None),
    ("Somewhere between 3 and 4, leaning towards 3.5 because of its length.", 3.5),
    ("三分之一的人不喜欢，四分。", 4),
    ("比满分少一分。", None),
    ("比平均分高一分。", None),
    ("不到四分。", None),
    ("三到四分。", None),
    ("三四分。", None),
    ("A 5 seems likely for Psycho, but a 3 for this.", None),
    ("5 is my guess for the ending, 3 for the whole.", None),
    ("I wouldn't put it at 5.", None),
    ("I'd say this is a good one", None),
    ("Score: 4. Confidence: 3.", 4),
    ("3\nedit: 4", 4),
    ("They'd rate it 4 if it were shorter.", None),
    ("If it's raining, 3; if sunny, 5. I'd say 4.", 4),
    ("If they play alone, 3; if with a friend, 5.", None),
    ("They'd rate it 4 if it were shorter; as it is, 3.", 3),
    ("4 stars\nEdit: 3 stars", 3),
]


def chosen(name: str, text: str, identifiers: tuple[str, ...]) -> int | None:
    """Return the place of the item that is read, from 1."""
    items = tuple(Item(title, title) for title in FILMS)
    answer = answer_format(name).read(Response(text), Question(items, identifiers, top=1))
    return FILMS.index(answer.ranked[0]) + 1 if answer.ranked else None


@pytest.mark.parametrize(("text", "place"), BY_LETTER)
def test_a_choice_by_letter(text: str, place: int | None) -> None:
    assert chosen("choice", text, tuple("ABCDEF")) == place


@pytest.mark.parametrize(("text", "place"), BY_NUMBER)
def test_a_choice_by_number(text: str, place: int | None) -> None:
    assert chosen("choice", text, tuple("123456")) == place


@pytest.mark.parametrize(("text", "place"), BY_TITLE)
def test_a_choice_by_title(text: str, place: int | None) -> None:
    assert chosen("one_title", text, ()) == place


def test_a_short_word_in_lower_case_is_no_title() -> None:
    items = tuple(Item(title, title) for title in ("It (2017)", "12 Angry Men (1957)", "Big (1988)"))
    text = "12 Angry Men is a big step up from what they usually watch, but I recommend it."
    answer = answer_format("one_title").read(Response(text), Question(items, top=1))
    assert answer.ranked == ("12 Angry Men (1957)",)
    unclear = answer_format("one_title").read(Response("I'd recommend it."), Question(items, top=1))
    assert unclear.outcome is Outcome.UNPARSED


def value(name: str, text: str) -> float | None:
    answer = answer_format(name).read(Response(text), Question((Item("v", "Vertigo (1958)"),)))
    assert (answer.value is None) == (answer.outcome is Outcome.UNPARSED)
    return answer.value


@pytest.mark.parametrize(("text", "verdict"), VERDICTS)
def test_a_verdict(text: str, verdict: int | None) -> None:
    assert value("yes_no", text) == verdict


@pytest.mark.parametrize(("text", "rating"), RATINGS)
def test_a_rating(text: str, rating: float | None) -> None:
    assert value("rating", text) == rating


def test_the_item_that_is_called_the_weakest_is_not_the_first() -> None:
    items = tuple(Item(title, title) for title in FILMS)
    text = "Fargo is the weakest of these for this user, and Heat comes close. Casino is the best."
    assert answer_format("titles").read(Response(text), Question(items)).reason == "ambiguous"


COMPLETE = (
    "WH-1000XM4 Wireless Headphones Black",
    "Avatar (2009)",
    "Donnie Brasco (1997)",
    "Heat (1995)",
    "Alien (1979)",
)


@pytest.mark.parametrize(
    ("at", "slip", "is_meant"),
    [(0, "WH-1000XM5 Wireless Headphones Black", False), (1, "The Aviator", False), (2, "Donny Brasco", True)],
)
def test_another_work_in_a_complete_list_is_no_slip(at: int, slip: str, is_meant: bool) -> None:
    items = tuple(Item(title, title) for title in COMPLETE)
    text = "\n".join((*COMPLETE[:at], slip, *COMPLETE[at + 1 :]))
    answer = answer_format("titles").read(Response(text), Question(items))
    assert answer.ranked == (COMPLETE if is_meant else (*COMPLETE[:at], *COMPLETE[at + 1 :]))


def test_who_hesitates_to_recommend_an_item_does_not_choose_it() -> None:
    items = tuple(Item(title, title) for title in ("Heat (1995)", "Fargo (1996)"))
    for text in ("I would hesitate to recommend Heat.", "I'd be reluctant to suggest Fargo."):
        assert answer_format("one_title").read(Response(text), Question(items, top=1)).outcome is Outcome.UNPARSED


def test_a_rating_that_is_denied_does_not_count() -> None:
    assert value("rating", "It's no five-star film. Three.") == 3
    assert value("rating", "No one would give it a five.") is None


def test_one_word_beside_other_small_words_is_another_title() -> None:
    items = tuple(Item(title, title) for title in ("The Road", "Dune", "Emma"))
    assert answer_format("titles").read(Response("1. On the Road\n2. Dune\n3. Emma"), Question(items)).ranked == (
        "Dune",
        "Emma",
    )


def test_a_list_of_other_titles_in_no_order_names_no_candidate() -> None:
    items = tuple(Item(title, title) for title in ("Heat (1995)", "Fargo (1996)", "Alien (1979)"))
    text = "The user has watched these movies, oldest first:\n- Jungle2Jungle (1997)\n- Jungle2Jungle (1997)"
    answer = answer_format("titles").read(Response(text), Question(items))
    assert (answer.reason, answer.repairs) == ("no_candidate_named", {})


def test_the_last_line_decides_after_a_list_of_what_was_weighed() -> None:
    items = tuple(Item(title, title) for title in ("Heat (1995)", "Casino (1995)", "Fargo (1996)"))

    def chosen(text: str) -> tuple[str, ...] | None:
        return answer_format("one_title").read(Response(text), Question(items, top=1)).ranked

    assert chosen("- **Heat**: too long\n- **Casino**: dry, but short\n\nSo Casino, then.") == ("Casino (1995)",)
    assert chosen("1. Heat\n2. Casino\n\nIf they have seen Heat, go with Casino.") == ("Heat (1995)",)
    assert chosen("Heat. Hmm, no, they own it. Make it Fargo instead.") == ("Fargo (1996)",)


def test_options_repeated_with_a_question_are_no_choice_and_hours_no_identifiers() -> None:
    items = tuple(Item(title, title) for title in ("Heat (1995)", "Casino (1995)", "Fargo (1996)"))
    letters = Question(items, ("A", "B", "C"), top=1)
    listed = "A. Heat (1995)\nB. Casino (1995)\nC. Fargo (1996)\n\nWhich of these would the user like?"
    assert answer_format("choice").read(Response(listed), letters).outcome is Outcome.UNPARSED
    numbers = Question(items, ("1", "2", "3"), top=1)
    text = "Me quedaría con la segunda opción. Dura unas 3 horas."
    assert answer_format("choice").read(Response(text), numbers).outcome is Outcome.UNPARSED
