"""What was sent to a tool that cannot be asked for it: a small file per run, beside the tool's own."""

from __future__ import annotations

import json
from pathlib import Path

from sweep.trackers.base import NO_STEP
from trainer.files import write_json


class SentMark:
    """The last step of a run that was sent, and whether the run is whole."""

    def __init__(self, folder: Path, key: str) -> None:
        self._file = folder / f"{key}.json"
        try:
            found = json.loads(self._file.read_bytes())
        except (OSError, ValueError):  # nothing was sent yet
            found = {}
        self.last_step = int(found.get("last_step", NO_STEP))
        self.is_whole = bool(found.get("whole", False))

    def save(self, last_step: int, *, whole: bool = False) -> None:
        """Note what was sent."""
        self.last_step, self.is_whole = last_step, whole
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._file, {"last_step": last_step, "whole": whole}, durable=False)
