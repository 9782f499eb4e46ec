"""`selection_table`: the standings of a data-selection track, in Markdown."""

from __future__ import annotations

from aptbench.board.generated import markdown_table
from aptbench.evaluate.selection_standings import Standings
from aptbench.evaluate.table import number


def selection_table(standings: Standings) -> str:
    """Return a row for every selection and one for the draws, the least error first.

    In brackets how many draws were better; of the draws their mean and range.
    """
    track = standings.track
    draws = len(standings.drawn(track.budgets[0]))
    rows = []
    for name in standings.chosen:
        cells = []
        for n in track.budgets:
            words = f" ({standings.luckier(name, n)}/{draws})" if draws else ""
            cells.append(f"{number(standings.error(name, n).value)}{words}")
        rows.append((f"`{name}`", *cells))
    if draws:
        cells = []
        for n in track.budgets:
            errors = standings.drawn(n)
            ends = f"{number(float(errors[0]))}–{number(float(errors[-1]))}"
            cells.append(f"{number(float(errors.mean()))} [{ends}]")
        rows.append((f"drawn at random, {draws} times", *cells))
    some = next(iter(standings.curves.values()))
    note = (
        f"Task `{track.task}`, model `{track.model}`: RMSE / e on {some.test_frames} test frames "
        "after so many labels of the pool"
        + (", in brackets how many draws were better:" if draws else ":")
    )
    return f"{note}\n\n{markdown_table(['selection', *map(str, track.budgets)], rows)}"
