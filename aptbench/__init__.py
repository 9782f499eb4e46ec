"""aptbench: the benchmark of machine-learned atomic polar tensors.

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from aptbench.frames import Frames as Frames
    from aptbench.frames import LabelledFrames as LabelledFrames

_PUBLIC = {
    "Frames": "aptbench.frames",
    "LabelledFrames": "aptbench.frames",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'aptbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
