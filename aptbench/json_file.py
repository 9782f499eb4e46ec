"""`read_json`: a JSON file as the object that it must be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aptbench.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")


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
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no such {what}.", got=path, do=do) from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise InputError(f"The {what} {path} is not valid.", got=faults, do=do) from None
