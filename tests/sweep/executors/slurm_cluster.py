"""A real Slurm for tests: a controller and two nodes on this machine, each with two fake GPUs."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.patience import PATIENCE

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
NODES = ("n1", "n2")
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=2
SlurmdTimeout=5
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={port_n1} CPUs=2 Gres=gpu:2
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={port_n2} CPUs=2 Gres=gpu:2
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high Nodes=n1,n2 MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""
NO_ACCOUNTING = """\
AccountingStorageType=accounting_storage/none
MinJobAge=300
"""


def missing() -> str | None:
    """Return why there can be no Slurm here; None if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "Slurm's daemons need Linux and root"
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"{', '.join(absent)} not installed (apt-get install slurmctld slurmd slurm-client munge)"
    return None


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class SlurmCluster:
    """Its daemons, and what an administrator does to them."""

    def __init__(self, folder: Path, further: str = NO_ACCOUNTING) -> None:
        """`further`: lines of its configuration."""
        self.folder = folder
        self._further = further
        self.configuration = folder / "slurm.conf"
        self.environment = {**os.environ, "PATH": _path(), "SLURM_CONF": str(self.configuration)}

    @contextlib.contextmanager
    def running(self, before: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Start its daemons, and end them afterwards; `before`: called before the first that is Slurm's."""
        try:
            self.start(before)
            yield
        finally:
            self.close()

    def start(self, before: Callable[[], object]) -> None:
        for name in ("state", "munge"):
            (self.folder / name).mkdir()
        ports = dict(zip(("port", "port_n1", "port_n2"), free_ports(3), strict=True))
        names = {"host": socket.gethostname().partition(".")[0], "user": "root"}
        text = CONFIGURATION.format(folder=self.folder, **ports, **names)
        self.configuration.write_text(text + self._further)
        gpus = [self.folder / f"gpu{number}" for number in range(2)]
        for gpu in gpus:  # Slurm gives a job only files that are devices
            os.mknod(gpu, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        lines = [f"NodeName={node} Name=gpu File={self.folder}/gpu[0-1]" for node in NODES]
        (self.folder / "gres.conf").write_text("\n".join(lines) + "\n")
        self._start_munge()
        before()
        self.run("slurmctld", "-f", str(self.configuration))
        for node in NODES:
            self.start_node(node)
        self.wait_until(lambda: self.states() == dict.fromkeys(NODES, "idle"), "idle nodes")

    def _start_munge(self) -> None:
        munge = self.folder / "munge"
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        files = {"key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        self.run("munged", "--force", "-S", str(munge / "socket"), *options)

    def start_node(self, node: str) -> None:
        self.run("slurmd", "-N", node, "-f", str(self.configuration))

    def stop_node(self, node: str) -> None:
        """Stop a node's daemon; the jobs of the node go on."""
        pid = int((self.folder / f"{node}.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        self.wait_until(lambda: not _is_alive(pid), f"the end of {node}")

    def run(self, *command: str) -> str:
        ended = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert ended.returncode == 0, (command, ended.stderr)
        return ended.stdout

    def answers(self, *command: str) -> bool:
        """True if a command succeeds."""
        ended = subprocess.run(command, env=self.environment, capture_output=True, check=False)
        return ended.returncode == 0

    def states(self) -> dict[str, str]:
        """The state of each node."""
        found = self.run("sinfo", "-h", "-N", "-o", "%N %T").split()
        return dict(zip(found[::2], found[1::2], strict=True))

    def jobs(self) -> dict[str, str]:
        """The state of each job in the queue, by its name in Slurm: `17_3`."""
        found = self.run("squeue", "-h", "-r", "-o", "%F_%K %T").split()
        return dict(zip(found[::2], found[1::2], strict=True))

    def node_of(self, job: str) -> str:
        return self.run("squeue", "-h", "-j", job, "-o", "%N").strip()

    def vanish(self, node: str) -> None:
        """Kill a node's daemon and all that it runs, as a power cut would."""
        pids = [int((self.folder / f"{node}.pid").read_text()), *self._steps(node)]
        for pid in pids:
            for each in [pid, *descendants(pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)

    def _steps(self, node: str) -> list[int]:
        """The processes of Slurm that watch the jobs of a node."""
        jobs = self.run("squeue", "-h", "-w", node, "-o", "%A").split()
        titles = tuple(f"slurmstepd: [{job}." for job in jobs)
        return [pid for pid, title, _ in self.processes() if title.startswith(titles)]

    def processes(self) -> Iterator[tuple[int, str, list[str]]]:
        """Process id, arguments and variables of each process of this Slurm and of its jobs.

        Those of another one on this machine, whose jobs have the same numbers, are not among them.
        """
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                variables = os.fsdecode((path / "environ").read_bytes()).split("\0")
                if f"SLURM_CONF={self.configuration}" in variables:
                    yield int(path.name), os.fsdecode((path / "cmdline").read_bytes()), variables

    def clear(self) -> None:
        """Cancel all jobs."""
        self.run("scancel", "--me")
        self.wait_until(lambda: not self.jobs(), "an empty queue")

    def close(self) -> None:
        with contextlib.suppress(AssertionError):
            self.clear()
        for name in ("n1.pid", "n2.pid", "controller.pid", "munge/pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self.folder / name).read_text()), signal.SIGTERM)
        time.sleep(0.5)
        for name in ("n1.pid", "n2.pid", "controller.pid", "munge/pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self.folder / name).read_text()), signal.SIGKILL)

    def wait_until(self, condition: object, awaited: str) -> None:
        assert callable(condition)
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, f"waited for {awaited}: {self.states()} {self.jobs()}"
            time.sleep(0.1)


def _is_alive(pid: int) -> bool:
    """True for a process that has not ended, whether or not its parent has asked for its status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """The processes that a process and its children have started."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextlib.contextmanager
def running_slurm() -> Iterator[SlurmCluster]:
    """Run a Slurm in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="sweep-slurm-"))  # a socket's path has 107 bytes at most
    cluster = SlurmCluster(folder)
    try:
        with cluster.running():
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)
