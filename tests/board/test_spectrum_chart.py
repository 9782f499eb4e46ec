"""What the chart of spectra draws of the reference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
