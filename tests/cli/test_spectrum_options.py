"""Options of `aptbench spectrum`, by what physics says of the numbers that they change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data import SystemData, write_dataset
from aptbench.spectra.quantum import QUANTUM_CORRECTIONS, quantum_factor
from tests.conftest import SIDE, STEP, Call, synthetic_positions

N_FRAMES = 1200
USUAL = ("--model", "mine", "--protocol", "ir-short@1", "--no-cache", "--json")
CHARGE = np.array([-0.8, 0.4, 0.4])
MODEL = """
import numpy as np

class Charges:
    n_parameters = 0

    def predict(self, frames):
        charge = np.where(frames.atomic_numbers == 8, -0.6, 0.3)
        return np.tile(charge[:, None, None] * np.eye(3), (len(frames), 1, 1, 1))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One molecule of fixed charges: every frame of ``dense`` has a label, 12 of ``sparse``."""
    root = tmp_path_factory.mktemp("spectra")
    times = STEP * np.arange(N_FRAMES)
    here, before, after = (
        synthetic_positions(times + shift)[:, :3] for shift in (0.0, -0.01, 0.01)
    )
    frames = Frames(
        [8, 1, 1], here, [SIDE] * 3, velocities=(after - before) / 0.02, molecule=[0, 0, 0]
    )
    for name, at in (("dense", np.arange(N_FRAMES)), ("sparse", np.arange(50, N_FRAMES, 100))):
        system = SystemData(
            frames,
            at,
            np.tile(CHARGE[:, None, None] * np.eye(3), (len(at), 1, 1, 1)),
            times=times,
            dipole=np.einsum("a,fax->fx", CHARGE, here[at]),
        )
        attrs = {"name": name, "version": "0.1.0", "title": name, "license": "CC0-1.0"}
        bands = {"infrared_bands": {"libration": [300.0, 900.0], "stretch": [3000.0, 3800.0]}}
        write_dataset(root / "datasets" / name / f"{name}.zarr", {"one": system}, attrs | bands)
    folder = root / "baselines" / "mine"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(MODEL)
    (folder / "model.yaml").write_text("{name: mine, title: Mine, class: 'model:Charges'}")
    return root


@pytest.fixture
def spectrum(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aptbench: Call) -> Any:
    """Make a spectrum with options: the summary, and the columns of the table by name."""
    monkeypatch.setenv("APTBENCH_ROOT", str(project))
    monkeypatch.setattr("aptbench.evaluate.spectral_files.save_figure", lambda *_: None)

    def make(*words: object, source: str = "dense") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        code, out, err = aptbench("spectrum", source, *USUAL, "--out", tmp_path / "out", *words)
        assert code == 0, err
        names = (tmp_path / "out" / "spectrum.csv").read_text().splitlines()[0].split(",")
        values = np.loadtxt(tmp_path / "out" / "spectrum.csv", delimiter=",", skiprows=1)
        return json.loads(out), dict(zip(names, values.T, strict=True))

    return make


def integrals(summary: dict[str, Any]) -> dict[str, float]:
    rows = summary["band_integrals_cm-2"]
    return {
        f"{band} {who}": row["models"]["mine"][0] if who == "mine" else row[who][0]
        for band, row in rows.items()
        for who in ("mine", "reference")
    }


def test_temperature_and_volume_divide_the_absorption(spectrum: Any) -> None:
    def product(*words: object) -> tuple[float, float, dict[str, float]]:
        summary = spectrum(*words)[0]
        temperature, volume = summary["temperature_K"], summary["volume_angstrom3"]
        found = {name: temperature * volume * x for name, x in integrals(summary).items()}
        return temperature, volume, found

    temperature, volume, own = product()
    assert volume == pytest.approx(SIDE**3)
    assert min(own.values()) > 0
    hot = product("--temperature", 2 * temperature)
    large = product("--volume", 2 * volume)
    assert hot[:2] == pytest.approx((2 * temperature, volume))
    assert large[:2] == pytest.approx((temperature, 2 * volume))
    # their product with temperature and volume is what the motion gives
    assert hot[2] == pytest.approx(own, rel=1e-9)
    assert large[2] == pytest.approx(own, rel=1e-9)


def test_bands_are_those_that_are_named(spectrum: Any) -> None:
    summary, columns = spectrum("--band", "mine:3300:3700", "--band", "low:100:900")
    rows = summary["band_integrals_cm-2"]
    assert {name: row["cm-1"] for name, row in rows.items()} == {
        "all": [0.0, 4000.0],
        "mine": [3300.0, 3700.0],
        "low": [100.0, 900.0],
    }
    wavenumber, absorption = columns["wavenumber_cm-1"], columns["mine n*alpha_cm-1"]
    inside = (wavenumber >= 3300) & (wavenumber <= 3700)
    expected = np.trapezoid(absorption[inside], wavenumber[inside])
    assert rows["mine"]["models"]["mine"][0] == pytest.approx(expected, rel=1e-4)
    assert {score["band"] for score in summary["scores"]} == set(rows)
    assert "mine" not in spectrum()[0]["band_integrals_cm-2"]


def test_a_block_is_as_long_as_it_is_asked_for_and_one_alone_has_no_interval(spectrum: Any) -> None:
    for block, n_blocks in ((200.0, 12), (400.0, 6)):
        summary = spectrum("--block", block)[0]
        assert (summary["block_fs"], summary["n_blocks"]) == (block, n_blocks)
        value, low, high = summary["band_integrals_cm-2"]["stretch"]["models"]["mine"]
        assert low < value < high
    summary = spectrum("--block", 1e6)[0]
    assert summary["n_blocks"] == 1
    assert summary["band_integrals_cm-2"]["stretch"]["models"]["mine"][1:] == [None, None]


def test_dipoles_give_the_spectrum_of_the_currents(
    spectrum: Any, tmp_path: Path, aptbench: Call
) -> None:
    name = "from dipoles n*alpha_cm-1"
    columns = spectrum("--dipole")[1]
    largest = columns["reference n*alpha_cm-1"].max()
    difference = np.abs(columns[name] - columns["reference n*alpha_cm-1"])
    assert difference.max() < 0.05 * largest
    assert np.abs(columns[name] - columns["mine n*alpha_cm-1"]).max() > 0.3 * largest
    assert name not in spectrum()[1]
    code, _, err = aptbench("spectrum", "sparse", *USUAL, "--out", tmp_path, "--dipole")
    assert code == 2
    assert "Not every frame of sparse-one is labelled" in err


@pytest.mark.parametrize(
    ("source", "names"), [("sparse", sorted(QUANTUM_CORRECTIONS)), ("dense", ["standard"])]
)
def test_every_quantum_correction_is_its_factor_at_every_wavenumber(
    spectrum: Any, source: str, names: list[str]
) -> None:
    constants = ("--temperature", 320)
    summary, usual = spectrum(*constants, source=source)
    assert summary["quantum_correction"] == "harmonic"
    wavenumber = usual.pop("wavenumber_cm-1")
    assert len(usual) == 4  # the model, and the reference with its band
    for name in names:
        summary, columns = spectrum(*constants, "--quantum-correction", name, source=source)
        assert summary["quantum_correction"] == name
        factor = quantum_factor(name, wavenumber, 320.0)
        for column, values in usual.items():
            # the table has six digits
            np.testing.assert_allclose(columns[column], factor * values, rtol=2e-5, err_msg=column)
