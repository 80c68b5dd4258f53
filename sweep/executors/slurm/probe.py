"""A small job that looks at nodes before the first run: whether they see the runs, and have torch.

It takes as many nodes as are free when it starts, up to `MOST_NODES`: it waits for no more than a run
would, and the nodes that the first runs get are likely to be among them. A run's own job looks at its
node, too.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from pydantic import ValidationError

from model.config import Config
from sweep.errors import ExecutionError
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slurm.batch import FOLDER, PROBE, BatchFolder, naming, resources, script
from sweep.executors.slurm.client import Client, Phase, Queued, SlurmError, Task
from sweep.executors.slurm.look import Found
from sweep.executors.slurm.node import FACTS
from sweep.study.slurm_section import Slurm
from trainer.files import look_again, write_json, write_whole
from trainer.processes.node import NodeFacts, find_facts

MOST_NODES = 8
"""Nodes that are looked at together."""
TIME_LIMIT = 10
"""Minutes: so short that the job fits into a gap of the schedule."""
VALID_SECONDS = 86_400.0
"""Seconds after which nodes are looked at again."""
RETRY_SECONDS = 15.0
"""Seconds until it is submitted again after Slurm has refused it."""
GRACE_SECONDS = 30.0
"""Seconds in which files of an ended job may still appear on a network file system."""


class Passed(Config):
    """The content of `probe.json`: what was looked at last, and found to be right."""

    key: str
    """Hash of all that the probe depends on."""
    at: float
    """Unix time."""
    facts: NodeFacts


class Probe:
    """Submits the probe unless one has passed lately, and judges what it finds."""

    def __init__(self, client: Client, settings: ExecutorSettings, slurm: Slurm, gres: str) -> None:
        self._client = client
        self._needs_torch = settings.needs_torch
        self._folder = BatchFolder(settings.folder, PROBE)
        self._record = settings.folder / FOLDER / "probe.json"
        nodes = settings.jobs.nodes_per_run
        self._script = self._write_script(slurm, resources(slurm, gres, nodes, MOST_NODES))
        self._narrow: str | None = self._write_script(slurm, resources(slurm, gres, nodes))
        """The script for no more nodes than a run has; None once it was submitted."""
        self._job: Task | None = None
        self._gone_since: float | None = None
        self._refused: str | None = None
        """Slurm's words if it refused the job."""
        self._retry_at = 0.0
        self._reason: str | None = None
        """Why it waits."""
        self.facts: NodeFacts | None = None
        """What a node has; None until the probe has passed."""

    def begin(self) -> None:
        """Submit the probe, if necessary. Raises ExecutionError if Slurm refuses it."""
        self.facts = self._passed_lately()
        if self.facts:
            return
        self._folder.path.mkdir(parents=True, exist_ok=True)
        for old in (self._folder.path / FACTS, self._folder.output(0)):
            old.unlink(missing_ok=True)
        write_whole(self._folder.script, self._script.encode())
        self._submit()

    def _submit(self) -> None:
        """Submit it. If Slurm refuses, jobs that are in its queue may have reached a limit.

        Then it is submitted again later. Without such jobs the settings must be wrong, which raises
        ExecutionError. So nothing depends on Slurm's words.
        """
        try:
            self._job, self._refused = Task(self._client.submit(self._folder.script), 0), None
        except SlurmError as error:
            if self._narrow:  # a limit of nodes per job may be the reason
                write_whole(self._folder.script, self._narrow.encode())
                self._narrow = None
                self._submit()
                return
            if not self._client.has_jobs():
                raise ExecutionError(
                    f"Slurm refuses a job with these settings: {error}; correct [jobs.slurm] of the "
                    "study (`sinfo` lists partitions, `sacctmgr show assoc user=$USER` accounts)"
                ) from error
            self._refused, self._retry_at = str(error), time.monotonic() + RETRY_SECONDS

    def hindrance(self) -> str | None:
        """Say what it waits for; None if it has passed."""
        if self.facts:
            return None
        if self._refused:
            return (
                f"Slurm refuses a job: {self._refused}; it is submitted again every "
                f"{RETRY_SECONDS:.0f} s while you have jobs in the queue, which may be the reason"
            )
        waits = f", and waits: {self._reason}" if self._reason else ""
        return f"Slurm job {self._job} looks at nodes before the first run{waits}"

    def update(self, queue: list[Queued]) -> None:
        """Look whether the job has ended. Raises ExecutionError if the node cannot train."""
        if self._refused and time.monotonic() >= self._retry_at:
            self._submit()
        if self.facts or self._job is None:
            return
        look_again(self._folder.path)
        if found := self._read():
            self._judge(found)
            return
        job = next((each for each in queue if each.task == self._job), None)
        if job is None or job.phase is Phase.ENDING:
            self._gone_since = self._gone_since or time.monotonic()
            if time.monotonic() - self._gone_since > GRACE_SECONDS:
                raise ExecutionError(self._why_nothing())
        else:
            self._gone_since = None
            pending = job.phase is Phase.PENDING and job.reason != "None"
            self._reason = job.reason if pending else None

    def close(self) -> None:
        """Cancel the job if it has not ended."""
        if self._job and not self.facts:
            self._client.cancel([self._job])

    def _write_script(self, slurm: Slurm, needs: Sequence[str]) -> str:
        arguments = ["--facts", str(self._folder.path), *(["--torch"] if self._needs_torch else [])]
        naming_options = naming(self._folder)
        limits = ["--array=0-0", "--no-requeue", f"--time={TIME_LIMIT}"]
        return script([*naming_options, *limits, *needs], slurm, arguments)

    @property
    def _here(self) -> NodeFacts:
        return find_facts(self._folder.path, with_torch=False)

    @property
    def _key(self) -> str:
        return hashlib.sha256(f"{self._script}{self._here.torch}".encode()).hexdigest()

    def _passed_lately(self) -> NodeFacts | None:
        try:
            passed = Passed.model_validate_json(self._record.read_bytes())
        except (OSError, ValidationError):
            return None
        age = time.time() - passed.at
        fresh = 0 <= age < VALID_SECONDS and self._folder.path.is_dir()
        return passed.facts if fresh and passed.key == self._key else None

    def _read(self) -> Found | None:
        try:
            return Found.model_validate_json((self._folder.path / FACTS).read_bytes())
        except (OSError, ValidationError):
            return None

    def _judge(self, found: Found) -> None:
        problem = found.problem(self._here, needs_torch=self._needs_torch)
        if problem or found.facts is None:
            raise ExecutionError(problem or "no node has said what it has")
        self.facts = found.facts
        passed = Passed(key=self._key, at=time.time(), facts=found.facts)
        write_json(self._record, passed.model_dump(mode="json"))

    @property
    def _node(self) -> str:
        """The first of its nodes; `the node` if Slurm does not tell."""
        return (self._job and self._client.node_of(self._job)) or "the node"

    def _why_nothing(self) -> str:
        end = self._job and self._client.final_state(self._job)
        state = end.words if end else "ended"
        said = self._folder.last_output(0)
        if said:
            return (
                f"Slurm job {self._job}, which looks at nodes before the first run, failed "
                f"({state}): {said}. Correct jobs.slurm.setup or jobs.slurm.python; "
                f"{self._folder.output(0)} has all that it printed"
            )
        return (
            f"Slurm job {self._job}, which looks at nodes before the first run, left nothing "
            f"({state}): {self._node} does not see {self._folder.path}, or cannot write there. "
            "The folder of runs must be on a disk that all nodes share: name one with --runs"
        )
