"""Scripts that are started by another program: torchrun, with a port of its own for each run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.trainer.scripts import Script, script_server
from trainer.rundir.exits import Exit

RANKS = """
import os, torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.tensor([float(dist.get_rank() + 1)])
dist.all_reduce(total)
if dist.get_rank() == 0:
    print("val loss", total.item(), "port", os.environ["MASTER_PORT"])
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_torchrun_works_for_two_runs_at_the_same_time(root: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    flags = ["--nproc_per_node={gpus}", "--master_port={port}", "script.py"]
    with script_server(root) as server:
        made = [
            Script(server, tmp_path / name, RANKS, command=[*torchrun, *flags], processes=2)
            for name in "ab"
        ]
        for each in made:
            each.start()
        ended = [each.end()["status"] for each in made]
    assert ended == [Exit.DONE, Exit.DONE]
    assert [each.result.metrics for each in made] == [{"val_loss": 3.0}] * 2
    assert len({each.log.split("port ")[1].split()[0] for each in made}) == 2
    assert [each.processes() for each in made] == [[], []]
