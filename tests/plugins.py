"""Packages of other people, as an installer leaves them in a folder: a module, and metadata with its entry points."""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, package: str, source: str | None, *entry_points: str, version: str = "1.0") -> Path:
    """Put the module `source` under the package's name, with `group:name=target` entry points, and return its file.

    No source: the module is missing.
    """
    module = folder / f"{package}.py"
    if source is not None:
        module.write_text(source)
    info = folder / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    sections = "".join(
        f"[llmrank.{group}]\n{name} = {target}\n"
        for group, _, rest in (point.partition(":") for point in entry_points)
        for name, _, target in [rest.partition("=")]
    )
    (info / "entry_points.txt").write_text(sections)
    return module
