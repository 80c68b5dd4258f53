"""Kill a study's processes at random moments, and compare the result with an undisturbed study."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import (
    PATIENCE,
    kill,
    processes,
    trained_by,
    wait_for_end,
    wait_for_write,
)

STUDY = """\
name = "tiny"

[baseline.model]
layers = 1
heads = 2
width = 16
context = 16

[baseline.optimizer]
learning_rate = 3e-3

[baseline.train]
tokens = {tokens}
batch_size = 8

[baseline.evaluation]
chunks = 2
chunk_tokens = 64

[interventions.no-dropout]
because = "Little to regularise."
set = {{ "model.dropout" = 0.0 }}

[interventions.clip]
because = "Spikes."
set = {{ "optimizer.clip_norm" = 0.5 }}

[design]
seeds = {seeds}

[analysis]
smallest_effect = 0.01

[jobs]
{jobs}
"""
JOBS = """\
checkpoint_seconds = 0   # after each step: most kills hit one
retries = 100
retry_seconds = 0
"""
QUERIES = (
    "SELECT id, state, test_loss, last_loss, steps, skipped_steps FROM runs ORDER BY id",
    "SELECT * FROM chunk_losses ORDER BY run_id, chunk",
    "SELECT run_id, step, loss, learning_rate, grad_norm FROM curves ORDER BY run_id, step",
)
"""Columns that must be equal to the last bit."""
BETWEEN_RUNS = 0.12
"""Seconds between two kills of runs, on average; exponentially distributed."""
LIFE = 0.5
"""How long a command, or its fork server, has to live, on average, as a share of the time that an
undisturbed one takes; as above."""
FATES = ("scheduler", "scheduler at a commit", "fork server", "none")
"""Processes of a command, besides its runs, that are killed."""


def small_study(steps: int, seeds: int, jobs: str = JOBS) -> str:
    """A study of three arms; `jobs` are the lines of its table of that name."""
    return STUDY.format(tokens=steps * 8 * 16, seeds=seeds, jobs=jobs)


@dataclass
class Tally:
    """Counts of kills, and their cost."""

    kills: Counter[str] = field(default_factory=Counter)
    steps_lost: int = 0
    """Steps that were logged, and taken again from the checkpoint before."""
    slowest_end: float = 0.0
    """Seconds that a process lived on, at most, when what it hangs from was killed."""
    resumes: int = 0
    """Attempts beyond the first of each run."""
    seconds: float = 0.0
    runs: int = 0

    @property
    def killed(self) -> int:
        """How many processes were killed."""
        return sum(number for kind, number in self.kills.items() if not kind.startswith("."))

    def add(self, other: Tally) -> None:
        """Take in another round."""
        self.kills += other.kills
        self.steps_lost += other.steps_lost
        self.slowest_end = max(self.slowest_end, other.slowest_end)
        self.resumes += other.resumes
        self.seconds += other.seconds
        self.runs += other.runs


class Torment:
    """One study in its own folder, and the monkey that kills its processes."""

    def __init__(self, folder: Path, study: str, rng: random.Random, peace: float = 1.0) -> None:
        """`peace` is the time of the undisturbed study, in seconds."""
        self.folder = folder
        self._life = LIFE * peace
        self.tally = Tally()
        self._rng = rng
        self._kills = 0
        self._command: subprocess.Popen[bytes] | None = None
        self._seen: set[int] = set()
        folder.mkdir()
        (folder / "s.toml").write_text(study)

    def run(self, seconds: float, kills: int = 0) -> None:
        """Disturb the study for a time and a number of kills, then let it finish."""
        began = time.monotonic()
        self._kills = kills
        until = began + seconds
        try:
            while not self._is_done():
                self._start()
                self._let_live(until)
        finally:
            if self._command:
                self._command.kill()
                self._command.wait()
        self.tally.seconds = time.monotonic() - began
        rows = read(self.folder, "SELECT COUNT(*), COUNT(DISTINCT run_id) FROM attempts")
        self.tally.runs = int(str(rows[0][1]))
        self.tally.resumes = int(str(rows[0][0])) - self.tally.runs

    def left_over(self) -> list[str]:
        """Everything that is wrong at the end, apart from the results."""
        wrong = [f"process {pid} is left" for pid in self._seen & {p for p, *_ in processes()}]
        hidden = [*self.folder.rglob(".*"), *self.folder.rglob("*.tmp")]
        wrong += [f"{path} is left" for path in hidden]
        wrong += [f"{path} is left" for path in self.folder.glob("runs/*/checkpoints")]
        (health,) = read(self.folder, "PRAGMA integrity_check")
        wrong += [] if health == ("ok",) else [f"the database: {health}"]
        twice = "SELECT run_id, COUNT(*) FROM attempts WHERE outcome = 'done' GROUP BY run_id"
        wrong += [f"{row} times done" for row in read(self.folder, twice) if row[1] != 1]
        unended = "SELECT run_id, number FROM attempts WHERE ended IS NULL"
        wrong += [f"attempt {row} has not ended" for row in read(self.folder, unended)]
        return wrong

    def _is_done(self) -> bool:
        return self._command is not None and self._command.poll() == 0

    def _start(self) -> None:
        with (self.folder / "said.txt").open("ab") as said:
            self._command = subprocess.Popen(
                [sys.executable, "-m", "sweep", "run", "s.toml"],
                cwd=self.folder,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def _let_live(self, until: float) -> None:
        """Kill runs of the command, and its fork server, until it ends or is killed."""
        assert self._command  # noqa: S101  (for the type checker)
        fate, end = self._fate()
        while self._command.poll() is None:
            time.sleep(self._rng.expovariate(1 / BETWEEN_RUNS))
            if time.monotonic() > until and self.tally.killed >= self._kills:
                self._command.wait(PATIENCE)
            elif fate != "none" and time.monotonic() > end:
                if self._kill_command(fate) != "fork server":
                    return
                fate, end = self._fate()
            else:
                self._kill_run()
        if self._command.returncode:
            raise AssertionError((self.folder / "said.txt").read_text())

    def _fate(self) -> tuple[str, float]:
        """The next process to kill besides runs, and the time."""
        after = self._rng.expovariate(1 / self._life)
        return self._rng.choice(FATES), time.monotonic() + after

    def _kill_run(self) -> None:
        _, runs = self._below()
        if not runs:
            return
        pid = self._rng.choice(runs)
        directory = trained_by(pid)
        if kill(pid):
            wait_for_end([pid])
            self._count("run", [directory])

    def _kill_command(self, fate: str) -> str:
        """Kill the scheduler or its fork server, and check that its children end; returns which it was."""
        assert self._command  # noqa: S101  (for the type checker)
        server, runs = self._below()
        if fate == "fork server" and not server:
            fate = "scheduler"
        directories = [trained_by(pid) for pid in runs]
        if fate == "scheduler at a commit":
            wait_for_write(self.folder / "runs" / "sweep.db-wal")
        if fate == "fork server":
            kill(server[0])
        else:
            self._command.kill()
            self._command.wait()
        took = wait_for_end([*server, *runs])
        self.tally.slowest_end = max(self.tally.slowest_end, took)
        self._count(fate, directories)
        return fate

    def _count(self, kind: str, directories: Sequence[Path | None]) -> None:
        self.tally.kills[kind] += 1
        for directory in filter(None, directories):
            self.tally.kills["... in a checkpoint"] += any(directory.glob("checkpoints/.*"))
            self.tally.steps_lost += max(0, logged(directory) - kept(directory))

    def _below(self) -> tuple[list[int], list[int]]:
        """The fork server, if it is there, and the runs."""
        assert self._command  # noqa: S101  (for the type checker)
        known = list(processes())
        servers = [
            pid
            for pid, parent, words in known
            if parent == self._command.pid and "trainer.processes.forkserver" in words
        ]
        runs = [pid for pid, parent, _ in known if parent in servers]
        self._seen |= {self._command.pid, *servers, *runs}
        return servers, runs


def undisturbed(folder: Path, study: str) -> float:
    """Run a study undisturbed; returns the seconds that it took."""
    began = time.monotonic()
    Torment(folder, study, random.Random()).run(0)
    return time.monotonic() - began


def differences(one: Path, other: Path) -> list[str]:
    """Differences between two studies, to the last bit."""
    return [query for query in QUERIES if read(one, query) != read(other, query)]


def read(folder: Path, query: str) -> list[tuple[object, ...]]:
    """Rows of the database of a study."""
    with closing(sqlite3.connect(folder / "runs" / "sweep.db")) as connection:
        return connection.execute(query).fetchall()


def logged(directory: Path) -> int:
    """Steps in a run's events; 0 for a run with a result, which is not lost."""
    path = directory / "events.jsonl"
    if (directory / "result.json").exists():
        return 0
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kept(directory: Path) -> int:
    """Steps after which its newest checkpoint was written."""
    steps = [int(path.name[5:]) for path in directory.glob("checkpoints/step-*")]
    return max(steps, default=0)
