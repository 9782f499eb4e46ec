"""`accept_submission`: a checked submission becomes rows of the archive."""

from __future__ import annotations

import shutil
from pathlib import Path

from aptbench.atomic import new_file
from aptbench.board.submission import FILE, Submission, read_submission, write_submission
from aptbench.board.submission_check import CheckReport, check_submission
from aptbench.errors import InputError
from aptbench.evaluate.current_record import current_path
from aptbench.evaluate.result import write_result


def accept_submission(folder: str | Path, leaderboard: str | Path) -> CheckReport:
    """Check a submission, and archive it if nothing is refused.

    Its ``submission.yaml`` goes to ``submissions/NAME`` of the leaderboard, results and predictions
    to ``results/DATASET/SPLIT/NAME``. Scores are computed here and now, whatever anybody said. Rows
    of an earlier version go, also of tasks that this one leaves out.

    Parameters
    ----------
    folder : path
    leaderboard : path
        Folder ``leaderboard`` of the project.

    Returns
    -------
    CheckReport
        Nothing was archived if it is not accepted.

    Raises
    ------
    InputError
        If the name is that of another model, or the version is not higher than that which is there
        (what was accepted can be accepted again).
    """
    folder, leaderboard = Path(folder), Path(leaderboard)
    report = check_submission(folder)
    submission = report.submission
    if submission is None or not report.accepted:
        return report
    _refuse_taken_name(submission, leaderboard)
    scored = {result.task_name for result in report.results}
    for path in leaderboard.glob(f"results/*/*/{submission.name}.json"):
        if path.parent.relative_to(leaderboard / "results").as_posix() not in scored:
            # a row of an earlier version, which is another model
            for file in (path, path.with_suffix(".npz"), current_path(path)):
                file.unlink(missing_ok=True)
    # before the rows: an acceptance that is broken off can be given again
    write_submission(submission, leaderboard / "submissions" / submission.name)
    files = {one.task: folder / one.file for one in submission.predictions}
    currents = {one.task: folder / one.file for one in submission.currents}
    for result in report.results:
        path = leaderboard / "results" / result.task_name / f"{submission.name}.json"
        current_path(path).unlink(missing_ok=True)
        _copy(files[result.task], path.with_suffix(".npz"))
        if result.task in currents:
            _copy(currents[result.task], current_path(path))
        write_result(result, path)
    return report


def _copy(source: Path, target: Path) -> None:
    with new_file(target) as temporary:
        shutil.copyfile(source, temporary)


def _refuse_taken_name(submission: Submission, leaderboard: Path) -> None:
    name = submission.name
    kept = leaderboard / "submissions" / name
    if (kept / FILE).is_file():
        earlier = read_submission(kept)
        if earlier.authors[0].name != submission.authors[0].name:
            raise InputError(
                f"There is a model {name!r} by somebody else.",
                got=submission.authors[0].name,
                expected=earlier.authors[0].name,
                do="choose another name",
            )
        if earlier.version >= submission.version and earlier != submission:
            raise InputError(
                f"The model {name!r} is there already in this version.",
                got=f"version {submission.version}",
                expected=f"a version above {earlier.version}",
            )
        return
    if any(leaderboard.glob(f"results/*/*/{name}.json")):
        raise InputError(
            f"There is a model {name!r} that is no submission.", do="choose another name"
        )
