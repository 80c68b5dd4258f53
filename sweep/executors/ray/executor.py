"""Train on a Ray cluster: each run in a process that an actor with its resources has forked."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sweep.bootstrap import command
from sweep.errors import ExecutionError, RunnerLostError
from sweep.executors.base import Ended
from sweep.executors.fork_server import Server
from sweep.executors.node_ends import Losses
from sweep.executors.ray.count import count_places
from sweep.executors.ray.messages import Call, Report
from sweep.executors.ray.node_copies import copies_home
from sweep.executors.ray.settings import RaySettings
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot
from sweep.study.file import Study
from sweep.study.ray_section import Ray
from trainer.errors import RunDirectoryError, RunTakenError
from trainer.rundir.attempt_end import read_end, read_note
from trainer.rundir.directory import RunDirectory

MODULE = "sweep.executors.ray.bridge"
PREPARE_SECONDS = 10.0
"""Seconds to wait for the cluster before saying so."""
EVERY_PLACE = "every place of the Ray cluster"
"""Name of the slots of a cluster that is not told how many to have."""
NOT_INSTALLED = (
    "Ray is not installed; type `pip install 'gpt-sweep[ray]'`, with the Ray version of the cluster"
)
CONNECT_SECONDS = 300.0
"""Seconds until a cluster that answers must be connected and its nodes checked."""
FIND_SECONDS = 60.0
"""Seconds in which it must be known whether the cluster has a run."""


def ray_slots(study: Study, number: int | None) -> list[Slot]:
    """The slots that `--slots` demands, or else as many as the cluster has room for now.

    At least one: a cluster that does not answer is an error only for what trains.
    """
    threads = max(1, int((study.jobs.ray or Ray()).cpus_per_run))
    if number is not None:
        return [Slot(f"ray {each + 1}", "cpu", threads) for each in range(number)]
    room = None
    if importlib.util.find_spec("ray"):
        room = count_places(
            ray_settings(ExecutorSettings(slots=[], folder=Path(), jobs=study.jobs))
        )
    return [Slot(EVERY_PLACE, "cpu", threads)] * max(1, room or 1)


def make_ray_executor(settings: ExecutorSettings) -> RayExecutor:
    """Make the executor that a study describes. Raises ExecutionError if Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise ExecutionError(NOT_INSTALLED)
    if not settings.jobs.shared_filesystem and not settings.needs_torch:
        raise ExecutionError(
            "jobs.shared_filesystem = false is for runs of the built-in trainer: a script reads files "
            "that Ray does not carry, so its folder must be on a disk that all nodes share"
        )
    if settings.jobs.nodes_per_run > 1 and not settings.jobs.shared_filesystem:
        raise ExecutionError(
            f"jobs.nodes_per_run = {settings.jobs.nodes_per_run} and jobs.shared_filesystem = false: the "
            "nodes of a run share its directory; put the folder of runs on a disk that all nodes see, "
            "or set one of them to its default"
        )
    jobs, ray = settings.jobs, settings.jobs.ray or Ray()
    if not jobs.shared_filesystem and copies_home(ray.folder) == settings.folder:
        raise ExecutionError(
            f"jobs.ray.folder = {ray.folder!r}: the copies for nodes would replace the runs in "
            f"{settings.folder}; name another folder"
        )
    return RayExecutor(ray_settings(settings))


def ray_settings(settings: ExecutorSettings) -> RaySettings:
    """Return what Ray's driver is told."""
    jobs, ray = settings.jobs, settings.jobs.ray or Ray()
    names = {slot.name for slot in settings.slots}
    return RaySettings(
        address=ray.address,
        folder=str(settings.folder),
        gpus_per_run=jobs.gpus_per_run,
        nodes_per_run=jobs.nodes_per_run,
        cpus_per_run=ray.cpus_per_run,
        resources=ray.resources,
        slots=None if EVERY_PLACE in names or not names else len(settings.slots),
        preload=settings.preload,
        node_folder=None if jobs.shared_filesystem else ray.folder,
        needs_torch=settings.needs_torch,
    )


def stop_runs(_runs: Path, directories: Sequence[Path]) -> int:
    """Let runs on nodes stop at their next step, also those that no scheduler watches.

    A process that finds a later attempt announced stops (`trainer.rundir.lock`). Returns 0: how many
    there are, only the cluster knows.
    """
    for directory in map(RunDirectory, directories):
        note = read_note(directory)
        if note and read_end(directory, note.attempt) is None:
            with contextlib.suppress(OSError, RunDirectoryError, RunTakenError):
                directory.lock.announce(note.attempt + 1)
    return 0


class RayExecutor:
    """Places runs on a Ray cluster through a process that is Ray's driver: see `sweep.executors.ray.bridge`."""

    can_stop = True
    outlives_scheduler = True

    def __init__(self, settings: RaySettings) -> None:
        self._settings = settings
        self._server = Server([*command(MODULE), settings.to_json()])
        self._slots: list[str] = []
        self._reasons: dict[Path, str] = {}
        """Why runs wait for a place."""
        self._running: set[Path] = set()
        self._ended: dict[Path, Ended] = {}
        """Ends to report, of runs that were started or adopted."""
        self._found: dict[Path, bool] = {}
        self._lock = threading.Lock()
        self._losses = Losses()
        self._is_ready = False
        self._began = time.monotonic()

    @property
    def slots(self) -> Sequence[str]:
        return self._slots

    def prepare(self) -> None:
        deadline = time.monotonic() + PREPARE_SECONDS
        while not self._is_ready and time.monotonic() < deadline:
            self._receive(deadline - time.monotonic())

    def adopts(self, directory: Path) -> bool:
        path = directory.resolve()
        with self._lock:
            self._call(Call(kind="find", directory=str(path)))
            deadline = time.monotonic() + FIND_SECONDS
            while path not in self._found and time.monotonic() < deadline:
                self._receive(deadline - time.monotonic())
            return self._found.pop(path, False)

    def start(self, directory: Path, slot: str, attempt: int) -> None:  # noqa: ARG002  (Ray places it)
        path = directory.resolve()
        self._ended.pop(path, None)  # of an attempt that was released as it ended
        self._running.add(path)
        self._call(Call(kind="start", directory=str(path), attempt=attempt))

    def waiting(self, directory: Path) -> str | None:
        return self._reasons.get(directory.resolve())

    def hindrance(self) -> str | None:
        if self._is_ready:
            return None
        if time.monotonic() - self._began > CONNECT_SECONDS:
            self._server.kill()
            raise ExecutionError(
                f"the Ray cluster at {self._settings.address} was not ready within "
                f"{CONNECT_SECONDS:.0f} s; {self._log_words}"
            )
        return f"connecting to the Ray cluster at {self._settings.address}"

    def wait(self, seconds: float) -> list[Ended]:
        deadline = time.monotonic() + seconds
        while not self._running & self._ended.keys():
            if (left := deadline - time.monotonic()) <= 0:
                return []
            self._receive(left)
        ended = [self._ended.pop(path) for path in self._running & self._ended.keys()]
        self._running -= {each.directory for each in ended}
        return ended

    def stop(self, directory: Path, *, now: bool = False) -> None:
        number = signal.SIGKILL if now else signal.SIGTERM
        self._call(Call(kind="signal", directory=str(directory.resolve()), number=number))

    def release(self, directory: Path) -> None:
        self._running.discard(directory.resolve())
        self._call(Call(kind="release", directory=str(directory.resolve())))

    def close(self) -> None:
        self._call(Call(kind="close"))
        self._server.close()

    def _receive(self, seconds: float) -> None:
        """Take messages, after waiting up to `seconds` for the first one."""
        messages = self._server.receive(max(0.0, seconds))
        if messages is None:
            raise RunnerLostError(
                f"the connection to the Ray cluster at {self._settings.address} was lost; "
                f"{self._log_words}, and the same command continues"
            )
        for message in messages:
            self._take(Report(**message))

    def _call(self, call: Call) -> None:
        self._server.send(asdict(call))

    def _take(self, report: Report) -> None:
        path = Path(report.directory)
        if report.kind == "error":
            raise ExecutionError(report.words or "")
        if report.kind == "slots":
            self._slots = [f"ray {number}" for number in range(1, report.slots + 1)]
            self._is_ready = True
        elif report.kind == "found":
            self._found[path] = report.is_there
        elif report.kind == "waiting" and report.words:
            self._reasons[path] = report.words
        else:
            self._reasons.pop(path, None)
        if report.kind == "ended":
            self._ended[path] = self._end(path, report)

    def _end(self, directory: Path, report: Report) -> Ended:
        if report.words:
            return self._losses.ended(directory, report.words)
        return Ended(
            directory, report.status, report.signal, report.peak_bytes, report.out_of_memory
        )

    @property
    def _log_words(self) -> str:
        return f"{self._settings.folder}/ray.log has what Ray printed"
