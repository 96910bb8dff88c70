"""Find and list templates: by path, in ./prompts, in the user's config folder, and in the package."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Literal

from llmrank.errors import InputError, nearest
from llmrank.prompting.template import PromptTemplate, read_template
from llmrank.yaml_text import read_text

SUFFIX = ".jinja"
WORDINGS = "wordings"
"""The folder of paraphrases, with a subfolder for each template that has some."""


def shipped_folder() -> Path:
    """Return the folder of the templates that come with llmrank."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_prompts"
    # In a checkout they are next to the package; in a wheel, inside it.
    return installed if installed.is_dir() else package.parent / "prompts"


def folders() -> tuple[Path, ...]:
    """Return the folders to search, in order."""
    from platformdirs import user_config_path

    try:
        own = (user_config_path("llmrank") / "prompts",)
    except RuntimeError:  # the user has no home folder
        own = ()
    return Path("prompts"), *own, shipped_folder()


def template_paths() -> dict[str, Path]:
    """Return the file of every template that can be named, sorted by name, including the shipped wordings."""
    found: dict[str, Path] = {}
    for path in chain(*(sorted(folder.glob(f"*{SUFFIX}")) for folder in folders()), _wordings()):
        found.setdefault(path.name.removesuffix(SUFFIX), path)
    return dict(sorted(found.items()))


def shipped_wordings() -> dict[str, tuple[str, ...]]:
    """Return the shipped paraphrases of each template: the template's name -> the names of its paraphrases."""
    files = groupby(_wordings(), key=lambda path: path.parent.name)
    return {name: tuple(path.name.removesuffix(SUFFIX) for path in paths) for name, paths in files}


def shipped_path(name: str) -> Path | None:
    """Return the file of the shipped template of that name, or None."""
    shipped = {path.name: path for path in (*shipped_folder().glob(f"*{SUFFIX}"), *_wordings())}
    return shipped.get(f"{name}{SUFFIX}")


def _wordings() -> list[Path]:
    return sorted(shipped_folder().glob(f"{WORDINGS}/*/*{SUFFIX}"))


def find_template(name: str | Path, field: str | None = None) -> Path:
    """Return the file of a template given by name or path.

    Raises InputError for an unknown name, with the nearest one; `field` is the setting that gave it, if any.
    """
    if isinstance(name, Path) or name.endswith(SUFFIX) or "/" in name or "\\" in name:
        path = Path(name)
        if not path.is_file():
            raise InputError("no such template file", path=path, hint="give the path of a .jinja file, or a name")
        return path
    known = template_paths()
    if name in known:
        return known[name]
    hint = "`llmrank prompts list` shows them; `llmrank prompts new NAME` starts one"
    raise InputError(f"unknown prompt {name!r}{nearest(name, known)}", field=field, hint=hint)


def compared_templates(name: str, other: str | None = None) -> tuple[Path, Path]:
    """Return the files of two templates to compare; by default, the shipped template of this name and NAME itself.

    Raises InputError if no template of that name is shipped.
    """
    found = find_template(name)
    if other is not None:
        return found, find_template(other)
    if (shipped := shipped_path(found.stem)) is None:
        hint = f"name the template to compare it with: llmrank prompts diff {name} OTHER"
        raise InputError(f"no template {found.stem!r} comes with llmrank", hint=hint)
    return shipped, found


def load_template(name: str | Path, field: str | None = None) -> PromptTemplate:
    """Load a template by name or path; `field` is the setting that gave it, if any.

    Raises InputError for an unknown name (it suggests the nearest), and for errors in the file, with file and line.
    """
    path = find_template(name, field)
    return read_template(read_text(path), path)


Origin = Literal["shipped", "edited", "own"]


def template_origin(template: PromptTemplate) -> Origin:
    """Return `shipped` for a template unchanged since installation, `edited` for a changed text under a shipped name,
    and `own` for the user's."""
    shipped = shipped_path(template.name)
    if shipped is None:
        return "own"
    return "shipped" if read_text(shipped) == template.text else "edited"


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """One template's row in a list of templates."""

    name: str
    path: Path
    origin: Origin | None = None
    task: str = ""
    ranker: str = ""
    answer: str = ""
    """The answer format, or the distinct ones of its identifier schemes."""
    description: str = ""
    paper: str = ""
    wording: str = ""
    note: str = ""
    problem: str = ""
    """The first problem found; if the file cannot be read, the other fields are empty."""


def describe_templates(*, task: str | None = None, ranker: str | None = None) -> list[TemplateInfo]:
    """Return every template that can be named, sorted by name, optionally filtered by task and ranker.

    Broken files are listed with their problem. Shipped wordings are left out, as they only paraphrase other templates.
    Shipped templates are not checked.
    """
    from llmrank.prompting.check import check  # imported here, because check imports this module

    found: list[TemplateInfo] = []
    wordings = _wordings()
    for name, path in template_paths().items():
        if path in wordings:
            continue
        try:
            template = load_template(path)
        except InputError as error:
            found.append(TemplateInfo(name, path, problem=error.problem))
            continue
        front, answer = template.front, template.front.answer or ""
        if task in (None, front.task) and ranker in (None, front.ranker):
            formats = answer if isinstance(answer, str) else ", ".join(dict.fromkeys(answer.values()))
            origin = template_origin(template)
            about = (origin, front.task, front.ranker or "", formats, front.description)
            problem = "" if origin == "shipped" else next((one.problem for one in check(template)), "")
            found.append(TemplateInfo(name, path, *about, **front.provenance.model_dump(), problem=problem))
    return found
