"""The scripts, started as the README says, from another folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import benchmarks.pairing
import benchmarks.trainer
from tests.patience import PATIENCE
from tests.zygote import Zygote
from trainer.corpora.corpus import Corpus

pytestmark = pytest.mark.nightly

ROOT = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_afresh(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python that has imported nothing."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


@pytest.fixture(scope="module")
def run(zygote: Zygote) -> Run:
    """Runs a script from another folder: `run(folder, "gpu.py", "--smoke")`."""

    def run_script(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return zygote.run_script(ROOT / "benchmarks" / script, arguments, folder, PATIENCE)

    return run_script


def test_trainer_measures_ratios_with_spread_and_checks_them(tmp_path: Path, run: Run) -> None:
    words = ["--shape", "default", "--seconds", "1", "--format", "json", "--check"]
    done = run(tmp_path, "trainer.py", *words)
    content = json.loads(done.stdout)
    (figures,) = content["shapes"]
    assert {"ours", "textbook"} <= figures["shares"].keys()
    assert {"textbook", "transformers"} == figures["ratios"].keys() | figures["missing"].keys()
    for spread in (*figures["ratios"].values(), *figures["shares"].values()):
        assert 0 < spread["low"] <= spread["median"] <= spread["high"]
    fastest = max(figures["gflops"][name]["median"] for name in ("torch.mm", "model.linear"))
    share = figures["gflops"]["ours"]["median"] / fastest
    assert figures["shares"]["ours"]["median"] == pytest.approx(share, rel=0.5)
    assert set(figures["gflops"]) == {"ours", "torch.mm", "model.linear"}
    broken = [promise for promise in content["promises"] if not promise["kept"]]
    assert len(content["promises"]) == 3
    assert done.returncode == bool(broken)
    assert all(promise["what"] in done.stderr for promise in broken)


def test_a_contender_that_is_not_installed_is_named_and_its_promise_not_kept(
    monkeypatch: pytest.MonkeyPatch, corpus: Corpus
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    figures = benchmarks.trainer.measure("default", corpus, seconds=0.0)
    table = "\n".join(benchmarks.trainer._table_of(figures))
    assert "transformers      not measured: " in table
    assert "pip install 'gpt-sweep[hub]'" in table
    (promise,) = [p for p in figures.promises() if "transformers" in p.what]
    assert not promise.kept


def test_gpu_smoke_runs_every_contender_on_the_cpu(tmp_path: Path, run: Run) -> None:
    done = run(tmp_path, "gpu.py", "--smoke")
    assert done.returncode == 0, done.stderr
    assert "not measured" not in done.stdout
    for name in ("textbook", "nanoGPT-style", "ours, compiled", "ours, eager", "bf16 product"):
        assert f"\n{name} " in done.stdout
    assert "s in all, of a budget of" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which it would measure")
def test_without_a_gpu_sharing_is_not_measured_and_said_so(tmp_path: Path, run: Run) -> None:
    done = run(tmp_path, "gpu.py", "--share")
    assert done.returncode == 2
    assert "needs a CUDA GPU" in done.stderr
    assert "nothing was measured" in done.stderr
    assert done.stdout == ""


def test_every_line_of_the_measurement_of_sharing_runs_on_the_cpu(tmp_path: Path, run: Run) -> None:
    done = run(tmp_path, "gpu.py", "--share", "--smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ +2 +4 +[\d.]+ +\d+ +unknown  no$", done.stdout, re.MULTILINE)


def test_gpu_ends_when_its_budget_does(tmp_path: Path, run: Run) -> None:
    done = run(tmp_path, "gpu.py", "--smoke", "--budget", "0.05")
    assert done.returncode == 1
    assert done.stderr == "not one round was complete within 0.05 s\n"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpu_without_a_gpu_says_so_and_exits_with_2(tmp_path: Path, run: Run) -> None:
    done = run(tmp_path, "gpu.py")
    assert done.returncode == 2
    assert done.stderr == "benchmarks/gpu.py needs a CUDA GPU, and there is none; try --smoke\n"


def test_a_script_beside_trainer_py_still_finds_the_package_trainer(tmp_path: Path) -> None:
    assert run_afresh(tmp_path, "overhead.py", "--help").returncode == 0


def test_corpus_measures_memory_and_both_throughputs(
    tmp_path: Path, gpt2_vocabulary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
    done = run_afresh(tmp_path, "corpus.py", "--megabytes", "20")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20 MB of text on ")
    [ratio, memory] = re.findall(r"^.+ is ([\d.]+), promised .+$", done.stdout, re.MULTILINE)
    assert float(ratio) > 0.35, "half of what is promised: other programs may be running"
    assert 50 < float(memory) < 1_000


def test_loading_a_batch_takes_next_to_nothing_of_a_step(tmp_path: Path, run: Run) -> None:
    done = run(tmp_path, "loading.py", "--seconds", "2")
    assert done.returncode == 0, done.stderr
    [share] = re.findall(r"a batch's percent of a step is ([\d.]+), promised", done.stdout)
    assert float(share) < 10, "five times what is promised: other programs may be running"


def test_pairing_prints_a_row_for_each_arm_and_length(
    tmp_path: Path,
    sweep: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = (ROOT / "studies" / "interventions.toml").read_text()
    tiny = {"layers": 1, "width": 16, "tokens": 32_768, "chunks": 2, "chunk_tokens": 64}
    for field, value in tiny.items():
        study = re.sub(rf"^{field} = \S+", f"{field} = {value}", study, count=1, flags=re.MULTILINE)
    baseline, *arms = re.split(r"^(?=\[interventions\.)", study, flags=re.MULTILINE)
    end = study[study.index("[design]") :]
    kept = [
        arm for arm in arms if re.match(r'\[interventions."?(no-dropout|weight-decay-0.01)', arm)
    ]
    text = baseline + "".join(kept) + end.replace("seeds = 5", "seeds = 3")
    (tmp_path / "s.toml").write_text(text)

    def run_sweep(command: list[str], **_: object) -> None:
        assert command[:3] == [sys.executable, "-m", "sweep"]
        assert sweep(tmp_path, *command[3:]).returncode == 0

    monkeypatch.setattr(benchmarks.pairing, "subprocess", SimpleNamespace(run=run_sweep))
    words = [str(tmp_path / "s.toml"), "--tokens", "16384"]
    monkeypatch.setattr("sys.argv", ["pairing.py", *words])
    benchmarks.pairing.main()
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == ["16,384"] * 2
    by_arm = {row[0].removeprefix("| "): row for row in rows}
    assert by_arm.keys() == {"no-dropout", "weight-decay-0.01"}
    assert float(by_arm["weight-decay-0.01"][3]) > 0.9


def test_fields_measures_what_a_change_costs_in_time_and_memory(tmp_path: Path, run: Run) -> None:
    words = ["experts", "no-dropout", "--rounds", "2", "--format", "json"]
    costs = json.loads(run(tmp_path, "fields.py", *words).stdout)["costs"]
    assert [each["name"] for each in costs] == words[:2]
    for each in costs:
        assert 0 < each["time"]["low"] <= each["time"]["median"] <= each["time"]["high"]
    experts, plain = costs
    assert experts["state"] > 1.5
    assert plain["state"] == 1
    assert plain["activations"] == pytest.approx(1)
    refused = run(tmp_path, "fields.py", "relu")
    assert refused.returncode == 2
    assert "relu is not in `sweep interventions`" in refused.stderr
