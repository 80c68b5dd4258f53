"""The names of executors. Quick to import: the command line lists them."""

from __future__ import annotations

from typing import Literal

ExecutorName = Literal["local", "inline", "slurm", "ray"]
"""An executor: see `sweep.executors.registry`."""
