"""Sentences of the four short formats whose reading is known: templates, one a line (`\\n` is a line break).

In `CHOOSES` and `CHOOSES_NONE`, `{x}` is the candidate that is chosen, `{y}` and `{z}` are two others; a candidate is
an identifier for `choice`, a title for `one_title`. `{T}`, `{U}` and `{V}` are the titles of the three. In `RATES`,
`{r}` is the rating and `{o}` another value; `{w}` is the rating as a word.
"""

from __future__ import annotations

CHOOSES = r"""
{x}
{x}.
**{x}**
"{x}"
Answer: {x}
Final answer: {x}
Final Answer: **{x}**
**Answer:** {x}
The answer is {x}.
The answer is **{x}**.
My answer is {x}.
My final answer: {x}
My pick: {x}
My choice is {x}.
My choice would be {x}.
My recommendation is {x}.
My recommendation would be {x}.
My top pick is {x}.
My vote goes to {x}.
My money is on {x}.
Recommendation: {x}
Recommended: {x}
Choice: {x}
Selection: {x}
Best match: {x}
Best option: {x}
Top pick: {x}
Prediction: {x}
Verdict: {x}
Winner: {x}
Conclusion: {x}
Result: {x}
Output: {x}
Selected: {x}
Next: {x}
Most likely: {x}
The best match is {x}.
The best option is {x}.
The best choice here is {x}.
The best choice for this user is {x}.
The best recommendation is {x}.
The best fit would be {x}.
The best of these is {x}.
The closest match is {x}.
The strongest candidate is {x}.
The most likely choice is {x}.
The most suitable option is {x}.
The most relevant candidate is {x}.
The right answer is {x}.
The correct answer is {x}.
The obvious choice is {x}.
The winner is {x}.
The clear winner is {x}.
The next one should be {x}.
The user's next choice will be {x}.
The user would most likely choose {x}.
The user will most likely pick {x}.
The user is most likely to choose {x}.
The user is likely to enjoy {x} the most.
The user would probably prefer {x}.
The user would prefer {x} over {y}.
The user would prefer {x} to {y}.
The user would rather have {x} than {y}.
The user should go for {x}.
They would most likely choose {x}.
They will probably go with {x}.
I would choose {x}.
I'd choose {x}.
I would pick {x}.
I would select {x}.
I would recommend {x}.
I would suggest {x}.
I would go with {x}.
I'd go with {x}.
I'll go with {x}.
I'm going with {x}.
I would say {x}.
I'd say {x}.
I choose {x}.
I pick {x}.
I select {x}.
I recommend {x}.
I suggest {x}.
I think {x}.
I think {x} is the best match.
I think {x} would be best.
I think the answer is {x}.
I think it's {x}.
I believe {x} is the best choice.
I believe the best option is {x}.
I believe the user would pick {x}.
I am confident that {x} is the best choice.
I'd lean towards {x}.
I lean towards {x}.
I am leaning toward {x}.
I'd opt for {x}.
I'd settle on {x}.
I'd put my money on {x}.
I'd bet on {x}.
My guess is {x}.
My best guess is {x}.
Probably {x}.
Most likely {x}.
Definitely {x}.
Definitely {x}!
Clearly {x}.
Likely {x}.
Perhaps {x}.
Maybe {x}.
Hmm, {x}.
Hmm, I'd say {x}.
OK, {x}.
Sure! {x}
Sure, I'd go with {x}.
So {x}.
So, {x}.
So it's {x}.
So the answer is {x}.
So I'd choose {x}.
Therefore, {x}.
Therefore, the answer is {x}.
Therefore I choose {x}.
Thus, {x} is the best choice.
Hence {x}.
It has to be {x}.
It must be {x}.
It would be {x}.
It's {x}.
It is {x}.
That would be {x}.
If I had to choose one: {x}.
If I had to pick one, it would be {x}.
If I had to pick, I'd say {x}.
If I could only recommend one, I'd recommend {x}.
Given the history, I'd go with {x}.
Given the user's taste, {x} is the best fit.
Given the user's love of thrillers, I would recommend {x}.
Based on the history, {x}.
Based on the history, I would choose {x}.
Based on the history, the answer is {x}.
Based on the user's history, the best match is {x}.
Based on the user's preferences, {x} is the most suitable option.
Based on the provided history, the user would most likely enjoy {x}.
Since the user likes thrillers, I'd go with {x}.
Since the user likes thrillers, {x} is the best option.
Because the user likes thrillers, {x}.
Considering the user's history, {x} stands out.
Considering everything, {x} is my pick.
After comparing all candidates, I would choose {x}.
After weighing all options, {x} is the best choice.
Among the candidates, {x} is the closest match.
Among these, {x} stands out.
Among these options, {x} fits best.
Of these, {x} is the best fit.
Of the candidates, I'd pick {x}.
Out of the options, {x} is the one.
From the list, I'd select {x}.
From the list, {x} is the most similar.
Of all the options, {x} is the most fitting.
{x} is the best match.
{x} is the best choice.
{x} is the best option.
{x} is my pick.
{x} is my choice.
{x} is my answer.
{x} is the answer.
{x} is the one.
{x} is the winner.
{x} is the clear winner.
{x} is the most likely choice.
{x} is the closest match to the user's taste.
{x} is a great fit for this user.
{x} is most similar to what the user has liked.
{x} is the most similar to the history.
{x} is the one I'd choose.
{x} is what I'd recommend.
{x} would be the best choice.
{x} would be my pick.
{x} would be the best fit for this user.
{x} seems to be the best fit.
{x} seems like the best choice.
{x} seems like the best option here.
{x} looks like the best match.
{x} appears to be the best match.
{x} fits best.
{x} fits the user's taste best.
{x} matches the history best.
{x} suits this user best.
{x} wins.
{x} stands out.
{x} it is.
{x} for sure.
{x}, definitely.
{x}, without a doubt.
{x}, because it fits the mood.
{x}, since the user likes thrillers.
{x} because the user likes thrillers.
{x} – it fits the mood.
{x} - the closest match.
{x} (it fits the mood)
{x}, not {y}.
{x} rather than {y}.
{x} over {y}.
{x} instead of {y}.
{x} > {y} > {z}
{x} is a better fit than {y}.
{x} is a better choice than {y}.
{x} is the better choice.
{x} is the better choice; {y} is too slow.
{x} is the best choice; {y} would be my second choice.
{x} is the best choice, followed by {y}.
{x} first, then {y}.
{x} is my first choice, {y} my second.
{x} is my top pick, with {y} a close second.
{x} is a stronger match than {y}.
Between {x} and {y}, I'd choose {x}.
Between {x} and {y}, {x} is the better fit.
Between {y} and {x}, I'd choose {x}.
Between {y} and {x}, {x} fits better.
It's between {y} and {x}. I'd choose {x}.
It's between {y} and {x}, but I'd choose {x}.
It's a close call between {y} and {x}, but I'd go with {x}.
It's a tough choice between {x} and {y}, but {x} wins.
Both {y} and {x} would work, but I'd go with {x}.
Both {y} and {z} are close, but {x} fits best.
Both {y} and {z} are good, but {x} is better.
Both {y} and {z} are good options, but I would choose {x}.
Both {y} and {x} are good, but {x} is better.
Both {x} and {y} fit the mood, but {x} is closer to the history.
{y} is good, but {x} is better.
{y} is close, but {x} is closer.
{y} is close, but I'd go with {x}.
{y} is a good option, but {x} is a better match.
{y} is a good option too, but {x} is the best match.
{y} could work, but {x} is the best fit.
{y} might also work, but my pick is {x}.
{y} would be fine, but {x} would be better.
{y} is tempting, but I'd choose {x}.
{y} is too slow, so {x}.
{y} is too slow, so I'd choose {x}.
{y} is too dark and {z} is too slow, so I pick {x}.
{y} is too dark, {z} is too slow, {x} is just right.
{y} is out. {z} is out. That leaves {x}.
{y} and {z} don't fit, which leaves {x}.
{y} does not fit. {z} does not fit either. {x} does.
{y} doesn't match the taste; {x} does.
While {y} is good, {x} is better.
While {y} is close, {x} fits best.
While {y} is a good option, I would choose {x}.
While {y} and {z} are good options, {x} is the best fit.
While both {y} and {z} are good, {x} is better.
Although {y} is close, I'd go with {x}.
Although {y} is similar, {x} is the better fit.
Although {y} and {z} fit the mood, {x} is the best match.
Though {y} is popular, I would recommend {x}.
Even though {y} is popular, {x} is closer to the user's taste.
Despite {y} being popular, {x} fits best.
Despite the appeal of {y}, I'd choose {x}.
As good as {y} is, {x} is better.
Much as I like {y}, {x} is the better match.
{y} may be popular, but {x} fits better.
Neither {y} nor {z} fits, so I pick {x}.
Neither {y} nor {z} fits, so {x}.
Neither {y} nor {z} is a good match, so the answer is {x}.
Neither {y} nor {z} fits. {x} does.
Neither {y} nor {z} comes close to {x}.
Not {y} or {z}, but {x}.
Not {y}, but {x}.
Not {y}. {x}.
Instead of {y}, I would choose {x}.
Instead of {y}, I'd recommend {x}.
Instead of {y} or {z}, I would choose {x}.
Instead of {y}, {x}.
Instead of {y}, the user would prefer {x}.
Rather than {y}, I would choose {x}.
Rather than {y}, I'd pick {x}.
Rather than {y} or {z}, I'd go with {x}.
I'd choose {x} over {y}.
I'd pick {x} over {y} and {z}.
I'd go with {x} rather than {y}.
I'd go with {x} instead of {y}.
I'd go with {x}, not {y}.
I prefer {x} to {y}.
I prefer {x} over {y}.
I would rather recommend {x} than {y}.
I would not choose {y}. I would choose {x}.
I wouldn't choose {y}; I'd choose {x}.
I would rule out {y} and {z}. {x} remains.
I ruled out {y} and {z}, so {x} is the answer.
I considered {y}, but {x} is the better match.
I considered {y} and {z}, but I'd go with {x}.
I was tempted by {y}, but I'd go with {x}.
I was torn between {y} and {x}, but I'd go with {x}.
At first I thought of {y}, but {x} is better.
Compared with {y}, {x} is the better choice.
Compared to {y} and {z}, {x} is closer to the user's taste.
Unlike {y}, {x} fits the mood.
Unlike {y} and {z}, {x} matches the user's taste.
Apart from {y}, {x} is the best option.
Nothing beats {x}.
None of the others come close to {x}.
None of the others fit, so {x}.
Only {x} fits.
Only {x} matches the user's taste.
Only {x} fits the mood; {y} and {z} do not.
The only one that fits is {x}.
The only good match is {x}.
The runner-up is {y}, but {x} is my pick.
My second choice would be {y}, but my first choice is {x}.
First choice: {x}. Second choice: {y}.
1. {x}\n2. {y}\n3. {z}
Top choice: {x}\nRunner-up: {y}
I'd recommend {x}. {y} is a close second.
I'd recommend {x}, with {y} as a backup.
I'd recommend {x}, although {y} is also good.
I'd recommend {x}, even though {y} is more popular.
I'd recommend {x}, followed by {y}.
I'd recommend {x}. If that is not available, {y}.
{x} is the best match. {y} is also good, but slower.
{x} is the best match, although {y} is close.
{x} is the best match, while {y} is too dark.
{x} is the best match because {y} is too dark and {z} is too slow.
{x}.\n\nReason: the user likes thrillers.
{x}\n\nReason: it is closer to the history than {y}.
{x}\n\nExplanation: {y} and {z} are too slow.
Reason: the user likes thrillers.\nAnswer: {x}
Reasoning: {y} is too dark, {z} is too slow.\n\nAnswer: {x}
Let's think step by step. {y} is too dark. {z} is too slow. So the answer is {x}.
Let's think. The user likes thrillers. {y} is a comedy. {z} is a drama. {x} is a thriller. Answer: {x}
The user has seen 10 thrillers. I'd choose {x}.
The user gave 5 stars to 3 thrillers, so {x} is the best match.
Which one would the user choose? {x}.
Which one would the user choose? I'd say {x}.
Question: Which one is the best? Answer: {x}
The user would choose... {x}!
Well, {x}.
Honestly, {x}.
Easy: {x}.
Easy choice: {x}.
No contest: {x}.
Hands down {x}.
{x}, hands down.
{x} all the way.
✅ {x}
👉 {x}
→ {x}
{x} ✅
{x} 👍
> {x}
# {x}
- {x}
* {x}
<answer>{x}</answer>
<answer>\n{x}\n</answer>
<result>{x}</result>
<think>{y} is close, but {x} fits.</think>\n{x}
```\n{x}\n```
\boxed{{{x}}}
$\boxed{{{x}}}$
The final answer is $\boxed{{{x}}}$.
{{"answer": "{x}"}}
{{"choice": "{x}"}}
{{"choice": "{x}", "reason": "It fits better than {y}."}}
```json\n{{"answer": "{x}"}}\n```
{{"reasoning": "{y} is too slow.", "answer": "{x}"}}
['{x}']
["{x}"]
Answer = {x}
Answer - {x}
answer: {x}
ANSWER: {x}
The answer: {x}
Here is my answer: {x}
Here's my pick: {x}
Here is my recommendation:\n\n{x}
Here is my recommendation:\n\n**{x}**\n\nIt continues the taste for thrillers.
Thank you! My recommendation is {x}.
I hope this helps: {x}
Assistant: {x}
### Response:\n{x}
Die Antwort ist {x}.
Antwort: {x}
Ich würde {x} wählen.
Ich würde {x} empfehlen.
Ich empfehle {x}.
Ich wähle {x}.
Meine Wahl ist {x}.
Meine Wahl fällt auf {x}.
Am besten passt {x}.
{x} passt am besten.
{x} ist die beste Wahl.
Die beste Wahl ist {x}.
Obwohl {y} gut ist, passt {x} besser.
Weder {y} noch {z} passt, also {x}.
Statt {y} würde ich {x} empfehlen.
Nicht {y}, sondern {x}.
Wahrscheinlich {x}.
La réponse est {x}.
Réponse : {x}
Je choisirais {x}.
Je choisis {x}.
Je recommande {x}.
Je recommanderais {x}.
Mon choix : {x}
Mon choix est {x}.
Le meilleur choix est {x}.
{x} est le meilleur choix.
{x} convient le mieux.
Bien que {y} soit proche, je choisirais {x}.
Ni {y} ni {z}, donc {x}.
Plutôt que {y}, je choisirais {x}.
Au lieu de {y}, je recommande {x}.
Probablement {x}.
La respuesta es {x}.
Respuesta: {x}
Elegiría {x}.
Elijo {x}.
Yo elegiría {x}.
Recomiendo {x}.
Recomendaría {x}.
Mi elección es {x}.
La mejor opción es {x}.
{x} es la mejor opción.
Aunque {y} es buena, {x} es mejor.
Ni {y} ni {z}, así que {x}.
En lugar de {y}, elegiría {x}.
Probablemente {x}.
La risposta è {x}.
Risposta: {x}
Sceglierei {x}.
Consiglierei {x}.
Consiglio {x}.
La mia scelta è {x}.
La scelta migliore è {x}.
{x} è la scelta migliore.
Anche se {y} è simile, {x} è la scelta migliore.
Invece di {y}, sceglierei {x}.
A resposta é {x}.
Resposta: {x}
Eu escolheria {x}.
Escolho {x}.
Recomendo {x}.
Minha escolha é {x}.
A melhor opção é {x}.
{x} é a melhor opção.
Embora {y} seja boa, {x} é melhor.
Em vez de {y}, eu escolheria {x}.
答案是{x}。
答案：{x}
答案：{x}。
我选择{x}。
我会选择{x}。
我选{x}。
我推荐{x}。
我会推荐{x}。
最佳选择是{x}。
最合适的是{x}。
最可能的选择是{x}。
应该选{x}。
选{x}。
推荐{x}。
{x}最合适。
{x}是最佳选择。
{x}更合适。
虽然{y}也不错，但{x}更合适。
根据用户的历史，我会选择{x}。
正解は{x}です。
答えは{x}です。
回答：{x}
答え：{x}
{x}です。
{x}を選びます。
{x}をおすすめします。
{x}が最適です。
{x}が一番合っています。
おすすめは{x}です。
最も適しているのは{x}です。
정답은 {x}입니다.
정답: {x}
답은 {x}입니다.
답: {x}
{x}입니다.
{x}를 추천합니다.
{x}을 선택하겠습니다.
{x}가 가장 적합합니다.
저는 {x}를 추천합니다.
가장 적합한 것은 {x}입니다.
Ответ: {x}
Ответ — {x}.
Я бы выбрал {x}.
Я бы порекомендовал {x}.
Я выбираю {x}.
Рекомендую {x}.
Лучший выбор — {x}.
Мой выбор: {x}
Лучше всего подходит {x}.
{x} подходит лучше всего.
Вместо {y} я бы выбрал {x}.
"""

CHOOSES_NONE = r"""
{x} fits better than {y}.
{x} fits better than {y} or {z}.
{x} is closer to the user's taste than {y}.
{x} is more likely than {y}.
{x} has the edge over {y}.
{x} is slightly better than {y}.
{x} passt besser als {y}.
{x} es mejor que {y}.
{x} or {y}.
{x} or {y}
Either {x} or {y}.
Either {x} or {y} would be fine.
I would choose either {x} or {y}.
I'd recommend {x} or {y}.
I'd go with {x} or {y}.
Both {x} and {y} are good choices.
Both {x} and {y} fit equally well.
{x} and {y} are equally good.
{x} and {y} are both good matches.
{x} and {y} are tied.
{x} is as good as {y}.
{x} is no better than {y}.
{x} is not better than {y}.
{x} might be good, {y} too.
{x} could work, but so could {y}.
I can't decide between {x} and {y}.
It's a toss-up between {x} and {y}.
I'm torn between {x} and {y}.
It is hard to choose between {x} and {y}.
It depends: {x} if they want action, {y} if they want drama.
It depends on the mood. {x} for action, {y} for drama.
If they want action, {x}. If they want drama, {y}.
Choose {x} for action, {y} for drama.
While {x} is good for action, {y} is better for drama.
{x} is better for action, {y} is better for drama.
{x} is better than {y} in some ways, but {y} is better in others.
I would not choose {x}.
I wouldn't recommend {x}.
Not {x}.
Anything but {x}.
Neither {x} nor {y}.
Neither {x} nor {y} fits.
Neither {x} nor {y} is a good match.
I would avoid {x}.
The worst choice is {x}.
The least likely is {x}.
{x} is the worst match.
{x} is not a good match.
{x} is not the best choice.
Instead of {x}, something else.
Instead of {x}, I would choose something newer.
Rather than {x}, I'd look for a comedy.
Although {x} is good, it is not the best.
Although {x} is close, none of them fits.
While {x} is good, it is not what the user wants.
While {x} is good, {y} is not bad either.
While {x} is good, {y} is just as good.
Although {x} is good, so is {y}.
Do you mean {x} or {y}?
Is it {x}?
Should I choose {x} or {y}?
Could you tell me more before I choose between {x} and {y}?
{x}? {y}? I don't know.
Maybe {x}, maybe {y}.
Perhaps {x} or perhaps {y}.
I will compare {x} and {y}.
Let me compare {x}, {y} and {z}.
I need more information to choose between {x}, {y} and {z}.
The candidates are {x}, {y} and {z}.
There are several options, such as {x} and {y}.
{x} is a thriller. {y} is a comedy. {z} is a drama.
Unlike {x}, {y} is not a thriller.
I would have chosen {x}, but the user has already seen it.
The user has already seen {x}.
Many people would choose {x}, but not this user.
If the user liked comedies, I would choose {x}.
Unless the user dislikes comedies, {x} or {y}.
{x} would be better if it were shorter, but {y} is too slow.
Entweder {x} oder {y}.
Weder {x} noch {y}.
Ich würde {x} nicht empfehlen.
Soit {x}, soit {y}.
Ni {x} ni {y}.
Je ne recommande pas {x}.
O {x} o {y}.
Ni {x} ni {y} encajan.
No recomendaría {x}.
Non consiglierei {x}.
Não recomendo {x}.
我不推荐{x}。
不选{x}。
{x}或{y}。
{x}不合适。
{x}はおすすめしません。
{x}か{y}です。
{x}는 추천하지 않습니다.
Я бы не выбрал {x}.
{x} или {y}.
"""

CHOICE_ONLY = r"""
({x})
[{x}]
{{{x}}}
{x})
{x}:
#{x}
Option {x}
Option {x}.
option {x}
Candidate {x}
Candidate #{x}
Candidate number {x}
Number {x}.
No. {x}
Item {x}
Movie {x}
Choice {x}
Passage {x}
The answer is ({x}).
The answer is option {x}.
The answer is candidate {x}.
Answer: Option {x}
Answer: ({x})
Answer: [{x}]
Answer: {x}. {T}
Answer: {x}) {T}
Answer: {x} - {T}
Answer: {x} ({T})
{x}. {T}
{x}) {T}
({x}) {T}
[{x}] {T}
{x}: {T}
{x} - {T}
{x} – {T}
{x} ({T})
**{x}. {T}**
**{x}** – {T}
Option {x}: {T}
{T}
{T} ({x})
{T} [{x}]
**{T}** ({x})
"{T}" (option {x})
I'd choose {x} ({T}).
I'd choose {T} ({x}).
I would recommend option {x}, {T}.
I'd go with {x}: {T}.
The best option is {x}: {T}.
The best option is {x}. {T} fits the mood.
The best choice is option {x} ({T}), because {U} is too slow.
While {U} ({y}) is good, {T} ({x}) is better.
While option {y} is good, option {x} is better.
Although option {y} ({U}) is close, option {x} ({T}) is a better match.
Neither option {y} nor option {z} fits, so I pick option {x}.
Instead of option {y}, I would choose option {x}.
{y}: {U} is too dark. {z}: {V} is too slow. {x}: {T} fits best.\n\nAnswer: {x}
- {y}: {U} – too dark\n- {z}: {V} – too slow\n- {x}: {T} – fits best\n\nI'd choose {x}.
{y}) too dark\n{z}) too slow\n{x}) fits best\n\nAnswer: {x}
Candidates:\n{y}. {U}\n{x}. {T}\n{z}. {V}\n\nAnswer: {x}
{{"answer": "{x}", "title": "{T}"}}
{{"id": "{x}"}}
{{"selected_option": "{x}"}}
{{"option": "{x}", "confidence": 0.9}}
I recommend **{T}**.
I'd recommend {T} because it is closest to the user's taste. {U} is a runner-up.
Ich würde Option {x} wählen.
Option {x} passt am besten.
L'option {x} est la meilleure.
Je choisirais l'option {x}.
La opción {x} es la mejor.
Elegiría la opción {x}.
L'opzione {x} è la migliore.
A opção {x} é a melhor.
我会选择选项{x}。
选项{x}最合适。
选项{x}
選択肢{x}です。
{x}番です。
{x}번입니다.
Вариант {x}.
Я бы выбрал вариант {x}.
Both {y} and {x} are strong candidates, but {x} edges out {y}.
While both {y} and {x} are strong candidates, {x} edges out {y} because it is shorter.
It's either {y} or {x}. If I have to choose only one, it's {x}: the mood is closer.
At first glance {y} looks right. So the best option is not {y} but {x}.
{y} is a better match than {z} for this reader, and {x} is an even better match than {y}.
{x}) {T}. It is short and funny. My second choice would be {y}), then {z}).
That leaves {y} and {x}, and since the user asked for something short, {x}.
La mejor opción para este usuario es la **{x}**, ya que le gusta el género.
The best next one is {x}, "{T}", since "{U}" is too long.
I'd pick {x}, {T}.
I'd pick {x} ({T}).
I like {y}, but it must be {x}.
I'd settle for {x}, though {y} is close.
In favour of {x} over {y}: it is short.
Recomiendo la {x} porque la {y} es larga.
Antwort: {x}, weil {y} zu lang ist.
Of {y} and {x} it is {x}.
{y}: no. {x}: yes
"""

CHOICE_NONE = r"""
{x} beats {y}.
{x} is better than {y}.
{x} is better than {y} and {z}.
{x} edges out {y}.
Option {x} or option {y}.
Both options {x} and {y} are good.
I see the options {x}, {y} and {z}. Let me think.
I cannot choose.
It depends.
None of the above.
Sorry, I can't help with that.
Which option do you prefer?
I'd need to know more about the user first.
While option {x} is good, option {y} is just as good.
The best next one is {x}, "{U}", since it is short.
The answer is {x}, {U}.
The answer is {x} – {U}, as it is short.
The answer is {x} ("{U}").
While {y} is good, {x} ("{U}") is better.
{x}: 8%, {y}: 21%
{x} - 9/10\n{y} - 7/10
Both {y} and {x} are too long, and {x} edges out {y}.
{y} is better than {z}, and {z} is better than {y}.
It's either {y} or {x}. If they want it short, it's {x}.
{x}) {T}. Too violent for them. {y} would be better.
"""

TITLE_ONLY = r"""
{x} beats {y}.
{x} is better than {y}.
{x} is better than {y} and {z}.
{x} edges out {y}.
Q: Which one fits best?\nA: {x}
Title: {x}
Movie: {x}
Title: "{x}"
The title is {x}.
The title is "{x}".
*{x}*
_{x}_
“{x}”
'{x}'
`{x}`
«{x}»
<title>{x}</title>
{{"title": "{x}"}}
{{"movie": "{x}"}}
{{"recommendation": "{x}"}}
{{"title": "{x}", "reason": "It is close to {y}."}}
The user would most likely enjoy {x} next.
The user would enjoy {x}.
The user will love {x}.
The user should watch {x} next.
I'd suggest watching {x} next.
Next up: {x}
Next watch: {x} 🎬
You should try {x}.
You'll love {x}!
Try {x}!
Give {x} a try.
Recommendation: {x}\nReason: it continues the taste for thrillers.
Recommendation: **{x}**\n\nWhy: {y} is too slow.
Movie recommendation: {x}
I recommend the movie {x}.
I'd recommend the film "{x}".
**{x}** is the best match.
"{x}" is the best match.
"{x}" fits best.
While "{y}" is good, "{x}" is better.
While **{y}** is good, **{x}** is better.
Although "{y}" is close, I'd go with "{x}".
Instead of "{y}", I would choose "{x}".
Neither "{y}" nor "{z}" fits, so I pick "{x}".
Both *{y}* and *{z}* are close, but *{x}* fits best.
我推荐《{x}》。
我会推荐《{x}》，因为它最接近用户的口味。
推荐：《{x}》
《{x}》最合适。
虽然《{y}》也不错，但《{x}》更合适。
「{x}」をおすすめします。
『{x}』が最適です。
おすすめは「{x}」です。
'{x}'를 추천합니다.
"{x}"을(를) 추천합니다.
Ich würde „{x}“ empfehlen.
Mein Vorschlag: {x}
Je vous recommande « {x} ».
Je vous conseille {x}.
Te recomiendo {x}.
Le recomendaría {x}.
Vi consiglio {x}.
Eu recomendo {x}.
Рекомендую «{x}».
Я бы порекомендовал «{x}».
If you like {U} and {V}, you'll love *{T}*! It builds on both.
The single best film is "{T}". If they like it, "{U}" would make a good follow-up.
So the best candidate here would be {T}, Ridley Scott's follow-up to {U}.
"""

TITLE_NONE = r"""
{x}, {y} and {z} are all too long.
I cannot recommend anything.
None of them.
It depends on the mood.
Have you seen {x}?
What did you think of {x}?
Fans of {x} will also like {y}.
People who liked {x} also liked {y}.
I don't know {x}.
{x} is overrated.
The user has seen {x} and {y}.
Sorry, I can't help with that.
If you like {U}, go for {T}. If you like {V}, go for {U}.
If you like {U}, you'll love {T}; if you like {V}, you'll love {U}.
"""

YES = r"""
1
It is not a great film, but it fits the user's taste.
There is a 5% chance that they would hate it.
No doubt, the user will like it.
I think it is a good match.
Yes
yes
YES
Yes.
Yes!
**Yes**
**Yes.**
"Yes"
'Yes'
(Yes)
[Yes]
`Yes`
Y
Answer: Yes
Answer: **Yes**
Final answer: Yes
Final Answer: **YES**
Prediction: Yes
Verdict: Yes
Verdict: yes, they will like it.
Result: Yes
Output: Yes
Response: Yes
Conclusion: Yes
Recommendation: Yes
Recommended: Yes
Recommend: Yes
Would like: Yes
Will like: Yes
Like: Yes
Liked: Yes
Match: Yes
The answer is yes.
The answer is "Yes".
The answer is: Yes
My answer is yes.
My answer: Yes.
So the answer is yes.
Therefore, the answer is yes.
Therefore, yes.
So yes.
So, yes.
I'd say yes.
I would say yes.
I say yes.
I think yes.
I think so.
I believe so.
I'd think so.
I would think so.
I guess so.
I suppose so.
Probably so.
I'm inclined to say yes.
I lean towards yes.
I'd lean towards yes.
I would lean yes.
Leaning yes.
Probably.
Probably yes.
Probably, yes.
Most likely.
Most likely yes.
Very likely.
Highly likely.
Quite likely.
Likely.
Likely yes.
More likely than not.
Almost certainly.
Almost certainly yes.
Definitely.
Definitely yes.
Definitely!
Absolutely.
Absolutely!
Certainly.
Of course.
Sure.
Sure!
Surely.
Without a doubt.
Undoubtedly.
No doubt.
Indeed.
Yep
Yup
Yeah
Yeah, probably.
Yes, definitely.
Yes, probably.
Yes, most likely.
Yes, I think so.
Yes, they would.
Yes, the user would.
Yes, the user will like it.
Yes, the user would likely enjoy {T}.
Yes, I would recommend it.
Yes, I'd recommend {T}.
Yes, because the user likes thrillers.
Yes, although it is slower than the others.
Yes, even though it is not a thriller.
Yes, but it may be a bit slow.
Yes. The user has not disliked any thriller.
Yes. It is not a comedy, but it fits the mood.
Yes - it fits the mood.
Yes – no other title fits better.
Yes (high confidence)
Yes (80%)
Yes, 80% confident.
Yes\n\nReason: the user likes thrillers.
Yes\nThe user has no dislikes in this genre.
Yes.\n\nExplanation: {T} is not far from what the user liked.
Reason: the user likes thrillers.\nAnswer: Yes
The user likes thrillers.\n\nYes
The user likes thrillers. Yes.
Based on the history, yes.
Based on the history, the answer is yes.
Based on the history, I would say yes.
Based on the history, the user would like it.
Based on the user's history, the user will likely enjoy {T}.
Based on the user's history, it is likely that they will enjoy {T}.
Given the history, I think yes.
Given the user's taste, yes.
Given the user's love of thrillers, they would enjoy {T}.
Since the user likes thrillers, yes.
Since the user likes thrillers, I'd say yes.
Since the user likes thrillers, they will probably like it.
Although it is slow, the user would like it.
Although it is not a thriller, yes.
Although it is not a thriller, the user would enjoy it.
Although the user does not often watch dramas, I think they would like it.
Even though the user did not like comedies, this one fits.
While it is not a perfect match, the user would likely enjoy it.
While it's slower than the others, I think the user would like it.
It is not a perfect match, but I'd say yes.
It is not a thriller, but the user would like it.
The user has not seen such films often, but yes, I think it fits.
The user has not seen many dramas, but would like this one.
I'm not certain, but I think yes.
I'm not sure, but probably yes.
Hard to say, but I lean yes.
It's a close call, but yes.
It's hard to say, but I think the user would like it.
Would the user like it? Yes.
Would the user like {T}? Yes
Will the user enjoy {T}? Yes, very likely.
Q: Would the user like it?\nA: Yes
Question: Would the user like it? Answer: Yes
Yes or no? Yes.
"Yes or no": yes
The user would like it.
The user will like it.
The user would enjoy {T}.
The user would love it!
The user would probably like it.
The user would likely enjoy this movie.
The user will most likely enjoy {T}.
The user is likely to enjoy {T}.
The user is very likely to like it.
The user is highly likely to enjoy this.
The user should like it.
The user should enjoy {T}.
The user would be interested.
The user would be interested in {T}.
The user would most likely appreciate {T}.
They would like it.
They would love this.
They'd enjoy it.
They will probably enjoy it.
They are likely to enjoy {T}.
This user would like {T}.
This user would definitely enjoy it.
I think the user would like it.
I think the user will enjoy {T}.
I think they would like it.
I believe the user would enjoy {T}.
I believe this user would like it.
I expect the user to like it.
I expect that the user will like it.
I predict that the user will like it.
I'd expect the user to enjoy {T}.
I am confident that the user would like it.
I'm sure they would like it.
I have no doubt that the user would like it.
There is no doubt that the user will like it.
It is likely that the user will like it.
It's likely that the user would enjoy {T}.
It is very likely that the user will like it.
It is highly likely that the user would enjoy it.
It's very probable that they will like it.
It seems likely that the user would like it.
It is not unlikely that the user will like it.
It's safe to say the user would like it.
Chances are the user will like it.
Chances are good that the user will like it.
The chances are high.
The chances are high that the user will like it.
The chances that the user likes it are high.
The chance that the user will like it is high.
There is a high chance that the user will like it.
There's a good chance that the user will like it.
There is a good chance the user would enjoy {T}.
There is a strong likelihood that the user will like it.
There is a high probability that the user will enjoy {T}.
The probability that the user will like it is high.
The likelihood of the user liking it is high.
High probability.
High chance.
High likelihood.
80% chance.
90% yes.
I'd say 80% yes.
There is an 80% chance that the user will like it.
The probability is 85%.
Probability: 85%
85% likely
Likelihood: 90%
Yes: 85%, No: 15%
It is a good match.
It's a great fit.
It is a good fit for this user.
It is a strong match for the user's taste.
It would be a good match.
It would be a good choice for this user.
It looks like a good match.
It seems like a good fit.
It fits.
It fits the user's taste.
It fits well.
It fits the user's taste perfectly.
It matches the user's taste.
It matches the user's preferences well.
It suits the user.
It would appeal to the user.
It is likely to appeal to the user.
It should appeal to the user.
This would appeal to them.
It aligns with the user's preferences.
It is right up the user's alley.
It's the kind of film the user likes.
This is exactly the kind of story the user enjoys.
{T} is a good match.
{T} fits the user's taste.
{T} matches the user's preferences.
{T} would be a great fit.
{T} would appeal to the user.
{T} aligns well with the user's taste.
A good match.
Good match.
A good fit.
A great fit for this user.
A perfect match.
Strong match.
Recommend
Recommend.
Recommended
Recommended.
Highly recommended.
I'd recommend it.
I'd recommend {T}.
I would recommend it.
I would recommend {T} to this user.
I would recommend this movie.
I'd suggest it.
Would recommend.
Worth recommending.
Worth watching.
Like
Likes it.
Will like it.
Would like it.
Would enjoy.
Will enjoy.
Positive.
Thumbs up.
👍
✅
✅ Yes
Yes ✅
Yes 👍
👍 Yes
True
TRUE
true
{{"answer": "yes"}}
{{"answer": "Yes"}}
{{"answer": true}}
{{"like": true}}
{{"would_like": true}}
{{"prediction": "yes", "reason": "No other title is closer."}}
{{"recommend": true}}
```json\n{{"answer": "yes"}}\n```
<answer>Yes</answer>
<answer>yes</answer>
<think>It is not a thriller, but it fits.</think>\nYes
<think>No? Hmm. It fits.</think>Yes
\boxed{{Yes}}
$\boxed{{\text{{Yes}}}}$
\boxed{{\text{{Yes}}}}
- Yes
> Yes
# Yes
Answer = Yes
Answer - Yes
Assistant: Yes
### Response:\nYes
Pros: mood, cast. Cons: no action. Verdict: yes.
- Mood: fits\n- Cast: not known\n\nVerdict: Yes
1. The mood fits.\n2. It is not slow.\n\nSo yes.
Genre: thriller (yes). Mood: dark (yes). Final answer: Yes
On the one hand it is slow; on the other hand it fits the mood. Overall, yes.
On the one hand it is slow, on the other it fits the mood. I'd say yes.
The user gave 5 stars to 3 thrillers, so yes.
The user has watched 10 thrillers and no comedy. Yes.
Ja
Ja.
Ja, wahrscheinlich.
Ja, der Nutzer würde den Film mögen.
Wahrscheinlich ja.
Ich denke ja.
Ich denke schon.
Ich würde sagen, ja.
Auf jeden Fall.
Sehr wahrscheinlich.
Antwort: Ja
Die Antwort ist ja.
Der Nutzer würde den Film mögen.
Der Film passt gut zum Geschmack.
Oui
Oui.
Oui, probablement.
Oui, l'utilisateur aimerait ce film.
Probablement oui.
Je pense que oui.
Je dirais oui.
Sans doute.
Certainement.
Réponse : Oui
La réponse est oui.
L'utilisateur aimerait ce film.
Sí
Sí.
Si.
Sí, probablemente.
Sí, al usuario le gustaría.
Probablemente sí.
Creo que sí.
Diría que sí.
Seguramente.
Respuesta: Sí
La respuesta es sí.
Al usuario le gustaría.
Al usuario le gustará.
Sì
Sì, probabilmente.
Probabilmente sì.
Penso di sì.
Direi di sì.
Risposta: Sì
La risposta è sì.
L'utente apprezzerebbe il film.
Sim
Sim.
Sim, provavelmente.
Provavelmente sim.
Acho que sim.
Eu diria que sim.
Resposta: Sim
A resposta é sim.
O usuário gostaria do filme.
是
是。
是的
是的，用户会喜欢。
会
会。
会喜欢
会的，用户会喜欢。
喜欢
可能会喜欢。
很可能会喜欢。
用户会喜欢。
用户可能会喜欢这部电影。
答案：是
答案是：是
我认为用户会喜欢。
推荐
はい
はい。
はい、好きだと思います。
はい、気に入ると思います。
おそらくはい。
答え：はい
気に入ると思います。
예
네
네.
예, 좋아할 것입니다.
네, 좋아할 것 같습니다.
답: 예
정답: 예
좋아할 것입니다.
아마 좋아할 것입니다.
Да
Да.
Да, скорее всего.
Скорее да.
Скорее всего, да.
Думаю, да.
Ответ: Да
Ответ: да.
Пользователю понравится.
Пользователю, скорее всего, понравится.
There is no doubt in my mind that this viewer will watch {T}.
No doubt about it: this reader will love {T}.
There's roughly an 85% chance that this viewer watches it.
I can't imagine they would dislike {T}.
I'd be surprised if they didn't like it.
### Verdict: ✅ Recommend
No. Hmm, on second thought they love this director, so I have to say yes.
Highly likely; they love this director.
"""

NO = r"""
0
It is a great film, but it does not fit the user's taste.
It is a good film, but not a good match.
There is a 90% chance that they would hate it.
I don't think it is a good match.
I doubt it would fit.
It is by no means a good match.
No
no
NO
No.
No!
**No**
**No.**
"No"
'No'
(No)
[No]
`No`
N
Answer: No
Answer: **No**
Final answer: No
Final Answer: **NO**
Prediction: No
Verdict: No
Verdict: no, they will not like it.
Result: No
Output: No
Response: No
Conclusion: No
Recommendation: No
Recommended: No
Recommend: No
Would like: No
Will like: No
Like: No
Liked: No
Match: No
The answer is no.
The answer is "No".
The answer is: No
My answer is no.
My answer: No.
So the answer is no.
Therefore, the answer is no.
Therefore, no.
So no.
So, no.
I'd say no.
I would say no.
I say no.
I think no.
I think not.
I don't think so.
I do not think so.
I don't believe so.
I doubt it.
I doubt that.
I'm afraid not.
I guess not.
I suppose not.
I would think not.
I'm inclined to say no.
I lean towards no.
I'd lean towards no.
I would lean no.
Leaning no.
Probably not.
Probably no.
Most likely not.
Likely not.
Likely no.
Unlikely.
Very unlikely.
Highly unlikely.
Rather unlikely.
Not likely.
Not very likely.
Hardly.
Not really.
Not at all.
Almost certainly not.
Definitely not.
Definitely not!
Absolutely not.
Absolutely not!
Certainly not.
Of course not.
Surely not.
Nope
Nah
No, definitely not.
No, probably not.
No, I don't think so.
No, they would not.
No, the user would not.
No, the user will not like it.
No, the user would not enjoy {T}.
No, I would not recommend it.
No, I wouldn't recommend {T}.
No, because the user likes thrillers.
No, although the cast is strong.
No, even though it is a thriller.
No, but the cast is strong.
No. The user likes thrillers.
No. It is a thriller, but too slow.
No - it does not fit the mood.
No – the user likes lighter films.
No (high confidence)
No (80%)
No, 80% confident.
No\n\nReason: the user likes comedies.
No\nThe user likes other genres.
No.\n\nExplanation: {T} is far from what the user liked.
Reason: the user likes comedies.\nAnswer: No
The user likes comedies.\n\nNo
The user likes comedies. No.
Based on the history, no.
Based on the history, the answer is no.
Based on the history, I would say no.
Based on the history, the user would not like it.
Based on the user's history, the user will likely not enjoy {T}.
Based on the user's history, it is unlikely that they will enjoy {T}.
Given the history, I think no.
Given the user's taste, no.
Given the user's love of comedies, they would not enjoy {T}.
Since the user likes comedies, no.
Since the user likes comedies, I'd say no.
Since the user likes comedies, they will probably not like it.
Although it is a thriller, the user would not like it.
Although the user likes thrillers, no.
Although the user likes thrillers, I don't think they would enjoy it.
Even though the user likes thrillers, this one does not fit.
While it is a good film, the user would likely not enjoy it.
While it's popular, I don't think the user would like it.
It is a good film, but I'd say no.
It is a thriller, but the user would not like it.
The user likes thrillers, but no, this is too slow.
The user has seen many dramas, but would not like this one.
The user likes thrillers, so I doubt it would appeal.
The user likes thrillers, so I doubt they would like it.
I'm not certain, but I think no.
I'm not sure, but probably not.
Hard to say, but I lean no.
It's a close call, but no.
It's hard to say, but I don't think the user would like it.
Would the user like it? No.
Would the user like {T}? No
Will the user enjoy {T}? No, very unlikely.
Q: Would the user like it?\nA: No
Question: Would the user like it? Answer: No
Yes or no? No.
"Yes or no": no
The user would not like it.
The user will not like it.
The user would not enjoy {T}.
The user would hate it!
The user wouldn't like it.
The user won't like it.
The user would probably not like it.
The user probably wouldn't like it.
The user would likely not enjoy this movie.
The user will most likely not enjoy {T}.
The user is unlikely to enjoy {T}.
The user is not likely to enjoy {T}.
The user is very unlikely to like it.
The user is highly unlikely to enjoy this.
The user would probably skip {T}.
The user would dislike it.
The user would not be interested.
The user would not be interested in {T}.
The user would be bored.
The user would hardly enjoy it.
They would not like it.
They wouldn't like it.
They would hate this.
They'd dislike it.
They probably won't enjoy it.
They are unlikely to enjoy {T}.
This user would not like {T}.
This user would definitely not enjoy it.
I think the user would not like it.
I think the user will not enjoy {T}.
I think they would not like it.
I don't think the user would like it.
I do not think the user would enjoy {T}.
I don't think they would like it.
I don't think they will.
I don't think the user would.
I don't believe the user would enjoy {T}.
I don't believe the user would like this.
I doubt the user would like it.
I doubt that the user would enjoy {T}.
I doubt they would like it.
I don't expect the user to like it.
I would not expect the user to like it.
I predict that the user will not like it.
I am confident that the user would not like it.
It is unlikely that the user will like it.
It's unlikely that the user would enjoy {T}.
It is very unlikely that the user will like it.
It is highly unlikely that the user would enjoy it.
It is not likely that the user will like it.
It seems unlikely that the user would like it.
It is doubtful that the user would like it.
Chances are the user will not like it.
The chances are low.
The chances are slim.
The chances are low that the user will like it.
The chances that the user likes it are low.
The chances that the user will enjoy it are slim.
The chance that the user will like it is low.
There is a low chance that the user will like it.
There's little chance that the user will like it.
There is only a small chance the user would enjoy {T}.
There is not much chance that the user will like it.
There is a low likelihood that the user will like it.
There is a low probability that the user will enjoy {T}.
The probability that the user will like it is low.
The likelihood of the user liking it is low.
There is a high chance that the user will not like it.
There is a high chance that the user would dislike it.
Low probability.
Low chance.
Low likelihood.
10% chance.
There is a 20% chance that the user will like it.
The probability is 15%.
Probability: 15%
15% likely
Likelihood: 10%
Yes: 15%, No: 85%
It is not a good match.
It's not a great fit.
It is not a good fit for this user.
It is a poor match for this user.
It is a bad fit for the user's taste.
It's a weak match.
It would not be a good match.
It would not be a good choice for this user.
It would be a poor choice for this user.
It does not look like a good match.
It doesn't seem like a good fit.
It does not fit.
It doesn't fit the user's taste.
It does not match the user's taste.
It does not match the user's preferences well.
It does not suit the user.
It would not appeal to the user.
It is unlikely to appeal to the user.
It wouldn't appeal to them.
It does not align with the user's preferences.
It is far from the user's taste.
It's not the kind of film the user likes.
This is not the kind of story the user enjoys.
{T} is not a good match.
{T} does not fit the user's taste.
{T} does not match the user's preferences.
{T} would not be a great fit.
{T} would not appeal to the user.
{T} does not align with the user's taste.
Not a good match.
Not a match.
A poor match.
Poor match.
A bad fit.
Not a good fit for this user.
Weak match.
Not recommended
Not recommended.
Do not recommend.
Don't recommend.
I would not recommend it.
I wouldn't recommend {T}.
I would not recommend {T} to this user.
I would not recommend this movie.
I can't recommend it.
I cannot recommend {T} to this user.
Would not recommend.
Skip.
Skip it.
Dislike
Dislikes it.
Will not like it.
Would not like it.
Won't like it.
Would not enjoy.
Negative.
Thumbs down.
👎
❌
❌ No
No ❌
No 👎
👎 No
False
FALSE
false
{{"answer": "no"}}
{{"answer": "No"}}
{{"answer": false}}
{{"like": false}}
{{"would_like": false}}
{{"prediction": "no", "reason": "Yes, it is a thriller, but too slow."}}
{{"recommend": false}}
```json\n{{"answer": "no"}}\n```
<answer>No</answer>
<answer>no</answer>
<think>It is a thriller, yes. But slow.</think>\nNo
<think>Yes? Hmm. It does not fit.</think>No
\boxed{{No}}
$\boxed{{\text{{No}}}}$
\boxed{{\text{{No}}}}
- No
> No
# No
Answer = No
Answer - No
Assistant: No
### Response:\nNo
Pros: mood, cast. Cons: no action. Verdict: no.
- Mood: fits\n- Cast: not known\n\nVerdict: No
1. The mood does not fit.\n2. It is slow.\n\nSo no.
Genre: thriller (yes). Mood: dark (yes). Final answer: No
On the one hand it fits the mood; on the other hand it is slow. Overall, no.
On the one hand it fits the mood, on the other it is slow. I'd say no.
The user gave 1 star to 3 thrillers, so no.
The user has watched 10 comedies and one thriller. No.
Nein
Nein.
Nein, wahrscheinlich nicht.
Nein, der Nutzer würde den Film nicht mögen.
Wahrscheinlich nicht.
Ich denke nicht.
Ich glaube nicht.
Ich würde sagen, nein.
Auf keinen Fall.
Unwahrscheinlich.
Antwort: Nein
Die Antwort ist nein.
Der Nutzer würde den Film nicht mögen.
Der Film passt nicht zum Geschmack.
Non
Non.
Non, probablement pas.
Non, l'utilisateur n'aimerait pas ce film.
Probablement pas.
Probablement non.
Je pense que non.
Je ne pense pas.
Je dirais non.
Peu probable.
Réponse : Non
La réponse est non.
L'utilisateur n'aimerait pas ce film.
No, probablemente no.
No, al usuario no le gustaría.
Probablemente no.
Creo que no.
No lo creo.
Diría que no.
Poco probable.
Respuesta: No
La respuesta es no.
Al usuario no le gustaría.
Al usuario no le gustará.
No, probabilmente no.
Probabilmente no.
Penso di no.
Direi di no.
Risposta: No
La risposta è no.
L'utente non apprezzerebbe il film.
Não
Não.
Não, provavelmente não.
Provavelmente não.
Acho que não.
Eu diria que não.
Resposta: Não
A resposta é não.
O usuário não gostaria do filme.
不
不。
不是
否
否。
不会
不会。
不会喜欢
不会，用户不会喜欢。
不喜欢
可能不会喜欢。
很可能不会喜欢。
用户不会喜欢。
用户可能不会喜欢这部电影。
答案：否
答案是：否
我认为用户不会喜欢。
我不认为用户会喜欢。
不推荐
いいえ
いいえ。
いいえ、好きではないと思います。
いいえ、気に入らないと思います。
おそらくいいえ。
答え：いいえ
気に入らないと思います。
아니요
아니오
아니요.
아니요, 좋아하지 않을 것입니다.
답: 아니요
정답: 아니오
좋아하지 않을 것입니다.
아마 좋아하지 않을 것입니다.
Нет
Нет.
Нет, вряд ли.
Скорее нет.
Скорее всего, нет.
Думаю, нет.
Вряд ли.
Ответ: Нет
Ответ: нет.
Пользователю не понравится.
Пользователю, скорее всего, не понравится.
Pas vraiment. Il n'a joué que 40 minutes, oui, 40 minutes en deux ans.
Not really. They gave up on it, yes, after ten minutes.
Nicht wirklich. Er mag andere Filme.
Perhaps not. It is too long.
Non proprio. È troppo lungo.
Highly unlikely; they dropped the last two within a week.
Not a bad film at all, but not one for this user. He has never finished a comedy.
I'd be surprised if she got past the first hour.
I don't think they would click on "{T}".
There's a 15% chance that this viewer watches it.
Yes, they like thrillers. Hmm, on second thought they returned all of them, so I have to say no.
该用户只看体育新闻，不太可能会点击这条报道。
"""

NEITHER = r"""
Never.
This is not a stretch.
So no, this is not a stretch.
So yes, it's slow.
This is not a bad match.
It fits the mood of a rainy day.
It would be a good match if it were shorter.
There is a high chance the user has already seen it.
The mood fits, yes, but the pace does not.
It is a good match for the user's friends.
Indeed, the user likes thrillers.
It is a thriller, yes, and a comedy.
用户会喜欢吗？
Не знаю, понравится ли пользователю.
좋아할 것 같지 않습니다.
The chance that the user has seen it is high.
I can't recommend anything.
The user has no comedies in the history.
The critics said yes, the fans said no.
They said it is a good match.
A good match, or a bad one?
L'utilisateur aimerait d'autres films.
I'm not convinced that the user would like it.
85%
I'd say 20%.
Yes and no.
Yes or no.
Yes/No
Yes / No
Yes or No?
Maybe.
Maybe yes, maybe no.
Perhaps.
Possibly.
It depends.
It depends on the mood.
That depends on the user.
Hard to say.
I don't know.
I do not know.
I'm not sure.
I am not sure.
Not sure.
Unsure.
Unclear.
Uncertain.
I can't tell.
I cannot say.
I cannot answer that.
I can't help with that.
Sorry, I can't help with that.
I need more information.
I don't have enough information to say.
There is not enough information.
Could you tell me more about the user?
What does the user like?
Would the user like it?
Would the user like {T}?
Will the user like it? It depends.
Should I answer yes or no?
Please answer with yes or no.
I will answer with yes or no.
Let me think.
Let me think about whether the user would like it.
I'll analyse whether the user would like {T}.
To decide whether the user would like it, I look at the history.
50%
50/50
50% chance.
It's 50/50.
It could go either way.
It's a coin flip.
It's a toss-up.
The chances are even.
The user might like it.
The user may or may not like it.
The user may or may not enjoy {T}.
They might like it, they might not.
The user could like it.
The user likes thrillers.
The user does not like comedies.
The user has seen many thrillers.
{T} is a thriller.
{T} is not a thriller.
{T} is a film from 1995.
{T}
If the user likes thrillers, yes.
If the user likes thrillers, yes; otherwise no.
Yes if they like thrillers, no if they don't.
If they were in the mood, they would like it.
Unless the user dislikes slow films, they would like it.
The user would like it if it were shorter.
The user would like the mood but not the pace.
The user would like the cast, but would not like the pace.
Some would say yes, some would say no.
Many people like it.
Most viewers like {T}.
Fans of thrillers will like it.
I would recommend it to fans of thrillers.
The answer could be yes or no.
The answer is yes and no.
There is some chance that the user will like it.
There is a high chance that it will rain.
There is a high chance of snow in this story.
Confidence: 85%
85% of viewers like it.
I'm 50% sure.
The story is set in a place with a low chance of survival.
It is a good match for a rainy day.
It is a good match for some, a poor match for others.
This is not a question of taste.
It fits on one disc.
It would appeal to fans of comedies.
It appeals to many people.
It matches the title.
It is worth knowing more first.
So it is a film about a good match.
Is it likely?
How likely is it?
Yes, I can help. What does the user like?
I recommend asking the user.
The user would not say no.
I don't doubt that it is popular.
Does it fit? Maybe.
The first half fits, the second does not.
There is a moderate chance that the user will like it.
There is a chance that the user will like it.
There is no chance to know that.
The chances are neither high nor low.
It is neither a good match nor a bad one.
It is hard to say whether it is a good match.
I wonder whether it would appeal to the user.
I don't know whether the user would like it.
Is it a good match?
It is a good match for people who like comedies.
The question is whether the user will like it.
Whether it fits the user's taste is unclear.
Recommend or not recommend?
Recommend other films.
I would recommend another film.
I would recommend watching it with friends.
Like or dislike?
Ja und nein.
Jein.
Vielleicht.
Es kommt darauf an.
Ich weiß nicht.
Oui et non.
Peut-être.
Ça dépend.
Je ne sais pas.
Sí y no.
Quizás.
Depende.
No lo sé.
No sé.
Sì e no.
Forse.
Dipende.
Sim e não.
Talvez.
也许。
可能。
不知道。
不确定。
わかりません。
たぶん。
모르겠습니다.
Может быть.
Не знаю.
If they don't mind subtitles, yes. If they do, no.
On the one hand, it is close to what they know. On the other hand, no
I'd be surprised if they gave it less than 4 stars.
I'd be surprised if they have seen it.
There's an 85% chance that they watched it before.
It's not one for this user to miss.
There's an 85% chance that they play it once and then return it.
Likely – 20%
"""

RATES = r"""
{r}
{r}.
{r}.0
{r},0
**{r}**
"{r}"
({r})
[{r}]
`{r}`
{r}/5
{r} / 5
{r}.0/5
{r}.0/5.0
{r} out of 5
{r} out of 5.
{r} out of 5 stars
{r} out of five
{r} stars
{r}-star
{r} stars.
{r} star
{r} points
{r} points out of 5
{r} ⭐
{r} ★
{r} (out of 5)
{s}
{s} ({r}/5)
{S}
{e}
{e} ({r}/5)
{w}
{w}.
{w} stars
{w} out of five
{W}
{W}.
{W} stars
{W} stars.
{W} out of five
Rating: {r}
Rating: **{r}**
**Rating:** {r}
**Rating: {r}**
Rating: {r}/5
Rating: {r}.0/5
Rating: {r} out of 5
Rating: {r} stars
Rating: {s}
Rating: {w}
Rating = {r}
Rating - {r}
Rating {r}
rating: {r}
RATING: {r}
Rating (1-5): {r}
Rating (out of 5): {r}
Score: {r}
Score: {r} / 5
Answer: {r}
Answer: {r}.
Answer: **{r}**
Final answer: {r}
Final rating: {r}
Final score: {r}/5
Final Rating: **{r}/5**
Predicted rating: {r}
Predicted rating: **{r}/5**
Predicted: {r}
Prediction: {r}
My prediction: {r}
Estimated rating: {r}
Estimated rating: {r}.0/5.0
Expected rating: {r}
Likely rating: {r}
Overall: {r}/5
Overall rating: {r}
Verdict: {r}/5
Result: {r}
Output: {r}
Conclusion: {r}
The rating is {r}.
The rating is {r} out of 5.
The rating would be {r}.
The rating should be {r}.
The rating will be {r}.
The predicted rating is {r}.
The predicted rating is {r} out of 5.
The predicted rating for {T} is {r}.
The predicted rating would be {r} stars.
The estimated rating is {r}.
The expected rating is {r}.
The most likely rating is {r}.
The likely rating is {r}.
The answer is {r}.
The answer is {r} out of 5.
The user's rating would be {r}.
The user's rating for {T} would be {r}.
The user's rating for {T} will likely be {r}.
My rating is {r}.
My rating would be {r}.
My prediction is {r}.
My prediction is {r} out of 5.
My prediction is a {r}.
My estimate is {r}.
My best guess is {r}.
My guess is {r}.
My guess would be {r}.
My guess would be around {r}.
I'd give it a {r}.
I'd give it {r}.
I'd give it {r} stars.
I'd give it {r}/5.
I'd give it {r} out of 5.
I would give {T} a {r}.
I would give it {w} stars.
I'd rate it {r}.
I'd rate it a {r}.
I'd rate it {r} out of 5.
I would rate {T} {r} out of 5.
I would rate this movie {r} stars.
I rate it {r}.
I'd say {r}.
I'd say a {r}.
I'd say {r} out of 5.
I would say {r}.
I would say it's a {r}.
I think {r}.
I think {r} stars.
I think a {r}.
I think it would be a {r}.
I think the user would rate it {r}.
I think the user would give it a {r}.
I think the user would give {T} {r} stars.
I believe the rating would be {r}.
I believe the user would give it {r} stars.
I predict {r}.
I predict a {r}.
I predict a rating of {r}.
I predict that the user would rate it {r}.
I predict the user will give {T} a {r}.
I would predict {r} stars.
I'd predict a rating of {r} out of 5.
I'd predict a {r} rather than a {o}.
I'd predict {r}, not {o}.
I estimate {r}.
I estimate a rating of {r}.
I'd estimate {r}/5.
I expect a {r}.
I expect a rating of {r}.
I'd expect a {r}.
I'd guess {r}.
I'd guess a {r}.
I guess {r}.
I'd go with {r}.
I'd go with a {r}.
I'll go with {r}.
I'm going with {r}.
I'd lean towards a {r}.
I lean towards {r}.
I'd settle on {r}.
I settle on a {r}.
The user would rate it {r}.
The user would rate it a {r}.
The user would rate {T} {r} out of 5.
The user would rate this {r} stars.
The user will rate it {r}.
The user will likely rate it {r}.
The user would probably rate it {r}.
The user would probably give it a {r}.
The user would probably give {T} a {r}, because it is similar to the last 3 titles.
The user would give it {r} stars.
The user would give {T} a rating of {r}.
The user would give {T} a score of {r} out of 5.
The user is likely to rate it {r}.
The user is likely to give it a {r}.
The user might give it a {r}.
The user would most likely give it {w} stars.
They would give it a {r}.
They would rate it {r}.
They would likely rate it a {r}.
They'd give it a {r}.
It would get {r} out of 5 from this user.
It would get a {r}.
It would be a {r}.
It will get {r} stars.
It deserves a {r}.
It's a {r}.
It's a {r} for me.
It's a {r} out of 5.
It is a {r}.
This is a {r}.
This would be a {r}.
That would be a {r}.
A {r}.
A {r} out of 5.
A solid {r}.
A strong {r}.
A weak {r}.
A safe {r}.
Solid {r}.
Around {r}.
About {r}.
About a {r}.
Approximately {r}.
Roughly {r}.
Likely {r}.
Likely a {r}.
Probably {r}.
Probably a {r}.
Probably {r} stars.
Most likely {r}.
Most likely a {r}.
Definitely a {r}.
Perhaps a {r}.
Maybe a {r}.
Maybe {r}.
Hmm, {r}.
Hmm, probably a {r}.
Sure! {r}
Sure, I'd say {r}.
OK, {r}.
So {r}.
So, {r}.
So a {r}.
So the rating is {r}.
So I predict {r}.
So I'd say {r}.
Therefore, {r}.
Therefore, I predict {r}.
Therefore, the rating is {r}.
Thus, a {r}.
Hence {r}.
{r}, I think.
{r}, probably.
{r}, because the user likes thrillers.
{r} because the user likes thrillers.
{r} since the user likes thrillers.
{r}, as the user likes thrillers.
{r} – the user liked 2 similar titles.
{r} - the user liked 2 similar titles.
{r}: the user liked 2 similar titles.
{r} (the user liked 2 similar titles)
{r}. The user liked 2 similar titles.
{r}\n\nReason: the user liked 4 similar titles.
{r}\n\nExplanation: the user gave {o} to a similar title.
{r} stars. The user has seen 10 thrillers.
{r} stars, because the user liked 2 similar titles.
{r} stars, although it is slower.
{r} out of 5, because the user gave {o} to similar titles.
{r}/5 – similar to 3 of the liked titles.
{r} rather than {o}.
{r}, not {o}.
{r} would be my guess.
{r} would be my rating.
{r} seems right.
{r} seems fair.
{r} stars seems right.
{r} is my prediction.
{r} is the most likely rating.
{r} is my answer.
A {r} seems likely.
A {r} is likely.
A {r} is the most likely rating.
A rating of {r}.
A rating of {r} seems likely.
A rating of {r} is most likely.
A rating of {r} out of 5 would fit.
Reason: the user liked 4 similar titles.\nRating: {r}
Reasoning: the user gave {o} to 2 thrillers.\n\nRating: {r}
The film runs 2 hours and has 3 main characters. Rating: {r}
The user liked 3 thrillers. {r}.
The user liked 3 thrillers. I'd say {r}.
The user has rated 3 thrillers. I predict {r}.
The user gave {o} stars to 2 similar titles. I predict {r}.
The user gave {o} to a similar title, but I'd say {r}.
The user gave {o} to a similar title, so I'd predict {r}.
The user usually gives {o}, but this one is a {r}.
The user tends to give {o}s, but I predict {r} here.
The user rated {U} {o} and {V} {o}. I predict {r} for {T}.
Since the user gave {o} to similar titles but this one is different, I predict {r}.
Since the user liked 3 similar titles, I'd say {r}.
Because the user liked 2 similar titles, {r}.
Although the user gave {o} to a similar title, I predict {r}.
Although similar titles got {o}, I'd give this {r}.
While the average is 3.6, I predict {r}.
While similar titles got {o}, this one is a {r}.
Even though the user gave {o} to {U}, I'd say {r}.
Given the history, {r}.
Given the history, I'd say {r}.
Given the 10 titles in the history, I predict {r}.
Given the user's taste, a {r} seems likely.
Based on the history, {r}.
Based on the history, I'd say {r}.
Based on the history, I predict a rating of {r}.
Based on the history, the user would rate it {r}.
Based on the 10 titles in the history, I estimate a rating of {r}.
Based on the user's average of 3.6, I predict {r}.
Considering the history, I'd guess {r}.
Compared with {U}, which got {o}, I'd give it {r}.
Compared to the {o} for {U}, I'd say {r}.
The average of the history is about 3.6, so I predict {r}.
The average rating is 3.6. I predict {r}.
On a scale of 1 to 5, {r}.
On a scale of 1 to 5, I'd rate this {r}.
On a scale of 1-5, I'd say {r}.
On a scale from 1 to 5, the rating would be {r}.
On a 5-point scale: {r}
From 1 to 5: {r}
Not a {o}, but a {r}.
Not {o}, but {r}.
Not quite a {o}; I'd say {r}.
Rather a {r} than a {o}.
Instead of {o}, I'd say {r}.
Instead of a {o}, I would give it a {r}.
Somewhere near {r}.
Close to {r}.
It's hard to say, but {r}.
It's hard to say, but I'd guess {r}.
Hard to say, but probably a {r}.
I'm not sure, but I'd say {r}.
I'm not certain, but my guess is {r}.
Which rating would the user give? {r}
What would the user rate it? I'd say {r}.
How would the user rate {T}? {r}/5
Q: What rating would the user give?\nA: {r}
Question: What would the user rate it? Answer: {r}
1. Mood: fits\n2. Cast: strong\n\nRating: {r}
- Mood: 4/5\n- Cast: 3/5\n\nOverall rating: {r}
Mood: 4/5. Cast: 3/5. Final rating: {r}/5
Pros: mood. Cons: pace. Rating: {r}
Plot 3, cast 4, overall {r}.
Confidence: 80%\nRating: {r}
Rating: {r}\nConfidence: 80%
Rating: {r} (confidence: 0.8)
{r} (confidence 80%)
✅ {r}
👉 {r}
→ {r}
- {r}
> {r}
# {r}
⭐ {r}
⭐ {r}/5
<answer>{r}</answer>
<rating>{r}</rating>
<think>Maybe {o}. No, rather {r}.</think>\n{r}
<think>The user gave {o} to 3 thrillers.</think>{r}
```\n{r}\n```
\boxed{{{r}}}
$\boxed{{{r}}}$
The final answer is $\boxed{{{r}}}$.
The final answer is {r}.
{{"rating": {r}}}
{{"rating": "{r}"}}
{{"rating": {r}.0}}
{{"score": {r}}}
{{"predicted_rating": {r}}}
{{"rating": {r}, "reason": "The user gave {o} to similar titles."}}
{{"reason": "The user gave {o} to similar titles.", "rating": {r}}}
```json\n{{"rating": {r}}}\n```
[{r}.0]
Assistant: {r}
### Response:\n{r}
{T}: {r}
{T} – {r}
{T}: {r}/5
{T}: {r} stars
**{T}**: {r}/5
{T} would get a {r}.
{T} gets {r} stars.
{T} deserves {r} out of 5.
{T}, {r}/5
{T} ({r}/5)
Bewertung: {r}
Bewertung: {r} von 5
{r} von 5
{r} Sterne
{r} von 5 Sternen
Ich würde {r} geben.
Ich würde eine {r} geben.
Ich würde {r} Sterne vergeben.
Ich schätze {r}.
Ich sage {r}.
Ich würde sagen, {r}.
Der Nutzer würde {r} Sterne geben.
Die Bewertung ist {r}.
Wahrscheinlich {r}.
Wahrscheinlich eine {r}.
Meine Vorhersage ist {r}.
Note : {r}/5
Note : {r}
{r} sur 5
{r} étoiles
{r} étoiles sur 5
Je dirais {r}.
Je donnerais {r} étoiles.
Je donnerais un {r}.
L'utilisateur donnerait {r}.
La note serait de {r}.
La note est {r}.
Probablement {r}.
Calificación: {r}
Calificación: {r} de 5
Puntuación: {r}
{r} de 5
{r} estrellas
{r} de 5 estrellas
Diría {r}.
Le daría un {r}.
Yo le daría {r} estrellas.
El usuario le daría un {r}.
La calificación sería {r}.
Probablemente {r}.
Voto: {r}
Valutazione: {r}/5
{r} su 5
{r} stelle
Direi {r}.
Darei un {r}.
L'utente darebbe {r}.
Probabilmente {r}.
Nota: {r}
Avaliação: {r}
{r} estrelas
Eu diria {r}.
Eu daria {r}.
Eu daria nota {r}.
O usuário daria {r}.
Provavelmente {r}.
评分：{r}
评分：{r}分
评分：{r}/5
评分是{r}
{r}分
{r}分。
{r}星
我会给{r}分。
我给{r}分。
我预测{r}分。
用户会给{r}分。
用户可能会给{r}分。
预测评分：{r}
预测评分为{r}分。
大概{r}分。
評価: {r}
評価：{r}点
{r}点
{r}点です。
{r}です。
星{r}つ
予測評価は{r}です。
평점: {r}
평점: {r}점
{r}점
{r}점입니다.
예상 평점은 {r}점입니다.
아마 {r}점일 것입니다.
Оценка: {r}
Оценка — {r}.
Я бы поставил {r}.
Я бы дал {r}.
Пользователь поставил бы {r}.
Думаю, {r}.
Скорее всего, {r}.
{r} из 5
{r} баллов
On a scale of 1 to 5, I'd predict this user gives it a {w}.
On a scale from 1 to 5, where 5 means the user would love it, this lands at a {w}.
Auf einer Skala von 1 bis 5 (1 = gar nicht, 5 = sehr gern) würde ich den Film auf etwa {r} schätzen.
Ich würde {r} von 5 Sternen vorhersagen. Die letzten beiden bekamen {o} Sterne.
Predicted rating for 8½: {r}. Of the 2 films they saw, only 1 got more.
With one hour and a small cast this earns a {r}. They gave {o} to the last two.
Considering the scores for {U} (5) and {V} (3), I expect {T} to land at {r}.
- Plot: 4/5\n- Cast: 3/5\n- Pace: 2/5\n\n**Overall for this user: {r}/5**
Plot: 3/5\nCast: 5/5\n\nOverall I think they'd give it {r}/5.
| Film | Predicted rating | Confidence |\n|---|---|---|\n| {T} | {r} | 70% |
{U} got a {o} from this user, so {T} will most likely get a {r} as well.
Vermutlich eher eine {r} als eine {o}. Fargo bekam zwar 5 Sterne, aber das war anders.
I predict that {T} gets a {r}. The user's average over 47 ratings is 3.2.
The critics' 8/10 comes out at {r} on your 1–5 scale.
『{U}』に{o}点を付けているので、{r}点と予想します。
我觉得这位用户会给《{T}》打{r}分（满分5分）。他给《{U}》打过{o}分。
"""

RATES_NOTHING = r"""
3 to 4
3-4
3–4
3 or 4
Between 3 and 4.
Somewhere between 3 and 4.
I'd say 3 or 4.
I'd say 3 to 4.
I would give it 3 or 4 stars.
The user would rate it 3 or 4.
Rating: 3-4
Rating: 3 or 4
Rating: 3/4
Either 3 or 4.
Maybe 3, maybe 4.
At least 3.
At most 4.
More than 3.
Less than 4.
Not a 5.
Not 5.
I would not give it a 5.
I wouldn't rate it 4.
Above 3.
8/10
8 out of 10
Rating: 8/10
I'd give it 8/10.
80/100
80%
7
9
0
10
Rating: 7
Rating: 10
I'd say 9.
11/5
-1
The user gave 4 to a similar title.
The user has rated 10 titles.
The user gave 5 stars to {U}.
The average is 3.6.
The average of the history is 3.6.
Critics gave it 4 stars.
It has 4 stars on other sites.
The film runs 2 hours.
There are 3 reasons.
The user liked 3 similar titles.
If the user likes thrillers, 4; otherwise 2.
If they like slow films, 5, else 3.
4 if they like thrillers, 2 if they don't.
It depends.
It depends on the mood.
I don't know.
I'm not sure.
I cannot rate it.
I can't predict a rating.
Sorry, I can't help with that.
I need more information.
I need at least 3 more ratings.
I will rate it on a scale of 1 to 5.
I will give a rating from 1 to 5.
Please rate it from 1 to 5.
What rating would the user give?
Would the user give it 4 or 5 stars?
How many stars out of 5?
On a scale of 1 to 5.
Rating:
Rating: N/A
Rating: unknown
High.
Good.
The user would like it.
Yes
{T}
{T} (1995)
1995
Let me think about the 3 titles.
1. Mood: fits\n2. Cast: strong
3 bis 4
3 oder 4
Zwischen 3 und 4.
Entre 3 et 4.
3 ou 4
Entre 3 y 4.
3 o 4
Tra 3 e 4.
3到4分
3或4
3〜4
3에서 4
От 3 до 4.
3 или 4
On a scale of 1 to 10, I'd predict that this user gives it an 8 or so.
Other films like this usually earn their makers a {r} or even a {o} from most of the viewers.
A slow drama usually earns a {r} and a fast thriller earns a {o}, but this one is neither of the two.
| Film | Rating |\n|---|---|\n| {U} | {r} |\n| {V} | {o} |
If only it were a little shorter than it is, it would land at a {w} with most of the viewers.
Overall, {r} of their 9 films were long.
"""


NOT_READ = {
    "choice": "No other candidate fits as well as {x} or {y}.",
    "one_title": "How about {x}?\nYou might enjoy {x}.\nNo other candidate fits as well as {x}.",
    "rating": "As an AI, I can't know for sure, but I'd guess {r}.\n{r}颗星\nおそらく{r}です。\n{r}だと思います。",
}
"""Sentences whose reading is known, but which are not read."""


def lines(table: str) -> list[str]:
    """Return the templates of a table; `\\n` is a line break."""
    return [line.replace("\\n", "\n") for line in table.split("\n") if line]
