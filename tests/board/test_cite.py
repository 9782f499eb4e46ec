"""What is cited for a data set, and how it is written."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from aptbench import __version__
from aptbench.board.cite import bibtex, cite, plain_text, sources
from aptbench.data import write_dataset
from aptbench.data.citation import (
    Reference,
    dataset_reference,
    package_references,
    read_citation_file,
)
from aptbench.errors import InputError
from tests.data.conftest import ATTRS, isolated_system

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("aptbench.data.writer._sync", lambda folder: None)

    def write(provenance=None, **attrs):
        system = replace(isolated_system(), provenance=provenance or {})
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.zarr"
        return write_dataset(path, {"main": system}, ATTRS | attrs)

    return write


CASES = {
    "water": (
        {
            "labels": {
                "code": "CP2K 2023.1",
                "method": "finite field, central differences, Berry phase",
                "functional": "RPBE",
                "basis": "TZV2P-GTH",
                "potential": "GTH-PBE",
            },
            "sampling": {
                "code": "CP2K 2023.1",
                "potential": "bulkH2O-jcp2020-cnnp",
                "stages": [{"ensemble": "NVT"}],
            },
        },
        "Kuehne2020 VandeVondele2005 Hammer1999 Goedecker1996 Krack2005 Umari2002 Souza2002 "
        "Schran2020 Bussi2007",
    ),
    "molecules by a functional": (
        {
            "labels": {"code": "PySCF 2.14.0", "functional": "B3LYP", "basis": "def2-SVPD"},
            "sampling": {"code": "tblite 0.8.0", "potential": "GFN2-xTB"},
        },
        "Sun2020 Katbashev2025 Becke1993 Lee1988 Stephens1994 Weigend2005 Rappoport2010 "
        "Bannwarth2019",
    ),
    "no diffuse functions": ({"labels": {"basis": "def2-TZVP"}}, "Weigend2005"),
    "tight binding": ({"labels": {"functional": "GFN1-xTB"}}, "Grimme2017"),
    "salt water": (
        {
            "sampling": {
                "code": "OpenMM 8.4",
                "potential": "flexible SPC/E",
                "composition": {"H2O": 62, "Cl": 2, "Na": 2},
            }
        },
        "Eastman2024 Berendsen1987 Joung2008",
    ),
    "water by a force field": (
        {"sampling": {"potential": "flexible SPC/E", "composition": {"H2O": 64}}},
        "Berendsen1987",
    ),
    "something else": ({"labels": {"code": "closed form"}, "temperature_K": 300.0}, ""),
}


@pytest.mark.parametrize("case", CASES)
def test_methods_are_chosen_by_provenance(store, case):
    provenance, expected = CASES[case]
    keys = [citation.reference.key for citation in cite([store(provenance)])]
    assert keys[:3] == [f"aptbench-{__version__}", "Schienbein2023", "tiny-0.1.0"]
    assert keys[3:] == expected.split()


def test_a_method_of_several_data_sets_is_cited_once_with_all_reasons(store):
    tight = {"code": "tblite 0.8.0", "functional": "GFN2-xTB"}
    one = store({"labels": tight, "sampling": tight})
    two = store({"labels": tight}, name="other")
    reasons = {c.reference.key: c.reasons for c in cite([one, two, one])}
    assert reasons["Bannwarth2019"] == ("tiny: labels", "tiny: sampling", "other: labels")
    assert list(reasons)[2:4] == ["tiny-0.1.0", "other-0.1.0"]


def test_bibtex_is_complete(store):
    dataset = store(CASES["water"][0], title="50 % of A_B & more")
    text = bibtex(cite([dataset]))
    entries = re.findall(r"^@(\w+)\{([^,]+),$", text, re.MULTILINE)
    assert len({key for _, key in entries}) == len(entries) == 12
    assert text.count("{") == text.count("}")
    assert r"title = {{tiny: 50 \% of A\_B \& more}}" in text
    assert f"note = {{content hash {dataset.content_hash}}}" in text
    assert "% tiny: labels\n% tiny: sampling\n@article{Kuehne2020," in text
    assert "and others},\n" in text
    assert "version = {0.1.0}" in text
    assert "year = {None}" not in text
    assert "pages = {145--152}" in text


def test_plain_text_has_a_line_a_reference(store):
    lines = plain_text(cite([store(CASES["tight binding"][0])])).splitlines()
    assert len(lines) == 4
    assert lines[3] == (
        "Stefan Grimme, Christoph Bannwarth, Philip Shushkov. A Robust and Accurate Tight-Binding "
        "Quantum Chemical Method for Structures, Vibrational Frequencies, and Noncovalent "
        "Interactions of Large Molecular Systems Parametrized for All spd-Block Elements "
        "(Z = 1-86). Journal of Chemical Theory and Computation 13, 1989-2009 (2017). "
        "https://doi.org/10.1021/acs.jctc.7b00118 [tiny: labels]"
    )


def test_authors_of_a_data_set(store):
    assert dataset_reference(store()).authors == package_references()[0].authors
    converted = dataset_reference(store(sources=["frames.xyz"]))
    assert converted.authors == ()  # not ours, and nobody said whose
    assert converted.note.endswith("; from frames.xyz")
    named = dataset_reference(
        store(authors=["Ahlrichs, R."], date_published="2026-11-30", doi="10.1/x")
    )
    assert (named.authors, named.year, named.doi) == (("Ahlrichs, R.",), 2026, "10.1/x")


def test_the_package_is_cited_as_its_citation_file_says():
    program, paper = package_references()
    text = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (program.title, program.version) == (text["title"], text["version"])
    assert paper.doi == text["references"][0]["doi"]
    assert paper.authors == ("Schienbein, Philipp",)


@pytest.mark.parametrize("text", ["", "[]", "title: x\n", "{"])
def test_a_damaged_citation_file_is_an_error(tmp_path, text):
    path = tmp_path / "CITATION.cff"
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be read"):
        read_citation_file(path)
    with pytest.raises(InputError, match="no citation file"):
        read_citation_file(tmp_path / "absent.cff")


def test_every_source_is_sound_and_its_key_and_doi_are_its_own():
    entries = sources()
    assert len({entry.key for entry in entries}) == len(entries)
    assert len({entry.doi.lower() for entry in entries}) == len(entries)
    for entry in entries:
        assert str(entry.year) in entry.key
        for mapping in entry.where:
            assert all(re.compile(pattern) for pattern in mapping.values())


def test_keys_of_json_are_those_of_the_fields():
    reference = Reference("k", "article", "T", ("A, B.",), year=2020)
    assert reference.as_dict() == {
        "key": "k", "type": "article", "title": "T", "authors": ["A, B."], "year": 2020,
        "and_others": False,
    }  # fmt: skip


def test_a_result_is_cited_with_data_model_and_methods(monkeypatch) -> None:
    from aptbench.board.cite import CitedModel
    from aptbench.data import open_dataset
    from aptbench.evaluate.result import read_result

    monkeypatch.setenv("APTBENCH_ROOT", str(ROOT))
    results = ROOT / "leaderboard" / "results"
    ours = read_result(results / "water" / "iid" / "e3nn-reference.json")
    theirs = read_result(results / "molecules-dft" / "known-groups" / "mace-dipole.json")
    models = [CitedModel.of(one, ROOT) for one in (ours, theirs)]
    found = cite([open_dataset("water")], models)
    keys = [one.reference.key for one in found]
    assert keys[-2:] == ["model-e3nn-reference", "model-mace-dipole"]
    assert "Hesterberg2015" in keys
    text = plain_text(found)
    assert "intervals of results" in text
    assert "arXiv:2206.07697" in text  # what the submission asks for
    assert "arXiv:2207.09453" in text  # what the model folder says
    assert "Hesterberg2015" not in [one.reference.key for one in cite([open_dataset("water")])]
    bibtex(found)
