"""The accounting of a Slurm of the tests: slurmdbd, and the MariaDB that it needs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.patience import wait_until
from tests.sweep.executors.slurm_cluster import SlurmCluster, free_ports

PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db")
DAEMON = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdPort={port}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=root
StorageLoc=slurm
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""
CONFIGURATION = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge/socket
MinJobAge=2
"""
"""Slurm's controller forgets a job after two seconds, so that only the accounting knows it."""


def missing() -> str | None:
    """Return why there can be no accounting here; None if there can."""
    absent = [
        name
        for name in PROGRAMS
        if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None
    ]
    return (
        f"{', '.join(absent)} not installed (apt-get install slurmdbd mariadb-server)"
        if absent
        else None
    )


@contextlib.contextmanager
def slurm_with_accounting() -> Iterator[SlurmCluster]:
    """Run a Slurm that remembers the ends of all jobs."""
    folder = Path(tempfile.mkdtemp(prefix="sweep-slurm-"))
    port, database = free_ports(2)
    cluster = SlurmCluster(folder, CONFIGURATION.format(port=port, folder=folder))
    store = _start_database(cluster, database)
    try:
        with cluster.running(before=lambda: _start_daemon(cluster, port, database)):
            yield cluster
    finally:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / "slurmdbd.pid").read_text()), signal.SIGKILL)
        store.kill()
        store.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _start_database(cluster: SlurmCluster, port: int) -> subprocess.Popen[bytes]:
    data = cluster.folder / "data"
    common = ["--no-defaults", "--user=root", f"--datadir={data}"]
    cluster.run("mariadb-install-db", *common, "--skip-test-db")
    options = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={cluster.folder}/db"]
    with (cluster.folder / "database.log").open("w") as log:
        return subprocess.Popen(
            ["mariadbd", *common, *options, "--skip-grant-tables"],
            env=cluster.environment,
            stdout=log,
            stderr=log,
        )


def _start_daemon(cluster: SlurmCluster, port: int, database: int) -> None:
    file = cluster.folder / "slurmdbd.conf"
    file.write_text(DAEMON.format(folder=cluster.folder, port=port, database=database))
    file.chmod(0o600)
    cluster.run("slurmdbd")
    wait_until(lambda: cluster.answers("sacctmgr", "--immediate", "add", "cluster", "tests"))
