"""The registry of trackers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from sweep.trackers.base import Tracker


@dataclass(frozen=True)
class TrackerKind:
    """A tool that runs can be shown in."""

    title: str
    """Its name for people."""
    package: str
    """The module that it is imported as."""
    factory: str
    """`module:name` of the class; it takes the folder for local files."""

    @property
    def is_installed(self) -> bool:
        """True if its package can be imported; it is not imported for this."""
        return find_spec(self.package) is not None

    def make(self, folder: Path) -> Tracker:
        """Import the tool, which may take long, and return its tracker."""
        module, name = self.factory.split(":")
        make = cast("Callable[[Path], Tracker]", getattr(import_module(module), name))
        return make(folder)


TRACKERS: dict[str, TrackerKind] = {
    "tensorboard": TrackerKind(
        "TensorBoard", "tensorboard", "sweep.trackers.tensorboard:TensorBoard"
    ),
    "wandb": TrackerKind("W&B", "wandb", "sweep.trackers.wandb:WeightsAndBiases"),
    "mlflow": TrackerKind("MLflow", "mlflow", "sweep.trackers.mlflow:Mlflow"),
    "trackio": TrackerKind("Trackio", "trackio", "sweep.trackers.trackio:Trackio"),
}
"""By name, as `--track` and `jobs.track` take it; extras of the installation have these names."""
