"""Command-line options, derived from the settings records. Most are also environment variables and config keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from click.core import ParameterSource

from llmrank.errors import InputError, nearest
from llmrank.evaluation.settings import (
    BaselineSettings,
    CaseSettings,
    Limits,
    ModelSettings,
    PromptSettings,
    Setting,
    gather,
    json_text,
    role_texts,
    settings_of,
)

Command = Callable[..., Any]


class FilePath(click.Path):
    """The type of an option that names a file or a folder."""

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists, file_okay, dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Refuse an empty text, as of an unset variable: it would name the current folder."""
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


PATH, FILE = FilePath(), FilePath(dir_okay=False)

DECLARATIONS: Mapping[str, tuple[str, ...]] = {
    "k": ("-k", "--candidates", "--k", "k"),
    "columns": ("--column", "columns"),
    "show_history": ("--no-history", "show_history"),
}
"""Options whose name differs from their setting's."""
METAVAR_OF: Mapping[str, str] = {
    "fuse": "WEIGHT|validation",
    "calibrate": "STRENGTH|adaptive|validation",
    "columns": "ROLE=NAME",
    "scale": "LOW HIGH",
    "shard": "I/N",
}
"""How the help shows the value of an option whose type does not say enough."""
HELP_OFF: Mapping[str, str] = {"show_history": "Show no history."}
"""Help for the switches, keys and variables that turn a setting off: `no_history: true`."""
NO_VARIABLE = frozenset({"data"})
"""Options without an environment variable: LLMRANK_DATA already names the folder that holds the datasets."""
LISTS = frozenset({"measures", "baselines"})
"""Options that take several values separated by commas; a config file may also write them as a list."""


def option(*declarations: str, **attributes: Any) -> Callable[[Command], Command]:
    """Return a click option that `LLMRANK_<NAME>` can also set."""
    names = [text.split("/")[0].removeprefix("--") for text in declarations if text.startswith("--")]
    if names[0] not in NO_VARIABLE:
        attributes.setdefault("envvar", [variable(name) for name in names])
    attributes = ({"metavar": "N"} if isinstance(attributes.get("type"), click.IntRange) else {}) | attributes
    return click.option(*declarations, **attributes)


def variable(name: str) -> str:
    """Return the environment variable that sets an option."""
    return "LLMRANK_" + name.replace("-", "_").upper()


class GroupedCommand(click.Command):
    """A command whose help lists its options in groups, one per settings record."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            group = parameter.group if isinstance(parameter, GroupedOption) else "output and other"
            shown = parameter.get_help_record(ctx)
            if shown is not None and shown[1]:  # arguments have no help text; the usage line names them
                groups.setdefault(group, []).append(shown)
        for name, rows in groups.items():
            with formatter.section(name.capitalize()):
                formatter.write_dl(rows, col_max=26)


class GroupedOption(click.Option):
    """An option that belongs to a group in the help."""

    def __init__(self, *declarations: Any, group: str, **attributes: Any) -> None:
        super().__init__(*declarations, **attributes)
        self.group = group


def settings_options(
    record: type, group: str, *, without: Iterable[str] = (), here: Mapping[str, str] | None = None
) -> Callable[[Command], Command]:
    """Return a decorator that adds one option per setting of the record.

    The command receives each setting as a keyword argument, None if not given; `settings_from` turns them into the
    record. `here` overrides help texts for this command.
    """
    left_out, own = set(without), here or {}

    def decorate(command: Command) -> Command:
        for setting in reversed(settings_of(record)):
            if setting.name not in left_out:
                setting = replace(setting, help=own.get(setting.name, setting.help))
                command = _option_of(setting, group)(command)
        return command

    return decorate


def settings_from(record: type, values: dict[str, Any]) -> Any:  # noqa: ANN401 - the record
    """Build the record from its settings, which are removed from `values`.

    Raises InputError that names the option of an invalid value.
    """
    own = {setting.name: values.pop(setting.name) for setting in settings_of(record) if setting.name in values}
    own |= {name: not own[name] for name in HELP_OFF if own.get(name) is not None}
    return gather(record, {name: value for name, value in own.items() if value != ()}, field_name=option_name)


def option_name(setting: str) -> str:
    """Return the command-line name of a setting."""
    given = DECLARATIONS.get(setting, ())
    return next((text for text in given if text.startswith("--")), "--" + setting.replace("_", "-"))


def _option_of(setting: Setting, group: str) -> Callable[[Command], Command]:
    declarations = DECLARATIONS.get(setting.name, (option_name(setting.name), setting.name))
    attributes: dict[str, Any] = {"help": setting.help, "default": None, "cls": GroupedOption, "group": group}
    kind = _bare(setting.kind)
    if kind is bool:
        attributes |= {"is_flag": True, "flag_value": True, "help": HELP_OFF.get(setting.name, setting.help)}
    elif get_origin(kind) is Literal:
        attributes["type"] = click.Choice([str(choice) for choice in get_args(kind)])
    elif get_origin(kind) is tuple:
        several = get_args(kind)[1] is ...
        attributes |= {"multiple": True} if several else {"nargs": len(get_args(kind))}
        if get_origin(get_args(kind)[0]) is Literal:
            attributes["type"] = click.Choice([str(choice) for choice in get_args(get_args(kind)[0])])
    if metavar := METAVAR_OF.get(setting.name) or METAVARS.get(kind):
        attributes["metavar"] = metavar
    default = setting.default
    if isinstance(default, str | int | float) and kind is not bool and "[default:" not in setting.help:
        attributes["help"] += f"  [default: {default:g}]" if isinstance(default, float) else f"  [default: {default}]"
    return option(*declarations, **attributes)


METAVARS: Mapping[Any, str] = {int: "N", float: "NUMBER", Path: "PATH"}
"""How the help shows a value of each type. `gather` parses and validates it, as it does in Python."""


def _bare(kind: Any) -> Any:  # noqa: ANN401 - any type
    """Return the type without None and `Annotated`."""
    while get_origin(kind) in (Union, UnionType, Annotated):
        kinds = [one for one in get_args(kind) if one is not type(None)]
        # `str | Path`: the command line passes text.
        kind = str if str in kinds else kinds[0]
    return kind


_SOURCES = "llmrank.sources"
"""Key in `Context.meta` for the command's context, the config file, and the key and line that set each option."""


def _read_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    context.meta[_SOURCES] = context, path, {}
    if path is None:
        return
    from llmrank.yaml_text import read_text, read_yaml

    values, lines = read_yaml(text := read_text(path, "name a YAML file"), path, numbers=False)
    keys: dict[str | None, tuple[str, int | None]] = {}
    context.meta[_SOURCES] = context, path, keys
    options = {_key(one): one for one in context.command.params if isinstance(one, click.Option)}
    fields = {f"{one.name}".replace("_", "-"): one for one in options.values() if not one.is_flag}
    given: dict[str, Any] = {}
    for key, value in ((str(key), value) for key, value in values.items()):
        line, name = lines.get((key,)), key.replace("_", "-")
        if (one := options.get(name, fields.get(name))) is parameter:
            raise InputError("config files do not nest", path=path, line=line, field=key, hint="copy its keys here")
        if one is None:
            short = next((name for name, one in options.items() if f"-{key.lstrip('-')}" in one.opts), None)
            near = f"; did you mean {short!r}?" if short else nearest(key, options)
            raise InputError(f"unknown option{near}", path=path, line=line, field=key, hint="see --help for options")
        if one.name in keys:
            problem, hint = f"this option is already set as {keys[one.name][0]!r}", "remove one of the keys"
            raise InputError(problem, path=path, line=line, field=key, hint=hint)
        keys[one.name] = key, line
        if one.name in LISTS and isinstance(value, list):
            value = ",".join(map(str, value))
        value = role_texts(value) if one.name == "columns" else value
        value = json_text(read_yaml(text, path)[0][key]) if one.name == "extra_body" else value  # its numbers as such
        if isinstance(value, dict) or (isinstance(value, list) and not one.multiple and one.nargs == 1):
            problem, hint = f"expected a single value, got {value}", "write text or a number, as on the command line"
            raise InputError(problem, path=path, line=line, field=key, hint=hint)
        given[f"{one.name}"] = [value] if one.multiple and not isinstance(value, list | tuple | None) else value
    context.default_map = given | dict(context.default_map or {})


def _key(option: click.Option) -> str:
    """Return the name of an option in a config file: its long name."""
    return next(text for text in option.opts if text.startswith("--")).removeprefix("--")


def with_source(
    error: InputError | click.BadParameter, meta: Mapping[str, Any], verb: click.Command
) -> InputError | None:
    """Return the error about an option with what set it: config line, variable, or command line; None for any other."""
    context, path, keys = meta.get(_SOURCES, (click.Context(verb), None, {}))
    user: str | None = None
    if isinstance(error, InputError):
        field, problem, hint, user = error.field if error.path is None else None, error.problem, error.hint, error.user
    else:
        field, problem, hint = error.param and error.param.name, error.message, "see --help for valid values"
        value, is_switch, _ = problem.partition(" is not a valid boolean")
        problem = f"expected true or false, got {value}" if is_switch else problem
    for one in context.command.params if field is not None else ():
        if isinstance(one, click.Option) and field in (one.name, *one.opts, _key(one)):
            source = context.get_parameter_source(one.name)
            if source is ParameterSource.ENVIRONMENT:
                return InputError(problem, field=next(filter(os.environ.get, one.envvar or ())), user=user, hint=hint)
            if source is ParameterSource.DEFAULT_MAP:
                key, line = keys[one.name]
                return InputError(problem, path=path, line=line, field=key, user=user, hint=hint)
            if isinstance(error, InputError):
                return InputError(problem, field=one.opts[0], user=user, hint=hint)
    return None


config_option = option(
    "--config",
    type=FILE,
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="YAML file with any of these options as keys. The command line takes precedence.",
)
json_option = option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
dry_run_option = option("--dry-run", is_flag=True, help="Estimate calls, tokens and (with --prices) cost. No calls.")
users_option = option(
    "--users", default=0, show_default=True, type=click.IntRange(0), help="Users to sample with the seed; 0: all."
)
measures_option = option("--measures", default=None, help="For example NDCG@10,HR@5,MRR; or RMSE,MAE,AUC.")
force_option = click.option("--force", "overwrite", is_flag=True, help="Overwrite an existing file.")
skip_bad_rows_option = option("--skip-bad-rows", is_flag=True, help="Skip invalid rows, and count them.")

EVALUATION: Mapping[type, str] = {
    PromptSettings: "prompt and method",
    CaseSettings: "data",
    BaselineSettings: "baselines",
    ModelSettings: "model",
    Limits: "cost",
}
"""The settings records of an evaluation, each with its heading in the help."""


def evaluation_options(command: Command) -> Command:
    """Add the options of an evaluation except --out (`evaluation_arguments` reads them)."""
    for add in (config_option, json_option, dry_run_option, measures_option):
        command = add(command)
    for record, group in reversed([*EVALUATION.items()]):
        command = settings_options(record, group)(command)
    return command


def evaluation_arguments(values: dict[str, Any]) -> tuple[CaseSettings, dict[str, Any]]:
    """Return the Case settings and the other arguments of `evaluate`, removing them from `values`."""
    cases, arguments = settings_from(CaseSettings, values), {"measures": values.pop("measures")}
    for name, record in (("prompt", PromptSettings), ("model", ModelSettings), ("limits", Limits)):
        arguments[name] = settings_from(record, values)
    return cases, arguments | {"baselines": settings_from(BaselineSettings, values).baselines}


out_option = option("-o", "--out", default=None, type=PATH, help="Run folder.  [default: one under results/]")


def check_variables(commands: Iterable[click.Command], others: Iterable[str]) -> None:
    """Raise InputError for an LLMRANK_… variable that sets no option of any command and is not in `others`."""
    known = set(others)
    for command in commands:
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        for one in (command, *inner):
            known |= {name for parameter in one.params for name in parameter.envvar or ()}
    for name in sorted(os.environ):
        if name.startswith("LLMRANK_") and name not in known:
            hint = f"correct its name, or run `unset {name}`"
            raise InputError(f"unknown environment variable {name}{nearest(name, known)}", hint=hint)
