"""Conditions that pause scheduling, and what is said about them."""

from __future__ import annotations

from pathlib import Path

from sweep.progress.watcher import Hindrance, Waiting
from sweep.running.obstacles import Obstacles


def test_a_database_is_tried_again_before_it_is_reported_when_the_disk_has_space(
    tmp_path: Path,
) -> None:
    obstacles = Obstacles(tmp_path, database="sweep.db: database or disk is full")
    obstacles.saw_full_disk()
    assert obstacles.waiting() == Waiting(Hindrance.DISK_FULL, str(tmp_path))
    obstacles.check_disk()
    assert obstacles.waiting() is None
