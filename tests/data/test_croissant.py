"""Croissant metadata: true to the store, always the same, and valid for its validator."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import pytest

from aptbench.data import Dataset
from aptbench.data.croissant import croissant, croissant_text, license_address, write_croissant
from aptbench.errors import StoreError

# The validator's reader of JSON-LD uses a class that its own library has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.name.removesuffix(".zarr.dvc") for path in ROOT.glob("datasets/*/*.zarr.dvc"))
CARD = """# tiny: random numbers

Random numbers, in *two*
sentences. The second.

## How it was made

Not this.
"""


@pytest.fixture
def dataset(write, tmp_path):
    (tmp_path / "card.md").write_text(CARD)
    return write()


@pytest.fixture
def validate(monkeypatch):
    """Validate a file offline; return the warnings."""
    mlcroissant = pytest.importorskip("mlcroissant")

    def refuse(*args):
        raise AssertionError("the validator asks for a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    def run(path: Path) -> set[str]:
        return mlcroissant.Dataset(jsonld=str(path)).metadata.ctx.issues.warnings

    return run


def test_the_description_is_that_of_card_and_store(dataset, tmp_path):
    described = croissant(dataset, tmp_path)
    assert described["name"] == "tiny"
    assert described["description"] == "Random numbers, in two sentences. The second."
    assert (described["version"], described["identifier"]) == ("0.1.0", dataset.content_hash)
    assert described["license"] == "https://spdx.org/licenses/CC0-1.0.html"
    assert dataset.content_hash in described["citeAs"]
    assert "datePublished" not in described
    assert described["url"] == "card.md"


def test_every_object_is_listed_with_its_hash(dataset, tmp_path):
    files = {
        entry["contentUrl"]: entry
        for entry in croissant(dataset, tmp_path)["distribution"]
        if entry["@type"] == "cr:FileObject"
    }
    paths = [path for path in dataset.path.rglob("*") if path.is_file()]
    assert set(files) == {path.relative_to(tmp_path).as_posix() for path in paths}
    for path in paths:
        entry = files[path.relative_to(tmp_path).as_posix()]
        assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entry["contentSize"] == f"{path.stat().st_size} B"


def test_fields_have_units_shapes_and_types(dataset, tmp_path):
    records = {entry["@id"]: entry for entry in croissant(dataset, tmp_path)["recordSet"]}
    assert {name for name in records if name.startswith("liquid")} == {
        "liquid/atom", "liquid/frame", "liquid/label", "liquid/vector",
    }  # fmt: skip
    assert records["liquid/frame"]["annotation"]["value"] == 40
    fields = {field["@id"]: field for entry in records.values() for field in entry["field"]}
    variables = sum(len(node.variables) for node in dataset.tree().children.values())
    assert len(fields) == variables
    apt = fields["liquid/label/apt"]
    assert (apt["arrayShape"], apt["unitText"], apt["dataType"]) == ("12,3,3", "e", "sc:Float")
    assert "Index order: pol,disp." in apt["description"]
    assert "Dimensions of a record: atom, pol, disp." in apt["description"]
    number = fields["molecule/atom/atomic_number"]
    assert number["dataType"] == "sc:Integer"
    assert "unitText" not in number
    assert "arrayShape" not in number
    assert fields["liquid/frame/velocities"]["unitText"] == "angstrom/fs"


def test_what_the_store_knows_is_used(write, tmp_path):
    dataset = write(date_published="2026-11-30", url="https://example.org/tiny", authors=["A, B."])
    described = croissant(dataset, tmp_path)
    assert described["datePublished"] == "2026-11-30"
    assert described["url"] == "https://example.org/tiny"
    assert described["creator"] == [{"@type": "sc:Person", "name": "A, B."}]
    assert described["description"] == described["alternateName"]  # there is no card


def test_it_is_written_and_always_the_same(dataset, tmp_path):
    path = write_croissant(dataset, tmp_path)
    assert path == tmp_path / "croissant.json"
    assert path.read_text() == croissant_text(Dataset(dataset.path), tmp_path)
    assert json.loads(path.read_text()) == croissant(dataset, tmp_path)


def test_a_damaged_store_has_no_description(dataset, tmp_path):
    (dataset.path / "manifest" / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match=r"tiny\.zarr cannot be read"):
        croissant(dataset, tmp_path)


@pytest.mark.parametrize("text", ["unknown", "ask the authors", "https://example.org/licence"])
def test_a_licence_that_is_no_identifier_stays_as_it_is(text):
    assert license_address(text) == text


def test_the_validator_accepts_it(dataset, tmp_path, validate):
    warnings = validate(write_croissant(dataset, tmp_path))
    assert all("datePublished" in warning for warning in warnings)


def test_the_validator_is_not_content_with_anything(dataset, tmp_path, validate):
    described = croissant(dataset, tmp_path)
    described["recordSet"][0]["field"][0]["source"]["fileSet"]["@id"] = "absent"
    (tmp_path / "wrong.json").write_text(json.dumps(described))
    with pytest.raises(Exception, match="absent"):
        validate(tmp_path / "wrong.json")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_data_sets_are_valid(name, tmp_path, validate):
    folder = ROOT / "datasets" / name
    if not (folder / f"{name}.zarr").is_dir():
        pytest.skip("not pulled")
    path = tmp_path / "croissant.json"
    path.write_text(croissant_text(Dataset(folder / f"{name}.zarr"), folder))
    assert all("datePublished" in warning for warning in validate(path))
