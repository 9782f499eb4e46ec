"""`keep_freed_memory`: let the C library keep large blocks instead of returning them."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys


def keep_freed_memory() -> bool:
    """Tune glibc for programs that allocate the same large tensors again and again.

    By default every tensor beyond 32 MB is mapped and unmapped, and the page faults cost more
    than the arithmetic on it. For entry points only: a library must not retune its host.

    Returns
    -------
    bool
        Whether something was tuned; false where the C library is not glibc.

    Notes
    -----
    M_MMAP_MAX = 0, M_TRIM_THRESHOLD = 2 GB, M_TOP_PAD = 64 MB, see mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    results = [mallopt(-4, 0), mallopt(-1, 2**31 - 1), mallopt(-2, 64 << 20)]
    return all(results)
