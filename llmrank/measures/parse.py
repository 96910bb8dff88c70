"""Measures by name: `NDCG@10`, `MRR`, `AUC(>=3.5)`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from llmrank.errors import InputError, MissingError, nearest
from llmrank.measures.auc import AUC
from llmrank.measures.average_precision import MAP
from llmrank.measures.hit_rate import HR
from llmrank.measures.mae import MAE
from llmrank.measures.measure import GROUP, BaseMeasure, Measure, RankingMeasure, RatingMeasure
from llmrank.measures.ndcg import NDCG
from llmrank.measures.precision import Precision
from llmrank.measures.recall import Recall
from llmrank.measures.reciprocal_rank import MRR
from llmrank.measures.rmse import RMSE
from llmrank.plugin import find_plugin, plugin_names

OURS: Mapping[str, type[Measure]] = {
    measure.name.casefold(): measure for measure in (HR, Recall, Precision, NDCG, MRR, MAP, RMSE, MAE, AUC)
}
"""Built-in measures by lower-case name."""
NAME = re.compile(r"(?P<name>[A-Za-z]\w*)(?:@(?P<k>\d+)|\(>=(?P<threshold>\d+(?:\.\d+)?)\))?")
RANGE = re.compile(r"(?P<name>[A-Za-z]+)@(?P<first>\d+)\.\.(?P<last>\d+)")
MOST_CUTOFFS = 1000
"""Maximum number of cut-offs in a range."""
_GIVE = 'give a list of names and Measure objects, or a string such as "NDCG@10,MRR"'


def parse_measures(measures: str | Iterable[str | Measure]) -> tuple[Measure, ...]:
    """Parse a comma-separated list of measures, or several such lists and Measure objects; `NDCG@1..50` means NDCG at
    every cut-off from 1 to 50.

    Duplicates are dropped. Raises InputError as `parse_measure` does, for anything that is no measure, and for an empty
    list or range.
    """
    if not isinstance(measures, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"expected measures, got {measures!r}", field="measures", hint=_GIVE)
    found: list[Measure] = []
    for one in (measures,) if isinstance(measures, str) else measures:
        if isinstance(one, BaseMeasure):
            found.append(one)
        elif isinstance(one, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            found += _parse_list(one)
        else:
            raise InputError(f"expected a measure, got {one!r}", field="measures", hint=_GIVE)
    if not found:
        raise InputError("no measures given", field="measures", hint="for example NDCG@10,MRR")
    return tuple(dict.fromkeys(found))


def _parse_list(text: str) -> list[Measure]:
    found: list[Measure] = []
    for name in filter(None, (part.strip() for part in text.split(","))):
        if (match := RANGE.fullmatch(name)) is None:
            found.append(parse_measure(name))
            continue
        first, last = int(match["first"]), int(match["last"])
        if not 1 <= first <= last < first + MOST_CUTOFFS:
            hint = f"for example {match['name']}@1..50, with at most {MOST_CUTOFFS} cut-offs"
            raise InputError(f"{name!r} is not a valid range of cut-offs", field="measures", hint=hint)
        found += [parse_measure(f"{match['name']}@{k}") for k in range(first, last + 1)]
    return found


def refuse_unnamed(measures: Iterable[Measure]) -> None:
    """Raise InputError for a measure that `parse_measure` does not find by its name, which is all that a Run keeps."""
    for measure in measures:
        try:
            found = parse_measure(str(measure))
        except InputError:
            found = None
        if found != measure:
            what = "names no installed measure" if found is None else "names another measure"
            problem = f"a Run keeps a measure by its name, and {str(measure)!r} {what}"
            hint = (
                f"add {type(measure).__name__} to the entry point group {GROUP} (docs/extending.md), or compute it "
                "from a finished Run: run.measure([…]), lr.compare(…, measures=[…])"
            )
            raise InputError(problem, field="measures", hint=hint)


def stored_measure(text: str) -> Measure:
    """Parse a measure that a Run names. Raises MissingError if it is from a package that is not installed here."""
    name = re.split(r"[@(]", text)[0]
    if name.casefold() not in {*OURS, *_added()}:
        hint = f"install the package that adds {name} (entry point group {GROUP}), as where the Run was made"
        raise MissingError(f"the Run has the measure {text!r}, and no package here adds it", hint=hint)
    return parse_measure(text)


def parse_measure(text: str) -> Measure:
    """Parse a measure, ignoring case; plugins are included. `str` is the inverse.

    Raises InputError for an unknown name, with the closest match; and for a missing or unexpected cut-off.
    """
    measure = _measure_class(re.split(r"[@(]", text.strip())[0], text)
    if match := NAME.fullmatch(text.strip()):
        k, threshold = match["k"], match["threshold"]
        if issubclass(measure, RankingMeasure) and threshold is None:
            return measure(None if k is None else int(k))
        if issubclass(measure, AUC) and k is None:
            return AUC(None if threshold is None else float(threshold))
        if issubclass(measure, RatingMeasure) and k is threshold is None:
            return measure()
    known = measure.name
    form = f"{known}@10" if issubclass(measure, RankingMeasure) else known + " or AUC(>=3.5)" * issubclass(measure, AUC)
    raise InputError(f"{text!r} is not a valid form of {known}", field="measures", hint=f"write it like {form}")


def _added() -> dict[str, str]:
    """Return the names of the measures of plugins, by lower-case name."""
    return {plugin.casefold(): plugin for plugin in plugin_names(GROUP)}


def _measure_class(name: str, text: str) -> type[Measure]:
    """Return the measure class with this name, ignoring case; plugins are included."""
    added, key = _added(), name.casefold()
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
