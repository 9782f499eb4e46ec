"""`cite`: what to cite for aptbench, data sets and results, chosen by what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from aptbench.board.submission import FILE, read_submission
from aptbench.data.citation import Reference, dataset_reference, package_references
from aptbench.evaluate.result import Result
from aptbench.models.registry import ModelFolder

if TYPE_CHECKING:
    from aptbench.data import Dataset


class Source(BaseModel):
    """An entry of ``references.yaml``: an article, and the provenance that it is cited for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: tuple[dict[str, str], ...] = Field(min_length=1)
    key: str
    title: str
    authors: tuple[str, ...] = Field(min_length=1)
    and_others: bool = False
    journal: str
    volume: str
    pages: str | None = None
    year: int
    doi: str = Field(pattern=r"^10\.\d+/\S+$")

    @property
    def reference(self) -> Reference:
        """What is cited."""
        return Reference(type="article", **self.model_dump(exclude={"where"}))

    def fits(self, part: Mapping[str, Any]) -> bool:
        """Return whether the source is cited for a part of a provenance.

        Examples
        --------
        >>> fields = {"key": "A", "title": "A", "authors": ["A"], "journal": "J", "volume": "1"}
        >>> source = Source(where=[{"code": "CP2K .*"}], year=2020, doi="10.1/a", **fields)
        >>> source.fits({"code": "CP2K 2023.1"}), source.fits({"functional": "RPBE"})
        (True, False)
        """
        return any(
            all(
                name in part and re.fullmatch(pattern, str(part[name]), re.DOTALL)
                for name, pattern in mapping.items()
            )
            for mapping in self.where
        )


@dataclass(frozen=True)
class Citation:
    """A reference and what it is cited for.

    Parameters
    ----------
    reference : Reference
    reasons : tuple of str
        For example ``("water: labels",)``; empty for the program and the data sets themselves.
    """

    reference: Reference
    reasons: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return reference and reasons as JSON types."""
        return self.reference.as_dict() | {"cited_for": list(self.reasons)}


def cite(datasets: Iterable[Dataset] = (), models: Iterable[CitedModel] = ()) -> list[Citation]:
    """Return what to cite for aptbench, data sets and models.

    Parameters
    ----------
    datasets : iterable of Dataset
    models : iterable of CitedModel
        Whose results are shown; the methods of intervals are cited then too.

    Returns
    -------
    list of Citation
        aptbench, the paper that it starts from, the data sets with version and content hash, then
        the methods and programs that labels and trajectories were made with, each once.
    """
    models = list(models)
    opened = list({(d.name, d.version, d.content_hash): d for d in datasets}.values())
    citations = [Citation(reference) for reference in package_references()]
    citations += [Citation(dataset_reference(dataset)) for dataset in opened]
    for source in sources():
        reasons = [
            f"{dataset.name}: {part}" for dataset in opened for part in _parts(dataset, source)
        ]
        if models and source.fits(_OF_RESULTS):
            reasons.append("intervals of results")
        if reasons:
            citations.append(Citation(source.reference, tuple(reasons)))
    return citations + [Citation(model.reference) for model in models]


@dataclass(frozen=True)
class CitedModel:
    """A model as it is cited.

    Parameters
    ----------
    name, title : str
    authors : tuple of str
        Empty for a model of this project.
    said : str
        What its authors ask to be cited, or the versions that it ran with.
    url : str or None
    """

    name: str
    title: str
    authors: tuple[str, ...] = ()
    said: str = ""
    url: str | None = None

    @classmethod
    def of(cls, result: Result, project: Path) -> CitedModel:
        """Return the model of a result, with what its folder or its submission says of it."""
        name = result.model.name
        submission = project / "leaderboard" / "submissions" / name
        if (submission / FILE).is_file():
            said = read_submission(submission)
            authors = tuple(author.name for author in said.authors)
            return cls(name, said.title, authors, said.reference or said.framework, said.url)
        folder = project / "baselines" / name
        reference = ModelFolder.read(folder).reference if folder.is_dir() else None
        return cls(name, result.model.title, said=reference or "")

    @property
    def reference(self) -> Reference:
        """What is cited."""
        return Reference(
            key=f"model-{self.name}",
            type="software",
            title=self.title,
            authors=self.authors,
            note=self.said or None,
            url=self.url,
        )


_OF_RESULTS: Final = {"intervals": "block bootstrap"}


def sources() -> tuple[Source, ...]:
    """Return the entries of ``references.yaml``, in its order."""
    import yaml

    text = resources.files("aptbench.board").joinpath("references.yaml").read_text("utf-8")
    return tuple(Source.model_validate(entry) for entry in yaml.safe_load(text))


def bibtex(citations: Iterable[Citation]) -> str:
    """Return a BibTeX file; a comment above an entry says what it is cited for."""
    return "\n\n".join(
        "\n".join([*(f"% {reason}" for reason in c.reasons), c.reference.bibtex()])
        for c in citations
    )


def plain_text(citations: Iterable[Citation]) -> str:
    """Return one line a reference, with what it is cited for in brackets."""
    return "\n".join(
        c.reference.text() + (f" [{'; '.join(c.reasons)}]" if c.reasons else "") for c in citations
    )


def _parts(dataset: Dataset, source: Source) -> list[str]:
    """Return the parts of the provenance that a source is cited for, in any of the systems."""
    provenances = [dataset.system_attrs(system)["provenance"] for system in dataset.systems]
    names = dict.fromkeys(
        name for provenance in provenances for name, part in provenance.items() if _is_part(part)
    )
    return [
        name
        for name in names
        if any(source.fits(provenance.get(name, {})) for provenance in provenances)
    ]


def _is_part(part: object) -> bool:
    return isinstance(part, Mapping)
