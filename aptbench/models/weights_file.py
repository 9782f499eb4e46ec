"""`reading_weights`: a file of weights that cannot be read says so, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aptbench.errors import StoreError

_OF_CONTENT: Final = (ValueError, KeyError, TypeError, AttributeError)


@contextmanager
def reading_weights(
    path: Path,
    *,
    do: str = "restore the file, or train the model again",
    errors: tuple[type[Exception], ...] = _OF_CONTENT,
) -> Iterator[None]:
    """Turn errors of the block that reads a file of weights into one that names the file.

    Parameters
    ----------
    path : Path
        Of the file.
    do : str
        What the reader of the message can do.
    errors : tuple of type
        What a damaged file can raise.

    Raises
    ------
    StoreError
        For any of these; a `StoreError` of the block itself passes as it is.
    """
    try:
        yield
    except StoreError:
        raise
    except errors as error:
        raise StoreError(
            f"The weights {path} cannot be read.",
            got=f"{type(error).__name__}: {error}",
            do=do,
        ) from error
