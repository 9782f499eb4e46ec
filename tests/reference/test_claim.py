"""A claim: one owner, void if the owner is dead or silent, never taken from the living."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aptbench.reference import claim as module
from aptbench.reference.claim import STALE, Claim, ClaimLostError, claimed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / ".frame.claim"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE", 0.05)
    monkeypatch.setattr(module, "BEAT", 0.0)


def leave(path: Path, *, host: str | None = None, age: float = 0.0) -> None:
    """Claim in a process that is killed; perhaps say that it was on another computer."""
    code = (
        "import os, sys; from pathlib import Path; from aptbench.reference.claim import Claim\n"
        "assert Claim.take(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -9
    owner = json.loads(path.read_text())
    path.write_text(json.dumps({**owner, **({"host": host} if host else {})}))
    time = path.stat().st_mtime - age
    os.utime(path, (time, time))


def test_second_owner_waits_until_the_first_has_left(path: Path) -> None:
    with claimed(path) as first:
        assert first is not None
        assert not first.inherited
        assert Claim.take(path) is None
    second = Claim.take(path)
    assert second is not None
    assert not second.inherited
    second.release()
    assert list(path.parent.iterdir()) == []


def test_claim_of_a_killed_process_is_inherited(path: Path) -> None:
    leave(path)
    with claimed(path) as heir:
        assert heir is not None
        assert heir.inherited
        heir.check()
    assert list(path.parent.iterdir()) == []


def test_claim_of_another_computer_is_void_only_after_a_silence(path: Path) -> None:
    leave(path, host="elsewhere", age=STALE - 20)
    assert Claim.take(path) is None
    leave_age = path.stat().st_mtime - 40
    os.utime(path, (leave_age, leave_age))
    heir = Claim.take(path)
    assert heir is not None
    assert heir.inherited


def test_renewing_keeps_a_claim_alive(path: Path) -> None:
    with claimed(path) as claim:
        assert claim is not None
        old = path.stat().st_mtime - STALE
        os.utime(path, (old, old))
        claim.renew()
        assert path.stat().st_mtime > old + STALE / 2


def test_owner_learns_that_it_was_succeeded_and_leaves_the_heir_alone(path: Path) -> None:
    with claimed(path) as old:
        assert old is not None
        time = path.stat().st_mtime - STALE - 1
        os.utime(path, (time, time))
        heir = Claim.take(path)
        assert heir is not None
        for act in (old.renew, old.check):
            with pytest.raises(ClaimLostError, match="held no longer"):
                act()
    heir.check()


def test_of_many_heirs_one_gets_the_claim(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE", 0.5)
    leave(path)
    start, owners = threading.Barrier(12), []

    def contend() -> None:
        start.wait()
        claim = Claim.take(path)
        if claim is not None:
            owners.append(claim)

    threads = [threading.Thread(target=contend) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [owner.inherited for owner in owners] == [True]
    owners[0].check()


def test_damaged_claim_is_kept_until_it_is_silent(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{")
    assert Claim.take(path) is None
    os.utime(path, (0, 0))
    assert Claim.take(path) is not None
