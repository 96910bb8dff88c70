"""Measures by name: `NDCG@10`, `MRR`, `AUC(>=3.5)`."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
OURS: Mapping[str, type[Measure]] = {
    measure.name.casefold(): measure for measure in (HR, Recall, Precision, NDCG, MRR, MAP, RMSE, MAE, AUC)
}
"""Built-in measures by lower-case name."""
NAME = re.compile(r"(?P<name>[A-Za-z]\w*)(?:@(?P<k>\d+)|\(>=(?P<threshold>\d+(?:\.\d+)?)\))?")
RANGE = re.compile(r"(?P<name>[A-Za-z]+)@(?P<first>\d+)\.\.(?P<last>\d+)")
MOST_CUTOFFS = 1000
"""Maximum number of cut-offs in a range."""


def parse_measures(text: str) -> tuple[Measure, ...]:
    """Parse a comma-separated list of measures; `NDCG@1..50` means NDCG at every cut-off from 1 to 50.

    Duplicates are dropped. Raises InputError as `parse_measure` does, and for an empty list or range.
    """
    measures: list[Measure] = []
    for name in filter(None, (part.strip() for part in text.split(","))):
        if (match := RANGE.fullmatch(name)) is None:
            measures.append(parse_measure(name))
            continue
        first, last = int(match["first"]), int(match["last"])
        if not 1 <= first <= last < first + MOST_CUTOFFS:
            hint = f"for example {match['name']}@1..50, with at most {MOST_CUTOFFS} cut-offs"
            raise InputError(f"{name!r} is not a valid range of cut-offs", field="measures", hint=hint)
        measures += [parse_measure(f"{match['name']}@{k}") for k in range(first, last + 1)]
    if not measures:
        raise InputError("no measures given", field="measures", hint="for example NDCG@10,MRR")
    return tuple(dict.fromkeys(measures))


def parse_measure(text: str) -> Measure:
    """Parse a measure, ignoring case; plugins are included. `str` is the inverse.

    Raises InputError for an unknown name, with the closest match; and for a missing or unexpected cut-off.
    """
    match = NAME.fullmatch(text.strip())
    name = match["name"] if match else re.split(r"[@(]", text.strip())[0]
    measure = _measure_class(name, text)
    k, threshold = (match["k"], match["threshold"]) if match else (None, None)
    if match and issubclass(measure, RankingMeasure) and threshold is None:
        return measure(None if k is None else int(k))
    if match and issubclass(measure, AUC) and k is None:
        return AUC(None if threshold is None else float(threshold))
    if match and issubclass(measure, RatingMeasure) and k is threshold is None:
        return measure()
    known = measure.name
    form = f"{known}@10" if issubclass(measure, RankingMeasure) else known + " or AUC(>=3.5)" * issubclass(measure, AUC)
    raise InputError(f"{text!r} is not a valid form of {known}", field="measures", hint=f"write it like {form}")


def _measure_class(name: str, text: str) -> type[Measure]:
    """Return the measure class with this name, ignoring case; plugins are included."""
    added = {plugin.casefold(): plugin for plugin in plugin_names(GROUP)}
    key = name.casefold()
    if key in OURS:
        return OURS[key]
    if key not in added:
        known = [*(measure.name for measure in OURS.values()), *added.values()]
        longer = [one for one in known if key and one.casefold().startswith(key)]
        meant, among = (longer[0], longer) if len(longer) == 1 else (name, known)
        closest = nearest(meant, among, text.strip()[len(name) :])
        hint = f"use one of {', '.join(known)}"
        raise InputError(f"unknown measure {text!r}{closest}", field="measures", hint=hint)
    plugin = find_plugin(GROUP, added[key])
    assert plugin is not None
    loaded = plugin.load()
    if not (isinstance(loaded, type) and issubclass(loaded, RankingMeasure | RatingMeasure)):
        raise plugin.error("is not a subclass of RankingMeasure or RatingMeasure")
    if loaded.name != plugin.name:
        raise plugin.error(f"differs in name from its entry point: set `name = {plugin.name!r}` in the class")
    return loaded
