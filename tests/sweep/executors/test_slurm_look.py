"""What the probe says of the nodes of its job."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.executors.slurm import look
from sweep.executors.slurm.look import Found, Seen, look_at_all
from trainer.processes.node import NodeFacts

GOOD = NodeFacts(host="n", python="3.11.2", torch="2.13.0", executable="python", ahead=0.0)
CLOCK = (
    "the clocks of n2 and n are 4 minutes apart; set both by NTP (`chronyc makestep`), or times and "
    "durations of runs are wrong. Nor can n3 be used. The other 1 of 3 nodes that were looked at can "
    'train: options = ["--exclude=n2,n3"] in [jobs.slurm] does without'
)


def seen(node: str, **changes: object) -> Seen:
    return Seen(node=node, facts=GOOD.model_copy(update={"host": node, **changes}))


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([seen("n1"), seen("n2")], None),
        ([seen("n1", torch="2.0.0")], "n1 has torch 2.0.0 and the scheduler 2.13.0: results would"),
        (
            [seen("n1"), seen("n2", ahead=240.0), seen("n3", torch=None)],
            CLOCK,
        ),
        (
            [Seen(node="n1", problem="n1 does not see /x"), seen("n2")],
            "n1 does not see /x. The other 1",
        ),
        (
            [Seen(node=f"n{number}", problem=f"n{number} is full") for number in range(11)],
            "n0 is full. Nor can n1, n2, n3, n4, n5, n6, n7, n8, … be used",
        ),
    ],
)
def test_nodes_that_cannot_train_are_named_with_the_reason(
    nodes: list[Seen], words: str | None
) -> None:
    found = Found(nodes=nodes).problem(GOOD, needs_torch=True)
    assert (found or "").startswith(words or "")
    assert (found is None) == (words is None)


def test_nodes_that_have_answered_are_not_blamed_for_one_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "answer").write_text(seen("n2").model_dump_json() + "\n")
    commands = {"scontrol": "echo n1 n2 n3", "srun": f"cat {tmp_path}/answer; exec sleep 60"}
    for name, script in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SLURMD_NODENAME", "n1")
    monkeypatch.setattr(look, "LOOK_SECONDS", 3.0)
    found = look_at_all(tmp_path, with_torch=False)
    assert [(each.node, each.facts is not None) for each in found.nodes] == [
        ("n1", True),
        ("n2", True),
        ("n3", False),
    ]
    assert str(found.nodes[2].problem).startswith("n3 did not start ")
