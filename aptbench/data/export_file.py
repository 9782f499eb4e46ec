"""`export_file`: a file that data are exported to, as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aptbench.atomic import new_file
from aptbench.errors import StoreError


@contextmanager
def export_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give the name to write to, which becomes ``target`` once the file is whole.

    Raises
    ------
    StoreError
        If something is at ``target`` and may not be replaced, or the disk refuses: nothing is left
        behind then.
    """
    if target.exists() and not overwrite:
        raise StoreError(
            f"There is already something at {target}.", do="choose another path, or --overwrite"
        )
    try:
        with new_file(target) as temporary:
            yield temporary
    except OSError as error:
        raise StoreError(
            f"The file {target} could not be written.",
            got=error,
            do="nothing was changed; make room or choose another folder",
        ) from error
