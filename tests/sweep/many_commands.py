"""Several commands in one process, which imports what they need once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.patience import PATIENCE

MANY = """
import json, sys
from sweep.cli import main
for words in json.loads(sys.argv.pop()):
    sys.argv[1:] = words
    try:
        main()
    except SystemExit as end:
        print("STATUS", words[0], end.code or 0, flush=True)
"""
"""Runs the commands, and prints the exit status of each."""


def run_many(
    folder: Path, commands: Sequence[Sequence[str]], prefix: Sequence[str], env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    command = [*prefix, sys.executable, "-c", MANY, json.dumps(commands)]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
