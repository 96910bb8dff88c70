"""Find invalid references in a template's syntax tree, before anything is rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jinja2 import nodes
from jinja2.meta import find_undeclared_variables

from llmrank.errors import nearest
from llmrank.prompting.variables import FIELDS, KINDS, TRUTH, VARIABLES

# Filters that keep the kind of a list, and those that return one element of it.
_SAME = frozenset({"list", "reverse", "sort", "select", "reject", "selectattr", "rejectattr", "unique", "default", "d"})
_ELEMENT = frozenset({"first", "last", "min", "max"})
_BY_ATTRIBUTE = frozenset({"map", "sort", "unique", "groupby", "sum", "min", "max", "join"})
_BY_FIRST_ARGUMENT = frozenset({"selectattr", "rejectattr", "groupby"})
Scope = dict[str, str | None]
"""The kind of each name: event, item, list of event, …; None if unknown."""


def wrong_references(
    block: nodes.Template, available: frozenset[str], attributes: tuple[str, ...], catalogue: bool
) -> Iterator[tuple[int, str, str]]:
    """Yield line, problem and hint for every reference of a block to an unavailable variable or field.

    `available` are its variables and `attributes` the declared item attributes; `catalogue` tells that no candidates
    are shown.
    """
    made = {name.name for name in block.find_all(nodes.Name) if name.ctx == "store"}
    for name in sorted(find_undeclared_variables(block) - available - made):
        wrong = _wrong_name(name, catalogue)
        yield from ((node.lineno, *wrong) for node in block.find_all(nodes.Name) if node.name == name)
    for line, kind, of, field in _fields(block, {name: KINDS.get(name) for name in available}):
        if wrong := _wrong_field(kind, of, field, attributes):
            yield line, *wrong


def _wrong_name(name: str, catalogue: bool) -> tuple[str, str]:
    if catalogue and name in {"candidates", "n"}:
        return f"{name!r}: this prompt shows no candidates", "remove `candidates: catalogue`"
    if name in TRUTH or name == "answer":
        return f"{name!r} is the truth, which templates cannot see", "show only the history and the candidates"
    if name in VARIABLES:
        return f"{name!r} is not available here", f"{name!r}: {VARIABLES[name]}"
    return f"undefined variable {name!r}{nearest(name, VARIABLES)}", f"use one of {', '.join(VARIABLES)}"


def _wrong_field(kind: str | None, of: str, field: str, attributes: tuple[str, ...]) -> tuple[str, str] | None:
    place = f"{of}.{field}"
    if field == "relevant" or (kind == "item" and field in TRUTH):
        return f"{place} is the truth, which templates cannot see", "show only the history and the candidates"
    if kind is None:
        return None
    if kind not in FIELDS:
        return f"{place}: {of or 'it'} is a {kind}", f"loop over it: `{{% for one in {of or '…'} %}}`"
    shown = kind in {"event", "item"}
    fields = [*FIELDS[kind], *(attributes if shown else ())]
    if field in fields:
        return None
    declare = f"; or declare it: `attributes: [{', '.join((*attributes, field))}]`" if shown else ""
    return (
        f"{place}: {'an' if kind[0] in 'aeiou' else 'a'} {kind} has no {field!r}{nearest(field, fields)}",
        f"use one of {', '.join(fields)}{declare}",
    )


def _fields(node: nodes.Node, scope: Scope) -> Iterator[tuple[int, str | None, str, str]]:
    """Yield every field access below a node: line, the owner's kind and name, and the field's name."""
    if isinstance(node, nodes.For | nodes.Macro | nodes.CallBlock | nodes.With):
        scope = dict(scope)
    match node:
        case nodes.For():
            _bind(scope, node.target, _element(_kind(node.iter, scope)))
        case nodes.Assign():
            _bind(scope, node.target, _kind(node.node, scope))
        case nodes.With():
            for target, value in zip(node.targets, node.values, strict=True):
                _bind(scope, target, _kind(value, scope))
        case nodes.Macro() | nodes.CallBlock():
            scope |= {argument.name: None for argument in node.args}
        case nodes.Getattr(attr=name) | nodes.Getitem(arg=nodes.Const(value=str(name))):
            yield node.lineno, _kind(node.node, scope), _text(node.node), name
        case nodes.Filter(name=name) if node.node is not None:
            element = _element(_kind(node.node, scope))
            named = [keyword.value for keyword in node.kwargs if keyword.key == "attribute" and name in _BY_ATTRIBUTE]
            for value in named + (node.args[:1] if name in _BY_FIRST_ARGUMENT else []):
                if isinstance(value, nodes.Const) and isinstance(value.value, str):
                    yield node.lineno, element, _text(node.node), value.value.split(".")[0]
        case _:
            pass
    for child in node.iter_child_nodes():
        yield from _fields(child, scope)


def _kind(node: nodes.Node, scope: Mapping[str, str | None]) -> str | None:
    match node:
        case nodes.Name(name=name):
            return scope.get(name)
        case nodes.Getitem(arg=nodes.Slice()):
            return _kind(node.node, scope)
        case nodes.Getitem(arg=nodes.Const(value=int())):
            return _element(_kind(node.node, scope))
        case nodes.Filter(name=name) if node.node is not None and name in _SAME | _ELEMENT:
            kind = _kind(node.node, scope)
            return kind if name in _SAME else _element(kind)
        case _:
            return None


def _element(kind: str | None) -> str | None:
    return kind.removeprefix("list of ") if kind and kind.startswith("list of ") else None


def _bind(scope: Scope, target: nodes.Node, kind: str | None) -> None:
    """Record the kind of an assigned name; with several targets the kinds are unknown."""
    if isinstance(target, nodes.Name):
        scope[target.name] = kind
    else:
        scope |= {name.name: None for name in target.find_all(nodes.Name)}


def _text(node: nodes.Node) -> str:
    return node.name if isinstance(node, nodes.Name) else ""
