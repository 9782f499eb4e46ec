"""`Pictures`: pictures of one task, in the folder that all pages share."""

from __future__ import annotations

import shutil
from pathlib import Path


class Pictures:
    """Pictures of one task.

    Parameters
    ----------
    out : Path
        Folder of the site.
    task : str
        The name of the task as it can be in a file name.
    """

    def __init__(self, out: Path, task: str) -> None:
        self.folder, self.task = out / "pictures", task

    def copy(self, source: Path, caption: str) -> dict[str, str]:
        """Copy a picture, and say what it shows."""
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{self.task}-{source.name}"
        shutil.copyfile(source, target)
        return self.shown(target, caption)

    def shown(self, target: Path, caption: str) -> dict[str, str]:
        """Return address and caption of a picture that is there."""
        return {"file": f"../pictures/{target.name}", "caption": caption}
