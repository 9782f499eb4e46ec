"""`spectrum_section`: what the page of a task shows of spectra."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aptbench.board.cards import Cards
from aptbench.board.pages import as_html
from aptbench.board.pictures import Pictures
from aptbench.board.result_tables import spectra_table
from aptbench.board.score_rows import gap_in_words, score_table
from aptbench.board.spectrum_chart import spectrum_chart
from aptbench.evaluate.comparison import Comparison
from aptbench.evaluate.result import Result
from aptbench.evaluate.table import spectrum_columns

RANKED_BY: Final = {
    "relative_l1": "the relative L1 distance of the spectra",
    "current_error": "the current error at the test labels",
}
"""What the groups of a comparison of spectra are by, in words."""


def spectrum_section(
    folder: Path | None,
    name: str,
    results: Sequence[Result],
    comparison: Comparison | None,
    cards: Cards,
    pictures: Pictures,
) -> dict[str, Any]:
    """Return ``spectrum`` (table of errors), ``chart`` and ``spectra`` (pictures) of a task.

    Parameters
    ----------
    folder : Path or None
        With ``DATASET/SPLIT/spectrum.csv`` and what else `aptbench spectrum` and `assign` make.
    name : str
        Of the task, with its version.
    results : sequence of Result
    comparison : Comparison or None
        Of the spectra.
    cards : Cards
    pictures : Pictures
    """
    place = None if folder is None else folder / name.partition("@")[0]
    return {
        "spectrum": _errors(results, cards, comparison),
        "chart": None if place is None else _chart(place),
        "spectra": [] if place is None else _pictures(place, pictures),
    }


def _errors(
    results: Sequence[Result], cards: Cards, comparison: Comparison | None
) -> dict[str, Any] | None:
    """Errors of the spectrum, the best first."""
    shown = spectrum_columns(results)
    table = score_table(results, shown, cards)
    if table is None:
        return None
    summary = next(r.spectrum for r in results if r.spectrum is not None and r.spectrum.metrics)
    absent = [r.model.name for r in results if r.spectrum is None]
    places = {} if comparison is None else {one.model: one for one in comparison.places}
    # a model without a spectrum has a current error, and may have been compared or not
    grouped = bool(places) and all(
        row["name"] in places for row in table["rows"] if row["name"] not in absent
    )
    for row in table["rows"]:
        place = places.get(row["name"])
        row |= {"place": place, "gap": gap_in_words(place)}
    order = {name: number for number, name in enumerate(places)}

    def key(row: dict[str, Any]) -> tuple[float, float]:
        first = row["cells"][0]  # what the models are ranked by
        return float(first["raw"]) if first else math.inf, order.get(row["name"], len(order))

    table["rows"].sort(key=key)
    dense = any(column.metric.startswith("relative_l1") for column in shown)
    ends = summary.bands
    return table | {
        "summary": summary,
        "dense": dense,
        "absent": absent,
        "bands": ", ".join(
            f"{band} {one.low:g} to {one.high:g} cm⁻¹" for band, one in ends.items()
        ),
        "comparison": comparison if grouped else None,
        "ranked_by": RANKED_BY[
            comparison.metric
            if comparison is not None and comparison.metric in RANKED_BY
            else "relative_l1"
            if dense
            else "current_error"
        ],
    }


def _chart(place: Path) -> dict[str, Any] | None:
    """Return the spectra of a task as JSON for the script, and its bands as a table."""
    from markupsafe import Markup

    table, said = place / "spectrum.csv", place / "spectrum.json"
    if not table.is_file() or not said.is_file():
        return None
    summary = json.loads(said.read_text(encoding="utf-8"))
    # inside a script element nothing is escaped but its end
    text = json.dumps(spectrum_chart(table, summary), separators=(",", ":"))
    return {
        "json": Markup(text.replace("<", "\\u003c")),
        "table": as_html(spectra_table(summary)),
        "caption": _caption(summary),
    }


def _caption(summary: dict[str, Any]) -> str:
    molar = summary.get("isolated")
    kelvin = summary.get("temperature_K")
    words = "Infrared absorption of one trajectory"
    words += f" at {kelvin:.0f} K (measured)" if kelvin else ""
    words += " by several models, against the reference with its 95 % band."
    if molar:
        words += (
            " Molar, per mole of the whole system: a system without a cell has no volume that "
            "n alpha could be divided by."
        )
    return words


def _pictures(place: Path, pictures: Pictures) -> list[dict[str, str]]:
    """Copy the pictures of spectra of a task, and say what they show."""
    said = place / "spectrum.json"
    summary = json.loads(said.read_text(encoding="utf-8")) if said.is_file() else {}
    words = {
        "spectrum.png": _caption(summary),
        **{
            path.name: "Which molecular motion makes which band, by "
            f"{path.stem.removeprefix('modes-')}."
            for path in sorted(place.glob("modes-*.png"))
        },
    }
    return [
        pictures.copy(place / file, caption)
        for file, caption in words.items()
        if (place / file).is_file()
    ]
