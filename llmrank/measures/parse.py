"""Measures by name: `NDCG@10`, `MRR`, `AUC(>=3.5)`."""

from __future__ import annotations

import re

from llmrank.errors import InputError, nearest
from llmrank.measures.auc import AUC
from llmrank.measures.average_precision import MAP
from llmrank.measures.hit_rate import HR
from llmrank.measures.mae import MAE
from llmrank.measures.measure import Measure, RankingMeasure, RatingMeasure
from llmrank.measures.ndcg import NDCG
from llmrank.measures.precision import Precision
from llmrank.measures.recall import Recall
from llmrank.measures.reciprocal_rank import MRR
from llmrank.measures.rmse import RMSE
from llmrank.plugin import find_plugin, plugin_names

GROUP = "llmrank.measures"
RANKING = {measure.name.casefold(): measure for measure in (HR, Recall, Precision, NDCG, MRR, MAP)}
RATING = {measure.name.casefold(): measure for measure in (RMSE, MAE, AUC)}
NAME = re.compile(r"(?P<name>[A-Za-z]\w*)(?:@(?P<k>\d+)|\(>=(?P<threshold>\d+(?:\.\d+)?)\))?")
RANGE = re.compile(r"(?P<name>[A-Za-z]+)@(?P<first>\d+)\.\.(?P<last>\d+)")
MOST_CUTOFFS = 1000
"""Cut-offs that one range may name."""


def parse_measures(text: str) -> tuple[Measure, ...]:
    """Return the measures in a comma-separated list; `NDCG@1..50` stands for NDCG at every cut-off from 1 to 50.

    A measure named twice is kept once. Raises InputError as `parse_measure`, and for a list or a range that is empty.
    """
    measures: list[Measure] = []
    for name in filter(None, (part.strip() for part in text.split(","))):
        if (match := RANGE.fullmatch(name)) is None:
            measures.append(parse_measure(name))
            continue
        first, last = int(match["first"]), int(match["last"])
        if not 1 <= first <= last < first + MOST_CUTOFFS:
            hint = f"write it like {match['name']}@1..50, with at most {MOST_CUTOFFS} cut-offs"
            raise InputError(f"{name!r} is not a valid range of cut-offs", field="measure", hint=hint)
        measures += [parse_measure(f"{match['name']}@{k}") for k in range(first, last + 1)]
    if not measures:
        raise InputError("no measure is named", field="measure", hint="write for example NDCG@10,MRR")
    return tuple(dict.fromkeys(measures))


def parse_measure(text: str) -> Measure:
    """Return the measure of that name, in upper or lower case, or of a package that adds it; `str` gives the name back.

    Raises InputError, with the nearest known name, for an unknown name or for a cut-off too many or too few.
    """
    match = NAME.fullmatch(text.strip())
    name = (match["name"] if match else re.split(r"[@(]", text.strip())[0]).casefold()
    ranking: dict[str, type[RankingMeasure]] = {**RANKING}
    rating: dict[str, type[RatingMeasure]] = {**RATING}
    if name not in ranking | rating and (added := _plugin_measure(name)) is not None:
        if issubclass(added, RankingMeasure):
            ranking[name] = added
        else:
            rating[name] = added
    known = {key: measure.name for key, measure in (ranking | rating).items()}
    if name not in known:
        known |= {plugin.casefold(): plugin for plugin in plugin_names(GROUP)}
        longer = [key for key in known if name and key.startswith(name)]
        closest = f"; did you mean {known[longer[0]]!r}?" if len(longer) == 1 else nearest(name, known)
        for key, shown in known.items():
            closest = closest.replace(f"'{key}'", f"'{shown}'")
        raise InputError(
            f"unknown measure {text!r}{closest}", field="measure", hint=f"use one of {', '.join(known.values())}"
        )
    if match and name in ranking and match["threshold"] is None:
        return ranking[name](None if match["k"] is None else int(match["k"]))
    if match and name in rating and match["k"] is None:
        if match["threshold"] is None:
            return rating[name]()
        if name == "auc":
            return AUC(float(match["threshold"]))
    form = f"{known[name]}@10" if name in ranking else "AUC or AUC(>=3.5)" if name == "auc" else known[name]
    raise InputError(f"{text!r} is not a valid form of {known[name]}", field="measure", hint=f"write it like {form}")


def _plugin_measure(name: str) -> type[RankingMeasure] | type[RatingMeasure] | None:
    """Return the measure that a package adds under a name, in upper or lower case; None where none does."""
    known = {plugin.casefold(): plugin for plugin in plugin_names(GROUP)}
    plugin = (
        find_plugin(GROUP, known[name], [measure.name for measure in (RANKING | RATING).values()])
        if name in known
        else None
    )
    if plugin is None:
        return None
    loaded = plugin.load()
    if not (isinstance(loaded, type) and issubclass(loaded, RankingMeasure | RatingMeasure)):
        raise plugin.error("is no subclass of RankingMeasure or RatingMeasure")
    if loaded.name != plugin.name:
        raise plugin.error(f"has another name than its entry point: set `name = {plugin.name!r}` in the class")
    return loaded
