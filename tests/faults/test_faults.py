"""Processes are killed at random: nothing is lost, and nothing is trained twice.

`benchmarks/faults.py` does the same for as long as one likes, with larger studies.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.monkey import Torment, differences, small_study, undisturbed

STEPS = 150
SECONDS = 5
KILLS = 12


@pytest.mark.slow
def test_a_study_whose_processes_are_killed_at_random_ends_like_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    study = small_study(STEPS, seeds=2)
    peace = undisturbed(tmp_path / "peace", study)
    torment = Torment(tmp_path / "torment", study, random.Random(4), peace)
    torment.run(SECONDS, KILLS)
    print(torment.tally)  # noqa: T201  (with -s, or when it fails)
    assert torment.left_over() == []
    assert differences(torment.folder, tmp_path / "peace") == []
    assert torment.tally.runs == 6
    assert torment.tally.killed >= KILLS
    assert torment.tally.resumes > 1
    assert torment.tally.slowest_end < 2
