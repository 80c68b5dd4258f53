"""Read studies, arms, runs and results. The code that changes runs is in `sweep.queue`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Select,
    false,
    func,
    or_,
    select,
)

from sweep.errors import NotFoundError, StoreError, did_you_mean
from sweep.store.database import Database
from sweep.store.ledger import Ledger
from sweep.store.plan_content import PlanContent
from sweep.store.rows import (
    ArmRow,
    AttemptRow,
    CurvePoint,
    LossRow,
    PlannedRun,
    PlanRow,
    RunNotice,
    RunRow,
    RunTime,
    StudyRow,
    TimedRun,
    planned_run,
)
from sweep.store.schema import (
    arms,
    attempts,
    chunk_losses,
    curves,
    members,
    planned_runs,
    plans,
    runs,
    studies,
)
from sweep.store.select_in import select_in
from sweep.store.states import RunState


class Store(Database):
    """Studies, arms, runs and their results.

    Raises StoreError if the database is missing, damaged, of a newer version, or not sweep's.
    """

    def __init__(
        self,
        url: URL,
        *,
        create: bool = False,
        read_only: bool = False,
        folder: Path | None = None,
    ) -> None:
        """Open the database at `url`; `folder` is the folder of runs if the database is elsewhere."""
        super().__init__(url, create=create, read_only=read_only)
        folder = folder or (self.file.parent if self.file else None)
        self.ledger = Ledger(folder) if folder else None
        if self.upgraded:  # older versions did not write these files
            with self.write() as connection:
                for name in connection.execute(select(studies.c.name)).scalars().all():
                    self.write_study_file(connection, name)

    def write_study_file(self, connection: Connection, study: str) -> None:
        """Write a study's file. Call it before the commit, so that it has every committed change."""
        if self.ledger:
            with _translate_errors(self.ledger):
                self.ledger.save_study(connection, study)

    def write_noise_file(self, connection: Connection, study: str) -> None:
        """Write the file of a study's noise records. Call it before the commit."""
        if self.ledger:
            with _translate_errors(self.ledger):
                self.ledger.save_noise(connection, study)

    def studies(self) -> list[StudyRow]:
        """Return all studies, imported ones last; the most recently run first in each group."""
        imported = func.coalesce(studies.c.imported, false())
        query = select(studies).order_by(imported, studies.c.last_run.desc())
        with self.begin() as connection:
            return [StudyRow(**row) for row in connection.execute(query).mappings()]

    def study(self, name: str | None) -> StudyRow:
        """Return the study called `name`, or the latest one for None. Raises NotFoundError."""
        known = self.studies()
        for study in known:
            if name in (None, study.name):
                return study
        names = [study.name for study in known]
        if not names:
            raise NotFoundError(f"{self.where} has no study yet; `sweep run STUDY` trains one")
        raise NotFoundError(
            f"{self.where} has no study {name!r}{did_you_mean(name or '', names)}"
            f" (it has: {', '.join(names)})"
        )

    def study_if_any(self, name: str) -> StudyRow | None:
        """Return the study called `name`; None if there is none."""
        return next((study for study in self.studies() if study.name == name), None)

    def plan(self, study: StudyRow) -> PlanContent:
        """Return the plan that a study was last run with, under the name that the study has now."""
        same = (plans.c.study == study.name) & (plans.c.hash == study.plan_hash)
        with self.begin() as connection:
            content = connection.execute(select(plans.c.content).where(same)).scalar_one()
        return replace(PlanContent.from_json(content), study=study.name)

    def plans(self, study: str) -> list[PlanRow]:
        """Return all plans that a study has had, the oldest first."""
        query = select(plans).where(plans.c.study == study).order_by(plans.c.stored)
        with self.begin() as connection:
            return [PlanRow(**row) for row in connection.execute(query).mappings()]

    def arms(self, study: str) -> list[ArmRow]:
        """Return the arms of a study in its order, the baseline first."""
        query = select(arms).where(arms.c.study == study).order_by(arms.c.position)
        with self.begin() as connection:
            return [ArmRow(**row) for row in connection.execute(query).mappings()]

    def study_runs(self, study: str, arm: str | None = None) -> list[PlannedRun]:
        """Return all runs of a study, or of one of its arms, with everything recorded about them.

        Ordered by arm and seed. For large studies see `study_losses`, `run_ids` and `notices`.
        """
        query = _of_study(study, arms.c.study, runs)
        if arm is not None:
            query = query.where(arms.c.name == arm)
        with self.begin() as connection:
            return [planned_run(row) for row in connection.execute(query).mappings()]

    def study_losses(self, study: str) -> list[LossRow]:
        """Return state and loss of every run of a study, ordered by arm and seed."""
        seeds = (runs.c.init_seed, runs.c.order_seed, runs.c.dropout_seed)
        query = _of_study(study, runs.c.state, runs.c.test_loss, *seeds)
        with self.begin() as connection:
            return [LossRow._make(row) for row in connection.execute(query)]

    def run_ids(self, study: str) -> list[tuple[str, str]]:
        """Return arm and run id of every run of a study."""
        with self.begin() as connection:
            rows = connection.execute(_of_study(study, runs.c.id))
            return [(row[0], row[2]) for row in rows]

    def notices(self, study: str) -> list[RunNotice]:
        """Return the runs of a study that are neither done nor waiting for their first attempt."""
        again = (runs.c.state == RunState.QUEUED) & (runs.c.failures > 0)
        others = set(RunState) - {RunState.DONE, RunState.QUEUED}
        noted = select(runs.c.id).where(runs.c.state.in_(others) | again)
        columns = (runs.c.id, runs.c.state, runs.c.cause, runs.c.failures, runs.c.retry_at)
        query = _of_study(study, *columns).where(members.c.run_id.in_(noted))
        with self.begin() as connection:
            return [RunNotice._make(row) for row in connection.execute(query)]

    def states_by_arm(self, study: str) -> dict[str, Counter[RunState]]:
        """Count the runs of each arm in each state; arms are in the study's order.

        Most runs of a large study are done. Only the other runs are counted, and subtracted.
        """
        of_arm = (
            select(arms.c.name, func.count())
            .join(members, members.c.arm_id == arms.c.id)
            .where(arms.c.study == study)
            .group_by(arms.c.position, arms.c.name)
            .order_by(arms.c.position)
        )
        # `!=` would not use the index.
        not_done = or_(runs.c.state < RunState.DONE, runs.c.state > RunState.DONE)
        of_others = (
            select(arms.c.name, runs.c.state, func.count())
            .select_from(planned_runs)
            .where(arms.c.study == study, members.c.run_id.in_(select(runs.c.id).where(not_done)))
            .group_by(arms.c.name, runs.c.state)
        )
        with self.begin() as connection:
            counts = {
                arm: Counter({RunState.DONE: number}) for arm, number in connection.execute(of_arm)
            }
            for arm, state, number in connection.execute(of_others):
                counts[arm][state] = number
                counts[arm][RunState.DONE] -= number
        return counts

    def states(self, ids: Sequence[str]) -> dict[str, RunState]:
        """Return the state of each given run; runs that do not exist are left out."""
        with self.begin() as connection:
            found = select_in(connection, select(runs.c.id, runs.c.state), runs.c.id, ids)
            return {row["id"]: row["state"] for row in found}

    def finished_times(self, ids: Sequence[str]) -> list[RunTime]:
        """Return start and end of each given run that is done."""
        query = select(runs.c.id, runs.c.started, runs.c.finished)
        query = query.where(runs.c.state == RunState.DONE)
        with self.begin() as connection:
            return [RunTime(**row) for row in select_in(connection, query, runs.c.id, ids)]

    def latest_times(self, number: int = 200) -> list[TimedRun]:
        """Return start and end of the runs that were done last, of any study."""
        columns = [runs.c[name] for name in TimedRun._fields]
        was_timed = (runs.c.state == RunState.DONE) & runs.c.started.is_not(None)
        query = select(*columns).where(was_timed).order_by(runs.c.finished.desc()).limit(number)
        with self.begin() as connection:
            return [TimedRun(*row) for row in connection.execute(query)]

    def last_end(self, study: str) -> float:
        """Return the Unix time at which a run of the study last ended; 0 if none has."""
        query = select(func.max(runs.c.finished)).select_from(planned_runs)
        with self.begin() as connection:
            found = connection.execute(query.where(arms.c.study == study)).scalar()
        return float(found or 0.0)

    def losses(self, ids: Sequence[str]) -> dict[str, float]:
        """Return the test loss of each given run that is done, in nats per token."""
        query = select(runs.c.id, runs.c.test_loss).where(runs.c.state == RunState.DONE)
        with self.begin() as connection:
            found = select_in(connection, query, runs.c.id, ids)
            return {row["id"]: row["test_loss"] for row in found}

    def family_runs(self, family: str) -> list[RunRow]:
        """Return the runs of one recipe with all seeds, without exact reruns."""
        query = select(runs).where(runs.c.family == family, runs.c.repeat_of.is_(None))
        with self.begin() as connection:
            return [RunRow(**row) for row in connection.execute(query).mappings()]

    def rerun_of(self, run_id: str) -> RunRow | None:
        """Return the exact rerun of a run; None if there is none."""
        query = select(runs).where(runs.c.repeat_of == run_id)
        with self.begin() as connection:
            row = connection.execute(query).mappings().first()
        return RunRow(**row) if row else None

    def rerun_differences(self, study: str) -> list[float]:
        """Return the losses of the exact reruns of a study's runs, minus those of the runs."""
        again = runs.alias()
        query = (
            select(again.c.test_loss - runs.c.test_loss)
            .select_from(planned_runs.join(again, again.c.repeat_of == runs.c.id))
            .where(
                arms.c.study == study, again.c.test_loss.is_not(None), runs.c.test_loss.is_not(None)
            )
        )
        with self.begin() as connection:
            return list(connection.scalars(query))

    def attempts(self, run_id: str) -> list[AttemptRow]:
        """Return all attempts at a run, the first one first."""
        query = select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.number)
        with self.begin() as connection:
            return [AttemptRow(**row) for row in connection.execute(query).mappings()]

    def curve(self, run_id: str) -> list[CurvePoint]:
        """Return the training curve of a run."""
        query = select(curves).where(curves.c.run_id == run_id).order_by(curves.c.step)
        with self.begin() as connection:
            return [CurvePoint(**row) for row in connection.execute(query).mappings()]

    def chunk_losses(self, run_id: str) -> Sequence[float]:
        """Return the test losses of a run by chunk, in nats per token."""
        query = (
            select(chunk_losses.c.loss)
            .where(chunk_losses.c.run_id == run_id)
            .order_by(chunk_losses.c.chunk)
        )
        with self.begin() as connection:
            return connection.execute(query).scalars().all()


def _of_study(study: str, *columns: Any) -> Select[Any]:  # noqa: ANN401  (columns and tables)
    """Select arm, seed and `columns` of every run of a study, ordered by arm and seed."""
    return (
        select(arms.c.name, members.c.seed, *columns)
        .select_from(planned_runs)
        .where(arms.c.study == study)
        .order_by(arms.c.position, members.c.seed)
    )


@contextmanager
def _translate_errors(ledger: Ledger) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{ledger.folder} cannot be written ({error.strerror}); free some space, or "
            "choose another folder with --runs DIR"
        ) from error
