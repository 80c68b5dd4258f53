"""Scripts on several nodes: the command is started on each; here a process stands for the other node."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from tests.trainer.scripts import SIGTERM, MakeScript, Script
from trainer.processes.worker import Order
from trainer.rundir.exits import Exit
from trainer.scripts.environment import outputs_of
from trainer.scripts.group import NodeGroup
from trainer.scripts.others import OtherNodes, note_failure

SHOWN = """
import json, os, sys
node = os.environ["NODE_RANK"]
with open(os.environ["SWEEP_RUN_DIR"] + "/seen-" + node, "w") as file:
    json.dump({"gpus": sys.argv[1], **os.environ}, file)
print("hello from", node)
if node == "0":
    print("val loss 1.5")
else:
    print("val loss 9", flush=True)
    with open(os.environ["SWEEP_RESULT"], "w") as file:
        json.dump({"val_loss": 7}, file)
"""
EACH = """
import os, pathlib, signal, sys, time
node, folder = int(os.environ["NODE_RANK"]), pathlib.Path(os.environ["SWEEP_RUN_DIR"])
def wait_for(name):
    while not (folder / name).exists():
        time.sleep(0.01)
"""
FOREVER = "wait_for('what never comes')"
ONE_AFTER_THE_OTHER = """
(folder / f'ready-{node}').touch()
wait_for('failed' if node else 'ready-1')
(folder / 'failed').touch()
"""
NAMES = (
    "NNODES",
    "NODE_RANK",
    "NPROC_PER_NODE",
    "RANK",
    "WORLD_SIZE",
    "PET_NNODES",
    "PET_NODE_RANK",
)


def on_two_nodes(script: Script, *others: str) -> Script:
    """Let a script run on two nodes; `others`: what stands for the program that starts the other one."""
    log, output = script.directory.log, script.folder / "engine.txt"
    fields = {"address": "127.0.0.1", "port": 1234, "nodes": 2}
    order = Order(
        directory=script.directory.path,
        attempt=1,
        threads=1,
        group=NodeGroup.model_validate({**fields, "rank": 1, "name": "b"}),
    )
    program = [sys.executable, "-m", "tests.trainer.worker_process", order.model_dump_json()]
    joined = f"exec {shlex.join(program)} >> {shlex.quote(str(log))} 2>&1"
    here = {"name": "a", "others": list(others or ("sh", "-c", joined)), "output": str(output)}
    script.group = NodeGroup.model_validate({**fields, **here})
    return script


@pytest.mark.parametrize(("processes", "rank"), [(2, "1"), (4, None)])
def test_a_script_has_the_variables_of_torchrun_on_each_node_and_the_first_ones_result(
    script: MakeScript, processes: int, rank: str | None
) -> None:
    command = [sys.executable, "script.py", "{gpus}"]
    run = on_two_nodes(script(SHOWN, command=command, processes=processes))
    assert run.run()["status"] == Exit.DONE, run.log
    first, second = (json.loads(run.wait_for(f"seen-{node}").read_text()) for node in range(2))
    each = str(processes // 2)
    ranks = (rank and "0", rank and "2")
    assert [first.get(name) for name in NAMES] == ["2", "0", each, *ranks, "2", "0"]
    assert [second.get(name) for name in NAMES] == ["2", "1", each, rank, rank and "2", "2", "1"]
    for seen in (first, second):
        assert (seen["MASTER_ADDR"], seen["MASTER_PORT"], seen["gpus"]) == (
            "127.0.0.1",
            "1234",
            each,
        )
        assert seen["PET_MASTER_PORT"] == "1234"
    assert run.result.metrics == {"val_loss": 1.5}
    assert "hello from 0\n" in run.log
    assert "hello from 1\n" in run.log
    assert outputs_of(run.directory, 1).result.exists()


def test_a_function_is_called_on_each_node_and_the_first_one_returns_the_result(
    script: MakeScript,
) -> None:
    source = """
import os, time
def train(parameters, seed, folder, report):
    node = int(os.environ["NODE_RANK"])
    report(step=1, val_loss=5.0 + node)
    (folder / f"called-{node}").touch()
    while not (folder / f"called-{1 - node}").exists():
        time.sleep(0.01)
    return {"val_loss": 1.5 + node}
"""
    given = {"command": None, "function": "script:train", "metrics": {"val_loss": {}}}
    run = on_two_nodes(script(source, **given))
    assert run.run()["status"] == Exit.DONE, run.log
    assert run.result.metrics == {"val_loss": 1.5}
    assert run.curve() == {1: 5.0}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            f"if node: raise ValueError('boom')\n{FOREVER}",
            "node b (NODE_RANK 1): ValueError: boom (exit status 1)",
        ),
        (
            f"if not node: sys.exit('no luck')\n{FOREVER}",
            "node a (NODE_RANK 0): no luck (exit status 1)",
        ),
        (
            f"if node: os.kill(os.getpid(), 9)\n{FOREVER}",
            "node b (NODE_RANK 1): ended by signal 9 (SIGKILL)",
        ),
        (
            f"{ONE_AFTER_THE_OTHER}sys.exit('b' if node else 'a')",
            "node a (NODE_RANK 0): a (exit status 1); then node b (NODE_RANK 1): b (exit status 1)",
        ),
    ],
)
def test_a_script_that_fails_on_a_node_ends_on_all_of_them_with_the_name_of_the_node(
    script: MakeScript, source: str, reason: str
) -> None:
    run = on_two_nodes(script(EACH + source))
    assert run.run()["status"] == Exit.FAILED, run.log
    assert {*run.reason.split("; then ")} == {*reason.split("; then ")}
    assert run.processes() == []


def test_arguments_that_are_wrong_on_the_first_node_alone_are_refused(script: MakeScript) -> None:
    run = on_two_nodes(script(f"{EACH}if not node: sys.exit(2)\n{FOREVER}"))
    assert run.run()["status"] == Exit.REFUSED
    assert run.reason == "node a (NODE_RANK 0): exited with status 2 and printed nothing"


def test_the_node_that_has_failed_first_is_named_first(script: MakeScript) -> None:
    directory = script().directory
    nodes = [
        NodeGroup(address="127.0.0.1", port=1234, nodes=3, rank=rank, name="abc"[rank])
        for rank in range(3)
    ]
    for rank in (2, 1):
        note_failure(directory, 1, nodes[rank], "no luck")
    others = OtherNodes(directory, 1, nodes[0])
    words, elsewhere = others.why("I wait no longer")
    assert words == (
        "node c (NODE_RANK 2): no luck; then node b (NODE_RANK 1): no luck; "
        "then node a (NODE_RANK 0): I wait no longer"
    )
    assert elsewhere
    assert not OtherNodes(directory, 2, nodes[0]).have_failed(), "that was another attempt"


def test_a_script_is_stopped_on_all_of_its_nodes(script: MakeScript) -> None:
    handler = "(folder / f'stopped-{node}').touch(); sys.exit(1)"
    source = f"""
def stop(*_):
    {handler}
signal.signal(signal.SIGTERM, stop)
(folder / f'ready-{{node}}').touch()
{FOREVER}"""
    run = on_two_nodes(script(EACH + source))
    run.start()
    for node in range(2):
        run.wait_for(f"ready-{node}")
    run.signal(SIGTERM)
    assert run.end()["status"] == Exit.STOPPED
    assert all((run.outputs.folder / f"stopped-{node}").exists() for node in range(2))
    assert run.processes() == []


@pytest.mark.slow
def test_the_end_of_the_first_node_is_the_end_of_the_run(script: MakeScript) -> None:
    source = f"(folder / f'ready-{{node}}').touch()\nif node: {FOREVER}\nwait_for('ready-1')\n"
    run = on_two_nodes(script(f"{EACH}{source}print('val loss 2')"))
    assert run.run()["status"] == Exit.DONE, run.log
    assert run.processes() == []


def test_other_nodes_that_die_without_a_word_end_the_run_with_the_words_of_the_engine(
    script: MakeScript,
) -> None:
    run = on_two_nodes(script(EACH + FOREVER), "sh", "-c", "kill -9 $$")
    assert run.run()["status"] == Exit.FAILED, run.log
    assert run.reason == (
        "the processes of this run on other nodes ended by signal 9 (SIGKILL); "
        f"{run.folder}/engine.txt has what was printed"
    )
    assert run.processes() == []
