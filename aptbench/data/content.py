"""Identity of data: a hash over decoded arrays, whatever their chunks, shards and compression."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

_BLOCK_BYTES: Final = 1 << 25


def content_hash(groups: Mapping[str, xr.Dataset]) -> str:
    """Return the content hash of a data set, ``sha256:`` and 64 hexadecimal digits.

    Parameters
    ----------
    groups : mapping of system name to xarray.Dataset
        In memory or lazily opened: arrays are read block by block.

    Notes
    -----
    Canonical form, fed to SHA-256: systems in alphabetical order, in each the variables in
    alphabetical order; of each variable one line of JSON (system, name, dims, shape, kind, units)
    and its values in C order as little-endian float64 or int64, negative zero as zero. Of the
    attributes of a system only ``total_charge`` and ``periodic`` belong to the content: titles,
    licences and provenance may be corrected without a change of identity.

    Examples
    --------
    >>> import xarray as xr
    >>> one = xr.Dataset({"a": ("x", np.float32([1, 2]))})
    >>> two = xr.Dataset({"a": ("x", np.float64([1, 2]))})
    >>> content_hash({"s": one}) == content_hash({"s": two})
    True
    """
    digest = hashlib.sha256()
    for system in sorted(groups):
        group = groups[system]
        charge = float(group.attrs.get("total_charge", 0.0)) + 0.0
        head = [system, charge, bool(group.attrs.get("periodic", False))]
        digest.update(json.dumps(head).encode() + b"\n")
        for name in sorted(str(name) for name in group.variables):
            _update(digest, system, name, group.variables[name])
    return f"sha256:{digest.hexdigest()}"


def _update(digest: hashlib._Hash, system: str, name: str, array: xr.Variable) -> None:
    floating = np.issubdtype(array.dtype, np.floating)
    head = {
        "system": system,
        "name": name,
        "dims": [str(dim) for dim in array.dims],
        "shape": list(array.shape),
        "kind": "float" if floating else "int",
        "units": array.attrs.get("units"),
    }
    digest.update(json.dumps(head, sort_keys=True).encode() + b"\n")
    row_bytes = 8 * int(np.prod(array.shape[1:], dtype=np.int64))
    step = max(1, _BLOCK_BYTES // max(row_bytes, 1))
    for start in range(0, array.shape[0] if array.shape else 0, step):
        block = np.asarray(array[start : start + step].values)
        if floating:
            # Adding zero turns -0.0 into 0.0.
            block = np.ascontiguousarray(block, dtype="<f8") + 0.0
        else:
            block = np.ascontiguousarray(block, dtype="<i8")
        digest.update(block.tobytes())
