"""Verification of a store: objects, identity and schema."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aptbench.data.content import content_hash
from aptbench.data.dataset import open_tree, read_root_attributes
from aptbench.data.manifest import MANIFEST, Problem, compare, read_manifest, repair_advice
from aptbench.data.schema import check_group
from aptbench.errors import StoreError


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Parameters
    ----------
    path : Path
        Of the store.
    content_hash : str
        As the store states it.
    n_objects : int
        Number of objects in the manifest.
    problems : tuple of Problem
    repair : str or None
        What to do, None where nothing is wrong.
    """

    path: Path
    content_hash: str
    n_objects: int
    problems: tuple[Problem, ...]
    repair: str | None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        return {
            "path": str(self.path),
            "ok": self.ok,
            "content_hash": self.content_hash,
            "n_objects": self.n_objects,
            "problems": [vars(problem) for problem in self.problems],
            "repair": self.repair,
        }


def verify(path: Path | str) -> Verification:
    """Check a store thoroughly: every byte, the content hash, and the schema.

    Parameters
    ----------
    path : path
        Of the store.

    Returns
    -------
    Verification
        Damaged, missing and surplus objects by name. Content and schema are looked at where no
        object is damaged or missing.

    Raises
    ------
    StoreError
        If there is no store at ``path``, or none of this schema.
    """
    path = Path(path)
    attributes: dict[str, Any] = {}
    problems: list[Problem] = []
    n_objects = 0
    try:
        problems = compare(path) if path.is_dir() else []
        n_objects = len(read_manifest(path)["objects"]) if path.is_dir() else 0
    except StoreError as error:
        problems = [Problem("missing", MANIFEST, str(error.got))]
    try:
        attributes = read_root_attributes(path)
    except StoreError:
        # Where an object is known to be damaged, naming it says more than this error.
        if not problems or not path.is_dir() or not (path / "zarr.json").is_file():
            raise
    if not any(problem.kind in ("damaged", "missing") for problem in problems):
        problems += _check_content(path, attributes)
    return Verification(
        path,
        str(attributes.get("content_hash", "")),
        n_objects,
        tuple(problems),
        repair_advice(path) if problems else None,
    )


def _check_content(path: Path, attributes: dict[str, Any]) -> list[Problem]:
    tree = open_tree(path)
    groups = {name: node.to_dataset(inherit=False) for name, node in tree.children.items()}
    problems = []
    if sorted(groups) != list(attributes["systems"]):
        message = f"groups {sorted(groups)}, attribute {attributes['systems']}"
        problems.append(Problem("schema", "systems", message))
    found = content_hash(groups)
    stated = {attributes["content_hash"], read_manifest(path)["content_hash"]}
    if stated != {found}:
        message = f"the arrays hash to {found}, the store states {' and '.join(sorted(stated))}"
        problems.append(Problem("content", "content_hash", message))
    for name, group in groups.items():
        problems += [Problem("schema", name, sentence) for sentence in check_group(name, group)]
    return problems
