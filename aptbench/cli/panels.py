"""The panels of ``aptbench --help``, and the commands in their order."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperGroup

SCORE: Final = "Score models"
MODELS: Final = "Models and training"
SPECTRA: Final = "Spectra"
TASKS: Final = "Tasks and splits"
DATA: Final = "Data sets"
REFERENCE: Final = "Reference data"
BOARD: Final = "Leaderboard"
OTHER: Final = "Other"
PANELS: Final = (SCORE, MODELS, SPECTRA, TASKS, DATA, REFERENCE, BOARD, OTHER)
"""In the order of the help; every command names its own (``rich_help_panel``)."""


class PanelGroup(TyperGroup):
    """A group that lists its commands by panel, and in a panel by the alphabet."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands in the order of the help."""
        place: dict[str | None, int] = {panel: k for k, panel in enumerate(PANELS)}

        def key(name: str) -> tuple[int, str]:
            panel = getattr(self.commands[name], "rich_help_panel", None)
            return place.get(panel, len(PANELS)), name

        return sorted(self.commands, key=key)
