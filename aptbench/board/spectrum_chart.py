"""`spectrum_chart`: the spectra of a data set as data of an interactive chart."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any, Final

from aptbench.evaluate.canvas import model_colour
from aptbench.spectra.molar import molar_absorption

COARSE: Final = 2
"""Every second point of the grid is drawn: lines of the protocol are much wider."""
_REFERENCES: Final = ("debiased reference", "reference")
_UNIT: Final = " n*alpha_cm-1"


def spectrum_chart(table: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """Return what the chart needs, from the files of `aptbench spectrum`.

    Parameters
    ----------
    table : Path
        ``spectrum.csv``.
    summary : dict
        Content of ``spectrum.json``.

    Returns
    -------
    dict
        ``x`` in cm^-1, ``series`` (name, y, ends of the band of the reference; in cm^-1, or in
        km/mol per cm^-1 of an isolated system, which has no volume), ``bands``, words.
    """
    isolated = bool(summary.get("isolated"))
    factor = molar_absorption(summary["volume_angstrom3"]) if isolated else 1.0
    with table.open(newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream)
    columns = {
        name: [_short((factor if k else 1.0) * float(row[k])) for row in rows[::COARSE]]
        for k, name in enumerate(head)
    }
    series: list[dict[str, Any]] = []
    for name, values in list(columns.items())[1:]:
        if not name.endswith(_UNIT):
            continue
        title = name.removesuffix(_UNIT)
        one: dict[str, Any] = {"name": title, "y": values, "colour": model_colour(len(series))}
        if title in _REFERENCES:
            one |= {"name": "reference", "colour": "#1b2330", "dash": "5 3"}
            low, high = (columns.get(f"{title} {end}", []) for end in ("low", "high"))
            if low and all(map(math.isfinite, [*low, *high])):
                one |= {"name": "reference with its 95 % band", "low": low, "high": high}
        series.append(one)
    bands = [
        {"name": name, "low": row["cm-1"][0], "high": row["cm-1"][1]}
        for name, row in summary["band_integrals_cm-2"].items()
        if name != "all"
    ]
    return {
        "title": "Infrared absorption by model; the table below has the bands in numbers",
        "hint": "Point at the chart, or use the arrow keys, to read values.",
        "x": columns[head[0]],
        "xlabel": "wavenumber (1/cm)",
        "xunit": "1/cm",
        "ylabel": "molar absorption (km/mol per 1/cm)" if isolated else "absorption n alpha (1/cm)",
        "series": series,
        "bands": bands,
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")
