"""`rescore`: every archived row computed again from its archived predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from aptbench.data import open_dataset
from aptbench.errors import AptbenchError
from aptbench.evaluate.current_record import CurrentRecord, current_path
from aptbench.evaluate.evaluation import EQUIVARIANCE, evaluate_file
from aptbench.evaluate.result import Metric, Result, SystemScores, read_result, write_result
from aptbench.tasks import load_task

Status = Literal["identical", "equal", "different", "impossible"]
TOLERANCE = 1e-9
"""Relative deviation up to which numbers of another machine are equal."""
FROM_THE_MODEL = (EQUIVARIANCE,)
"""Metrics that need the model itself, and not its predictions of the test."""


class Rescored(BaseModel):
    """What became of one row.

    Parameters
    ----------
    task, model : str
    status : str
        ``identical``: bit for bit. ``equal``: to `TOLERANCE`. ``different``, ``impossible``: see
        ``note``.
    largest : float or None
        Largest relative deviation of a number.
    note : str
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    model: str
    status: Status
    largest: float | None = None
    note: str = ""

    @property
    def fine(self) -> bool:
        """Whether the archived numbers are those of today."""
        return self.status in ("identical", "equal")


def rescore_row(path: str | Path) -> tuple[Rescored, Result | None]:
    """Score the predictions beside a result again.

    Parameters
    ----------
    path : path
        Of ``DATASET/SPLIT/MODEL.json``.

    Returns
    -------
    rescored : Rescored
    result : Result or None
        The archived one with the numbers of today; None if they are the same, or cannot be had.
        What does not come from predictions (cost, training, conformance) stays, and a spectrum
        without its archived current.

    Raises
    ------
    InputError
        If the result file is damaged.
    """
    path = Path(path)
    old = read_result(path)
    try:
        task = load_task(old.task)
        dataset = open_dataset(task.dataset)
        kept = current_path(path)
        now = evaluate_file(
            task,
            dataset,
            path.with_suffix(".npz"),
            name=old.model.name,
            current=CurrentRecord.read(kept) if kept.is_file() else None,
        ).result
    except AptbenchError as error:
        words = " ".join(str(part) for part in (error.what, error.got) if part is not None)
        return Rescored(task=old.task, model=old.model.name, status="impossible", note=words), None
    metrics = now.metrics | {k: old.metrics[k] for k in FROM_THE_MODEL if k in old.metrics}
    new = old.model_copy(
        update={
            "metrics": {k: metrics[k] for k in [*old.metrics, *metrics] if k in metrics},
            "systems": now.systems,
            "data": now.data,
            "split_hash": now.split_hash,
            "test_frames": now.test_frames,
            "spectrum": now.spectrum or old.spectrum,
        }
    )
    largest, worst = _largest_deviation(old, new)
    status: Status = "identical" if largest == 0 else "equal"
    if largest > TOLERANCE:
        status = "different"
    note = worst if status == "different" else ""
    found = Rescored(task=old.task, model=old.model.name, status=status, largest=largest, note=note)
    return found, None if status == "identical" else new


def rescore(
    results: str | Path,
    *,
    write: bool = False,
    advance: Callable[[], None] | None = None,
    spread: Callable[..., Iterable[Any]] = map,
) -> list[Rescored]:
    """Score every row of an archive again.

    Parameters
    ----------
    results : path
        Folder with ``DATASET/SPLIT/MODEL.json`` and ``.npz``.
    write : bool
        Replace rows that are not identical.
    advance : callable, optional
        Called after each row.
    spread : callable
        As ``map``; one that works elsewhere, such as that of a Dask client or a pool, may return
        the rows in their order only.

    Returns
    -------
    list of Rescored
        In the order of the paths.

    Raises
    ------
    InputError
        If a result file is damaged.
    """
    paths = archived_paths(results)
    found = []
    for path, (row, new) in zip(paths, spread(rescore_row, paths), strict=True):
        if write and new is not None:
            write_result(new, path)
        found.append(row)
        if advance is not None:
            advance()
    return found


def archived_paths(results: str | Path) -> list[Path]:
    """Return the result files of an archive, sorted."""
    return sorted(Path(results).glob("*/*/*.json"))


def _largest_deviation(old: Result, new: Result) -> tuple[float, str]:
    worst, words = 0.0, ""
    for name, was, now in _numbers(old, new):
        if was == now:
            continue
        if was is None or now is None:
            return float("inf"), f"{name}: {was} became {now}"
        deviation = abs(was - now) / max(abs(was), abs(now))
        if deviation > worst:
            worst, words = deviation, f"{name}: {was!r} became {now!r}"
    for name in ("data", "split_hash", "test_frames"):
        if getattr(old, name) != getattr(new, name):
            return float("inf"), f"{name} became another"
    return worst, words


def _numbers(old: Result, new: Result) -> Iterator[tuple[str, float | None, float | None]]:
    pairs: list[tuple[str, dict[str, Metric], dict[str, Metric]]] = [("", old.metrics, new.metrics)]
    nothing = SystemScores(test_frames=1, metrics={})
    for system in {**old.systems, **new.systems}:
        parts = (result.systems.get(system, nothing).metrics for result in (old, new))
        pairs.append((f"{system}: ", *parts))  # type: ignore[arg-type]
    if old.spectrum is not None and new.spectrum is not None:
        pairs.append(("spectrum: ", old.spectrum.metrics, new.spectrum.metrics))
        for band in {**old.spectrum.bands, **new.spectrum.bands}:
            integrals = (
                one.spectrum.bands[band].integral if band in one.spectrum.bands else None
                for one in (old, new)
                if one.spectrum is not None
            )
            yield f"spectrum: integral of {band}", *integrals  # type: ignore[misc]
    for where, were, are in pairs:
        for name in {**were, **are}:
            for field in ("value", "low", "high"):
                values = (getattr(m.get(name), field, None) for m in (were, are))
                yield f"{where}{name} {field}", *values  # type: ignore[misc]
