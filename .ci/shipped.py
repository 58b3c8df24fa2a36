"""What the wheel has besides code: the notebooks, and of the published networks the files that their manifests name.

A model that somebody trained in this checkout is not published, and stays here. Building the wheel runs this, see
pyproject.toml; `local.core.workspace` finds in an installation what was put in.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = Path("local", "shipped")


class Shipped(BuildHookInterface):
    """Tells the builder what to put in, and where."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # is the checkout, and has all that
            return
        root = Path(self.root)
        for path in (*notebooks(root), *networks(root)):
            build_data["force_include"][str(path)] = str(SHIPPED / path.relative_to(root))


def notebooks(root: Path) -> Iterator[Path]:
    """The sources of the notebooks, and what Kaggle is told of them."""
    for kind in ("*.py", "*.toml"):
        yield from sorted((root / "kaggle").rglob(kind))


def networks(root: Path) -> Iterator[Path]:
    """The published networks, each with its manifest and card."""
    yield root / "models" / "README.md"
    for manifest in sorted(root.glob("models/*/manifest.json")):
        stated = json.loads(manifest.read_text(encoding="utf-8"))
        if "published" in stated:
            yield from (manifest.with_name(name) for name in ("manifest.json", "README.md", *stated["files"]))
