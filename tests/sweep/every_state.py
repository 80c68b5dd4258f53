"""A study whose runs have every state, in the database and in their directories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sweep.design.plan import Plan
from sweep.history.record import save_plan
from sweep.store.rows import ReferenceRow
from sweep.store.store import Store
from sweep.verdicts.references import require_setup, save_reference
from tests.sweep.jobs import make_gpt_job
from tests.sweep.one_by_one import OneByOne
from trainer.rundir.directory import Event, Result
from trainer.rundir.request import Request


def fill_every_state(
    store: Store,
    plan: Plan,
    make_result: Callable[..., Result],
    events: list[Event],
    folder: Path,
) -> None:
    """Store runs: done (one at the second attempt, one a rerun), diverged, failed, queued."""
    jobs = {
        (arm.name, seed): make_gpt_job(spec.recipe)
        for arm in plan.arms
        for seed, spec in arm.specs.items()
    }
    first = jobs["baseline", 1]
    again = make_gpt_job(first.spec.recipe, repeat_of=first.run_id)
    queue = OneByOne(store, "me:1:1")
    queue.enqueue([*jobs.values(), again])
    save_plan(store, plan, folder / "s.toml", {key: job.run_id for key, job in jobs.items()})
    for number, job in enumerate([*list(jobs.values())[:5], again]):
        assert queue.claim(job.run_id)
        assert store.ledger
        directory = store.ledger.run(job.run_id)
        directory.write_request(
            Request(
                recipe=job.spec.recipe,
                corpus_hash="c",
                run_id=job.run_id,
                family=job.family,
                repeat_of=job.repeat_of,
            )
        )
        if number == 0:
            queue.fail(job.run_id, "the disk is full", None, retry=True)
            assert queue.claim(job.run_id)
        if number == 4:
            queue.fail(job.run_id, "lost\nfor good", 1 << 40, retry=False)
            continue
        lost = {"test_loss": None, "chunk_losses": [], "diverged_at": 2, "cause": "loss is nan"}
        result = make_result(
            notes=["warm"],
            **({"state": "diverged", **lost} if number == 3 else {"test_loss": 0.1 + number}),
        )
        directory.events.write_text("".join(f"{event.model_dump_json()}\n" for event in events))
        directory.write_result(result)
        queue.record(job.run_id, result, directory.read_events(), 12345)
    reference = ReferenceRow(
        study="tiny",
        test_text=require_setup(store, store.study("tiny")).hash,
        name="gpt2",
        folder="/models/gpt2",
        weights_hash="e" * 64,
        test_loss=3.5,
        bits_per_byte=0.99,
        parameters=124_439_808,
        context=1024,
        evaluated=1.5,
        provenance={"device": "none"},
    )
    save_reference(store, reference)
