"""Tables of results: what is best, what is shown, and what fits into a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from aptbench.evaluate.cost_table import cost_columns
from aptbench.evaluate.result import (
    Band,
    Cost,
    Data,
    Inference,
    Metric,
    Model,
    Result,
    SpectrumSummary,
    Training,
)
from aptbench.evaluate.table import (
    columns,
    spectrum_columns,
    terminal_tables,
    uncertainty_columns,
)


def result(name: str, rmse: float, **metrics: float) -> Result:
    found = {"rmse": rmse, "rmse[O]": rmse, "rmse[L=2]": rmse, **metrics}
    units = {name: "e" if name.startswith("rmse") else "1" for name in found}
    return Result(
        task="synthetic/iid@1",
        data=Data(name="synthetic", version="0.1.0", content_hash="sha256:1", system="a"),
        split_hash="1",
        test_frames=3,
        model=Model(name=name, title=name),
        metrics={
            key: Metric(value=value, low=0.9 * value, high=1.1 * value, unit=units[key])
            for key, value in found.items()
        },
        training=Training(status="other split"),
        cost=Cost(
            parameters=107348,
            training_seconds=131.0,
            training_labels=6,
            validation_labels=3,
            label_core_hours=2.44,
            inference=Inference(
                atoms_per_second=2073.0, memory_mb=65.2, atoms=192, frames=7, repeats=3, threads=1
            ),
        ),
        versions={},
    )


def text(results: list[Result], width: int = 80) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False)
    for table in terminal_tables(results, "title"):
        console.print(table)
    return stream.getvalue()


def test_the_best_is_the_nearest_to_the_ideal() -> None:
    both = [
        result("sure", 0.1, z_score=2.0, coverage_95=0.67, negative_log_likelihood=-1.0),
        result("shy", 0.2, z_score=0.7, coverage_95=0.999, negative_log_likelihood=-2.0),
    ]
    best = {c.metric: c.best(both) for c in (*columns(both), *uncertainty_columns(both))}
    assert best["rmse"] == 0.1
    assert best["z_score"] == 0.7
    assert best["coverage_95"] == 0.999
    assert best["negative_log_likelihood"] == -2.0
    assert columns(both)[0].best([]) is None


def test_costs_are_written_with_the_digits_they_deserve() -> None:
    one = result("m", 0.1)
    cells = {column.heading: column.text(one) for column in cost_columns([one])}
    assert cells == {
        "atoms/s": "2.1k",
        "memory": "65",
        "parameters": "107,348",
        "training": "2.2 min",
        "labels": "6 + 3",
        "label cost": "2.4",
        "trained on": "other split",
    }
    bare = one.model_copy(update={"cost": None, "training": None})
    assert cost_columns([bare]) == []
    assert {column.text(bare) for column in cost_columns([one, bare])} == {"–"}


def test_a_few_models_stand_beside_each_other() -> None:
    shown = text([result("a", 0.1), result("b", 0.2, z_score=1.5)])
    assert "z-score" in shown
    assert "0.0900–0.1100" in shown
    assert "107,348" in shown


@pytest.mark.parametrize("width", [80, 120])
def test_many_models_fit_into_a_terminal(width: int) -> None:
    names = ["a-model-of-17-long", *(f"model-{k}" for k in range(8))]
    many = [result(name, 0.01 * (k + 1), z_score=1.5) for k, name in enumerate(names)]
    shown = text(many, width)
    assert "…" not in shown
    for name in names:
        rows = [line for line in shown.splitlines() if line.startswith(name)]
        assert len(rows) == 3, "errors, uncertainty and cost, each on one line"
    assert "0.0090–0.0110" in shown


def test_signed_integrals_have_no_best_and_the_ranked_number_is_first() -> None:
    def with_spectrum(name: str, integral: float, current: float, dense: bool) -> Result:
        errors = {"current_error[all]": current, "band_integral_error[bend]": integral}
        errors |= {"relative_l1[all]": 0.5} if dense else {}
        spectrum = SpectrumSummary(
            protocol="ir@1",
            frames=9,
            time_step_fs=2.0,
            temperature_kelvin=300.0,
            bands={"bend": Band(low=1500.0, high=1800.0, integral=1.0)},
            metrics={key: Metric(value=value, unit="1") for key, value in errors.items()},
        )
        found = result(name, 0.1, current_error=current)
        return found.model_copy(update={"spectrum": spectrum})

    for dense, first, second in (
        (False, "current error, test labels", "current error, whole segment (estimated)"),
        (True, "relative L1", "current error, whole segment"),
    ):
        both = [with_spectrum("a", -0.001, 0.4, dense), with_spectrum("b", 0.2, 0.03, dense)]
        shown = spectrum_columns(both)
        assert [c.heading for c in shown] == [first, second, "integral, bend"]
        assert shown[1].best(both) == 0.03
        assert shown[2].best(both) is None
        assert not any(shown[2].is_best(shown[2].of(one), both) for one in both)
