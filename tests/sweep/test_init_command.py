"""`sweep init --command` writes a study for a script from its command and its text."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweep.drafting.draft import make_draft
from sweep.drafting.text import study_text
from trainer.errors import UserError

SCRIPT = """\
import argparse
from net import Net

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--act", choices=["gelu", "relu"], default="gelu")
parser.add_argument("--betas", nargs=2, type=float)
parser.add_argument("--ema", action="store_true")
parser.add_argument("-b", "--batch-size", type=int, default=8)
parser.add_argument("--seed", type=int, default=0)
for epoch in range(3):
    print(f"epoch {epoch} | train loss {1.0:.3f} | val loss {0.5:8.4f}")
"""

Draft = Callable[..., dict[str, Any]]


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    """Makes the study of a command in a folder with `train.py`, as its content."""
    (tmp_path / "net.py").write_text("class Net: ...\n")

    def make(command: str, script: str = SCRIPT, file: str = "s.toml") -> dict[str, Any]:
        (tmp_path / "train.py").write_text(script)
        path = tmp_path / file
        text = study_text(make_draft(command, tmp_path), "s", path, tmp_path)
        return tomllib.loads(text)

    return make


@pytest.mark.parametrize(
    ("typed", "template", "parameters"),
    [
        ("--lr=0.1", ["--lr={lr}"], {"lr": 0.1}),
        ("--lr 1", ["--lr", "{lr}"], {"lr": 1.0}),
        ("--lr -0.5", ["--lr", "{lr}"], {"lr": -0.5}),
        ("-b 16", ["-b", "{b}"], {"b": 16}),
        ("--batch-size=16", ["--batch-size={batch_size}"], {"batch_size": 16}),
        ("optim.lr=1e-3 net.lr=2", ["optim.lr={optim_lr}", "net.lr={net_lr}"], None),
        ("+data=web", ["+data={data}"], {"data": "web"}),
        ("--lr=1 --ema data.txt", None, {"lr": 1.0, "ema": True}),
        ("--lr=1 -v data.txt", ["--lr={lr}", "-v", "{v}"], {"lr": 1.0, "v": "data.txt"}),
        ("--betas 0.9 0.95", ["--betas", "{betas}", "{betas_2}"], {"betas": 0.9, "betas_2": 0.95}),
        ("--compile=False --bias=True", ["--compile=False", "--bias={bias}"], {"bias": True}),
        ("--lr=1 --gpus=2 --seed_all=a", None, {"lr": 1.0}),
        ("--lr=1 '--note={x}'", ["--lr={lr}", "--note={note}"], {"lr": 1.0, "note": "{x}"}),
        ("--lr=1 -- {x}", ["--lr={lr}", "--", "{{x}}"], {"lr": 1.0}),
        ("--lr=1 --out_dir=out", ["--lr={lr}", "--out_dir={run_dir}"], {"lr": 1.0}),
        ("--lr=1 --output o/m.json", ["--lr={lr}", "--output", "{run_dir}/m.json"], {"lr": 1.0}),
        ("--lr=1 --data_dir=d --device cpu", None, {"lr": 1.0}),
    ],
)
def test_each_form_of_an_argument_becomes_a_parameter_or_stays(
    draft: Draft, typed: str, template: list[str] | None, parameters: dict[str, Any] | None
) -> None:
    study = draft(f"python train.py {typed}")
    command = study["trainer"]["command"]
    assert command[:2] == ["python", "train.py"]
    if template:
        rest = [word for word in command[2:] if word != "--seed={seed}"]
        assert rest == template
    if parameters:
        assert study["parameters"] == parameters


def test_a_choice_of_the_script_is_one_of_the_study(draft: Draft) -> None:
    study = draft("python train.py --act=gelu")
    assert study["parameters"]["act"] == {"default": "gelu", "choices": ["gelu", "relu"]}
    assert study["interventions"]["act-relu"]["set"] == {"act": "relu"}


def test_switches_are_varied_where_all_flags_are_appended(draft: Draft) -> None:
    study = draft("python train.py --lr=0.1 --ema --seed=3")
    assert study["trainer"]["flags"] is True
    assert study["trainer"]["command"] == ["python", "train.py", "--seed={seed}"]
    assert study["parameters"] == {"lr": 0.1, "ema": True}


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("--lr=1 --seed=1", "--seed={seed}"),
        ("--lr=1 --random_state 1", "{seed}"),
        ("--lr=1 trainer.seed=1", "trainer.seed={seed}"),
        ("--lr=1 --manual-seed=7", "--manual-seed={seed}"),
        ("--lr=1", "--seed={seed}"),
    ],
)
def test_the_flag_of_the_seed_is_found_also_if_only_the_script_has_it(
    draft: Draft, typed: str, word: str
) -> None:
    assert word in draft(f"python train.py {typed}")["trainer"]["command"]


def test_a_script_or_its_configuration_may_read_the_seed_itself(
    draft: Draft, tmp_path: Path
) -> None:
    (tmp_path / "conf.py").write_text("import os\nseed = int(os.environ['SWEEP_SEED'])\n")
    path = tmp_path / "s.toml"
    (tmp_path / "train.py").write_text("")
    found = make_draft("python train.py conf.py --lr=1", tmp_path)
    assert found.reads_seed
    assert "No flag for a seed" not in study_text(found, "s", path, tmp_path)
    assert "No flag for a seed" in study_text(
        make_draft("python train.py --lr=1", tmp_path), "s", path, tmp_path
    )
    assert draft("python train.py conf.py --lr=1")["trainer"]["code"][-1] == "conf.py"


def test_several_seeds_are_streams(draft: Draft) -> None:
    trainer = draft("python train.py --lr=1 --init-seed=1 --data_seed=2")["trainer"]
    assert trainer["seed"] == ["init", "data"]
    assert trainer["command"][-2:] == ["--init-seed={init}", "--data_seed={data}"]


def test_seeds_whose_streams_are_not_told_are_one(draft: Draft) -> None:
    trainer = draft("python train.py --lr=1 --seed=1 --data_seed=2")["trainer"]
    assert "seed" not in trainer
    assert trainer["command"][-2:] == ["--seed={seed}", "--data_seed={seed}"]


def test_the_code_is_the_script_and_what_it_imports_from_its_folder(draft: Draft) -> None:
    assert draft("python train.py --lr=1")["trainer"]["code"] == ["train.py", "net.py"]


@pytest.mark.parametrize(
    ("printing", "name", "source"),
    [
        (
            'print(f"step {i}: train loss {a:.4f}, val loss {b:.4f}")',
            "val_loss",
            {"regex": r"val loss (?P<value>[-+\w.]+)", "step_regex": r"step (?P<step>\d+)"},
        ),
        ('print("accuracy:", a)', "accuracy", {"regex": r"accuracy: (?P<value>[-+\w.]+)"}),
        ('print("test err = %.3f" % a)', "test_err", {"regex": r"test err = (?P<value>[-+\w.]+)"}),
        ('print("ppl={:.2f}".format(a))', "ppl", {"regex": r"ppl=(?P<value>[-+\w.]+)"}),
        ('log.info("loss %6.3f", a)', "loss", {"regex": r"loss\s+(?P<value>[-+\w.]+)"}),
        ('print(json.dumps({"step": 1, "eval/loss": a}))', "eval_loss", {"line": "eval/loss"}),
        ('print({"val_loss": a})', "val_loss", {"regex": r"'val_loss': (?P<value>[-+\w.]+)"}),
        ('m = {"acc": a}\njson.dump(m, open(os.environ["SWEEP_RESULT"], "w"))', "acc", None),
        ('print("hello", a)', "loss", {"regex": r"loss\W+(?P<value>[-+\w.]+)"}),
    ],
)
def test_the_metric_is_the_best_that_the_script_prints(
    draft: Draft, printing: str, name: str, source: dict[str, str] | None
) -> None:
    metrics = draft("python train.py --lr=1", printing)["metrics"]
    assert list(metrics) == [name]
    assert metrics[name].get("source") == source
    assert metrics[name]["direction"] == ("maximize" if name.startswith("acc") else "minimize")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("python -u train.py", ["python", "-u", "train.py"]),
        ("python -m train", ["python", "-m", "train"]),
        ("env python train.py", ["env", "python", "train.py"]),
        (
            "python -m torch.distributed.run --nproc_per_node 2 train.py",
            [
                *("python", "-m", "torch.distributed.run", "--master_port={port}"),
                *("--nproc_per_node={gpus}", "train.py"),
            ],
        ),
    ],
)
def test_what_stands_before_the_script_is_kept(draft: Draft, before: str, words: list[str]) -> None:
    study = draft(f"{before} --lr=1 --seed=1")
    assert study["trainer"]["command"] == [*words, "--lr={lr}", "--seed={seed}"]
    assert study["parameters"] == {"lr": 1.0}
    assert study.get("jobs", {}) == ({"gpus_per_run": 2} if "2" in before else {})


def test_variables_before_the_command_are_its_environment(draft: Draft) -> None:
    trainer = draft("OMP_NUM_THREADS=1 python train.py --lr=1")["trainer"]
    assert trainer["environment"] == {"OMP_NUM_THREADS": "1"}


def test_a_study_in_another_folder_names_the_folder_where_the_command_runs(
    draft: Draft, tmp_path: Path
) -> None:
    (tmp_path / "studies").mkdir()
    assert draft("python train.py --lr=1", file="studies/s.toml")["trainer"]["workdir"] == ".."


def test_without_parameters_in_the_command_those_that_the_script_declares_are_taken(
    draft: Draft,
) -> None:
    study = draft("python train.py")
    assert study["parameters"] == {"lr": 0.1, "batch_size": 8}
    assert study["trainer"]["command"][2:] == [
        *("--seed={seed}", "--lr={lr}", "--batch-size={batch_size}"),
    ]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("", "--command is empty; give what you type to train once"),
        ("python 'train.py", "has a quote that is not closed"),
        ("python train.py --lr=1 | tee log", "'|' is for a shell"),
        ("cd x && python train.py", "'&&' is for a shell"),
        ("python train.py --out=$HOME", "'--out=$HOME' is for a shell"),
        ("pyhton train.py", "the program 'pyhton' does not exist in any folder of PATH"),
        ("train.py --lr=1", "did you mean python train.py?"),
        ("./train.py --lr=1", "the program './train.py' is not executable"),
        ("python trian.py --lr=1", "the script 'trian.py' does not exist in"),
        ("python trian.py --lr=1", "did you mean 'train.py'?"),
        ("python net.py", "no parameter that a study could change, and net.py declares none"),
    ],
)
def test_a_command_that_cannot_be_read_is_refused_in_a_sentence(
    draft: Draft, tmp_path: Path, command: str, said: str
) -> None:
    draft("python train.py --lr=1")
    with pytest.raises(UserError) as refused:
        make_draft(command, tmp_path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("script", ["def", "\x00", "print(f'loss {", "\ud800".join("ab")])
def test_a_script_that_is_no_python_is_still_given_a_study(tmp_path: Path, script: str) -> None:
    (tmp_path / "train.py").write_bytes(script.encode("utf-8", "surrogatepass"))
    found = make_draft("python train.py --lr=1 --seed=1", tmp_path)
    assert list(found.parameters) == ["lr"]
    assert found.metric.place == ""


def test_a_file_that_is_no_python_hides_no_flags_of_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import old, settings\n")
    (tmp_path / "old.py").write_text("print 'hello'\n")
    (tmp_path / "settings.py").write_text(
        "from transformers import HfArgumentParser\n"
        "@dataclass\nclass Settings:\n    lr: float = 0.1\n    seed: int = 0\n"
    )
    found = make_draft("python train.py", tmp_path)
    assert list(found.parameters) == ["lr"]
    assert found.seeds == {"--seed": "seed"}
