"""`accept_submission`: a checked submission becomes rows of the archive."""

from __future__ import annotations

import shutil
from pathlib import Path

from aptbench.board.submission import FILE, Submission, read_submission, write_submission
from aptbench.board.submission_check import CheckReport, check_submission
from aptbench.errors import InputError
from aptbench.evaluate.current_record import current_path
from aptbench.evaluate.result import write_result


def accept_submission(folder: str | Path, leaderboard: str | Path) -> CheckReport:
    """Check a submission, and archive it if nothing is refused.

    Its ``submission.yaml`` goes to ``submissions/NAME`` of the leaderboard, results and predictions
    to ``results/DATASET/SPLIT/NAME``. Scores are computed here and now, whatever anybody said.

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
        If the name is that of another model, or the version is not higher than that which is there.
    """
    folder, leaderboard = Path(folder), Path(leaderboard)
    report = check_submission(folder)
    submission = report.submission
    if submission is None or not report.accepted:
        return report
    _refuse_taken_name(submission, leaderboard)
    files = {one.task: folder / one.file for one in submission.predictions}
    currents = {one.task: folder / one.file for one in submission.currents}
    for result in report.results:
        path = leaderboard / "results" / result.task_name / f"{submission.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[result.task], path.with_suffix(".npz"))
        current_path(path).unlink(missing_ok=True)
        if result.task in currents:
            current_path(path).parent.mkdir(exist_ok=True)
            shutil.copyfile(currents[result.task], current_path(path))
        write_result(result, path)
    write_submission(submission, leaderboard / "submissions" / submission.name)
    return report


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
        if earlier.version >= submission.version:
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
