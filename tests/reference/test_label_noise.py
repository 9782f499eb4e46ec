"""The rule that turns a table of convergence into one figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aptbench.errors import InputError
from aptbench.reference.label_noise import RULE, label_noise

THEORY = {"cutoff": 500.0, "eps_scf": 3e-7, "eps_default": 1e-10, "field": 5e-4}


def table(*changes: tuple[dict, float]) -> dict:
    rows = [{"setting": {}, "rms": {"O": 0.0, "H": 0.0, "all": 0.0}}]
    for setting, rms in changes:
        rows.append({"setting": setting, "rms": {"O": rms, "H": rms / 2, "all": rms / 1.5}})
    return {"theory": THEORY, "changes": rows, "frame": 3, "pol": "x", "code": "CP2K"}


def test_kinds_add_in_quadrature_and_the_largest_of_a_kind_counts():
    figures = label_noise(
        table(
            ({"eps_scf": 3e-8}, 0.002),
            ({"eps_default": 1e-12}, 0.001),
            ({"cutoff": 800.0}, 0.003),
            ({"field": 1e-3}, 0.006),
        )
    )
    assert figures["noise"]["O"] == pytest.approx(0.007)
    assert figures["noise"]["H"] == pytest.approx(0.0035)
    assert figures["parts"]["scf"]["O"] == 0.002
    assert figures["missing"] == []
    assert (figures["frame"], figures["pol"], figures["rule"]) == (3, "x", RULE)


def test_a_shift_has_the_noise_of_two_labels():
    shifted = label_noise(table(({"shift": [1.0, 2.0, 3.0]}, 0.003)))
    assert shifted["noise"]["O"] == pytest.approx(0.003 / 2**0.5)
    assert shifted["missing"] == ["scf", "field"]


def test_a_field_that_takes_other_iterations_is_not_counted_twice():
    known = table(({"eps_scf": 3e-8}, 0.002), ({"field": 1e-3}, 0.003), ({"cutoff": 800.0}, 0.001))
    for row, iterations in zip(known["changes"], (10, 14, 12, 10), strict=True):
        row["scf_iterations"] = iterations
    figures = label_noise(known)
    assert figures["noise"]["O"] == pytest.approx(10**0.5 * 0.001)
    assert (figures["missing"], "field" in figures["parts"]) == ([], False)
    known["changes"][2]["scf_iterations"] = 10
    assert label_noise(known)["noise"]["O"] == pytest.approx(14**0.5 * 0.001)
    # far above what the threshold does it is the field step all the same
    known["changes"][2] |= {"scf_iterations": 12, "rms": {"O": 0.006, "H": 0.003, "all": 0.0051}}
    assert label_noise(known)["noise"]["O"] == pytest.approx(41**0.5 * 0.001)


def test_a_looser_setting_counts_only_where_there_is_no_other():
    looser, tighter = ({"cutoff": 400.0}, 0.009), ({"cutoff": 800.0}, 0.002)
    assert label_noise(table(looser))["noise"]["O"] == 0.009
    assert label_noise(table(looser, tighter))["noise"]["O"] == 0.002
    assert label_noise(table(({"eps_scf": 1e-6}, 0.1), ({"eps_scf": 1e-8}, 0.01)))["noise"][
        "O"
    ] == pytest.approx(0.01)


def test_basis_and_functional_are_systematic():
    figures = label_noise(
        table(
            ({"eps_scf": 3e-8}, 0.001),
            ({"basis": "QZV2P-GTH"}, 0.004),
            ({"basis": "B", "basis_file": "F", "potential": "P"}, 0.005),
            ({"functional": "PBE"}, 0.02),
        )
    )
    assert figures["noise"]["O"] == 0.001
    assert {k: v["O"] for k, v in figures["systematic"].items()} == {
        "basis": 0.005,
        "functional": 0.02,
    }


def test_mixed_variants_and_empty_tables_are_refused():
    with pytest.raises(InputError, match="different kinds"):
        label_noise(table(({"cutoff": 800.0, "basis": "QZV2P-GTH"}, 0.1)))
    with pytest.raises(InputError, match="no changed setting"):
        label_noise(table())


def test_the_shipped_table_gives_one_grid_noise_by_two_routes():
    path = Path(__file__).parents[2] / "datasets" / "water" / "convergence.json"
    measured = json.loads(path.read_text())
    rows = measured["changes"]
    by_key = {
        key: label_noise({**measured, "changes": [rows[0], row]})["parts"]["grid"]["O"]
        for row in rows
        for key in row["setting"]
        if key == "shift" or row["setting"].get("cutoff") == 800.0
    }
    assert by_key["shift"] == pytest.approx(by_key["cutoff"], rel=0.05)
    assert label_noise(measured)["missing"] == []
