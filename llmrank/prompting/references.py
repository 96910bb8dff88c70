"""What a template refers to: every variable and every field of one, found in its syntax tree, with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import nodes

from llmrank.errors import nearest
from llmrank.prompting.variables import FIELDS, KINDS, TRUTH, VARIABLES

# Filters that keep the kind of a list, and those that take one element of it.
_SAME = frozenset({"list", "reverse", "sort", "select", "reject", "selectattr", "rejectattr", "unique", "default", "d"})
_ELEMENT = frozenset({"first", "last", "min", "max"})
_BY_ATTRIBUTE = frozenset({"map", "sort", "unique", "groupby", "sum", "min", "max", "join"})
_BY_FIRST_ARGUMENT = frozenset({"selectattr", "rejectattr", "groupby"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable (`kind` None) or a field of one (`kind`: event, item, scale, domain, or unknown)."""

    name: str
    line: int
    kind: str | None = None
    of: str = ""
    """The expression whose field it is, as far as it is a name."""


def references(block: nodes.Template, known: frozenset[str]) -> Iterator[Reference]:
    """Yield what is referred to: fields with the kind of what they belong to, variables that nothing defines."""
    scope: dict[str, str | None] = {name: KINDS.get(name) for name in known}
    yield from _walk(block, scope, known)


def fault(reference: Reference, attributes: tuple[str, ...], catalogue: bool) -> tuple[str, str] | None:
    """Return what is wrong with a reference and the hint, or None."""
    name, kind = reference.name, reference.kind
    if kind is None:
        if catalogue and name in {"candidates", "n"}:
            return f"{name!r}: this prompt names freely and shows no candidates", "take out `candidates: catalogue`"
        if name in TRUTH or name == "answer":
            return f"{name!r} is the truth, which no template is given", "show only the history and the candidates"
        if name in VARIABLES:
            return f"{name!r} is not available here", f"{name!r}: {VARIABLES[name]}"
        return f"undefined variable {name!r}{nearest(name, VARIABLES)}", f"use one of {', '.join(VARIABLES)}"
    place = f"{reference.of}.{name}" if reference.of else f".{name}"
    if name == "relevant" or (kind == "item" and name in TRUTH):
        return f"{place} is the truth, which no template is given", "show only the history and the candidates"
    if kind.startswith("list of "):
        return (
            f"{place}: {reference.of or 'it'} is a {kind}",
            f"loop over it: `{{% for one in {reference.of or '…'} %}}`",
        )
    if kind == "unknown" or name in FIELDS[kind] or (kind in {"event", "item"} and name in attributes):
        return None
    fields = [*FIELDS[kind], *(attributes if kind in {"event", "item"} else ())]
    hint = f"use one of {', '.join(fields)}"
    if kind in {"event", "item"}:
        hint += f"; or declare it: `attributes: [{', '.join((*attributes, name))}]`"
    return f"{place}: an {kind} has no {name!r}{nearest(name, fields)}", hint


def _walk(node: nodes.Node, scope: dict[str, str | None], known: frozenset[str]) -> Iterator[Reference]:
    """Yield the references beneath a node; `scope` maps each name in force to its kind."""
    match node:
        case nodes.Name(ctx="load", name=name):
            if name not in scope and name not in (node.environment.globals if node.environment else {}):
                yield Reference(name, node.lineno)
            return
        case nodes.For():
            yield from _walk(node.iter, scope, known)
            inner = {**scope, "loop": None, **_targets(node.target, _element(_kind(node.iter, scope)))}
            for part in ([node.test] if node.test else []) + node.body:
                yield from _walk(part, inner, known)
            for part in node.else_:
                yield from _walk(part, scope, known)
            return
        case nodes.Assign():
            yield from _walk(node.node, scope, known)
            scope |= _targets(node.target, _kind(node.node, scope))
            return
        case nodes.AssignBlock():
            for part in node.body:
                yield from _walk(part, scope, known)
            scope |= _targets(node.target, None)
            return
        case nodes.Macro():
            scope[node.name] = None
            inner = {**scope, "caller": None, "varargs": None, "kwargs": None}
            inner |= {argument.name: None for argument in node.args}
            for part in [*node.defaults, *node.body]:
                yield from _walk(part, inner, known)
            return
        case nodes.With():
            for value in node.values:
                yield from _walk(value, scope, known)
            inner = dict(scope)
            for target, value in zip(node.targets, node.values, strict=True):
                inner |= _targets(target, _kind(value, scope))
            for part in node.body:
                yield from _walk(part, inner, known)
            return
        case nodes.CallBlock():
            yield from _walk(node.call, scope, known)
            inner = {**scope, **{argument.name: None for argument in node.args}}
            for part in node.body:
                yield from _walk(part, inner, known)
            return
        case nodes.Getattr(attr=name) | nodes.Getitem(arg=nodes.Const(value=str(name))):
            yield Reference(name, node.lineno, _kind(node.node, scope) or "unknown", _text(node.node))
        case nodes.Filter(name=name) if node.node is not None:
            element = _element(_kind(node.node, scope)) or "unknown"
            named = [keyword.value for keyword in node.kwargs if keyword.key == "attribute" and name in _BY_ATTRIBUTE]
            for value in named + (node.args[:1] if name in _BY_FIRST_ARGUMENT else []):
                if isinstance(value, nodes.Const) and isinstance(value.value, str):
                    yield Reference(value.value.split(".")[0], node.lineno, element, _text(node.node))
        case _:
            pass
    for child in node.iter_child_nodes():
        yield from _walk(child, scope, known)


def _kind(node: nodes.Node, scope: Mapping[str, str | None]) -> str | None:
    match node:
        case nodes.Name(name=name):
            return scope.get(name)
        case nodes.Getitem(arg=nodes.Slice()):
            return _kind(node.node, scope)
        case nodes.Getitem(arg=nodes.Const(value=int())):
            return _element(_kind(node.node, scope))
        case nodes.Filter(name=name) if node.node is not None and name in _SAME:
            return _kind(node.node, scope)
        case nodes.Filter(name=name) if node.node is not None and name in _ELEMENT:
            return _element(_kind(node.node, scope))
        case _:
            return None


def _element(kind: str | None) -> str | None:
    return kind.removeprefix("list of ") if kind and kind.startswith("list of ") else None


def _targets(node: nodes.Node, kind: str | None) -> dict[str, str | None]:
    if isinstance(node, nodes.Name):
        return {node.name: kind}
    return dict.fromkeys((name.name for name in node.find_all(nodes.Name)), None)


def _text(node: nodes.Node) -> str:
    return node.name if isinstance(node, nodes.Name) else ""
