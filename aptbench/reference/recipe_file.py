"""`read_recipe`: a recipe file, checked against its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from aptbench.errors import InputError
from aptbench.json_file import faults

Model = TypeVar("Model", bound=BaseModel)


def is_dense(path: Path) -> bool:
    """Whether a recipe is of isolated systems (`aptbench dense`), not of a periodic one.

    Raises
    ------
    InputError
        If the file is missing or is not YAML.
    """
    return isinstance(entries := _entries(path), dict) and entries.get("kind") == "dense"


def read_recipe(model: type[Model], path: Path) -> Model:
    """Read and check a recipe file.

    Parameters
    ----------
    model : type
        What the file must be, a pydantic model.
    path : Path

    Raises
    ------
    InputError
        If the file is missing, is not YAML, or has wrong or unknown entries.
    """
    try:
        return model.model_validate(_entries(path))
    except ValidationError as error:
        raise InputError(f"The recipe {path} is not valid.", got=faults(error)) from None


def _entries(path: Path) -> Any:
    try:
        return yaml.safe_load(Path(path).read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"There is no recipe at {path}.", do="give the path of a recipe.yaml"
        ) from None
    except yaml.YAMLError as error:
        raise InputError(f"The recipe {path} is not valid.", got=error) from None
