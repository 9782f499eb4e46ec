"""What the chart of spectra draws of the reference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aptbench.board.result_tables import spectra_table
from aptbench.board.spectrum_chart import spectrum_chart

HEAD = "wavenumber_cm-1,one n*alpha_cm-1,{0} n*alpha_cm-1,{0} low,{0} high"


@pytest.mark.parametrize("name", ["reference", "debiased reference"])
@pytest.mark.parametrize("band", [True, False])
def test_the_reference_has_its_band_if_there_is_one(tmp_path: Path, name: str, band: bool) -> None:
    ends = "1,3" if band else "nan,nan"
    rows = [f"{x},4,2,{ends}" for x in range(4)]
    (tmp_path / "spectrum.csv").write_text("\n".join([HEAD.format(name), *rows]) + "\n")
    chart = spectrum_chart(tmp_path / "spectrum.csv", {"band_integrals_cm-2": {}})
    one, reference = chart["series"]
    assert one["name"] == "one"
    assert reference["name"] == ("reference with its 95 % band" if band else "reference")
    assert ("low" in reference) is band
    json.dumps(chart, allow_nan=False)


def test_an_isolated_system_has_molar_absorption_whatever_its_volume(tmp_path: Path) -> None:
    """The volume is a convention: another one must change nothing that is shown."""
    shown = []
    for volume in (1000.0, 500.0):
        # the same system, divided by another volume
        factor = 1000.0 / volume
        rows = [f"{x},{4 * factor},{2 * factor},{factor},{3 * factor}" for x in range(4)]
        table = tmp_path / "spectrum.csv"
        table.write_text("\n".join([HEAD.format("reference"), *rows]) + "\n")
        integral = [1.79e6 * factor, 1.7e6 * factor, 1.9e6 * factor]
        error = {"model": "one", "band": "all", "value": 0.1, "low": 0.0, "high": 0.2}
        summary = {
            "isolated": 1,
            "volume_angstrom3": volume,
            "band_integrals_cm-2": {
                "all": {"cm-1": [0.0, 4000.0], "models": {"one": integral}, "reference": integral}
            },
            "scores": [
                error | {"metric": metric} for metric in ("current_error", "band_integral_error")
            ],
            "debiased_with": None,
            "n_labels": 4,
            "reference": "GFN2",
            "n_frames": 4,
            "protocol": "ir@1",
        }
        shown.append((spectrum_chart(table, summary), spectra_table(summary)))
    assert shown[0] == shown[1]
    chart, text = shown[0]
    # 4 cm^-1 times 1e-21 cm^3 times N_A, in km
    assert chart["series"][0]["y"][0] == pytest.approx(4 * 6.022e23 * 1e-21 * 1e-5, rel=1e-3)
    assert chart["ylabel"] == "molar absorption (km/mol per 1/cm)"
    assert "reference / 10^3 km/mol (labels of every frame) | 10.8 [10.2, 11.4]" in text
    periodic = summary | {"isolated": 0}
    assert spectrum_chart(table, periodic)["series"][0]["y"][0] == 8.0
    assert "n alpha" in spectrum_chart(table, periodic)["ylabel"]
    assert "reference / 10^6 cm^-2 (labels of every frame) | 3.58" in spectra_table(periodic)
