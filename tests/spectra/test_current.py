"""The current from arrays of every kind, a stretch of frames at a time."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench.errors import AlignmentError
from aptbench.spectra.current import current

RNG = np.random.default_rng(0)
TENSORS, VELOCITIES = RNG.normal(size=(57, 4, 3, 3)), RNG.normal(size=(57, 4, 3))
EXPECTED = np.einsum("fapd,fad->fp", TENSORS, VELOCITIES)


@pytest.mark.parametrize("chunk", [1, 10, 57, 1000])
def test_chunks_change_nothing(chunk: int) -> None:
    np.testing.assert_allclose(current(TENSORS, VELOCITIES, chunk=chunk), EXPECTED, rtol=1e-13)


def test_the_second_index_is_that_of_the_displacement() -> None:
    tensor = np.zeros((1, 1, 3, 3))
    tensor[0, 0, 2, 0] = 0.5  # dM_z / dR_x
    assert current(tensor, [[[1.0, 0, 0]]]).tolist() == [[0, 0, 0.5]]


def test_dask_arrays_are_computed_a_stretch_at_a_time() -> None:
    dask = pytest.importorskip("dask.array")
    longest = 0

    def watched(block: np.ndarray) -> np.ndarray:
        nonlocal longest
        longest = max(longest, len(block))
        return block

    lazy = dask.from_array(TENSORS, chunks=(8, -1, -1, -1)).map_blocks(watched, dtype=float)
    found = current(lazy, dask.from_array(VELOCITIES, chunks=(16, -1, -1)), chunk=8)
    np.testing.assert_allclose(found, EXPECTED, rtol=1e-13)
    assert longest == 8


def test_a_zarr_array_is_read_in_place(tmp_path) -> None:
    import zarr

    stored = zarr.create_array(tmp_path / "apt.zarr", data=TENSORS, chunks=(16, 4, 3, 3))
    np.testing.assert_allclose(current(stored, VELOCITIES, chunk=16), EXPECTED, rtol=1e-13)


def test_frames_and_atoms_must_fit() -> None:
    with pytest.raises(AlignmentError, match="same frames and atoms"):
        current(TENSORS, VELOCITIES[:, :3])
    with pytest.raises(AlignmentError, match="same frames and atoms"):
        current(TENSORS[..., 0], VELOCITIES)
