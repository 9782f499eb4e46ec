"""The cluster that a command was asked to use."""

from __future__ import annotations

import pytest

from aptbench.cli.cluster import cluster
from aptbench.errors import InputError


def test_a_scheduler_without_workers_is_said_to_be_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp"
    ) as running:
        address = running.scheduler_address
        with cluster(None, address) as client:
            assert client.scheduler.address == address
        said = capsys.readouterr().err
        assert f"The scheduler {address} has no worker yet" in said
        assert f"dask worker {address}" in said
        running.scale(1)
        running.wait_for_workers(1)
        with cluster(None, address):
            assert capsys.readouterr().err == ""


def test_nothing_or_both() -> None:
    with cluster(None, None) as client:
        assert client is None
    with pytest.raises(InputError, match="one of the two"), cluster(2, "tcp://node1:8786"):
        pass
