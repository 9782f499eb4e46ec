"""Convergence of labels of molecules: what changes, what does not, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import InputError
from aptbench.reference.label_noise import label_noise
from tests.reference.conftest import WATER

pytest.importorskip("pyscf")

from aptbench.reference.label_settings import Cp2kLabels, PyscfLabels, XtbLabels
from aptbench.reference.molecular_convergence import converge_molecules
from aptbench.reference.pyscf_field import PyscfField
from aptbench.reference.theory import Theory

MOLECULES = [
    Frames([8, 1, 1], [WATER]),
    Frames([9, 1], [[[0.0, 0.0, 0.0], [0.5, 0.6, 0.55]]]),
]
SETTINGS = PyscfLabels(engine="pyscf", functional="PBE", basis="STO-3G", grid_level=0)
ENGINE = PyscfField("PBE", "STO-3G", grid_level=0)


@pytest.fixture(scope="module")
def rows():
    return converge_molecules(MOLECULES, SETTINGS, [{"field": 2e-3}, {"basis": "6-31G"}])


def test_figures_are_those_of_labels(rows):
    base, step, basis = rows
    plain = [ENGINE.label(frames).apt[0] for frames in MOLECULES]
    large = [PyscfField("PBE", "6-31G", grid_level=0).label(frames).apt[0] for frames in MOLECULES]
    change = np.concatenate(large) - np.concatenate(plain)
    assert basis.rms == pytest.approx(
        {
            "F": np.sqrt(np.mean(change[3] ** 2)),
            "O": np.sqrt(np.mean(change[0] ** 2)),
            "H": np.sqrt(np.mean(change[[1, 2, 4]] ** 2)),
            "all": np.sqrt(np.mean(change**2)),
        },
        rel=1e-4,  # two runs agree to the threshold of self-consistency
    )
    assert (base.slope, base.setting, set(base.rms.values())) == (1.0, {}, {0.0})
    assert step.setting == {"field": 2e-3}
    assert 0 < step.rms["all"] < 1e-3 < basis.rms["all"]


def test_steps_in_fields_are_counted(rows):
    assert all(12 < row.scf_iterations < 300 for row in rows)


def test_figures_are_what_label_noise_reads(rows):
    table = {"theory": ENGINE.provenance(), "changes": [row.as_dict() for row in rows]}
    figures = label_noise(table)
    assert figures["parts"]["field"] == rows[1].rms
    assert figures["systematic"]["basis"] == rows[2].rms


def test_refusals():
    with pytest.raises(InputError, match="setting that does not exist") as error:
        converge_molecules(MOLECULES, SETTINGS, [{"cutoff": 400.0}])
    assert "grid_level" in str(error.value)
    with pytest.raises(InputError, match="no molecule"):
        converge_molecules([], SETTINGS, [])
    with pytest.raises(InputError, match="cannot have such a value"):
        SETTINGS.changed({"grid_level": "fine"})


def test_settings_are_changed_by_the_names_of_the_provenance():
    cp2k = Cp2kLabels(engine="cp2k")
    assert cp2k.changed({"cutoff": 800.0}).theory == Theory(cutoff=800.0)
    assert cp2k.changed({"box_margin": 3.5}).margin == 3.5
    assert cp2k.changed({}) == cp2k
    for settings in (SETTINGS, XtbLabels(engine="tblite")):
        provenance = settings.changed({"field": 2e-3}).labeller().provenance()
        assert provenance["field"] == 2e-3
        assert set(settings.SETTINGS) <= set(provenance)
