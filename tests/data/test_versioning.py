"""Rules of the version numbers, on stores that are written for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.data.versioning import Level, check_version, compare_versions
from aptbench.errors import InputError
from tests.data.conftest import ATTRS, isolated_system, random_system


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Write a version of the data set ``tiny`` with a system ``liquid`` and those named."""
    # No power cut is expected between the two lines of a test, and syncing is slow.
    monkeypatch.setattr("aptbench.data.writer._sync", lambda folder: None)

    def write(version: str, system: SystemData | None = None, **more: Any) -> Dataset:
        systems = {"liquid": system or random_system()} | more.pop("systems", {})
        path = tmp_path / f"tiny-{len(list(tmp_path.iterdir()))}.zarr"
        return write_dataset(path, systems, ATTRS | {"version": version} | more)

    return write


def cut(system: SystemData, frames: slice, labels: list[int]) -> SystemData:
    """The frames and the labels of a system that are named."""
    chosen = np.array(labels, int)
    return replace(
        system,
        frames=system.frames[frames],
        times=system.times[frames],
        label_frame=system.label_frame[chosen],
        apt=system.apt[chosen],
        dipole=system.dipole[chosen],
        wannier_centers=system.wannier_centers[chosen],
        quality={name: column[chosen] for name, column in system.quality.items()},
    )


def test_the_same_store_has_not_changed(store):
    old = store("0.1.0")
    change = check_version(old, store("0.1.0"))
    assert (change.level, change.reasons) == (Level.NONE, ())
    with pytest.raises(InputError, match="not raised enough"):
        check_version(store("0.2.0"), old)


def test_attributes_are_a_patch(store):
    old, new = store("0.1.0"), store("0.1.1", title="Another title", license="CC-BY-4.0")
    assert old.content_hash == new.content_hash
    change = check_version(old, new)
    assert change.reasons == ((Level.PATCH, "attributes of the data set: license, title"),)
    changed = replace(random_system(), provenance={"code": "another"})
    assert compare_versions(old, store("0.1.1", changed)).reasons == (
        (Level.PATCH, "attributes of liquid: provenance"),
    )
    with pytest.raises(InputError, match=r"at least 0\.1\.1"):
        check_version(old, store("0.1.0", title="Another title"))


def test_frames_at_the_end_and_systems_are_additions(store):
    whole = random_system()
    old = store("0.1.0", cut(whole, slice(0, 30), [0, 1, 2]))
    new = store("0.2.0", cut(whole, slice(0, 40), [0, 1, 2]), systems={"gas": isolated_system()})
    change = check_version(old, new)
    assert change.level is Level.MINOR
    assert [what for _, what in change.reasons] == [
        "the system gas is added: 2 frames, 2 labels",
        "liquid: 10 frames are added after the 30 old ones",
    ]
    with pytest.raises(InputError, match=r"0\.1\.1 after 0\.1\.0.*gas is added"):
        check_version(old, store("0.1.1", whole, systems={"gas": isolated_system()}))


def test_labels_at_the_end_move_no_index(store):
    whole = random_system()
    change = compare_versions(
        store("0.1.0", cut(whole, slice(None), [0, 1])),
        store("0.2.0", cut(whole, slice(None), [0, 1, 3, 4])),
    )
    assert change.level is Level.MINOR
    assert change.reasons == ((Level.MINOR, "liquid: 2 labels are added to 2"),)
    assert change.label_index == {}


def test_labels_between_old_ones_are_additions_that_move_indices(store):
    whole = random_system()
    old = store("0.1.0", cut(whole, slice(None), [1, 3]))
    new = store("0.2.0", whole)
    change = check_version(old, new)
    assert change.level is Level.MINOR
    assert change.label_index == {"liquid": (1, 3)}
    assert "indices of the old labels move" in change.reasons[0][1]
    moved = np.array(change.label_index["liquid"])
    np.testing.assert_array_equal(new.labelled("liquid", moved).apt, old.labelled("liquid").apt)
    # The other way round it is a loss.
    assert compare_versions(new, old).level is Level.MAJOR


def test_a_new_variable_is_an_addition_and_its_loss_is_not(store):
    system = random_system()
    bare = replace(system, dipole=None, quality={})
    forth = compare_versions(store("0.1.0", bare), store("0.2.0", system))
    assert [what for _, what in forth.reasons] == [
        "liquid: the variable dipole is added",
        "liquid: the variable scf_gradient is added",
    ]
    assert forth.level is Level.MINOR
    back = compare_versions(store("0.1.0", system), store("0.2.0", bare))
    assert back.level is Level.MAJOR


def bumped(array: np.ndarray, *index: int) -> np.ndarray:
    changed = array.copy()
    changed[index] += 1.0
    return changed


CHANGES = {
    "apt has other values in 1 of 5 old rows along label, first in 2": lambda s: replace(
        s, apt=bumped(s.apt, 2, 1, 0, 0)
    ),
    "positions has other values in 1 of 40 old rows along frame, first in 7": lambda s: replace(
        s, frames=s.frames.replace(positions=bumped(s.frames.positions, 7, 0, 0))
    ),
    "mass has other values": lambda s: replace(
        s, frames=s.frames.replace(atomic_numbers=[7, *s.frames.atomic_numbers[1:]])
    ),
    "molecule has other values": lambda s: replace(
        s, frames=s.frames.replace(molecule=s.frames.molecule[::-1])
    ),
    "cell has other values": lambda s: replace(s, frames=s.frames.replace(cell=[8.0] * 3)),
    "total_charge 1.0, now 0.0": lambda s: replace(s, frames=s.frames.replace(total_charge=0.0)),
    "periodic True, now False": lambda s: replace(s, frames=s.frames.replace(cell=None)),
    "10 of 40 frames are removed": lambda s: cut(s, slice(0, 30), [0, 1, 2]),
    "1 of 5 labels are removed, the first of frame 0": lambda s: cut(s, slice(None), [1, 2, 3, 4]),
    "positions: shape of a row (12, 3), now (9, 3)": lambda _: random_system(n_molecules=3),
    "scf_gradient: units 1, now e": lambda s: replace(s, quality_units={"scf_gradient": "e"}),
    "time has other values": lambda s: replace(s, times=s.times + 1.0),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_other_change_is_major(store, what):
    old = store("0.1.0")
    changed = CHANGES[what](random_system())
    change = compare_versions(old, store("0.9.0", changed))
    assert change.level is Level.MAJOR
    assert any(what in reason for level, reason in change.reasons if level is Level.MAJOR)
    with pytest.raises(InputError, match=r"at least 1\.0\.0"):
        check_version(old, store("0.9.0", changed))
    assert check_version(old, store("1.0.0", changed)).level is Level.MAJOR


def test_an_exchange_of_two_frames_is_seen(store):
    system = random_system()
    order = np.arange(40)
    order[[3, 5]] = [5, 3]
    other = replace(system, frames=system.frames[order])
    reasons = compare_versions(store("0.1.0"), store("1.0.0", other)).reasons
    assert {what.split(" has")[0] for _, what in reasons} == {
        "liquid: positions",
        "liquid: velocities",
    }
    assert all("in 2 of 40 old rows" in what for _, what in reasons)


def test_small_blocks_find_the_same(store, monkeypatch):
    old, new = store("0.1.0"), store("1.0.0", random_system(seed=1))
    whole = compare_versions(old, new)
    monkeypatch.setattr("aptbench.data.versioning._BLOCK_BYTES", 1000)
    assert compare_versions(old, new) == whole


def test_another_layout_is_a_patch(store, monkeypatch):
    old = store("0.1.0")
    monkeypatch.setattr("aptbench.data.writer.encoding_of", _uncompressed)
    new = store("0.1.0")
    assert compare_versions(old, new).reasons == (
        (Level.PATCH, "the same content and attributes in other objects"),
    )


def _uncompressed(group):
    return {name: {"compressors": []} for name in group.variables}


def test_other_data_sets_are_refused(store):
    with pytest.raises(InputError, match="no versions of one data set"):
        compare_versions(store("0.1.0"), store("0.1.0", name="other"))
