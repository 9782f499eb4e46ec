"""The manifest of a store: the SHA-256 of every object in it, and what differs from it.

The manifest is the attribute ``objects`` of the empty Zarr group ``manifest`` inside the store. A
plain file would be no part of a Zarr hierarchy, and every reader would warn about it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from aptbench.data.schema import MANIFEST_GROUP
from aptbench.errors import StoreError

MANIFEST: Final = f"{MANIFEST_GROUP}/zarr.json"
"""Path of the manifest inside a store."""
MANIFEST_SCHEMA: Final = "aptbench-manifest-1"


@dataclass(frozen=True)
class Problem:
    """Something wrong with one object of a store.

    Parameters
    ----------
    kind : {"damaged", "missing", "surplus", "content", "schema"}
    name : str
        Path of the object inside the store, or the name of what is wrong.
    message : str
    """

    kind: Literal["damaged", "missing", "surplus", "content", "schema"]
    name: str
    message: str


def repair_advice(store: Path) -> str:
    """Return the command that restores a store from the DVC cache or remote."""
    pointer = store.with_name(store.name + ".dvc")
    if pointer.is_file():
        return (
            f"dvc checkout --force {pointer} restores it from the cache; if that is damaged too, "
            f"remove {store} and run dvc pull --force {pointer}"
        )
    return "the store has no .dvc pointer beside it: copy it again from where it came"


def write_manifest(store: Path, content_hash: str) -> None:
    """Write the manifest over everything that is in ``store`` now; to be done last."""
    objects = {
        name: {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for name, path in _objects(store).items()
    }
    group = {
        "attributes": {
            "schema": MANIFEST_SCHEMA,
            "content_hash": content_hash,
            "objects": objects,
        },
        "zarr_format": 3,
        "node_type": "group",
    }
    path = store / MANIFEST
    path.parent.mkdir()
    path.write_text(json.dumps(group, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_manifest(store: Path) -> dict[str, Any]:
    """Return the attributes of the manifest: ``schema``, ``content_hash``, ``objects``.

    Raises
    ------
    StoreError
        If there is none, or it cannot be read.
    """
    path = store / MANIFEST
    try:
        attributes = json.loads(path.read_text(encoding="utf-8"))["attributes"]
        if attributes["schema"] != MANIFEST_SCHEMA:
            raise ValueError(f"schema {attributes['schema']!r}")
        if not isinstance(attributes["content_hash"], str):
            raise TypeError("content_hash is no text")
        if not all(
            isinstance(o["bytes"], int) and o["sha256"] for o in attributes["objects"].values()
        ):
            raise TypeError("an object has no size")
    except FileNotFoundError:
        raise StoreError(
            f"The store {store} has no manifest.",
            got=f"no object {MANIFEST}",
            expected="a store that aptbench wrote to its end",
            do=repair_advice(store),
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"The manifest of the store {store} is damaged.",
            got=f"{MANIFEST}: {error}",
            expected=f"a manifest of the schema {MANIFEST_SCHEMA}",
            do=repair_advice(store),
        ) from None
    return attributes


def compare(store: Path, *, hashes: bool = True) -> list[Problem]:
    """Return the objects of a store that are damaged, missing or surplus.

    Parameters
    ----------
    store : Path
    hashes : bool
        False compares only presence and size, which takes milliseconds.

    Raises
    ------
    StoreError
        If there is no readable manifest.
    """
    expected = read_manifest(store)["objects"]
    found = _objects(store)
    problems = [Problem("missing", n, "the object is missing") for n in expected if n not in found]
    problems += [
        Problem("surplus", n, "the object is not in the manifest")
        for n in found
        if n not in expected
    ]
    for name in sorted(set(expected) & set(found)):
        size = found[name].stat().st_size
        if size != expected[name]["bytes"]:
            message = f"{size} bytes instead of {expected[name]['bytes']}"
            problems.append(Problem("damaged", name, message))
        elif hashes and _sha256(found[name]) != expected[name]["sha256"]:
            problems.append(Problem("damaged", name, "another SHA-256 than in the manifest"))
    return problems


def _objects(store: Path) -> dict[str, Path]:
    return {
        path.relative_to(store).as_posix(): path
        for path in sorted(store.rglob("*"))
        if path.is_file() and path != store / MANIFEST
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
