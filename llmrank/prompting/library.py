"""Where templates are found: an explicit path, ./prompts, the user's config folder, the package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from llmrank.errors import InputError, nearest
from llmrank.prompting.template import PromptTemplate, read_template

SUFFIX = ".jinja"


def shipped_folder() -> Path:
    """Return the folder of the templates that come with llmrank."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_prompts"
    # In a checkout they lie beside the package; the wheel carries them inside it.
    return installed if installed.is_dir() else package.parent / "prompts"


def folders() -> tuple[Path, ...]:
    """Return the folders that are searched, first found first."""
    from platformdirs import user_config_path

    return Path("prompts"), user_config_path("llmrank") / "prompts", shipped_folder()


def template_paths() -> dict[str, Path]:
    """Return the file of every template that can be named, by name, sorted."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            found.setdefault(path.name.removesuffix(SUFFIX), path)
    return dict(sorted(found.items()))


def find_template(name: str | Path) -> Path:
    """Return the file of a template, given its name or its path; raises InputError with the nearest name."""
    if isinstance(name, Path) or name.endswith(SUFFIX) or "/" in name or "\\" in name:
        path = Path(name)
        if not path.is_file():
            raise InputError("no such template file", path=path, hint="give the path of a .jinja file, or a name")
        return path
    for folder in folders():
        path = folder / f"{name}{SUFFIX}"
        if path.is_file():
            return path
    known = template_paths()
    raise InputError(
        f"unknown prompt {name!r}{nearest(name, known)}",
        field="--prompt",
        hint="`llmrank prompts list` shows them; `llmrank prompts new NAME` begins one",
    )


def read_text(path: Path) -> str:
    """Return the text of a template file; raises InputError where it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError("not UTF-8", path=path, line=line, hint="save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, hint="check the file's permissions") from error


def load_template(name: str | Path) -> PromptTemplate:
    """Return a template by name or path.

    Raises InputError for an unknown name (with the nearest), and with file and line for what is wrong in the file.
    """
    path = find_template(name)
    return read_template(read_text(path), path)


def load_templates() -> Iterator[PromptTemplate]:
    """Yield every template that can be named, sorted by name."""
    for path in template_paths().values():
        yield read_template(read_text(path), path)
