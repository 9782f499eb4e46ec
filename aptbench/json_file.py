"""`read_json`: a JSON file as the object that it must be; `faults`: why it is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from aptbench.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound="BaseModel")
_MOST: Final = 8


def read_json(model: type[M], path: str | Path, what: str, do: str | None = None) -> M:
    """Read and validate a JSON file.

    Parameters
    ----------
    model : type
        Of pydantic.
    path : path
    what : str
        What the file is, for the messages, such as ``split file``.
    do : str, optional
        How to make one.

    Raises
    ------
    InputError
        If the file is absent, is not JSON, or does not have the fields of the model.
    """
    from pydantic import ValidationError

    path = Path(path)
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"There is no such {what}.", got=path, do=do) from None
    except ValidationError as error:
        raise InputError(f"The {what} {path} is not valid.", got=faults(error), do=do) from None


def faults(error: ValidationError) -> str:
    """Return what is wrong with something that was validated, each fault with its place.

    >>> from pydantic import BaseModel, ValidationError
    >>> class Box(BaseModel):
    ...     edges: list[int]
    >>> try:
    ...     Box(edges=[1, "long"])
    ... except ValidationError as error:
    ...     faults(error)
    'edges.1: Input should be a valid integer, unable to parse string as an integer'
    """
    found = [
        ": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"])))
        for fault in error.errors()
    ]
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return "; ".join(found[:_MOST] + more)
