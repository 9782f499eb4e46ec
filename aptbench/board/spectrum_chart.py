"""`spectrum_chart`: the spectra of a data set as data of an interactive chart."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Final

from aptbench.evaluate.canvas import model_colour

COARSE: Final = 2
"""Every second point of the grid is drawn: lines of the protocol are much wider."""
_REFERENCE: Final = "debiased reference"
_UNIT: Final = " n*alpha_cm-1"


def spectrum_chart(folder: Path) -> dict[str, Any] | None:
    """Return what the chart needs, from the files of `aptbench spectrum`; None without them.

    Parameters
    ----------
    folder : Path
        With ``spectrum.csv`` and ``spectrum.json``.

    Returns
    -------
    dict or None
        ``x`` in cm^-1, ``series`` (name, y in cm^-1, ends of the band of the reference), ``bands``,
        words.
    """
    table, summary = folder / "spectrum.csv", folder / "spectrum.json"
    if not table.is_file() or not summary.is_file():
        return None
    with table.open(newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream)
    columns = {
        name: [_short(float(row[k])) for row in rows[::COARSE]] for k, name in enumerate(head)
    }
    said = json.loads(summary.read_text(encoding="utf-8"))
    series: list[dict[str, Any]] = []
    for name, values in list(columns.items())[1:]:
        if not name.endswith(_UNIT):
            continue
        title = name.removesuffix(_UNIT)
        one: dict[str, Any] = {"name": title, "y": values, "colour": model_colour(len(series))}
        if title == _REFERENCE:
            one |= {
                "name": "reference with its 95 % band",
                "low": columns[f"{_REFERENCE} low"],
                "high": columns[f"{_REFERENCE} high"],
                "colour": "#1b2330",
                "dash": "5 3",
            }
        series.append(one)
    bands = [
        {"name": name, "low": row["cm-1"][0], "high": row["cm-1"][1]}
        for name, row in said["band_integrals_cm-2"].items()
        if name != "all"
    ]
    return {
        "title": "Infrared absorption by model; the table below has the bands in numbers",
        "hint": "Point at the chart, or use the arrow keys, to read values.",
        "x": columns[head[0]],
        "xlabel": "wavenumber (1/cm)",
        "xunit": "1/cm",
        "ylabel": "absorption n alpha (1/cm)",
        "series": series,
        "bands": bands,
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")
