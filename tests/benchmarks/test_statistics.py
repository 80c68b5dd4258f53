"""The benchmark of the gates: what it trains, what it prints, and that it can fail."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gates.registry import GATES
from benchmarks.same_recipe import ARMS, SEEDS, error_rate, judged, own_seeds, placebos, wrong
from tests.patience import PATIENCE
from tests.zygote import Zygote

pytestmark = pytest.mark.nightly

ROOT = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(zygote: Zygote) -> Run:
    """Runs the script from another folder: `run(folder, "--only", "paired")`."""

    def run_script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = ROOT / "benchmarks" / "statistics.py"
        return zygote.run_script(script, arguments, folder, PATIENCE)

    return run_script


def test_all_gates_are_printed_with_figures_and_the_ones_not_kept_fail_a_check(
    tmp_path: Path,
    run: Run,
) -> None:
    study = (ROOT / "studies" / "interventions.toml").read_text()
    for field, value in {"layers": 1, "width": 16, "chunks": 2}.items():
        study = re.sub(rf"^{field} = \S+", f"{field} = {value}", study, count=1, flags=re.MULTILINE)
    baseline, _, rest = study.partition("[interventions.no-dropout]")
    (tmp_path / "tiny.toml").write_text(baseline + rest[rest.index("[design]") :])
    words = ["--studies", "8", "--study", "tiny.toml", "--tokens", "4096", "--deals", "40"]
    done = run(tmp_path, *words, "--reference", "absent.csv", "--check")
    gates = dict(re.findall(r"^(\S+): (kept|NOT KEPT|not tried)", done.stdout, re.MULTILINE))
    assert done.stdout, done.stderr
    assert list(gates) == [gate.name for gate in GATES]
    assert gates["published"] == "kept", done.stdout
    assert "reference: not tried (absent.csv is absent)" in done.stdout
    assert re.search(r"unpaired, as run: \d of 7 arms", done.stdout)
    assert re.search(r"paired, dealt 40 times: any: 0\.\d{4} \(", done.stdout)
    assert done.returncode == ("NOT KEPT" in gates.values())


def test_the_reference_gate_reads_the_published_runs(tmp_path: Path, run: Run) -> None:
    path = ROOT.parent / "shared" / "data" / "reference_interventions.csv"
    if not path.exists():
        pytest.skip("the reference results lie outside the repository, in ../shared/data: absent")
    done = run(tmp_path, "--only", "reference", "--reference", str(path))
    assert "reference: kept, 11 figures" in done.stdout
    assert done.returncode == 0


def test_runs_with_seeds_of_their_own_share_no_stream_and_placebos_all_but_dropout() -> None:
    apart = own_seeds()
    for stream in ("init", "order", "dropout"):
        assert len({getattr(each, stream) for each in apart}) == ARMS * SEEDS
    table = np.array([(s.init, s.order, s.dropout) for s in placebos()]).reshape(ARMS, SEEDS, 3)
    assert (table[..., :2] == table[0, :, :2]).all()
    assert len(set(table[..., 2].ravel())) == ARMS * SEEDS


def test_the_error_rate_finds_an_arm_that_is_not_the_same_recipe() -> None:
    losses = np.random.default_rng(1).normal(3.5, 0.01, ARMS * SEEDS)
    losses[-SEEDS:] -= 0.2
    for paired in (True, False):
        assert wrong(judged(losses, paired=paired)) == 1
    noise = np.random.default_rng(2).normal(3.5, 0.01, ARMS * SEEDS).tolist()
    assert error_rate(noise, 60, paired=True) <= 0.2
