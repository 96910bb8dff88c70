"""The sandbox for templates: no access to Python, and limits on work and text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, wraps
from itertools import islice
from types import BuiltinMethodType
from typing import Any, cast

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import make_attrgetter
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import SandboxedEnvironment

from llmrank.prompting.variables import FIELDS, Shown
from llmrank.prompting.view import Domain

Value = Any
"""Any value that a template or Jinja itself handles."""
MOST_STEPS = 2_000_000
"""Maximum loop iterations, calls and text pieces per block; a prompt of 5,000 candidates takes about a tenth."""
MACRO_STEPS = 10
"""The cost of a macro call, in steps."""
MOST_TEXT = 5_000_000
"""Maximum length of a text, in characters."""
PIECES_AT_ONCE = 64
"""Pieces of a block to render between checks of their length."""
MOST_NUMBER = 1_000_000
"""The largest number that a function or filter accepts, such as a width or a count."""
MOST_BITS = 4096
"""The maximum size of an integer that arithmetic may produce."""
_METHODS = """
append capitalize casefold count endswith extend find get index insert isalpha isdigit items join keys lower lstrip
pop removeprefix removesuffix replace rsplit rstrip sort split splitlines startswith strip title upper update values
"""
METHODS = frozenset(_METHODS.split())
"""The methods of texts, lists and maps that a template may call."""
WORDS = FIELDS["domain"]
"""The fields of a domain that a template may read."""
NO_FILTERS = ("attr", "center", "indent", "pprint", "random", "urlize", "wordwrap", "xmlattr")
"""Removed filters: they would bypass the limits, or are meant for web pages."""

PRINTED = (str, int, float, list, tuple, dict, Shown, Undefined)
"""The types a template can print: text, numbers, items, events, and containers. Undefined raises its own error."""

_AS_TEXT = """
capitalize e escape forceescape format lower replace safe striptags title trim truncate upper urlencode wordcount
"""
AS_TEXT = frozenset(_AS_TEXT.split())
"""Filters that convert their input to text, even a list."""


class Absent(StrictUndefined):
    """A missing field of an item or event: false in conditions, an error when printed."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    @property
    def _undefined_message(self) -> str:
        return f"an item or event may have no {self._undefined_name!r}"


@lru_cache(maxsize=256)
def _absent(name: str) -> Absent:
    """Return a cached Absent: a template without scores asks every item for one."""
    return Absent(name=name)


class Environment(SandboxedEnvironment):
    """A sandboxed, bounded, deterministic Jinja environment without escaping, as the text goes to a model."""

    # Jinja evaluates constant expressions at compile time, unless their operators are intercepted.
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        options = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
        super().__init__(undefined=StrictUndefined, finalize=_printable, **options)
        del self.globals["lipsum"]
        for name in NO_FILTERS:
            del self.filters[name]
        self.filters |= {"tojson": _json, "string": _text}
        self.filters = {name: self._bounded(name, function) for name, function in self.filters.items()}
        self.filters |= {"_metered": self._metered, "_joined": self._joined, "join": self._joined}
        self.steps = 0
        """Steps taken in the current block."""

    def render(self, pieces: Iterable[str]) -> str:
        """Join the pieces of a block; raises SecurityError if it takes too many steps or too much text."""
        self.steps, length, parts, left = 0, 0, list[str](), iter(pieces)
        # In batches: the steps already limit the length of each piece and the number of new ones.
        while some := list(islice(left, PIECES_AT_ONCE)):
            _text_steps(length := length + sum(map(len, some)))
            parts += some
        return "".join(parts)

    def instrument(self, tree: nodes.Template) -> nodes.Template:
        """Meter every loop and bound every concatenation in the tree, before it is compiled."""
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = self._filter("_metered", loop.iter)
        for cut in list(tree.find_all(nodes.Getitem)):
            if isinstance(cut.arg, nodes.Slice):
                cut.node = self._filter("_metered", cut.node)
        for joined in [*tree.find_all(nodes.Concat)]:
            joined.nodes = [self._filter("_joined", nodes.List(joined.nodes, lineno=joined.lineno))]
        tree.set_environment(self)
        return tree

    def getattr(self, obj: object, attribute: str) -> object:
        """Return a field; for an event or item, only the shown fields, on a fast path."""
        if type(obj) is Shown:
            value = obj.values.get(attribute)
            return _absent(attribute) if value is None else value
        if (type(obj) is LoopContext and attribute[:1] != "_") or (type(obj) is Domain and attribute in WORDS):
            return getattr(obj, attribute)
        if isinstance(obj, str) and attribute not in METHODS:
            return self.unsafe_undefined(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        """Return an element, or a field by name (used by filters such as `map(attribute="title")`)."""
        if type(obj) is Shown:
            return self.getattr(obj, str(argument))
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Value, attr: str, value: Value) -> bool:
        """Return whether a template may access an attribute; builtin types are limited to `METHODS`."""
        builtin = isinstance(value, BuiltinMethodType)
        return super().is_safe_attribute(obj, attr, value) and (not builtin or attr in METHODS)

    def call(__self, __context: Value, __obj: Value, *args: Any, **kwargs: Any) -> Value:  # noqa: N805
        """Perform a template's call within the limits."""
        self = __self
        owner: object = __obj.__self__ if isinstance(__obj, BuiltinMethodType) else None
        self._enter(args, kwargs)
        if isinstance(__obj, Macro):
            self._spend(MACRO_STEPS)
        if isinstance(owner, str) and isinstance(__obj, BuiltinMethodType):
            args = _checked_text_method(__obj.__name__, owner, args)
        if isinstance(__obj, LoopContext) and args:
            args = (self._metered(args[0]), *args[1:])
        result = super(Environment, self).call(__context, __obj, *args, **kwargs)
        if isinstance(owner, list) and len(owner) > MOST_NUMBER:
            raise SecurityError(f"a list has more than {MOST_NUMBER:,} elements")
        return self._made(result)

    def call_binop(self, context: Value, operator: str, left: Value, right: Value) -> Value:
        """Evaluate a binary operator; raises SecurityError if the result would be too large."""
        sizes = [len(one) for one in (left, right) if isinstance(one, str | list | tuple)]
        numbers = [one for one in (left, right) if isinstance(one, int)]
        if operator == "*" and sizes and numbers:
            self._spend(_text_steps(sizes[0] * max(0, numbers[0])))
        elif operator in ("*", "**") and len(numbers) == 2:
            longest = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
            if longest > MOST_BITS:
                raise SecurityError(f"a number has more than {MOST_BITS} bits")
        elif operator == "+" and sizes:
            self._spend(_text_steps(sum(sizes)))
        elif operator == "%" and isinstance(left, str):
            _check_format(left)
            _require_short(right)
        return super().call_binop(context, operator, left, right)

    def _bounded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a filter with the limits."""

        @wraps(function)  # also copies the marker that Jinja sets on functions that need the context
        def bounded(*args: Any, **kwargs: Any) -> Value:
            self._enter(args, kwargs)
            texts = [one for one in args if isinstance(one, str)]
            if name in AS_TEXT:
                for one in (*args, *kwargs.values()):
                    _require_short(one)
            if name == "format" and texts:
                _check_format(texts[0])
            elif name == "replace" and len(texts) > 2:
                _checked_text_method("replace", texts[0], tuple(texts[1:]))
            elif name == "sum" and any(isinstance(one, list | tuple) for one in (*args[1:], *kwargs.values())):
                raise SecurityError("sum accepts only numbers")
            return self._made(function(*args, **kwargs))

        return bounded

    def _metered(self, value: Value) -> Value:
        """Return an iterable whose iterations count as steps."""
        if isinstance(value, str | list | tuple | dict | range):
            self._spend(len(value))
            return value
        return self._counted(value) if isinstance(value, Iterator) else value

    def _counted(self, values: Iterator[Any]) -> Iterator[Any]:
        for value in values:
            self._spend(1)
            yield value

    def _joined(self, value: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
        """Join texts with `d`, like Jinja's filter `join`."""
        texts = [_text(one) for one in (value if attribute is None else map(make_attrgetter(self, attribute), value))]
        self._spend(_text_steps(sum(map(len, texts)) + len(d) * len(texts)))
        return d.join(texts)

    def _filter(self, name: str, node: nodes.Node) -> nodes.Filter:
        return nodes.Filter(cast(nodes.Expr, node), name, [], [], None, None, lineno=node.lineno)

    def _enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Count a call, and reject arguments that are too large."""
        self._spend(1)
        for value in (*args, *kwargs.values()):
            if type(value) is int and abs(value) > MOST_NUMBER:
                raise SecurityError(f"{value:.3g} is more than {MOST_NUMBER:,}")

    def _made(self, value: Value) -> Value:
        """Return the result of a function or filter after counting its size."""
        if isinstance(value, str):
            self._spend(_text_steps(len(value)))
        elif isinstance(value, list):
            self._spend(len(value))
        return value

    def _spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MOST_STEPS:
            raise SecurityError(f"the block takes more than {MOST_STEPS:,} steps")


def _printable(value: object) -> object:
    """Return a printable value unchanged; raises TypeError for any other object.

    Python would print its address, which differs in every process, so stored answers would not be found again.
    """
    if type(value) is str:
        return value
    if isinstance(value, PRINTED):
        _require_short(value)
        return value
    kind = "the result of a filter" if isinstance(value, Iterator) else f"{type(value).__name__!r}"
    raise TypeError(f"{kind} cannot be printed: print one of its fields, loop over it, or join it (`| join(', ')`)")


def _text(value: object) -> str:
    return str(_printable(value))


def _json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON for a model; Jinja's own filter escapes apostrophes and non-ASCII characters."""
    length, parts = 0, list[str]()
    for part in json.JSONEncoder(default=_text, ensure_ascii=False, indent=indent, sort_keys=True).iterencode(value):
        _text_steps(length := length + len(part))
        parts.append(part)
    return "".join(parts)


def _require_short(value: object) -> None:
    """Raise SecurityError for a list or map that is too long as text: it may hold the same long text many times."""
    left: list[object] = [value] if isinstance(value, list | tuple | dict) else []
    length = 0
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += (*cast("dict[object, object]", one), *cast("dict[object, object]", one).values())
        elif isinstance(one, list | tuple):
            left += cast("Sequence[object]", one)
        elif isinstance(one, str):
            length += len(one)
        _text_steps(length := length + 8)  # a separator, and the time to visit the element


def _text_steps(length: int) -> int:
    """Return the cost of a text in steps; raises SecurityError if it is too long."""
    if length > MOST_TEXT:
        raise SecurityError(f"the text is longer than {MOST_TEXT:,} characters")
    return 1 + length // 64


def _checked_text_method(name: str, text: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of a string method; raises SecurityError if the result would be too long."""
    if name == "replace" and len(args) > 1:
        _text_steps(len(text) + text.count(str(args[0])) * len(str(args[1])))
    if name == "join" and args:
        values = [str(value) for value in args[0]]
        _text_steps(sum(map(len, values)) + len(text) * len(values))
        return (values,)
    return args


def _check_format(text: str) -> None:
    if re.search(r"\d{5,}|\*", text):
        raise SecurityError(f"a width in {text!r:.40} is too large")
