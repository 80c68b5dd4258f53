"""Cancelling, retrying and pausing is recorded in the database, and in files beside the runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.design.plan import Plan
from sweep.queue import control
from sweep.queue.changes import failed
from sweep.store.find_run import find_run
from sweep.store.ledger import Ledger
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.upkeep.rebuild import fill
from tests.sweep.jobs import FAMILY
from tests.sweep.one_by_one import OneByOne, failing
from tests.sweep.stores import save
from trainer.rundir.directory import Result
from trainer.rundir.request import Request


@pytest.fixture
def queue(store: Store, plan: Plan, tmp_path: Path) -> OneByOne:
    """The queue of a study of six runs."""
    save(store, plan, tmp_path / "s.toml")
    return OneByOne(store, "me:1:1")


@pytest.fixture
def ids(queue: OneByOne) -> list[str]:
    return [run_id for _, run_id in queue.store.run_ids("tiny")]


@pytest.fixture
def begin(queue: OneByOne, plan: Plan) -> Callable[[str], None]:
    """Claims a run, and creates its folder as a scheduler does."""
    recipes = {
        spec.recipe.fingerprint("c"): spec.recipe
        for arm in plan.arms
        for spec in arm.specs.values()
    }

    def claim(run_id: str) -> None:
        assert queue.claim(run_id)
        assert queue.store.ledger
        queue.store.ledger.run(run_id).write_request(
            Request(recipe=recipes[run_id], corpus_hash="c", run_id=run_id, family=FAMILY)
        )

    return claim


def test_any_run_without_a_result_can_be_cancelled(
    queue: OneByOne,
    ids: list[str],
    begin: Callable[[str], None],
    make_result: Callable[..., Result],
) -> None:
    done, running, lost, queued, *_ = ids
    for run_id in (done, running, lost):
        begin(run_id)
    queue.record(done, make_result(), [], None)
    queue.fail(lost, "no luck", None, retry=False)
    assert control.cancel(queue.store, [done, running, lost, queued]) == 3
    assert queue.store.states(ids) == {
        run_id: "done" if run_id == done else "cancelled" for run_id in ids[:4]
    } | dict.fromkeys(ids[4:], "queued")
    assert queue.lost() == {running}
    assert not queue.record(running, make_result(), [], None)
    assert control.cancel(queue.store, ids[:4]) == 0
    assert not queue.claim(queued)


def test_retry_queues_failed_and_cancelled_runs_with_all_retries_and_ends_pauses(
    queue: OneByOne, ids: list[str], begin: Callable[[str], None]
) -> None:
    lost, waiting, cancelled, untouched, *_ = ids
    for run_id in (lost, waiting):
        begin(run_id)
    queue.fail(lost, "no luck", None, retry=False)
    queue.turn([failed(waiting, failing("no luck"), None, 3000.0)])
    control.cancel(queue.store, [cancelled])
    other = OneByOne(queue.store, "other:2:2")
    assert not other.claim(waiting)
    assert control.retry(queue.store, ids) == 3
    for run_id in (lost, waiting, cancelled, untouched):
        claim = other.claim(run_id)
        assert claim
        assert claim.failures == 0


def test_a_rebuilt_database_knows_which_runs_were_cancelled_paused_or_failed(
    queue: OneByOne, ids: list[str], begin: Callable[[str], None], tmp_path: Path
) -> None:
    failed_once, gave_up, never_begun, again, running, _ = ids
    for run_id in (failed_once, gave_up, again, running):
        begin(run_id)
    queue.fail(failed_once, "no luck", None, retry=True)
    for run_id in (gave_up, again):
        queue.fail(run_id, "no luck", None, retry=False)
    control.cancel(queue.store, [gave_up, never_begun, again, running])
    control.retry(queue.store, [again])
    control.pause(queue.store, "tiny")
    with Store(store_url(None, tmp_path / "new"), create=True) as made:
        with made.write() as connection:
            fill(connection, Ledger(tmp_path / "runs"))
        assert made.states(ids) == queue.store.states(ids)
        assert find_run(made, failed_once).run.failures == 1
        assert control.is_paused(made, "tiny")
    control.resume(queue.store, "tiny")
    with Store(store_url(None, tmp_path / "newer"), create=True) as made:
        with made.write() as connection:
            fill(connection, Ledger(tmp_path / "runs"))
        assert not control.is_paused(made, "tiny")


def test_a_study_is_paused_once_and_resumed_once(queue: OneByOne) -> None:
    store = queue.store
    changed = [control.pause(store, "tiny"), control.pause(store, "tiny")]
    assert control.is_paused(store, "tiny")
    assert not control.is_paused(store, None)
    changed += [control.resume(store, "tiny"), control.resume(store, "tiny")]
    assert changed == [True, False, True, False]
    assert not control.is_paused(store, "tiny")
