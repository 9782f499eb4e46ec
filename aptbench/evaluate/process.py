"""What the running process runs on and uses: processor, memory."""

from __future__ import annotations

import platform
from pathlib import Path


def processor_name() -> str:
    """Return what the system calls its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def reset_peak_memory() -> bool:
    """Let the peak start from what is resident now; false where the system cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:  # only Linux has it: elsewhere the peak is that of the whole life
        return False
    return True


def resident_memory() -> float | None:
    """Return the memory of the process now, in MB (10^6 bytes); None where it is not told."""
    return _status("VmRSS")


def peak_memory() -> float | None:
    """Return the largest memory since `reset_peak_memory`, in MB; None where it is not told."""
    return _status("VmHWM")


def _status(name: str) -> float | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line for line in lines if line.startswith(f"{name}:")]
    return int(found[0].split()[1]) * 1024 / 1e6 if found else None
