"""Tasks: which labels of a data set a model may learn from, and which it is scored on."""

from aptbench.tasks.audit import SplitAudit, audit_split
from aptbench.tasks.decorrelation import decorrelation_time
from aptbench.tasks.independent_audit import audit_independent
from aptbench.tasks.independent_split import independent_split
from aptbench.tasks.leakage import audit_task
from aptbench.tasks.split import Split, check_split, read_split
from aptbench.tasks.split_file import write_split
from aptbench.tasks.task import Task, available_splits, available_tasks, load_task
from aptbench.tasks.time_blocks import time_block_split
from aptbench.tasks.transfer import TransferSplit
from aptbench.tasks.transfer_check import check_part, check_test

__all__ = [
    "Split",
    "SplitAudit",
    "Task",
    "TransferSplit",
    "audit_independent",
    "audit_split",
    "audit_task",
    "available_splits",
    "available_tasks",
    "check_part",
    "check_split",
    "check_test",
    "decorrelation_time",
    "independent_split",
    "load_task",
    "read_split",
    "time_block_split",
    "write_split",
]
