#!/usr/bin/env bash
# The wheel, installed without extras into an empty environment, evaluates a model.
# Usage: tests/wheel.sh PYTHON (one that has the package `build`), from the root of the project.
set -euo pipefail
python=$1
project=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$python" -m build --wheel --outdir "$folder" . >/dev/null
"$python" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  -c constraints.txt "$folder"/aptbench-*.whl

cd "$folder"
export APTBENCH_ROOT=$project
venv/bin/python - <<'PYTHON'
import sys
import aptbench
assert "site-packages" in aptbench.__file__, aptbench.__file__
assert "torch" not in sys.modules
PYTHON
venv/bin/aptbench --version
venv/bin/aptbench verify water
venv/bin/aptbench evaluate water/iid \
  --predictions "$project/leaderboard/results/water/iid/constant-charge.npz" --json >scores.json
venv/bin/python - <<'PYTHON'
import json
from pathlib import Path
import os
text = json.loads(Path("scores.json").read_text())
archived = json.loads(
    (Path(os.environ["APTBENCH_ROOT"]) / "leaderboard/results/water/iid/constant-charge.json").read_text()
)
(result,) = text if isinstance(text, list) else [text]
got, want = (r["metrics"]["rmse"]["value"] for r in (result, archived))
assert abs(got - want) < 1e-9, (got, want)
print(f"the wheel scores {got:.6f} e, as archived")
PYTHON
