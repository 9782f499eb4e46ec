"""Channels of a mixture agree with plain sums over pairs, however they are computed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import AlignmentError, InputError
from aptbench.molecules import MoleculeTable
from aptbench.oracle import PointCharges
from aptbench.spectra import IR1, infrared
from aptbench.spectra import reduction as reduction_module
from aptbench.spectra.assignment import ChannelFamily, assign
from aptbench.spectra.modes import WATER_MODES, water_geometry
from aptbench.spectra.reduction import MolecularCurrents, reduce_trajectory
from aptbench.spectra.shells import distances_squared, shell_limit

SHORT = replace(IR1, name="short", maximum_lag=40.0, broadening=700.0)
SETTINGS = {"time_step": 2.0, "temperature": 300.0, "protocol": SHORT}
TRICLINIC = np.array([[11.0, 0, 0], [2.0, 10.5, 0], [-1.5, 2.5, 11.5]])


def mixed_frames(n_frames: int = 60) -> Frames:
    """Water and ions that wander through a triclinic cell of changing size."""
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[np.arange(3) / 3] * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = grid @ TRICLINIC
    positions, numbers = [], []
    for k, site in enumerate(sites):
        if k in (4, 21):
            positions.append(site[None])
            numbers += [11 if k == 4 else 17]
        else:
            turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
            positions.append(site + water_geometry() @ turn)
            numbers += [8, 1, 1]
    start = np.concatenate(positions)
    drift = np.repeat(
        0.02 * rng.normal(size=(27, 3)), [1 if k in (4, 21) else 3 for k in range(27)], 0
    )
    rates = drift + 0.01 * np.cumsum(rng.normal(size=(n_frames, len(start), 3)), 0) / 8
    path = start + np.arange(n_frames)[:, None, None] * drift * 2.0
    path += 0.03 * rng.normal(size=path.shape)
    cell = TRICLINIC * (1 + 0.01 * rng.normal(size=(n_frames, 1, 1)))
    return Frames(numbers, path, cell, velocities=rates)


@pytest.fixture(scope="module")
def mixture() -> MolecularCurrents:
    """Currents of the mixture with arbitrary tensors."""
    frames = mixed_frames()
    apt = np.random.default_rng(4).normal(size=(*frames.positions.shape, 3))
    return reduce_trajectory(frames, apt, MoleculeTable.of(frames))


def pair_sums(currents: MolecularCurrents, weight: np.ndarray, lag: int) -> float:
    """Plain sum over pairs of molecules, (frame, molecule, molecule) weights at the first time."""
    m = currents.by_mode.sum(2)
    m = m - m.mean(0)
    n = len(m) - lag
    here = np.einsum("fij,fjx,fix->", weight[:n], m[:n], m[lag:])
    back = np.einsum("fij,fjx,fix->", weight[lag:], m[lag:], m[:n])
    return float(here + back) / 2 / n


def test_families_of_a_mixture_add_up(mixture) -> None:
    found = assign(mixture, edges=[0, 2.5, 3.0, 4.5], shells=[0, 3.0, 4.9], **SETTINGS)
    assert found.family("kind").names == ("H2O", "Na", "Cl", "H2O-Na", "H2O-Cl", "Na-Cl")
    assert found.family("distance").names == ("self", "0-2.5", "2.5-3", "3-4.5", ">4.5")
    assert found.family("solute shell").names[:5] == (
        "Na",
        "Cl",
        "H2O 0-3",
        "H2O 3-4.9",
        "H2O >4.9",
    )
    assert mixture.modes == WATER_MODES
    assert found.check_additivity() < 1e-10
    for family in found.families.values():
        assert np.abs(family.spectra).max() > 0


def test_additivity_can_fail(mixture) -> None:
    found = assign(mixture, families=["kind"], **SETTINGS)
    family = found.family("kind")
    spoiled = ChannelFamily("kind", family.correlation, 1.01 * family.spectra)
    assert replace(found, families={"kind": spoiled}).check_additivity() == pytest.approx(0.01)


def test_the_total_is_the_spectrum() -> None:
    frames = mixed_frames()
    apt = np.random.default_rng(4).normal(size=(*frames.positions.shape, 3))
    currents = reduce_trajectory(frames, apt, MoleculeTable.of(frames))
    spectrum = infrared(frames, apt, times=2.0 * np.arange(60), temperature=300.0, protocol=SHORT)
    total = assign(currents, families=["range"], **SETTINGS).total
    scale = np.abs(spectrum.absorption).max()
    assert np.allclose(total.absorption, spectrum.absorption, atol=1e-12 * scale)
    assert total.metadata == spectrum.metadata


@pytest.mark.parametrize("lag", [0, 1, 13, 20])
def test_shells_are_the_plain_sum_over_pairs(mixture, lag) -> None:
    """Against explicit pairs, with distances from 125 images."""
    edges = np.array([0, 3.0, 3.8, 4.9])
    found = assign(mixture, edges=edges, shells=[0, 3.5], **SETTINGS)
    grid = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), -1).reshape(-1, 3)
    vectors = mixture.sites[:, :, None] - mixture.sites[:, None]
    fractions = vectors @ np.linalg.inv(mixture.cell)[:, None]
    vectors = vectors - np.round(fractions) @ mixture.cell[:, None]
    images = np.einsum("nk,fkx->fnx", grid, mixture.cell)
    distance = np.min(
        [
            np.linalg.norm(vectors + image[:, None, None], axis=-1)
            for image in images.swapaxes(0, 1)
        ],
        0,
    )
    other = ~np.eye(27, dtype=bool)
    self_part = pair_sums(mixture, np.broadcast_to(np.eye(27), distance.shape), lag)
    for family, ends in (("distance", [*edges, np.inf]), ("solvation shell", [0, 3.5, np.inf])):
        got = found.family(family).correlation.mean()[:, lag]
        expected = [self_part]
        for low, high in pairwise(ends):
            weight = (distance >= low) & (distance < high) & other
            expected.append(pair_sums(mixture, weight.astype(float), lag))
        assert np.allclose(got, expected, atol=1e-12 * abs(self_part))
        assert np.abs(expected).min() > 0


@pytest.mark.parametrize("lag", [0, 7])
def test_solute_shells_are_the_plain_sum_over_pairs(mixture, lag) -> None:
    names = ("Na", "Cl", "H2O 0-3.6", "H2O >3.6")
    family = assign(mixture, shells=[0, 3.6], families=["solute shell"], **SETTINGS).families
    correlation = family["solute shell"].correlation
    square = distances_squared(mixture.sites, mixture.sites, mixture.cell)
    kinds = {kind.formula: kind.molecules for kind in mixture.table.kinds}
    near = square[:, :, [4, 21]].min(2) < 3.6**2
    member = np.zeros((4, *near.shape))
    member[0, :, kinds["Na"]] = member[1, :, kinds["Cl"]] = 1
    member[2][:, kinds["H2O"]] = near[:, kinds["H2O"]]
    member[3][:, kinds["H2O"]] = ~near[:, kinds["H2O"]]
    m = mixture.by_mode.sum(2)
    groups = np.einsum("gfi,fix->gfx", member, m - m.mean(0))
    n = len(mixture) - lag
    products = np.einsum("gfx,hfx->gh", groups[:, :n], groups[:, lag:]) / n
    for channel, value in zip(correlation.names, correlation.mean()[:, lag], strict=True):
        g, h = (names.index(part) for part in _both(channel, names))
        expected = products[g, h] if g == h else products[g, h] + products[h, g]
        assert value == pytest.approx(expected, abs=1e-12 * np.trace(products))


def _both(channel: str, names: tuple[str, ...]) -> tuple[str, str]:
    pairs = {f"{a}-{b}": (a, b) for a in names for b in names}
    return (channel, channel) if channel in names else pairs[channel]


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_the_chunk_does_not_matter(mixture, chunk) -> None:
    frames = mixed_frames()
    apt = np.random.default_rng(4).normal(size=(*frames.positions.shape, 3))
    again = reduce_trajectory(frames, apt, mixture.table, chunk=chunk)
    for name in ("atoms", "by_mode", "centers", "sites", "cell"):
        assert np.allclose(getattr(again, name), getattr(mixture, name), atol=1e-13)


def test_blocks_and_groups_of_molecules_do_not_matter(mixture, monkeypatch) -> None:
    from aptbench.spectra import channels, shells

    one = assign(mixture, **SETTINGS)
    monkeypatch.setattr(channels, "_NUMBERS", 4000)
    monkeypatch.setattr(shells, "_PAIRS", 100)
    other = assign(mixture, block=40.0, **SETTINGS)
    assert other.correlation.n_blocks < one.correlation.n_blocks
    for name, family in one.families.items():
        scale = np.abs(one.total.absorption).max()
        assert np.allclose(family.spectra, other.families[name].spectra, atol=1e-11 * scale)


class InPieces:
    """A trajectory that is never in memory as a whole."""

    def __init__(self, frames: Frames) -> None:
        self.frames, self.largest = frames, 0

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: slice) -> Frames:
        self.largest = max(self.largest, index.stop - index.start)
        return self.frames[index]


def test_long_trajectories_are_read_in_pieces_and_kept_in_files(tmp_path, monkeypatch) -> None:
    frames = mixed_frames()
    table, charges = (
        MoleculeTable.of(frames),
        PointCharges({"O": -0.8, "H": 0.4, "Na": 1, "Cl": -1}),
    )
    whole = reduce_trajectory(frames, charges.predict(frames), table)
    monkeypatch.setattr(reduction_module, "IN_MEMORY", 1000)
    source = InPieces(frames)
    pieces = reduce_trajectory(source, charges.predict, table, chunk=8, scratch=tmp_path)
    assert source.largest == 8
    assert isinstance(pieces.atoms, np.memmap)
    assert list(tmp_path.iterdir()) == []
    one, other = (assign(c, **SETTINGS).total.absorption for c in (whole, pieces))
    assert np.allclose(one, other, atol=1e-12 * one.max())


def test_sites_are_the_only_heavy_atom() -> None:
    frames = mixed_frames(3)
    frames = frames.replace(positions=frames.positions + 5.0)
    currents = reduce_trajectory(
        frames, lambda f: np.zeros((*f.positions.shape, 3)), MoleculeTable.of(frames)
    )
    heavy = frames.atomic_numbers > 1
    assert np.allclose(currents.sites, frames.positions[:, heavy])
    assert 0.01 < np.abs(currents.centers - currents.sites).max() < 0.2


def test_distances_in_a_tilted_cell(mixture) -> None:
    limit = shell_limit(mixture)
    heights = 1 / np.linalg.norm(np.linalg.inv(mixture.cell), axis=1)
    assert limit == pytest.approx(heights.min() / 2)
    shifted = mixture.sites + np.array([1, -2, 1]) @ mixture.cell[0]
    same = [distances_squared(s, mixture.sites, mixture.cell)[0] for s in (mixture.sites, shifted)]
    assert np.allclose(*same)
    assert np.allclose(
        distances_squared(mixture.sites, mixture.sites, None)[0, 0, 1],
        np.sum((mixture.sites[0, 0] - mixture.sites[0, 1]) ** 2),
    )


def test_bad_trajectories() -> None:
    frames = mixed_frames(4)
    table = MoleculeTable.of(frames)
    apt = np.zeros((*frames.positions.shape, 3))
    with pytest.raises(InputError, match="needs velocities"):
        reduce_trajectory(frames.replace(velocities=None), apt, table)
    with pytest.raises(AlignmentError, match="'apt' does not fit"):
        reduce_trajectory(frames, apt[:3], table)
    with pytest.raises(AlignmentError, match="'apt' does not fit"):
        reduce_trajectory(frames, lambda f: apt[:1], table)
    with pytest.raises(AlignmentError, match="does not fit the molecule table"):
        reduce_trajectory(frames.permuted(np.arange(frames.n_atoms)[::-1]), apt, table)
    apt[3, 5, 0, 0] = np.nan
    with pytest.raises(InputError, match="atom 5 of frame 3"):
        reduce_trajectory(frames, apt, table, chunk=2)
    with pytest.raises(InputError, match="references of \\['CO2'\\]"):
        reduce_trajectory(frames, apt, table, references={"CO2": np.zeros((3, 3))})
