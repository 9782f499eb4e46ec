"""`published_network_table`: the published configuration beside the reference model."""

from __future__ import annotations

from typing import Any, Final

from aptbench.board.generated import markdown_table

REQUIRED: Final = {
    "time to equal error": 100.0,
    "prediction, committee": 20.0,
    "prediction, one network": 20.0,
}
"""Least ratio that is aimed at, by quantity; of the prediction at the size of the labels."""


def published_network_table(rows: list[dict[str, Any]]) -> str:
    """Return the comparison of each run: conditions, table, and what follows from it.

    Parameters
    ----------
    rows : list of dict
        Content of ``benchmarks/results/published-network.json``, one run a row.

    Returns
    -------
    str
        Markdown.
    """
    return "\n\n".join(_run(row) for row in rows)


def _run(run: dict[str, Any]) -> str:
    conditions, about = run["conditions"], run["models"]
    intro = (
        f"{conditions['data']}; {conditions['processors']} processors, load "
        f"{conditions['load']:.1f} at the start; torch {conditions['torch']}, e3nn "
        f"{conditions['e3nn']}. Ratio: how many times better aptbench is; in brackets by processor "
        "time:"
    )
    body = [
        ("learned numbers", "", f"{about['published']['n_parameters']}", _size(about), ""),
        *_errors(run),
        *(_quantity(row) for row in run["quantities"]),
    ]
    head = ["", "threads", "published configuration", "aptbench", "ratio"]
    parts = [intro, markdown_table(head, body), *_remarks(run)]
    return "\n\n".join(parts)


def _size(about: dict[str, Any]) -> str:
    return f"{about['aptbench']['n_parameters']} in {about['aptbench']['committee']} networks"


def _errors(run: dict[str, Any]) -> list[tuple[str, ...]]:
    errors = run.get("errors")
    if errors is None:
        return []
    names = {"committee": "test error / e, committee", "one_network": "test error / e, one network"}
    return [
        (names[key], "", f"{errors['published']:.4f}", f"{errors[key]:.4f}", "")
        for key in names
        if errors.get(key) is not None
    ]


def _quantity(row: dict[str, Any]) -> tuple[str, ...]:
    name = row["name"] + (f", {row['atoms']} atoms" if row["atoms"] else "")
    ratio = f"{row['ratio']:.3g}" if row["ratio"] else "–"
    if row.get("ratio_processor"):
        ratio += f" ({row['ratio_processor']:.3g})"
    cells = [_number(row[who]) for who in ("published", "aptbench")]
    return f"{name} / {row['unit']}", str(row["threads"]), *cells, ratio


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _remarks(run: dict[str, Any]) -> list[str]:
    """Say what is required, whether it is met, and how much hangs on the assumed steps."""
    parts = []
    threads = run["conditions"]["threads"][0]
    found = {
        (row["name"], row["threads"]): row
        for row in reversed(run["quantities"])  # the smaller size comes first and wins
    }
    for name, required in REQUIRED.items():
        row = found.get((name, threads))
        if row is not None:
            met = "met" if row["ratio"] >= required else "missed"
            if "assumption" in row.get("published_steps_are", ""):
                met += " if the assumption below holds"
            where = f" at {row['atoms']} atoms" if row["atoms"] else ""
            parts.append(
                f"- {name}{where}: {row['ratio']:.3g} where {required:g} is aimed at, {met}."
            )
    goal = found.get(("time to equal error", threads))
    step = found.get(("training step", threads))
    if goal is not None and step is not None:
        fewest = REQUIRED["time to equal error"] * goal["aptbench"] / step["published"]
        parts.append(
            f"- The published configuration is given {goal['published_steps']:.0f} steps "
            f"({goal['published_steps_are']}); aptbench needed "
            f"{', '.join(map(str, goal['aptbench_steps']))} with different seeds. The ratio is at "
            f"least {REQUIRED['time to equal error']:g} as long as the published configuration "
            f"needs more than {fewest:.0f} steps."
        )
    curve = run.get("published_curve")
    if curve:
        points = ", ".join(f"{p['test_error']:.4f} e after {p['step']}" for p in curve)
        parts.append(f"- Test error of the published configuration, trained here: {points} steps.")
    return ["\n".join(parts)] if parts else []
