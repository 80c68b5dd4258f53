"""Commands of other users of this machine, for tests that root runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

GROUP = 3000
"""The group that the users share."""


def as_user(user: int, *, umask: int) -> list[str]:
    """The prefix of a command that another user runs. Skips the test where that is impossible.

    The user may read every file, so that Python need not be installed for all users.
    """
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root runs commands as another user, with setpriv of util-linux")
    prefix = [
        *("setpriv", f"--reuid={user}", f"--regid={GROUP}", "--clear-groups"),
        *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
        *("bash", "-c", f'umask {umask:03o} && exec "$0" "$@"'),
    ]
    command = [*prefix, sys.executable, "-c", ""]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"Python cannot be run as another user: {done.stderr.strip()}")
    return prefix
