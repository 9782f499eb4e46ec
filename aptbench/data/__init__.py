"""Data sets on disk: store, identity, catalog, readers.

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aptbench.data.content import content_hash as content_hash
    from aptbench.data.dataset import Dataset as Dataset
    from aptbench.data.project import CatalogEntry as CatalogEntry
    from aptbench.data.project import catalog as catalog
    from aptbench.data.project import open_dataset as open_dataset
    from aptbench.data.project import root as root
    from aptbench.data.system import SystemData as SystemData
    from aptbench.data.verification import Verification as Verification
    from aptbench.data.verification import verify as verify
    from aptbench.data.writer import write_dataset as write_dataset

_PUBLIC = {
    "CatalogEntry": "project",
    "Dataset": "dataset",
    "SystemData": "system",
    "Verification": "verification",
    "catalog": "project",
    "content_hash": "content",
    "open_dataset": "project",
    "root": "project",
    "verify": "verification",
    "write_dataset": "writer",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"aptbench.data.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'aptbench.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
