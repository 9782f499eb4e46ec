"""Metrics of atomic polar tensors: statistic of samples, additive mean, metric of means."""

from aptbench.bootstrap import BlockBootstrap
from aptbench.metrics.alignment import check_alignment
from aptbench.metrics.base import Binned, Binning, Metric, Samples, Statistic
from aptbench.metrics.irreps import IRREPS, axial_vector, irrep_part
from aptbench.metrics.mean import Mean, Totals
from aptbench.metrics.order import OrderVerdict, check_index_order
from aptbench.metrics.registry import METRICS, get_metric, metric_names
from aptbench.metrics.scoring import Score, accumulate, score, score_means
from aptbench.metrics.significance import difference, rank
from aptbench.metrics.sum_rules import (
    CORRECTIONS,
    acoustic_sum_rule_residual,
    correct_acoustic_sum_rule,
    line_integral_residual,
    rotational_sum_rule_residual,
)
from aptbench.metrics.uncertainty import (
    UNCERTAINTY_METRICS,
    PredictedDeviations,
    calibration_curve,
    checked_deviation,
    score_uncertainties,
    score_uncertainty,
)

__all__ = [
    "CORRECTIONS",
    "IRREPS",
    "METRICS",
    "UNCERTAINTY_METRICS",
    "Binned",
    "Binning",
    "BlockBootstrap",
    "Mean",
    "Metric",
    "OrderVerdict",
    "PredictedDeviations",
    "Samples",
    "Score",
    "Statistic",
    "Totals",
    "accumulate",
    "acoustic_sum_rule_residual",
    "axial_vector",
    "calibration_curve",
    "check_alignment",
    "check_index_order",
    "checked_deviation",
    "correct_acoustic_sum_rule",
    "difference",
    "get_metric",
    "irrep_part",
    "line_integral_residual",
    "metric_names",
    "rank",
    "rotational_sum_rule_residual",
    "score",
    "score_means",
    "score_uncertainties",
    "score_uncertainty",
]
