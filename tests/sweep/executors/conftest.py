"""Every executor with all that it needs, and runs of small shell scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

from sweep.executors.base import Executor
from sweep.executors.registry import EXECUTORS
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot
from sweep.executors.slurm.executor import SlurmExecutor
from sweep.study.executor_names import ExecutorName
from sweep.study.jobs_section import Jobs
from sweep.study.ray_section import Ray
from sweep.study.slurm_section import Slurm
from tests.patience import wait_until
from tests.sweep.executors.ray_pair import Pair
from tests.sweep.executors.slurm_cluster import SlurmCluster, missing, running_slurm
from tests.sweep.ray_nodes import HAS_RAY, WHY_NOT, RayNodes, ray_nodes
from tests.trainer.conftest import TINY
from trainer.execution import Execution
from trainer.files import write_json
from trainer.recipe import Recipe
from trainer.recipe_forms import with_fields
from trainer.rundir.directory import RunDirectory
from trainer.rundir.request import Request
from trainer.scripts.request import MetricSource, ScriptRequest

Make = Callable[..., Executor]
MakeSlurm = Callable[..., SlurmExecutor]
MakeRun = Callable[..., RunDirectory]
QUICK = Slurm(poll_seconds=0.2, gres="none")


@pytest.fixture(scope="session")
def slurm_session() -> Iterator[SlurmCluster]:
    """A Slurm that the tests of a session share."""
    if why := missing():
        pytest.skip(why)
    with running_slurm() as cluster:
        yield cluster


@pytest.fixture
def slurm(slurm_session: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmCluster]:
    """That Slurm, which the commands of Slurm find; its queue is empty in the end."""
    monkeypatch.setenv("SLURM_CONF", str(slurm_session.configuration))
    monkeypatch.setenv("PATH", slurm_session.environment["PATH"])
    for module in ("probe", "executor"):  # one disk, which shows files at once
        monkeypatch.setattr(f"sweep.executors.slurm.{module}.GRACE_SECONDS", 1.0)
    yield slurm_session
    slurm_session.clear()


@pytest.fixture(scope="session")
def ray_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayNodes]:
    """A Ray cluster that the tests of a session share: a head without a place, and a node with four."""
    if not HAS_RAY:
        pytest.skip(WHY_NOT)
    with ray_nodes(tmp_path_factory.mktemp("ray") / "log.txt") as nodes:
        nodes.add(num_cpus=4)
        yield nodes


@pytest.fixture
def pair(ray_session: RayNodes, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(ray_session, tmp_path / "runs")
    yield made
    made.close()


@pytest.fixture
def make_slurm(slurm: SlurmCluster, tmp_path: Path) -> Iterator[MakeSlurm]:  # noqa: ARG001  (it must be there)
    """Makes executors of that Slurm, with fields of `[jobs]` and of `[jobs.slurm]`."""
    made: list[SlurmExecutor] = []

    def make(
        slots: int = 3,
        jobs: Mapping[str, object] = MappingProxyType({}),
        preload: Sequence[str] = (),
        **settings: object,
    ) -> SlurmExecutor:
        fields = {"poll_seconds": 0.2, "gres": "none", **settings}
        (tmp_path / "runs").mkdir(exist_ok=True)
        executor = SlurmExecutor(
            ExecutorSettings(
                slots=[Slot(f"job {number}", "slurm", 1) for number in range(slots)],
                folder=(tmp_path / "runs").resolve(),
                jobs=Jobs.model_validate({"executor": "slurm", "slurm": fields, **jobs}),
                preload=preload,
            )
        )
        made.append(executor)
        executor.prepare()
        wait_until(lambda: executor.slots or executor.wait(0.1))
        return executor

    yield make
    for executor in made:
        executor.close()


@pytest.fixture
def make_executor(
    name: ExecutorName, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Make]:
    """Makes executors of a kind, as several commands would; all are closed in the end."""
    ray = None
    if name == "slurm":
        request.getfixturevalue("slurm")
    if name == "ray":
        ray = Ray(address=request.getfixturevalue("ray_session").address)
    (tmp_path / "runs").mkdir(exist_ok=True)
    made: list[Executor] = []

    def make(slots: int = 2) -> Executor:
        places = [Slot(f"place {number}", "cpu", 1) for number in range(slots)]
        jobs = Jobs(executor=name, slurm=QUICK, ray=ray)
        settings = ExecutorSettings(
            slots=places, folder=(tmp_path / "runs").resolve(), jobs=jobs, preload=()
        )
        executor = EXECUTORS[name].make(settings)
        made.append(executor)
        executor.prepare()
        while not executor.slots:
            executor.wait(0.1)
        return executor

    yield make
    for executor in made:
        executor.close()


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes a run directory for a shell command."""

    def make(name: str, command: str, processes: int = 1) -> RunDirectory:
        directory = RunDirectory(tmp_path / "runs" / name)
        directory.path.mkdir(parents=True)
        request = ScriptRequest(
            command=["sh", "-c", command],
            folder=str(tmp_path),
            metrics={
                "loss": MetricSource(
                    regex=r"loss (?P<value>\S+)", step_regex=r"step (?P<value>\d+)"
                )
            },
            primary="loss",
            seeds={"seed": 1},
            processes=processes,
        )
        write_json(directory.script, request.model_dump(mode="json", by_alias=True))
        directory.lock.announce(1)
        return directory

    return make


@pytest.fixture
def make_gpt(tmp_path: Path) -> MakeRun:
    """Makes a run directory of the built-in trainer."""
    text = tmp_path / "text.txt"
    text.write_text("".join(f"{number} bottles of beer on the wall.\n" for number in range(2000)))

    def make(name: str, steps: int, processes: int, seconds: float = 300) -> RunDirectory:
        changes = {"data.corpus": str(text), "train.tokens": 16 * 8 * steps}
        run = RunDirectory(tmp_path / "runs" / name)
        run.write_request(
            Request(
                recipe=Recipe.model_validate(with_fields(TINY, changes)),
                execution=Execution(processes=processes, checkpoint_seconds=seconds),
            )
        )
        run.lock.announce(1)
        return run

    return make
