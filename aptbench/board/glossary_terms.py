"""`term_of`: the heading of the glossary that explains a metric."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Term:
    """A heading of the glossary.

    Parameters
    ----------
    pattern : str
        Regular expression of the beginning of the metrics that it explains.
    place : str
        Of the heading in the page.
    words : str
        What a link to it says.
    """

    pattern: str
    place: str
    words: str


TERMS: Final = (
    Term(r"rmse\[L=", "irreps-l-0-l-1-l-2", "irreps"),
    Term("rmse", "rmse", "RMSE"),
    Term("normalized_rmse", "normalised-error", "normalised error"),
    Term("current_error", "current-error", "current error"),
    Term("assignment_error", "assignment-error", "assignment error"),
    Term("sum_rule_residual", "sum-rule", "sum rule"),
    Term("equivariance_error", "equivariance", "equivariance"),
    Term("relative_l1", "relative-l1", "relative L1"),
    Term("band_integral_error", "band", "band"),
)


def term_of(metric: str) -> Term | None:
    """Return the term that explains a metric, None if the glossary has none.

    >>> [term and term.place for term in map(term_of, ("rmse[O]", "rmse[L=2]", "z_score"))]
    ['rmse', 'irreps-l-0-l-1-l-2', None]
    """
    return next((term for term in TERMS if re.match(term.pattern, metric)), None)
