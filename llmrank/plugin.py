"""Plugins: finds and loads what other packages add through entry points, and names the package in errors."""

from __future__ import annotations

import sys
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

from llmrank.errors import InputError, LlmrankError

KINDS = {
    "llmrank.answers": ("answer format", "--answer"),
    "llmrank.rankers": ("ranker", "--ranker"),
    "llmrank.recall": ("recall model", "--recall"),
    "llmrank.measures": ("measure", "--measures"),
    "llmrank.backends": ("backend", "--backend"),
}
"""The entry point groups: what each one adds, and the option that selects it."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point of another package: an answer format, a ranker, a recall model, a measure or a backend."""

    point: EntryPoint

    @property
    def name(self) -> str:
        """The name used in front matter and on the command line."""
        return self.point.name

    @property
    def package(self) -> str:
        """The package that provides it, with its version."""
        return f"{self.point.dist.name} {self.point.dist.version}" if self.point.dist else "a package without a name"

    def __str__(self) -> str:
        return f"the {KINDS[self.point.group][0]} {self.name!r} of {self.package} ({self.point.value})"

    def load(self) -> object:
        """Return the object that the entry point names; raise InputError, naming the package, if loading it fails."""
        with self.blamed("cannot be loaded"):
            return self.point.load()

    def error(
        self, problem: str, *, hint: str = "", path: str | None = None, line: int | None = None, user: str | None = None
    ) -> InputError:
        """Return an error that names the plugin and its package."""
        remove = f"or `pip uninstall {self.point.dist.name}`" if self.point.dist else "or remove it from the path"
        whose = f"fix it there, choose another {KINDS[self.point.group][1]}"
        return InputError(f"{self} {problem}", path=path, line=line, user=user, hint=hint or f"{whose}, {remove}")

    def blamed(self, doing: str, *, hint: str = "", user: str | None = None) -> _Blamed:
        """Return a context that turns any exception into an InputError with `doing`, the exception, and its
        location."""
        return _Blamed(self, doing, hint, user)


@dataclass(frozen=True)
class _Blamed(AbstractContextManager["_Blamed"]):
    """Turns whatever third-party code raises, even to end the process, into an InputError that names the plugin."""

    plugin: Plugin
    doing: str
    hint: str
    user: str | None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception | SystemExit) and not isinstance(error, LlmrankError):
            package, path, line = self.plugin.point.module.split(".")[0], None, None
            for frame, number in walk_tb(trace):
                if str(frame.f_globals.get("__name__")).split(".")[0] == package:
                    # The last match is the innermost frame in the package's own code.
                    path, line = frame.f_code.co_filename, number
            problem = f"{self.doing}: {type(error).__name__}: {error}"
            raise self.plugin.error(problem, hint=self.hint, path=path, line=line, user=self.user) from error


def _entry_points(group: str) -> EntryPoints:
    """Return the entry points of a group. Searching the installed packages takes milliseconds and happens some twenty
    times per command, so the result is cached until a folder on the path changes, as after `%pip install`."""
    return _cached_entry_points(group, tuple((folder, _modified_at(folder)) for folder in sys.path))


@cache
def _cached_entry_points(group: str, path: tuple[tuple[str, int], ...]) -> EntryPoints:
    return entry_points(group=group)


def _modified_at(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def plugin_of(group: str, name: str, kind: type) -> Plugin | None:
    """Return the plugin that adds this class; None for a class of llmrank, or one that no installed package adds.

    Raises InputError as `find_plugin` does.
    """
    if kind.__module__.partition(".")[0] == "llmrank":
        return None
    plugin = find_plugin(group, name)
    return plugin if plugin is not None and plugin.load() is kind else None


def plugin_names(group: str) -> tuple[str, ...]:
    """Return the sorted names that other packages add to an entry point group."""
    return tuple(sorted(_entry_points(group).names))


def find_plugin(group: str, name: str, ours: Collection[str] = ()) -> Plugin | None:
    """Return the plugin of that name, or None.

    Raises InputError if two packages add the name, or if it is one of `ours`: otherwise results might come from another
    method than the user asked for.
    """
    plugins = [Plugin(point) for point in _entry_points(group).select(name=name)]
    providers = [*(["llmrank"] if name in ours else []), *(f"{one.package} ({one.point.value})" for one in plugins)]
    if len(providers) > 1:
        removable = " or ".join(f"`pip uninstall {one.point.dist.name}`" for one in plugins if one.point.dist)
        raise InputError(
            f"the {KINDS[group][0]} {name!r} is provided by {' and by '.join(providers)}",
            hint=f"give the entry point of group {group} another name, or {removable}",
        )
    return plugins[0] if plugins else None
