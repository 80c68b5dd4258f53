"""What keeps a study from going on for a while: a full disk, a busy database, a pause."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from trainer.files import FULL

ROOM = 64 * 2**20
"""Free bytes with which a study that met a full disk goes on; on a small disk, a twentieth."""
WAITING = "The study waits, and goes on by itself when that has passed; no retry is spent"


@dataclass
class Obstacles:
    """Which of them are in the way."""

    folder: Path
    """That of the runs."""
    full: bool = False
    """Whether the disk of the folder is."""
    database: str | None = None
    """Why the database takes nothing."""
    paused: str | None = None
    """The study, if somebody has paused it."""

    def sentence(self) -> str | None:
        """Why no run is to be started, and what to do; None when nothing is in the way."""
        if self.full:
            return f"the disk of {self.folder} is full: free some space. {WAITING}"
        if self.database:
            return f"{self.database.rstrip('.')}. {WAITING}"
        if self.paused:
            return f"{self.paused} is paused: `sweep resume {self.paused}` lets it go on"
        return None

    def look(self) -> None:
        """See whether there is room again."""
        self.full = self.full and not has_room(self.folder)


def has_room(folder: Path) -> bool:
    """Whether a disk is no longer full."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return True  # whatever it is: the next attempt tells
    return usage.free >= min(ROOM, usage.total / 20)


def is_disk_full(error: Exception) -> bool:
    """Whether a disk did not take something."""
    return isinstance(error, OSError) and error.errno in FULL
