"""`distinct_names`: models are told apart by their names alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aptbench.errors import InputError
from aptbench.models import model_folder
from aptbench.models.registry import ModelFolder


def distinct_names(models: Iterable[str | Path]) -> dict[str | Path, str]:
    """Return the names that models will have once they are loaded; no two are the same.

    Results, files and pictures are by name: of two with one name the second would replace the
    first.

    Parameters
    ----------
    models : iterable of str or Path
        As `aptbench.models.load_model` takes them; what stands there twice is one.

    Raises
    ------
    InputError
        If two models have one name, or a folder is no model folder.
    """
    found: dict[str | Path, str] = {}
    for model in models:
        folder = model_folder(model)
        name = str(model) if folder is None else ModelFolder.read(folder).name
        first = next((one for one, known in found.items() if known == name), model)
        if first != model:
            raise InputError(
                f"Two models are called {name!r}.",
                got=f"{first} and {model}",
                expected="a name of its own for each",
                do="leave one out, or change 'name' in its model.yaml",
            )
        found[model] = name
    return found
