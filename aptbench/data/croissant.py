"""`croissant`: the metadata of a data set in the Croissant format, which catalogues read."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.data.citation import dataset_reference
from aptbench.data.manifest import MANIFEST, read_manifest

if TYPE_CHECKING:
    import xarray as xr

    from aptbench.data.dataset import Dataset

FILE_NAME: Final = "croissant.json"
"""Name of the file, in the folder of the card."""
_ZARR: Final = "https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html"
"""Zarr has no registered media type: the format is then named by the page that defines it."""
_WORDS: Final = (
    "annotation",
    "arrayShape",
    "citeAs",
    "column",
    "containedIn",
    "equivalentProperty",
    "excludes",
    "extract",
    "field",
    "fileObject",
    "fileProperty",
    "fileSet",
    "format",
    "includes",
    "isArray",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "readLines",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
    "sdVersion",
    "separator",
    "source",
    "subField",
    "transform",
    "unArchive",
    "value",
)
"""Words of Croissant, all of which its validator wants to see explained."""
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "conformsTo": "dct:conformsTo",
    **{name: f"cr:{name}" for name in _WORDS},
}
_CARDINALITY: Final = "http://www.wikidata.org/entity/Q4049983"


def croissant(dataset: Dataset, folder: Path | str) -> dict[str, Any]:
    """Return the Croissant 1.1 description of a data set, as JSON-LD.

    Parameters
    ----------
    dataset : Dataset
    folder : path
        Of its card, beside which the description is kept: addresses of files are relative to it,
        and the text between the title of ``card.md`` and what follows is the description.

    Returns
    -------
    dict
        The same for the same store and card, byte for byte. Files: every object of the store with
        its SHA-256. Record sets: one for each system and dimension, ``SYSTEM/frame`` with a record
        a frame, ``SYSTEM/label`` with a record a label, ``SYSTEM/atom``, and ``SYSTEM/vector`` for
        a constant cell; of each variable type, shape, unit and dimensions.

    Raises
    ------
    StoreError
        If the store is damaged.

    Notes
    -----
    https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. Croissant has no word for
    units: schema.org's ``unitText`` is used, and the unit is in the description too. It has no
    reader of Zarr: the description tells what is in the data, `aptbench.data.open_dataset` or
    xarray read them. ``datePublished`` and ``url`` are there if the store has the attributes
    ``date_published`` and ``url``; else the address of the data set is its card.
    """
    attrs, folder = dataset.attrs, Path(folder)
    reference = dataset_reference(dataset)
    nodes = dataset.tree().children
    files, records = _file_objects(dataset, folder), []
    for system in dataset.systems:
        files.append(_file_set(dataset, folder, system))
        records += _record_sets(system, nodes[system].to_dataset(inherit=False))
    described: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": dataset.name,
        "alternateName": str(attrs.get("title", dataset.name)),
        "description": _description(folder / "card.md") or str(attrs.get("title", dataset.name)),
        "version": dataset.version,
        "identifier": dataset.content_hash,
        "license": license_address(str(attrs.get("license", "unknown"))),
        "url": attrs.get("url", "card.md"),
        "creator": [
            {"@type": "sc:Person" if "," in name else "sc:Organization", "name": name}
            for name in reference.authors
        ],
        "citeAs": reference.bibtex(),
        "isLiveDataset": False,
        "keywords": _keywords(),
        "distribution": files,
        "recordSet": records,
    }
    if "date_published" in attrs:
        described["datePublished"] = attrs["date_published"]
    return {name: value for name, value in described.items() if value != []}


def write_croissant(dataset: Dataset, folder: Path | str) -> Path:
    """Write the description to ``croissant.json`` in the folder of the card; return its path."""
    return write_atomically(Path(folder) / FILE_NAME, croissant_text(dataset, folder))


def croissant_text(dataset: Dataset, folder: Path | str) -> str:
    """Return what `write_croissant` writes."""
    return json.dumps(croissant(dataset, folder), indent=1, ensure_ascii=False) + "\n"


def license_address(license: str) -> str:  # noqa: A002
    """Return the address of a licence that is given as an SPDX identifier; other texts as they are.

    Examples
    --------
    >>> license_address("CC-BY-4.0"), license_address("ask the authors")
    ('https://spdx.org/licenses/CC-BY-4.0.html', 'ask the authors')
    """
    known = re.fullmatch(r"[A-Za-z]+[A-Za-z0-9.]*-[A-Za-z0-9.-]+", license)
    return f"https://spdx.org/licenses/{license}.html" if known else license


def _keywords() -> list[str]:
    return [
        "atomic polar tensor",
        "Born effective charge",
        "infrared spectroscopy",
        "molecular dynamics",
    ]


def _description(card: Path) -> str:
    """Return the text between the title of a card and its first heading, table or comment."""
    if not card.is_file():
        return ""
    _, _, text = card.read_text(encoding="utf-8").partition("\n")
    first = re.split(r"^(?:#|<!--|\||```)", text, maxsplit=1, flags=re.MULTILINE)[0]
    return " ".join(re.sub(r"[*`]", "", first).split())


def _relative(dataset: Dataset, folder: Path) -> str:
    """Return the address of the store as seen from the folder of the card."""
    store, folder = dataset.path.resolve(), folder.resolve()
    return store.relative_to(folder).as_posix() if store.is_relative_to(folder) else store.name


def _file_objects(dataset: Dataset, folder: Path) -> list[dict[str, Any]]:
    store = _relative(dataset, folder)
    objects = read_manifest(dataset.path)["objects"]
    manifest = (dataset.path / MANIFEST).read_bytes()
    objects[MANIFEST] = {"bytes": len(manifest), "sha256": hashlib.sha256(manifest).hexdigest()}
    return [
        {
            "@type": "cr:FileObject",
            "@id": f"{store}/{name}",
            "name": f"{store}/{name}",
            "contentUrl": f"{store}/{name}",
            "contentSize": f"{entry['bytes']} B",
            "encodingFormat": "application/json" if name.endswith(".json") else _ZARR,
            "sha256": entry["sha256"],
        }
        for name, entry in sorted(objects.items())
    ]


def _file_set(dataset: Dataset, folder: Path, system: str) -> dict[str, Any]:
    """Return the objects of a system: all fields of a record must have one source."""
    return {
        "@type": "cr:FileSet",
        "@id": f"{system}/objects",
        "name": f"{system}/objects",
        "description": f"The Zarr group {system}; each of its arrays is a field of a record set.",
        "encodingFormat": _ZARR,
        "includes": f"{_relative(dataset, folder)}/{system}/**",
    }


def _record_sets(system: str, group: xr.Dataset) -> list[dict[str, Any]]:
    by_dimension: dict[str, list[str]] = {}
    for name in sorted(map(str, group.variables)):
        by_dimension.setdefault(str(group.variables[name].dims[0]), []).append(name)
    return [
        {
            "@type": "cr:RecordSet",
            "@id": f"{system}/{along}",
            "name": f"{system}/{along}",
            "description": f"One record for each {along} of the system {system}: "
            f"{group.sizes[along]} in all.",
            "annotation": {
                "@type": "cr:Field",
                "@id": f"{system}/{along}/count",
                "name": f"{system}/{along}/count",
                "dataType": ["sc:Integer", _CARDINALITY],
                "value": group.sizes[along],
            },
            "field": [_field(system, along, name, group.variables[name]) for name in names],
        }
        for along, names in sorted(by_dimension.items())
    ]


def _field(system: str, along: str, name: str, array: xr.Variable) -> dict[str, Any]:
    units = array.attrs.get("units")
    label = array.attrs.get("long_name", "quality column" if "role" in array.attrs else name)
    sentences = [f"{label[0].upper()}{label[1:]}."]
    if array.ndim > 1:
        sentences.append(f"Dimensions of a record: {', '.join(map(str, array.dims[1:]))}.")
    if units is not None:
        sentences.append(f"Unit: {units}.")
    if "index_order" in array.attrs:
        sentences.append(f"Index order: {array.attrs['index_order']}.")
    if "quantization" in array.attrs:
        quantization = array.attrs["quantization"]
        sentences.append(
            f"Rounded: {quantization['method']}, {quantization['error_kind']} error at most "
            f"{quantization['maximum_error']:.2g}."
        )
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{system}/{along}/{name}",
        "name": f"{system}/{along}/{name}",
        "description": " ".join(sentences),
        "dataType": "sc:Float" if np.issubdtype(array.dtype, np.floating) else "sc:Integer",
        "source": {
            "fileSet": {"@id": f"{system}/objects"},
            "extract": {"column": name},
        },
    }
    if array.ndim > 1:
        field |= {"isArray": True, "arrayShape": ",".join(map(str, array.shape[1:]))}
    return field | ({} if units is None else {"unitText": units})
