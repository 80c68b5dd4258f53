"""The names of trackers, as `--track` and `jobs.track` take them."""

from __future__ import annotations

from typing import Literal

TrackerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]
"""The names in `sweep.trackers.registry`, which the command line does not import."""
