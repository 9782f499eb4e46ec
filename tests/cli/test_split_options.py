"""Options of `aptbench split` and `transfer`, by the labels that end in the files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data import SystemData, write_dataset
from tests.conftest import Call

WATER = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
FRAMES, STEP = 40, 100.0


def system(seed: int, heavy: int, functional: str) -> SystemData:
    rng = np.random.default_rng(seed)
    frames = Frames([heavy, 1, 1], WATER + 0.05 * rng.normal(size=(FRAMES, 3, 3)))
    return SystemData(
        frames,
        np.arange(FRAMES),
        rng.normal(size=(FRAMES, 3, 3, 3)),
        times=STEP * np.arange(FRAMES),
        provenance={"labels": {"functional": functional}},
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data sets ``one`` (h2o, h2s) and ``two`` (h2se, of another functional), densely labelled."""
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    contents = {
        "one": {"h2o": system(0, 8, "RPBE"), "h2s": system(1, 16, "RPBE")},
        "two": {"h2se": system(2, 34, "B3LYP")},
    }
    for name, systems in contents.items():
        attrs = {"name": name, "version": "0.1.0", "title": name, "license": "CC0-1.0"}
        write_dataset(tmp_path / "datasets" / name / f"{name}.zarr", systems, attrs)
    return tmp_path


def test_labels_of_a_dense_system_are_thinned(root: Path, aptbench: Call) -> None:
    words = ("split", "one", "--system", "h2o", "--gap-fs", 0, "--every", 2)
    code, out, err = aptbench(*words, "--test-every", 3, "--name", "thin", "--json")
    assert code == 0, err
    made = json.loads(out)
    # 12, 4 and 4 of the even labels; of the last two parts 1 of 3
    assert made["train"] == list(range(0, 24, 2))
    assert (made["validation"], made["test"]) == ([24, 30], [32, 38])
    assert "of every 2 labels the first is used" in made["rule"]
    assert "every 3 in validation and test" in made["rule"]
    assert json.loads((root / "datasets" / "one" / "splits" / "thin.json").read_text()) == made
    code, out, _ = aptbench(*words, "--name", "half", "--json")
    made = json.loads(out)
    assert (made["validation"], made["test"]) == ([24, 26, 28, 30], [32, 34, 36, 38])
    assert "every 1" not in made["rule"]


def labels(made: dict[str, Any]) -> dict[str, dict[str, list[int]]]:
    """The labels of each part by system, unpacked."""
    from aptbench.tasks.transfer import unpack_labels

    return {
        part: {
            name: list(unpack_labels(k)) for one in made[part] for name, k in one["labels"].items()
        }
        for part in ("train", "validation", "test")
    }


def test_a_transfer_takes_what_its_options_say(root: Path, aptbench: Call) -> None:
    words = ("transfer", "--axis", "molecules-left-out", "--source", "one", "--leave-out", "h2s")
    every = list(range(FRAMES))
    code, out, err = aptbench(*words, "--name", "plain", "--json")
    assert code == 0, err
    assert labels(json.loads(out)) == {
        "train": {"h2o": every[:32]},
        "validation": {"h2o": every[32:]},
        "test": {"h2s": every},
    }
    more = ("--stride", 4, "--validation", 0.5, "--gap-fs", 450, "--test-stride", 3)
    code, out, err = aptbench(*words, *more, "--name", "thin", "--json")
    assert code == 0, err
    # label 16 is 400 fs before the first of validation
    assert labels(json.loads(out)) == {
        "train": {"h2o": [0, 4, 8, 12]},
        "validation": {"h2o": [20, 24, 28, 32, 36]},
        "test": {"h2s": every[::3]},
    }
    rule = json.loads(out)["rule"]
    for said in ("label 1 of 4 of one", "share of 0.5", "gap of 450 fs", "label 1 of 3 of h2s"):
        assert said in rule
    code, out, _ = aptbench(*words, "--validation", 0, "--name", "none", "--json")
    assert (code, json.loads(out)["validation"]) == (0, [])


def test_levels_of_theory_are_mixed_only_if_that_is_asked_for(root: Path, aptbench: Call) -> None:
    words = ("transfer", "--axis", "chemistry", "--source", "one:h2o", "--target", "two")
    path = root / "datasets" / "two" / "transfers" / "other.json"
    code, _, err = aptbench(*words, "--name", "other")
    assert code == 2
    assert "mixes levels of theory" in err
    assert "--mixed-theory" in err
    assert not path.exists()
    code, _, err = aptbench(*words, "--name", "other", "--mixed-theory")
    assert code == 0, err
    assert json.loads(path.read_text())["same_theory"] is False
    aptbench("transfer", *words[1:-1], "one:h2s", "--name", "same")
    same = json.loads((root / "datasets" / "one" / "transfers" / "same.json").read_text())
    assert same["same_theory"] is True


@pytest.mark.parametrize(
    ("option", "value"), [("--stride", 2), ("--validation", 0.2), ("--gap-fs", 0)]
)
def test_a_split_as_a_source_is_taken_as_it_is(
    root: Path, aptbench: Call, option: str, value: float
) -> None:
    code, _, err = aptbench("split", "one", "--system", "h2o", "--name", "iid")
    assert code == 0, err
    words = ("transfer", "--axis", "chemistry", "--name", "all", "--source", "one/iid")
    words = (*words, "--target", "one:h2s")
    path = root / "datasets" / "one" / "transfers" / "all.json"
    code, _, err = aptbench(*words, option, value)
    assert code == 2
    assert f"{option} {value} for the source one/iid" in err
    assert f"leave out {option}" in err
    assert not path.exists()
    code, _, err = aptbench(*words, "--test-stride", 2)
    assert code == 0, err
    assert json.loads(path.read_text())["rule"] == (
        "train on training and validation of one/iid; test on label 1 of 2 of one:h2s"
    )


def test_the_test_of_a_split_is_taken_as_it_is(root: Path, aptbench: Call) -> None:
    code, _, err = aptbench("split", "one", "--system", "h2o", "--name", "iid")
    assert code == 0, err
    words = ("transfer", "--axis", "chemistry", "--name", "more", "--source", "one:h2s")
    words = (*words, "--adapt", "one/iid", "--stride", 4)
    path = root / "datasets" / "one" / "transfers" / "more.json"
    code, _, err = aptbench(*words, "--test-stride", 1)
    assert code == 2
    assert "--test-stride 1 with --adapt one/iid" in err
    assert not path.exists()
    code, _, err = aptbench(*words)
    assert code == 0, err
    assert json.loads(path.read_text())["rule"] == (
        "train on label 1 of 4 of one:h2s, of each system the last share of 0.2 for validation "
        "after a gap of 0 fs, and on one/iid; test on that of one/iid"
    )


def test_a_split_and_a_transfer_cannot_have_one_name(root: Path, aptbench: Call) -> None:
    split = ("split", "one", "--system", "h2o")
    transfer = ("transfer", "--axis", "chemistry", "--source", "one:h2o", "--target", "one:h2s")
    for first, second, kind in ((split, transfer, "split"), (transfer, split, "transfer")):
        name = f"first-{kind}"
        code, _, err = aptbench(*first, "--name", name)
        assert code == 0, err
        for force in ((), ("--force",)):
            code, _, err = aptbench(*second, "--name", name, *force)
            assert code == 2
            assert f"The task 'one/{name}' exists, and is a {kind}." in err
    assert aptbench("tasks")[0] == 0
    # the folders differ, and so may the data sets
    code, _, err = aptbench("split", "two", "--name", "first-split")
    assert code == 0, err


def test_a_store_outside_the_catalog_is_not_split(
    root: Path, aptbench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    words = ("--name", "iid", "--gap-fs", 0)
    place = root / "datasets" / "mine" / "mine.zarr"
    attrs = {"name": "mine", "version": "0.1.0", "title": "Mine", "license": "CC0-1.0"}
    write_dataset(root / "mine.zarr", {"h2o": system(3, 8, "RPBE")}, attrs)
    code, _, err = aptbench("split", "mine.zarr", *words)
    assert code == 2
    assert str(place) in err
    assert "aptbench split mine" in err
    assert not (root / "datasets" / "mine").exists()
    assert aptbench("tasks")[0] == 0
    # a renamed folder is no better
    shutil.copytree(root / "mine.zarr", root / "datasets" / "yours" / "yours.zarr")
    assert aptbench("split", "yours", *words)[0] == 2
    assert not (root / "datasets" / "mine").exists()
    # where the message says, by name or by path
    shutil.copytree(root / "mine.zarr", place)
    code, _, err = aptbench("split", "mine", *words)
    assert code == 0, err
    code, _, err = aptbench("split", "datasets/mine/mine.zarr", *words)
    assert code == 0, err
    assert aptbench("tasks")[0] == 0


def test_the_help_states_what_is_taken_if_an_option_is_left_out(aptbench: Call) -> None:
    code, out, _ = aptbench("transfer", "--help")
    assert (code, out.count("(1)"), out.count("(0.2)"), out.count("(0)")) == (0, 2, 1, 1)
    code, out, _ = aptbench("split", "--help")
    assert (code, out.count("(200)"), out.count("(0)")) == (0, 1, 1)
