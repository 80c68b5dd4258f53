"""What keeps a study from going on for a while: a full disk, a busy database, a pause."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from sweep.machine.disk import shown_size
from trainer.files import FULL

ROOM = 64 * 2**20
"""Free bytes with which a study that met a full disk goes on; on a small disk, a twentieth."""
AGAIN_SECONDS = 5.0
"""Before it goes on in as much room as was of no use; twice as long each further time."""
LONGEST_AGAIN = 1800.0
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
    _in_vain: int = field(default=0, init=False)
    """How often it went on and met a full disk again, without a run having ended in between."""
    _tried: int = field(default=0, init=False)
    """Free bytes with which it did so last."""
    _until: float = field(default=0.0, init=False)
    """When it does so again."""

    def met_full_disk(self) -> None:
        """A run has; several may at once."""
        if self.full:
            return
        self.full = True
        if self._tried:
            pause = min(AGAIN_SECONDS * 2**self._in_vain, LONGEST_AGAIN)
            self._until = time.monotonic() + pause
            self._in_vain += 1

    def saw_success(self) -> None:
        """A run has ended: there was room enough."""
        self._in_vain = self._tried = 0

    def sentence(self) -> str | None:
        """Why no run is to be started, and what to do; None when nothing is in the way."""
        if self.full and self._in_vain:
            return (
                f"the disk of {self.folder} was full again: {shown_size(self._tried)} of room are "
                "too little for the runs that go on at once. Free more, or start the command again "
                "with fewer --slots. The study waits for more room, and tries the same less and "
                "less often; no retry is spent"
            )
        if self.full:
            return f"the disk of {self.folder} is full: free some space. {WAITING}"
        if self.database:
            return f"{self.database.rstrip('.')}. {WAITING}"
        if self.paused:
            return f"{self.paused} is paused: `sweep resume {self.paused}` lets it go on"
        return None

    def look(self) -> None:
        """See whether there is room again: more than was of no use, or as much after a pause."""
        if not self.full:
            return
        try:
            total, _, free = shutil.disk_usage(self.folder)
        except OSError:
            self.full = False  # whatever it is: the next attempt tells
            return
        room = min(ROOM, total // 20)
        over = time.monotonic() >= self._until
        if free >= (room if over else self._tried + room):
            self.full, self._tried = False, free


def is_disk_full(error: Exception) -> bool:
    """Whether a disk did not take something."""
    return isinstance(error, OSError) and error.errno in FULL
