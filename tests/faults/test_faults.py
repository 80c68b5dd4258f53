"""Processes are killed at random: nothing is lost, and nothing is trained twice.

`benchmarks/faults.py` does the same for as long as one likes, with larger studies.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks.monkey import Torment, differences, small_study
from tests.patience import PATIENCE
from tests.zygote import Zygote

STEPS = 150
SECONDS = 5
KILLS = 12


class ForkedTorment(Torment):
    """A torment whose commands a zygote starts."""

    def __init__(self, zygote: Zygote, *arguments: Any) -> None:  # noqa: ANN401  (those of Torment)
        super().__init__(*arguments)
        self._zygote = zygote
        zygote.run(["--help"], self.folder, os.environ, PATIENCE)  # its imports take no time later

    def _start(self) -> None:
        with (self.folder / "said.txt").open("ab") as said:
            words = ["run", "s.toml"]
            self._command = self._zygote.start(words, self.folder, os.environ, output=said)


@pytest.mark.slow
def test_a_study_whose_processes_are_killed_at_random_ends_like_an_undisturbed_one(
    tmp_path: Path, zygote: Zygote
) -> None:
    study = small_study(STEPS, seeds=2)
    peace = ForkedTorment(zygote, tmp_path / "peace", study, random.Random(4))
    peace.run(0)
    torment = ForkedTorment(
        zygote, tmp_path / "torment", study, random.Random(4), peace.tally.seconds
    )
    torment.run(SECONDS, KILLS)
    print(torment.tally)  # noqa: T201  (with -s, or when it fails)
    assert torment.left_over() == []
    assert differences(torment.folder, tmp_path / "peace") == []
    assert torment.tally.runs == 6
    assert torment.tally.killed >= KILLS
    assert torment.tally.resumes > 1
    assert torment.tally.slowest_end < 2
