import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[1] / ".ci" / "audit"
CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
FOUND = {"name": "pillow", "version": "13.0.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["13.0.1"]}]}
SKIPPED = {"name": "cdpipe", "skip_reason": "not on PyPI"}


@pytest.mark.parametrize(
    ("report", "status", "said"),
    [
        ([CLEAN], 0, "1 packages audited, 0 findings"),
        ([CLEAN, SKIPPED], 0, "cdpipe was not audited: not on PyPI\n1 packages audited, 0 findings"),
        ([CLEAN, FOUND], 1, "pillow 13.0.0: PYSEC-1, mended in 13.0.1\n2 packages audited, 1 findings"),
        (None, 0, "Not audited: the database of vulnerabilities could not be reached"),
    ],
)
def test_an_audit_fails_on_findings_alone(tmp_path, report, status, said):
    (tmp_path / "report").write_text("" if report is None else json.dumps({"dependencies": report}))
    program = tmp_path / "pip-audit"  # it exits with 1 for findings and for errors
    program.write_text(f'#!/bin/sh\nfor last; do :; done\ncp {tmp_path}/report "$last"\nexit 1\n')
    program.chmod(0o755)
    ended = subprocess.run(
        [AUDIT],
        env=os.environ | {"PIP_AUDIT": str(program), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status
    assert said in ended.stdout + ended.stderr
