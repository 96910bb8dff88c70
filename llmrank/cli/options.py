"""The options of the verbs, derived from the settings records. Each is an environment variable and a config key too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from annotated_types import Ge, Le

from llmrank.errors import InputError, nearest
from llmrank.evaluation.settings import (
    BaselineSettings,
    CaseSettings,
    Limits,
    ModelSettings,
    PromptSettings,
    ScaleSettings,
    ScoreSettings,
    Setting,
    gather,
    settings_of,
)

Command = Callable[..., Any]

DECLARATIONS: Mapping[str, tuple[str, ...]] = {
    "k": ("-k", "--candidates", "k"),
    "columns": ("--column", "columns"),
    "show_history": ("--no-history", "show_history"),
    "extra_body": ("--extra-body", "extra_body"),
}
"""Options that are not called like their setting."""
HELP_OFF: Mapping[str, str] = {"show_history": "Show no history."}
"""The help of options that turn off what is on by default."""
VERBS_OWN = (
    *("measures", "out", "output", "config", "json", "dry-run", "seed", "skip-bad-rows", "force", "to", "worst"),
    *("neighbours", "l2", "keep-seen", "items", "histories", "qrels", "from", "drop-duplicates", "user"),
)
"""Options of single verbs that a variable sets."""
NO_VARIABLE = frozenset({"data"})
"""LLMRANK_DATA is the folder in which datasets lie, so that a name still chooses among them."""


def option(*declarations: str, **attributes: Any) -> Callable[[Command], Command]:  # noqa: ANN401 - click checks
    """Return a click option that `LLMRANK_<NAME>` sets too."""
    long = next(text for text in declarations if text.startswith("--")).split("/")[0].removeprefix("--")
    if long not in NO_VARIABLE:
        attributes.setdefault("envvar", variable(long))
    return click.option(*declarations, **attributes)


def variable(name: str) -> str:
    """Return the environment variable that sets an option."""
    return "LLMRANK_" + name.replace("-", "_").upper()


class GroupedCommand(click.Command):
    """A command whose help lists its options in groups, one for each settings record."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those of a record under its name."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.help_record if isinstance(parameter, GroupedOption) else None
            if (shown := parameter.get_help_record(ctx)) is not None:
                groups.setdefault(record or "output and other", []).append(shown)
        for name, rows in groups.items():
            with formatter.section(name.capitalize()):
                formatter.write_dl(rows)


class GroupedOption(click.Option):
    """An option that knows the group in which the help lists it."""

    help_record: str | None = None


def settings_options(record: type, group: str, *, without: Iterable[str] = ()) -> Callable[[Command], Command]:
    """Return a decorator that adds an option for each setting of the record.

    The command receives one keyword argument per setting, None where nothing was given (`settings_from` makes the
    record of them).
    """
    left_out = set(without)

    def decorate(command: Command) -> Command:
        for setting in reversed(settings_of(record)):
            if setting.name not in left_out:
                command = _option_of(setting, group)(command)
        return command

    return decorate


def settings_from(record: type, values: dict[str, Any]) -> Any:  # noqa: ANN401 - the record
    """Return the record made of those values that are its settings, which are taken out of `values`.

    Raises InputError that names the option.
    """
    own = {setting.name: values.pop(setting.name) for setting in settings_of(record) if setting.name in values}
    return gather(record, {name: value for name, value in own.items() if value != ()}, field_name=option_name)


def option_name(setting: str) -> str:
    """Return what a setting is called on the command line."""
    given = DECLARATIONS.get(setting, ())
    return next((text for text in given if text.startswith("--")), "--" + setting.replace("_", "-"))


def _option_of(setting: Setting, group: str) -> Callable[[Command], Command]:
    declarations = DECLARATIONS.get(setting.name, (option_name(setting.name), setting.name))
    attributes: dict[str, Any] = {"help": setting.help, "default": None}
    kind, least, most = _bare(setting.kind)
    if kind is bool:
        attributes |= {"is_flag": True, "flag_value": not setting.default}
        if setting.default:
            # A switch that is on by default is turned off: --no-history.
            attributes["help"] = HELP_OFF[setting.name]
    elif get_origin(kind) is Literal:
        attributes["type"] = click.Choice([str(choice) for choice in get_args(kind)])
    elif get_origin(kind) is tuple and get_args(kind)[1] is ...:
        attributes["multiple"] = True
    elif get_origin(kind) is tuple:
        attributes["type"] = get_args(kind)
    elif kind is int:
        attributes["type"] = click.IntRange(least, most)
    elif kind is float:
        attributes["type"] = click.FloatRange(least, most)
    elif kind is Path:
        attributes["type"] = click.Path(path_type=Path)
    if setting.default not in (None, (), False, True, "") and "[default:" not in setting.help:
        attributes["help"] += f"  [default: {setting.default}]"
    name = next(text for text in declarations if text.startswith("--")).removeprefix("--")
    if name not in NO_VARIABLE:
        attributes["envvar"] = variable(name)
    made = click.option(*declarations, cls=GroupedOption, **attributes)

    def add(command: Command) -> Command:
        command = made(command)
        command.__click_params__[-1].help_record = group  # type: ignore[attr-defined]
        return command

    return add


def _bare(kind: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401 - any type
    """Return the type without None and without `Annotated`, and its bounds."""
    least = most = None
    while True:
        if get_origin(kind) in (Union, UnionType):
            kinds = [one for one in get_args(kind) if one is not type(None)]
            # A name or a path is written as text.
            kind = str if str in kinds else kinds[0]
        elif get_origin(kind) is Annotated:
            kind, *bounds = get_args(kind)
            least = next((bound.ge for bound in bounds if isinstance(bound, Ge)), None)
            most = next((bound.le for bound in bounds if isinstance(bound, Le)), None)
        else:
            return kind, least, most


def _read_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, hint="name a YAML file") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InputError(
            f"not valid YAML: {error.problem}", path=path, line=line, hint="write `option: value` lines"
        ) from error
    if not isinstance(values, dict):
        raise InputError("holds no `option: value` lines", path=path, hint="write for example `prompt: palr`")
    names = {
        (declaration.removeprefix("--").split("/")[0]): one.name
        for one in context.command.params
        for declaration in one.opts
        if declaration.startswith("--")
    }
    for key in values:
        if str(key) not in names:
            raise InputError(
                f"unknown option{nearest(str(key), names)}",
                path=path,
                field=str(key),
                hint="see --help for the options",
            )
    context.default_map = {names[str(key)]: value for key, value in values.items()} | dict(context.default_map or {})


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    envvar="LLMRANK_CONFIG",
    help="YAML file with any of these options as keys; the command line wins.",
)
json_option = click.option("--json", "as_json", is_flag=True, envvar="LLMRANK_JSON", help="Print the result as JSON.")
dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    envvar="LLMRANK_DRY_RUN",
    help="Count requests and tokens (money with --prices), and what the store has of them; send no request.",
)


def check_variables(others: Iterable[str]) -> None:
    """Raise InputError for an environment variable LLMRANK_… that sets no option and is none of `others`."""
    records = (CaseSettings, BaselineSettings, PromptSettings, ModelSettings, Limits, ScaleSettings, ScoreSettings)
    options = [option_name(setting.name).removeprefix("--") for record in records for setting in settings_of(record)]
    known = {variable(name) for name in (*options, *VERBS_OWN)} | set(others)
    for name in sorted(os.environ):
        if name.startswith("LLMRANK_") and name not in known:
            raise InputError(
                f"the environment variable {name} sets no option{nearest(name, known)}",
                hint=f"correct its name, or `unset {name}`",
            )
