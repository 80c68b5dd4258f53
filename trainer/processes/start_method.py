"""How processes of runs are started: forked, or spawned where a fork is not safe.

On macOS a process must not go on after a fork once it has loaded Apple's Accelerate, which torch
uses: https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods
"""

from __future__ import annotations

import sys

SPAWNS = sys.platform == "darwin"
"""True where a run's process is a new interpreter that imports torch itself."""
