"""Copies of run directories: what arrives, and when, without a cluster."""

from __future__ import annotations

import errno
import random
import threading
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from sweep.errors import ExecutionError
from sweep.executors.ray import copies
from sweep.executors.ray.copies import Copy, Update, read_update
from sweep.executors.ray.executor import make_ray_executor, stop_runs
from sweep.executors.ray.messages import PlaceSettings, RunEnd
from sweep.executors.ray.node import Node
from sweep.executors.ray.node_copies import CORPUS, DONE, NodeCopies
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot
from sweep.study.jobs_section import Jobs
from sweep.study.ray_section import Ray
from tests.sweep.ray_nodes import HAS_RAY, WHY_NOT
from trainer.rundir.attempt_end import WorkerNote, write_note
from trainer.rundir.directory import RunDirectory


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def follow(original: Path, copy: Copy) -> int:
    """Bring a copy up to date; returns the bytes that were sent."""
    sent, complete = 0, False
    while not complete:
        update = read_update(original, copy.known)
        copy.apply(update)
        sent += sum(len(piece.content) for piece in update.pieces)
        complete = update.is_complete
    return sent


def test_a_copy_follows_every_change_and_sends_of_a_growing_file_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "UPDATE_BYTES", 1000)
    original, copy = tmp_path / "original", Copy(tmp_path / "copy")
    (original / "checkpoints" / "step-1").mkdir(parents=True)
    (original / "lock").write_text("1\n")
    (original / "events.jsonl").write_bytes(b"a" * 50)
    large = random.Random(1).randbytes(3500)
    (original / "checkpoints" / "step-1" / "state").write_bytes(large)
    assert follow(original, copy) == 50 + 3500
    with (original / "events.jsonl").open("ab") as file:
        file.write(b"b" * 7)
    assert follow(original, copy) == 7
    (original / "checkpoints" / "step-1" / "state").unlink()
    (original / "result.json").write_bytes(b"{}")
    assert follow(original, copy) == 2
    replaced = original / ".new"
    replaced.write_bytes(b"c")
    replaced.rename(original / "events.jsonl")  # a resumed run drops what came after its checkpoint
    assert follow(original, copy) == 1
    (original / "lock").unlink()
    assert content(copy.folder) == content(original)


def test_a_result_arrives_after_all_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "UPDATE_BYTES", 10)
    original, copy = tmp_path / "original", Copy(tmp_path / "copy")
    original.mkdir()
    for name in ("weights.safetensors", "result.json", "log.txt"):
        (original / name).write_bytes(b"x" * 25)
    complete = False
    while not complete:
        update = read_update(original, copy.known)
        copy.apply(update)
        complete = update.is_complete
        if "result.json" in content(copy.folder):
            assert content(copy.folder) == content(original)
    assert content(copy.folder) == content(original)


def test_a_node_keeps_a_corpus_once_it_has_arrived_and_replaces_old_copies_of_a_run(
    tmp_path: Path,
) -> None:
    corpus, node = tmp_path / "bytes-1", NodeCopies(str(tmp_path / "disk"))
    corpus.mkdir()
    (corpus / "train.bin").write_bytes(b"tokens")
    assert not node.prepare("/runs/a", 1, corpus.name)
    for _ in range(2):  # two runs may bring it at the same time
        node.accept(CORPUS + corpus.name, read_update(corpus, {}))
        assert not node.prepare("/runs/b", 1, corpus.name) or node.prepare("/runs/b", 1, None)
        node.accept(DONE + corpus.name, Update(pieces=[], removed=[], is_complete=True))
    assert content(tmp_path / "disk" / "runs" / "cache") == {"bytes-1/train.bin": b"tokens"}
    (node.place_of("/runs/a") / "old").touch()
    assert node.prepare("/runs/a", 2, corpus.name)
    assert content(node.place_of("/runs/a")) == {"lock": b"2\n"}


def test_a_copy_that_was_removed_from_a_node_removes_nothing_here(tmp_path: Path) -> None:
    node, here = NodeCopies(str(tmp_path / "disk")), Copy(tmp_path / "here")
    node.prepare("/runs/a", 1, None)
    (node.place_of("/runs/a") / "result.json").write_text("{}")
    here.apply(node.read("/runs/a", {})[0])
    node.remove("/runs/a")
    with pytest.raises(FileNotFoundError):
        node.read("/runs/a", here.known)
    assert content(here.folder) == {"result.json": b"{}"}


def test_a_node_whose_files_are_brought_home_is_not_without_a_driver(tmp_path: Path) -> None:
    node = object.__new__(Node)  # without its server, which would end this process
    node.copies, node._changed = NodeCopies(str(tmp_path / "disk")), threading.Condition()
    node._running, node._contact, node._settings = (
        None,
        -float("inf"),
        PlaceSettings(preload=(), device="cpu", threads=1),
    )
    node.copies.prepare("/runs/a", 1, None)
    assert node._is_lonely()
    node.read("/runs/a", {})
    assert not node._is_lonely()


def test_a_run_that_no_scheduler_watches_stops_when_it_is_cancelled(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.lock.announce(1)
    with run.lock.hold(1, lambda: False):
        stop_runs(tmp_path, [run.path, tmp_path / "never begun"])
        assert not run.lock.find_later_attempt(), "it does not run on a cluster"
        write_note(run, WorkerNote(attempt=1, host="n1"))
        stop_runs(tmp_path, [run.path])
        assert run.lock.find_later_attempt()
    run.lock.announce(2)  # the next attempt by the database


def test_copies_that_would_replace_the_runs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: True)
    settings = ExecutorSettings(
        slots=[Slot("ray 1", "cpu", 1)],
        folder=tmp_path.resolve() / "runs",
        jobs=Jobs(executor="ray", shared_filesystem=False, ray=Ray(folder=str(tmp_path))),
    )
    with pytest.raises(ExecutionError, match="would replace the runs in"):
        make_ray_executor(settings)


def end_of(directory: str, attempt: int = 1) -> RunEnd:
    return RunEnd(
        directory=directory,
        attempt=attempt,
        status=0,
        signal=None,
        peak_bytes=None,
        out_of_memory=None,
    )


def test_a_place_that_another_scheduler_uses_refuses_a_run(tmp_path: Path) -> None:
    node = object.__new__(Node)  # with a server that takes messages and does nothing
    node.copies, node._changed = NodeCopies(str(tmp_path)), threading.Condition()
    node._settings = PlaceSettings(preload=(), device="cpu", threads=1)
    node._server = SimpleNamespace(send=lambda _message: None)  # type: ignore[assignment]
    node._running = node._ended = node._partners = None
    assert node.start("/runs/a", 1, None)
    assert not node.start("/runs/b", 1, None)
    node._running, node._ended = None, end_of("/runs/a")
    assert not node.start("/runs/b", 1, None), "its end would be lost to the other scheduler"
    assert node.start("/runs/b", 1, "/runs/a")


@pytest.mark.skipif(not HAS_RAY, reason=WHY_NOT)
def test_an_earlier_attempt_s_end_is_not_the_next_one_s_and_a_taken_place_is_told() -> None:
    from sweep.executors.ray.adoption import _is_orphan, new_actor_name  # noqa: PLC0415  (needs Ray)
    from sweep.executors.ray.carrier import PlaceTakenError  # noqa: PLC0415  (needs Ray)
    from sweep.executors.ray.held_place import HeldPlace  # noqa: PLC0415  (needs Ray)

    begun, answers = Future[bool](), list[BaseException | None]()
    started = SimpleNamespace(remote=lambda *_: SimpleNamespace(future=lambda: begun))
    actor = SimpleNamespace(start=started)
    place = HeldPlace("a", actor, lambda _, done: answers.append(done.exception()), carries=False)
    end = end_of("/a")
    place.start("/a", 2)
    assert not place.had(end)
    place.adopt("/a")
    assert place.had(end)
    assert new_actor_name() != new_actor_name()
    assert not _is_orphan(new_actor_name())
    begun.set_result(False)
    assert [type(each) for each in answers] == [PlaceTakenError]


@pytest.mark.skipif(not HAS_RAY, reason=WHY_NOT)
def test_a_full_disk_of_the_scheduler_is_waited_for_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweep.executors.ray import carrier  # noqa: PLC0415  (needs Ray)

    original, here = tmp_path / "original", RunDirectory(tmp_path / "here")
    original.mkdir()
    (original / "log.txt").write_text("a line")
    here.path.mkdir()
    here.lock.announce(1)
    update = read_update(original, {})
    actor = SimpleNamespace(read=SimpleNamespace(remote=lambda *_: (update, 7)))
    monkeypatch.setattr(carrier.ray, "get", lambda answer: answer)
    monkeypatch.setattr(carrier, "FETCH_SECONDS", 0.0)
    made = carrier.Carrier(actor, str(here.path), None, lambda _error: None)
    before = here.lock.last_beat()
    with monkeypatch.context() as full:
        full.setattr(Copy, "apply", Mock(side_effect=OSError(errno.ENOSPC, "full")))
        assert not made._fetch()
    assert here.lock.last_beat() != before, "it has not hung"
    assert made._fetch()
    assert here.log.read_text() == "a line"
