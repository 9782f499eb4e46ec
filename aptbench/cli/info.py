"""`aptbench info`: what a data set holds, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aptbench.cli.panels import DATA

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from aptbench.data import Dataset

SETTINGS: Final = {
    "code": "{}",
    "method": "{}",
    "functional": "{}",
    "basis": "{}",
    "potential": "{}",
    "field": "field {} atomic units",
    "field_step_au": "field {} atomic units",
    "timestep": "time step {} fs",
}
"""What is shown of a provenance; the rest is in the JSON."""
SHOWN_APART: Final = (
    "name",
    "version",
    "title",
    "systems",
    "content_hash",
    "infrared_bands",
    "label_quantization",
)
WIDTH: Final = 80
PART: Final = 1000
"""Frames that are read at a time."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("info", rich_help_panel=DATA)(show_info)


def show_info(
    dataset: Annotated[str, typer.Argument(help="A data set by name, or the path of a store.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what a data set holds, and where it comes from."""
    from aptbench.data import open_dataset

    opened = open_dataset(dataset)
    if as_json:
        systems = {name: _system_info(opened, name) for name in opened.systems}
        typer.echo(json.dumps({"attrs": opened.attrs, "systems": systems}, indent=1))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.width = min(console.width, WIDTH)
    title = f"{opened.name} {opened.version}: {opened.attrs.get('title', '')}"
    console.print(Text(title, style="bold"))
    console.print(Text(opened.content_hash), soft_wrap=True)
    console.print()
    console.print(_rows(_facts(opened)))
    console.print("", _systems(opened), sep="\n")
    legend = "T: mean kinetic temperature of the frames; T set: that of the thermostat."
    console.print(Text(legend, style="dim"))
    if any(opened.n_labels(name) for name in opened.systems):
        console.print("", _quality(opened), sep="\n")
    console.print("", _rows(_provenance(opened)), sep="\n")
    console.print(Text(f"Everything: aptbench info {dataset} --json", style="dim"))


def _system_info(opened: Dataset, name: str) -> dict[str, Any]:
    from aptbench.molecules import hill_formula

    attrs = opened.system_attrs(name)
    first = opened.trajectory(name, slice(0, 1))
    quality = opened.quality(name)
    info: dict[str, Any] = {
        "formula": hill_formula(first.atomic_numbers.tolist()),
        "atoms": opened.n_atoms(name),
        "frames": opened.n_frames(name),
        "labels": opened.n_labels(name),
        "velocities": first.velocities is not None,
        "total_charge": attrs["total_charge"],
    }
    if first.cell is not None:
        info["cell_angstrom"] = first.cell[0].tolist()
    if opened.has_times(name):
        times = opened.times(name)
        info["length_fs"] = float(times[-1] - times[0])
        info["time_step_fs"] = float((times[-1] - times[0]) / max(len(times) - 1, 1))
    info["quality"] = {
        key: {"mean": float(column.mean()), "max": float(column.max())}
        for key, column in quality.items()
        if len(column)
    }
    return info | {"provenance": attrs["provenance"]}


def _facts(opened: Dataset) -> Iterator[tuple[str, str]]:
    attrs = opened.attrs
    for key, value in attrs.items():
        if key in SHOWN_APART or isinstance(value, dict):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield key.replace("_", " "), text
    yield "size", f"{_number(opened.size / 1e6)} MB"
    cells = {name: cell for name in opened.systems if (cell := _cell(opened, name))}
    for name, cell in cells.items():
        yield "cell" if len(opened.systems) == 1 else f"cell of {name}", cell
    if not cells:
        yield "cell", "none, isolated"
    if "label_quantization" in attrs:
        yield "rounding", str(attrs["label_quantization"].get("method", "rounded"))
    bands = [opened.infrared_bands(name) for name in opened.systems]
    if any(one != bands[0] for one in bands):
        yield "bands", "differ between the systems"
    elif bands[0]:
        ends = (f"{name} {low:g} to {high:g}" for name, (low, high) in bands[0].items())
        yield "bands", f"{', '.join(ends)} cm^-1"


def _cell(opened: Dataset, name: str) -> str | None:
    import numpy as np

    cell = opened.trajectory(name, slice(0, 1)).cell
    last = opened.trajectory(name, slice(opened.n_frames(name) - 1, None)).cell
    if cell is None or last is None:
        return None
    edges = " x ".join(f"{edge:g}" for edge in np.linalg.norm(cell[0], axis=1))
    products = cell[0] @ cell[0].T
    rectangular = np.allclose(products, np.diag(np.diag(products)), atol=1e-6)
    return (
        f"{edges} angstrom"
        + ("" if rectangular else ", not rectangular")
        + ("" if np.array_equal(cell, last) else ", in the first frame")
    )


def _systems(opened: Dataset) -> Table:
    systems = {name: _system_info(opened, name) for name in opened.systems}
    charged = any(info["total_charge"] for info in systems.values())
    table = _table()
    for heading in ("system", "formula"):
        table.add_column(heading, overflow="fold")
    numbers = ["atoms", "frames", "step\nfs", "length\nps", "T\nK", "T set\nK", "labels"]
    for heading in numbers + ["charge\ne"] * charged:
        table.add_column(heading, justify="right")
    for name, info in systems.items():
        temperature = _mean_temperature(opened, name) if info["velocities"] else None
        row = [
            name,
            info["formula"],
            str(info["atoms"]),
            str(info["frames"]),
            _number(info.get("time_step_fs")),
            _number(info["length_fs"] / 1000 if "length_fs" in info else None),
            "–" if temperature is None else f"{temperature:.1f}",
            _number(info["provenance"].get("temperature_K")),
            str(info["labels"]),
        ]
        table.add_row(*row, *[f"{info['total_charge']:g}"] * charged)
    return table


def _mean_temperature(opened: Dataset, name: str) -> float:
    import numpy as np

    starts = range(0, opened.n_frames(name), PART)
    parts = [opened.trajectory(name, slice(start, start + PART)).temperatures for start in starts]
    return float(np.concatenate(parts).mean())


def _quality(opened: Dataset) -> Table:
    """Tabulate the quality columns over the labels of all systems."""
    import numpy as np

    tree = opened.tree()
    columns: dict[str, dict[str, np.ndarray]] = {}
    units: dict[str, str] = {}
    for name in opened.systems:
        for key, column in opened.quality(name).items():
            if len(column):
                columns.setdefault(key, {})[name] = column
                units[key] = str(tree[name][key].attrs.get("units", ""))
    several = len(opened.systems) > 1
    table = _table()
    table.add_column("quality of the labels")
    for heading in ("mean", "largest"):
        table.add_column(heading, justify="right")
    for heading in ["unit"] + ["largest in"] * several:
        table.add_column(heading)
    for key in sorted(columns):
        values = np.concatenate(list(columns[key].values()))
        largest = max(columns[key], key=lambda name: columns[key][name].max())
        unit = "" if units[key] == "1" else units[key].replace("_", " ")
        row = [key, _number(values.mean()), _number(values.max()), unit]
        table.add_row(*row, *[largest] * several)
    return table


def _provenance(opened: Dataset) -> Iterator[tuple[str, str]]:
    """Yield the parts of the provenance, such as labels and sampling, in short form."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in opened.systems:
        provenance = opened.system_attrs(name)["provenance"]
        parts = {key: value for key, value in provenance.items() if isinstance(value, dict)}
        for part, settings in {"made by": provenance, **parts}.items():
            for key, text in _settings(settings):
                found.setdefault(part, {}).setdefault(key, []).append(text)
    for part, texts in found.items():
        yield part, "; ".join(_distinct(told) for told in texts.values())


def _settings(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, form in SETTINGS.items():
        value = settings.get(key)
        if value is not None:
            yield key, form.format(_number(value) if isinstance(value, float) else value)
    stages = [f"{stage['ensemble']} {stage['steps']}" for stage in settings.get("stages") or ()]
    if stages:
        yield "stages", f"{', '.join(stages)} steps"


def _distinct(texts: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    return " or ".join(distinct) if len(distinct) < 4 else f"{distinct[0]} and others"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))


def _rows(rows: Iterable[tuple[str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(name, Text(value))
    return table
