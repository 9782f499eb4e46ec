"""`Reference`: something to be cited, as BibTeX, plain text or JSON types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aptbench.errors import InputError

if TYPE_CHECKING:
    from aptbench.data.dataset import Dataset


@dataclass(frozen=True)
class Reference:
    """An article, a program or a data set.

    Parameters
    ----------
    key : str
        Of the BibTeX entry.
    type : str
        ``article``, ``software`` or ``dataset``.
    title : str
    authors : tuple of str
        ``Family, Given``, or the name of a group without a comma; empty where nobody is known.
    and_others : bool
        Whether there are more authors.
    year : int or None
        None where it is not known.
    journal, volume, pages, doi, url, version, note : str or None
    """

    key: str
    type: str
    title: str
    authors: tuple[str, ...] = ()
    and_others: bool = False
    year: int | None = None
    journal: str | None = None
    volume: str | None = None
    pages: str | None = None
    doi: str | None = None
    url: str | None = None
    version: str | None = None
    note: str | None = None

    def bibtex(self) -> str:
        """Return the BibTeX entry; programs and data sets are ``misc``, which every style knows.

        Examples
        --------
        >>> print(Reference("a", "article", "On P & M", ("B, C", "A group"), year=2023).bibtex())
        @article{a,
          author = {B, C and {A group}},
          title = {{On P \\& M}},
          year = {2023},
        }
        """
        names = [
            _escaped(name) if "," in name else f"{{{_escaped(name)}}}" for name in self.authors
        ]
        kind = {"software": "Computer program", "dataset": "Data set"}.get(self.type)
        fields = {
            "author": " and ".join([*names, *(["others"] if self.and_others else [])]),
            "title": f"{{{_escaped(self.title)}}}",
            "howpublished": kind,
            "journal": self.journal and _escaped(self.journal),
            "volume": self.volume,
            "pages": self.pages and self.pages.replace("-", "--"),
            "year": self.year and str(self.year),
            "version": self.version,
            "doi": self.doi,
            "url": self.url,
            "note": self.note and _escaped(self.note),
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        entry = "article" if self.type == "article" else "misc"
        return "\n".join([f"@{entry}{{{self.key},", *lines, "}"])

    def text(self) -> str:
        """Return one paragraph of plain text.

        Examples
        --------
        >>> Reference("a", "article", "On P", ("B, C.",), True, 2023, "J", "1", "2-3").text()
        'C. B, and others. On P. J 1, 2-3 (2023).'
        """
        names = [" ".join(reversed(name.split(", ", 1))) for name in self.authors]
        names += ["and others"] if self.and_others else []
        where = " ".join(filter(None, [self.journal, self.volume]))
        where = ", ".join(filter(None, [where, self.version and f"version {self.version}"]))
        where = ", ".join(filter(None, [where, self.pages]))
        where += f" ({self.year})" if self.year else ""
        doi = self.doi and f"https://doi.org/{self.doi}"
        parts = [", ".join(names), self.title, where, self.note, doi or self.url]
        text = ". ".join(part.strip().rstrip(".") for part in parts if part and part.strip())
        return text if doi or self.url else f"{text}."

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that are known, as JSON types."""
        known = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return known | {"authors": list(self.authors)}


def read_citation_file(path: Path) -> tuple[Reference, ...]:
    """Return what a citation file (CFF 1.2) asks to cite: the program, then its references.

    Raises
    ------
    InputError
        If the file is absent or is no citation file.
    """
    import yaml

    try:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
        released = str(text.get("date-released", ""))[:4]
        program = _from_cff(text, key=f"aptbench-{text['version']}", type="software")
        program = Reference(**(vars(program) | {"year": int(released) if released else None}))
        return program, *(_from_cff(entry, type="article") for entry in text.get("references", ()))
    except FileNotFoundError:
        raise InputError(
            "There is no citation file.", got=path, expected="CITATION.cff of aptbench"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"The citation file {path} cannot be read.", got=f"{type(error).__name__}: {error}"
        ) from None


def package_references() -> tuple[Reference, ...]:
    """Return the citation of aptbench itself, then that of the paper that it starts from.

    Raises
    ------
    InputError
        If the installation has lost its citation file.
    """
    import aptbench

    package = Path(aptbench.__file__).parent
    inside = package / "CITATION.cff"  # in a wheel; in a clone the file is beside the package
    return read_citation_file(inside if inside.is_file() else package.with_name("CITATION.cff"))


def dataset_reference(dataset: Dataset) -> Reference:
    """Return the citation of one version of a data set: name, version and content hash.

    Its authors are the attribute ``authors`` of the store. Where it has none they are those of
    aptbench, but not if the store names ``sources``: such labels were made by somebody else.
    """
    attrs = dataset.attrs
    authors = attrs.get("authors")
    if authors is None:
        authors = () if attrs.get("sources") else package_references()[0].authors
    published = str(attrs.get("date_published", ""))[:4]
    sources = "".join(f"; from {source}" for source in attrs.get("sources", ()))
    return Reference(
        f"{dataset.name}-{dataset.version}",
        "dataset",
        f"{dataset.name}: {attrs.get('title', dataset.name)}",
        (authors,) if isinstance(authors, str) else tuple(authors),
        year=int(published) if published.isdigit() else None,
        doi=attrs.get("doi"),
        url=attrs.get("url"),
        version=dataset.version,
        note=f"content hash {dataset.content_hash}{sources}",
    )


def _from_cff(entry: Mapping[str, Any], *, type: str, key: str | None = None) -> Reference:  # noqa: A002
    names = []
    for author in entry["authors"]:
        family = author.get("name") or " ".join(
            filter(None, [author.get("name-particle"), author["family-names"]])
        )
        given = author.get("given-names")
        names.append(f"{family}, {given}" if given else family)
    pages = [str(entry[name]) for name in ("start", "end") if name in entry]
    year = entry.get("year")
    if key is None:
        family = re.sub(r"\W", "", names[0].split(",")[0])
        key = f"{family}{year}"
    return Reference(
        key,
        type,
        str(entry["title"]),
        tuple(names),
        year=None if year is None else int(year),
        journal=entry.get("journal"),
        volume=str(entry["volume"]) if "volume" in entry else None,
        pages="-".join(pages) or None,
        doi=entry.get("doi"),
        url=entry.get("url") or entry.get("repository-code"),
        version=str(entry["version"]) if "version" in entry else None,
    )


def _escaped(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", text)
