"""What a changed setting does to the tensors of one molecule, by the real engine."""

from __future__ import annotations

import pytest

from aptbench.errors import InputError
from aptbench.reference.convergence import converge
from aptbench.reference.label import label_frame


@pytest.mark.engine
def test_changes_are_measured_against_the_label(cp2k, water, cheap, tmp_path):
    base = tmp_path / "label"
    record = label_frame(water, cheap, cp2k, base)
    stamp = (base / "x-plus.out").stat().st_mtime_ns
    variants = [{"field": 2e-3}, {"cutoff": 120.0}]
    unchanged, field, cutoff = converge(water, cheap, variants, cp2k, tmp_path / "work", base)
    assert (base / "x-plus.out").stat().st_mtime_ns == stamp, "the label was computed again"
    assert unchanged.rms["all"] == 0
    assert unchanged.slope == pytest.approx(1)
    residual = (record.sum_rule_residual[0] ** 2).mean() ** 0.5
    assert unchanged.sum_rule_residual == pytest.approx(residual)
    assert 0 < field.rms["all"] < 2e-3 < cutoff.rms["all"]
    assert cutoff.setting == {"cutoff": 120.0}
    # what was computed elsewhere is not taken for another geometry
    moved = water.replace(positions=water.positions + 0.1)
    converge(moved, cheap, [], cp2k, tmp_path / "work", base)
    assert (base / "x-plus.out").stat().st_mtime_ns != stamp


def test_unknown_setting(water, cheap, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        converge(water, cheap, [{"cut_off": 100.0}], None, tmp_path, tmp_path)
