"""Channels add up and hold what closed forms say; errors of a model channel by channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.molecules import MoleculeTable
from aptbench.oracle import ChargedOscillators, PointCharges, labelled_liquid
from aptbench.spectra import IR1, absorption
from aptbench.spectra.assignment import Assignment, ChannelFamily, assign
from aptbench.spectra.channel_errors import channel_errors
from aptbench.spectra.modes import WATER_MODES, water_geometry
from aptbench.spectra.reduction import MolecularCurrents, reduce_trajectory

SHORT = replace(IR1, name="short", maximum_lag=3.0, broadening=700.0)
FINE = {"time_step": 0.5, "temperature": 300.0, "protocol": SHORT}


@pytest.fixture(scope="module")
def labelled() -> LabelledFrames:
    """Eight molecules of the polarizable model in a cell, half a femtosecond apart."""
    return labelled_liquid(8, 13, equilibration=1, stride=1)


@pytest.fixture(scope="module")
def liquid(labelled) -> MolecularCurrents:
    """Currents of the liquid."""
    return reduce_trajectory(labelled.frames, labelled.apt, MoleculeTable.of(labelled.frames))


def test_families_of_the_liquid_add_up(liquid) -> None:
    found = assign(liquid, **FINE)
    assert list(found.families) == [
        "species",
        "range",
        "mode",
        "mode-self",
        "distance",
        "solvation shell",
    ]
    assert found.family("species").names == ("O-O", "H-H", "O-H")
    assert found.family("mode").names[:5] == WATER_MODES
    assert len(found.family("mode").names) == 15
    assert found.family("distance").names[0] == "self"
    assert found.family("solvation shell").names == ("self", ">0")
    assert found.check_additivity() < 1e-10


@pytest.mark.parametrize("lag", [0, 5])
def test_ranges_are_the_plain_sum_over_pairs(liquid, lag) -> None:
    got = assign(liquid, families=["range"], **FINE).family("range").correlation.mean()[:, lag]
    p = liquid.atoms - liquid.atoms.mean(0)
    n = len(p) - lag
    products = np.einsum("fax,fbx->ab", p[:n], p[lag:]) / n
    same_molecule = liquid.table.molecule[:, None] == liquid.table.molecule
    same_atom = np.eye(24, dtype=bool)
    masks = (same_atom, same_molecule & ~same_atom, ~same_molecule)
    assert np.allclose(got, [products[mask].sum() for mask in masks], atol=1e-12 * products.max())


TIMES = 2.0 * np.arange(1800)


@pytest.mark.parametrize(("sign", "expected"), [(1, (0.5, 0.0, 0.5)), (-1, None)])
def test_two_oscillators_in_phase(sign, expected) -> None:
    """Auto and cross are a half each; in opposite phase they cancel."""
    one = ChargedOscillators((1.0,), (2.0,), (1500.0,)).trajectory(TIMES, 300.0)
    both = Frames(
        [1, 1],
        np.concatenate([one.positions, sign * one.positions + [0, 0, 2.2]], 1),
        [10.0] * 3,
        velocities=np.concatenate([one.velocities, sign * one.velocities], 1),
    )
    currents = reduce_trajectory(both, PointCharges({"H": 1.0}).predict, MoleculeTable.of(both))
    found = assign(currents, time_step=2.0, temperature=300.0, edges=[0, 1.5, 3.0])
    areas = found.family("range").spectra.sum(1)
    if expected is None:
        assert areas[2] == pytest.approx(-areas[0])
        assert np.abs(found.total.absorption).max() < 1e-9 * np.abs(areas).max()
    else:
        assert np.allclose(areas / found.total.absorption.sum(), expected, atol=1e-12)
        distance = found.family("distance").spectra.sum(1) / found.total.absorption.sum()
        assert np.allclose(distance, [0.5, 0.0, 0.5, 0.0], atol=1e-12)


def water_in_motion(angle: np.ndarray, turn: np.ndarray) -> Frames:
    """One water molecule with bonds of fixed length, and velocities by differences."""

    def places(k: int) -> np.ndarray:
        geometry = np.array([water_geometry(0.9572, a) for a in angle[k]])
        shares = np.array([15.999, 1.008, 1.008]) / 18.015
        geometry -= np.einsum("a,fax->fx", shares, geometry)[:, None]
        cosine, sine = np.cos(turn[k]), np.sin(turn[k])
        zero, one = np.zeros_like(sine), np.ones_like(sine)
        matrix = np.array([[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]])
        return np.einsum("xyf,fay->fax", matrix, geometry)

    later, earlier = places(2), places(0)
    return Frames([8, 1, 1], places(1), velocities=(later - earlier) / 0.02)


@pytest.mark.parametrize("motion", ["libration", "bend"])
def test_a_motion_appears_in_its_mode_only(motion) -> None:
    times = TIMES[:, None] + np.array([-0.01, 0, 0.01])
    wave = 2 * np.pi * 2.99792458e-5
    swing = 0.2 * np.sin(600 * wave * times) if motion == "libration" else 0 * times
    bend = 0.2 * np.sin(1600 * wave * times) if motion == "bend" else 0 * times
    frames = water_in_motion(104.52 + bend.T, swing.T)
    charges = PointCharges({"O": -0.8, "H": 0.4})
    currents = reduce_trajectory(frames, charges.predict, MoleculeTable.of(frames))
    found = assign(currents, time_step=2.0, temperature=300.0, volume=30.0)
    family = found.family("mode")
    scale = found.total.absorption.max()
    assert scale > 1.0
    own = family.spectra[family.index(motion)]
    assert np.allclose(own, found.total.absorption, atol=0.02 * scale)
    others = np.delete(family.spectra, family.index(motion), 0)
    assert np.abs(others).max() < (1e-7 if motion == "libration" else 0.02) * scale
    peak = 600 if motion == "libration" else 1600
    assert found.total.wavenumber[found.total.absorption.argmax()] == pytest.approx(peak, abs=4)
    assert found.channel("mode", motion).integral() == pytest.approx(
        found.total.integral(), rel=0.01
    )
    # a single molecule has no pairs, and no family of pairs
    assert set(found.families) == {"species", "range", "mode"}


def test_dataset(liquid) -> None:
    found = assign(liquid, **FINE)
    dataset = found.to_dataset()
    assert dataset.attrs["attribution"] == "nucleus (APT)"
    assert dataset["channel_absorption"].attrs["units"] == "cm-1"
    for name in found.families:
        channels = dataset["channel_absorption"].sel(channel=dataset["family"] == name)
        assert np.allclose(channels.sum("channel"), dataset["absorption"], atol=1e-9)


def test_channel_errors(liquid) -> None:
    found = assign(liquid, families=["species", "range"], **FINE)
    for family in channel_errors(found, found).values():
        assert family.relative_l1 == family.hidden == family.sum_of_channels == 0
    # an error of the opposite sign in two channels does not show in the total
    species = found.family("species")
    shift = 0.1 * np.abs(found.total.absorption)
    spoiled = ChannelFamily(
        "species", species.correlation, species.spectra + np.array([1, -1, 0])[:, None] * shift
    )
    model = replace(found, families={**found.families, "species": spoiled})
    errors = channel_errors(model, found)
    assert errors["range"].hidden == 0
    one, two, three = errors["species"].channels
    assert (one.channel, one.relative_l1) == ("O-O", pytest.approx(0.1))
    assert two.relative_l1 == pytest.approx(0.1)
    assert three.relative_l1 == 0
    assert one.bands["stretch"] == pytest.approx(0.1)
    assert two.bands["stretch"] == pytest.approx(-0.1)
    assert errors["species"].relative_l1 == 0
    assert errors["species"].hidden == pytest.approx(0.2)


def test_channel_errors_of_scaled_tensors(liquid) -> None:
    """All currents 10 % too large: every channel is 21 % too large and nothing cancels much."""
    large = replace(liquid, atoms=1.1 * liquid.atoms, by_mode=1.1 * liquid.by_mode)
    found, model = (assign(c, families=["mode"], **FINE) for c in (liquid, large))
    error = channel_errors(model, found)["mode"]
    assert error.relative_l1 == pytest.approx(0.21)
    assert error.hidden == pytest.approx(error.sum_of_channels - 0.21)
    areas = [found.channel("mode", name) for name in found.family("mode").names]
    total = np.trapezoid(np.abs(found.total.absorption), found.total.wavenumber)
    for channel, spectrum in zip(error.channels, areas, strict=True):
        area = np.trapezoid(np.abs(spectrum.absorption), spectrum.wavenumber)
        assert channel.relative_l1 == pytest.approx(0.21 * area / total)


def test_channel_errors_refuse_other_assignments(liquid) -> None:
    found = assign(liquid, families=["range"], **FINE)
    for other, message in (
        (assign(liquid, families=["mode"], **FINE), "differ in their channels"),
        (assign(liquid, families=["range"], volume=1.0, **FINE), "differ in their trajectory"),
        (
            assign(
                liquid,
                families=["range"],
                **{**FINE, "protocol": replace(SHORT, name="x")},
            ),
            "differ in their protocol",
        ),
    ):
        with pytest.raises(AlignmentError, match=message):
            channel_errors(other, found)
    nothing = replace(found, total=replace(found.total, absorption=0 * found.total.absorption))
    with pytest.raises(InputError, match="is zero in a band"):
        channel_errors(nothing, nothing)


def test_bad_requests(liquid) -> None:
    with pytest.raises(InputError, match=r"do not rise[\s\S]*at most 3.1"):
        assign(liquid, edges=[0, 2, 5], **FINE)
    with pytest.raises(InputError, match="do not rise"):
        assign(liquid, shells=[0, 2, 2], **FINE)
    with pytest.raises(InputError, match="do not rise"):
        assign(liquid, shells=[1, 2], **FINE)
    with pytest.raises(UnknownNameError, match="did you mean 'species'"):
        assign(liquid, families=["specie"], **FINE)
    with pytest.raises(InputError, match=r"several kinds[\s\S]*only H2O"):
        assign(liquid, families=["kind"], **FINE)
    with pytest.raises(InputError, match="no volume"):
        assign(replace(liquid, cell=None), **FINE)
    with pytest.raises(InputError, match="too short"):
        assign(liquid, time_step=2.0, temperature=300.0)
    found = assign(liquid, families=["range"], **FINE)
    with pytest.raises(UnknownNameError, match="did you mean 'atomic'"):
        found.channel("range", "atom")
    with pytest.raises(UnknownNameError, match="family of channels"):
        found.family("kinds")
    assert isinstance(found, Assignment)


def test_an_isolated_system_has_distances_without_images(labelled) -> None:
    frames = labelled.frames.replace(cell=None)
    currents = reduce_trajectory(frames, labelled.apt, MoleculeTable.of(frames))
    found = assign(currents, volume=240.0, **FINE)
    assert found.family("distance").names[-1] == ">10"
    assert found.check_additivity() < 1e-10
    spectrum = absorption(currents.total(), volume=240.0, **FINE)
    assert np.allclose(found.total.absorption, spectrum.absorption)
