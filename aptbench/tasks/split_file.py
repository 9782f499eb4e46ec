"""`write_split`: the file of a split, which never replaces a released task."""

from __future__ import annotations

from pathlib import Path

from aptbench.atomic import write_atomically
from aptbench.errors import InputError
from aptbench.json_file import read_json
from aptbench.tasks.frozen import frozen_path, latest_versions, read_frozen
from aptbench.tasks.split import Split
from aptbench.tasks.transfer import TransferSplit


def write_split(split: Split | TransferSplit, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a split file atomically and return its path.

    Raises
    ------
    InputError
        If the project of the file has released this version of the task with other labels, or a
        higher version; or if the file exists with another content, its version is not lower, and
        ``overwrite`` is false.
    """
    path = Path(path)
    _refuse_released(split, path)
    old = read_json(type(split), path, "split file") if path.exists() and not overwrite else None
    if old is not None and old != split and old.version >= split.version:
        raise InputError(
            f"The split file {path} exists and says something else.",
            do=f"a released split is never edited: pass --version {old.version + 1} or a new "
            "--name; --force is for one that was never released",
        )
    return write_atomically(path, split.model_dump_json(indent=2) + "\n")


def _refuse_released(split: Split | TransferSplit, path: Path) -> None:
    project = next((one.parent for one in path.resolve().parents if one.name == "datasets"), None)
    if project is None:
        return
    frozen = read_frozen(frozen_path(project))
    name = f"{split.dataset}/{split.name}"
    latest = latest_versions(frozen).get(name, 0)
    same = frozen.get(f"{name}@{split.version}")
    if split.version < latest or (same is not None and same.split_hash != split.hash):
        raise InputError(
            f"The task {name}@{latest} is released, and this is another.",
            got=f"{name}@{split.version}",
            expected="the same labels: scores of one version of a task are comparable for ever",
            do=f"give it the next version with --version {latest + 1}, or a new --name",
        )
