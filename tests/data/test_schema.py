"""The checks of the schema, and its documentation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from aptbench.data.schema import VARIABLES, check_group, to_xarray

DOCUMENT = Path(__file__).parents[2] / "docs" / "data-format.md"


def test_a_sound_group_has_no_fault(system):
    assert check_group("s", to_xarray(system)) == []


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda g: g.drop_vars("sum_rule_residual"), "no variable 'sum_rule_residual'"),
        (lambda g: g.assign(apt=g.apt.transpose("label", "atom", "disp", "pol")), "dimensions"),
        (lambda g: g.assign(apt=g.apt.assign_attrs(units="debye")), "units 'debye'"),
        (lambda g: g.assign(apt=g.apt.drop_attrs()), "units None"),
        (lambda g: g.assign(apt=g.apt.assign_attrs(index_order="disp,pol")), "index_order"),
        (lambda g: g.assign(dipole=g.dipole.where(g.dipole < 0)), "not finite"),
        (lambda g: g.assign(apt=(g.apt + 1).assign_attrs(g.apt.attrs)), "not that of the stored"),
        (lambda g: g.assign(mass=g.mass.copy(data=g.mass + 1)), "'mass'"),
        (lambda g: g.assign_attrs(periodic=False), "'periodic'"),
        (lambda g: g.assign_attrs(aptbench_conventions="x"), "conventions 'x'"),
        (lambda g: g.drop_attrs(deep=False), "no attribute"),
        (lambda g: g.assign_coords(label_frame=g.label_frame + 1), "units|label_frame"),
        (lambda g: g.assign(what=("frame", np.zeros(40))), "unknown variable"),
        (lambda g: g.assign(what=("label", np.zeros(5))), "no units"),
    ],
)
def test_faults_are_told(system, damage, sentence):
    faults = check_group("s", damage(to_xarray(system)))
    assert faults
    assert any(re.search(sentence, fault) for fault in faults), faults


def test_the_document_has_every_variable_as_it_is():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, spec in VARIABLES.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` "))
        cells = [cell.strip().strip("`") for cell in row.strip("|").split("|")]
        dims = ", ".join(spec.dims)
        assert cells[1:5] == [dims, spec.dtype, spec.units or "", "yes" if spec.required else ""]
