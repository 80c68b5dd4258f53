"""A study of a script: its arms, its fingerprints, and what is refused before anything runs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.design.plan import Plan
from sweep.errors import StudyError
from sweep.metrics.metric import Direction
from sweep.study.overrides import parse_overrides
from sweep.study.parameters_section import Parameter
from sweep.trainers.registry import TRAINERS
from sweep.trainers.script import ScriptRun, script_run
from sweep.workload.job import Job
from sweep.workload.workload import make_workload
from sweep.workspace import plan_of
from trainer.rundir.directory import RunDirectory

STUDY = """
name = "toy"
[trainer]
command = ["python", "train.py", "--lr={lr}", "--depth={depth}", "--act={act}", "--seed={seed}"]
[parameters]
lr = 0.1
depth = 6
[parameters.act]
default = "gelu"
choices = ["gelu", "relu2"]
[metrics.val_loss]
source = { regex = 'val loss (?P<value>[0-9.]+)' }
[metrics.seconds]
source = "wall"
[interventions.faster]
because = "It learns more per step."
set = { lr = 1 }
[interventions.relu2]
because = "It is sparse."
set = { act = "relu2" }
[design]
seeds = 3
[analysis]
smallest_effect = 0.01
"""


@pytest.fixture
def content() -> dict[str, Any]:
    return tomllib.loads(STUDY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("print('val loss 1.0')\n")
    return tmp_path


def plan(content: dict[str, Any], folder: Path, **overrides: object) -> Plan:
    return plan_of(content, str(folder / "toy.toml"), overrides)


def refusal(content: dict[str, Any], folder: Path, **overrides: object) -> str:
    with pytest.raises(StudyError) as refused:
        plan(content, folder, **overrides)
    return str(refused.value).removeprefix(f"{folder / 'toy.toml'}: ")


def jobs(content: dict[str, Any], folder: Path) -> dict[tuple[str, int], Job]:
    return make_workload(plan(content, folder), folder / "cache").jobs()


def ids(content: dict[str, Any], folder: Path) -> list[str]:
    return [job.run_id for job in jobs(content, folder).values()]


def test_interventions_set_parameters_and_every_seed_is_a_run(
    content: dict[str, Any], folder: Path
) -> None:
    made = plan(content, folder)
    assert {arm.name: arm.changes for arm in made.arms} == {
        "baseline": {},
        "faster": {"lr": 1},
        "relu2": {"act": "relu2"},
    }
    assert script_run(made.arm("faster").spec).values == {"lr": 1.0, "depth": 6, "act": "gelu"}
    assert len(set(ids(content, folder))) == 9
    assert len({job.family for job in jobs(content, folder).values()}) == 3
    assert (made.study.metric.name, made.study.metric.direction) == (
        "val_loss",
        Direction.MINIMIZE,
    )


def test_whatever_can_change_a_result_changes_the_fingerprint(
    content: dict[str, Any], folder: Path
) -> None:
    before = ids(content, folder)
    content["trainer"]["environment"] = {"OMP_NUM_THREADS": "1"}
    other_environment = ids(content, folder)
    del content["trainer"]["environment"]
    (folder / "train.py").write_text("print('val loss 2.0')\n")
    other_code = ids(content, folder)
    content["trainer"]["command"].append("--fast")
    other_command = ids(content, folder)
    content["parameters"]["depth"] = 7
    everything = before + other_environment + other_code + other_command + ids(content, folder)
    assert len(set(everything)) == len(everything)


def test_what_cannot_change_a_result_leaves_the_fingerprint(
    content: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    before = ids(content, folder)
    content["metrics"]["accuracy"] = {"source": {"line": "acc"}}
    content["metrics"]["val_loss"]["source"]["regex"] = r"loss ([0-9.]+)"
    content["parameters"]["depth"] = {"default": 6, "choices": [6, 12]}
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "train.py").write_bytes((folder / "train.py").read_bytes())
    assert ids(content, moved) == before


def test_a_run_is_known_again_from_its_directory(content: dict[str, Any], folder: Path) -> None:
    content["trainer"] |= {"seed": ["init", "data"]}
    content["trainer"]["command"][-1] = "--seeds={init},{data}"
    for job in jobs(content, folder).values():
        directory = RunDirectory(folder / "runs" / job.run_id[:16])
        job.spec.write_request(directory, job, plan(content, folder).study.jobs)
        found = TRAINERS["script"].read_run(directory)
        assert TRAINERS["gpt"].read_run(directory) is None
        assert found
        identity, spec = found
        assert identity.run_id == job.run_id
        assert isinstance(spec, ScriptRun)
        assert spec.run_identity() == identity


@pytest.mark.parametrize(
    ("keys", "value", "sentence"),
    [
        (
            ("trainer", "command"),
            ["python", "train.py", "{lrate}", "{lr}{depth}{act}"],
            "'trainer.command' has the placeholder {lrate}, which is not declared",
        ),
        (
            ("trainer", "command"),
            ["python", "train.py", "{lr}", "{act}"],
            "[parameters] has 'depth', which nothing uses; write {depth} in the command",
        ),
        (("trainer", "command"), ["python", "{lr"], "has a { that nothing closes"),
        (("trainer", "code"), ["trian.py"], "matches no file in "),
        (("trainer", "workdir"), "elsewhere", "does not exist"),
        (("trainer", "function"), "x", "must name a module and a function in it"),
        (("trainer", "function"), "a:b", "give either 'command' or 'function'"),
        (("trainer", "seed"), ["init", "inti"], "'inti' is not a stream"),
        (("design", "vary"), ["init"], "this one takes a single seed"),
        (("design", "seeds"), {"start": 3, "most": 5}, "a race, whose test needs pairs of runs"),
        (("parameters", "lr"), "fast", "'lr' = 1, which must be text in quotes"),
        (("parameters", "seed"), 1, "which sweep fills in itself"),
        (("parameters", "act", "choices"), ["gelu"], "which must be 'gelu'"),
        (("interventions", "faster", "set"), {"lrr": 1}, "not declared under [parameters]; did"),
        (("interventions", "faster", "set"), {"lr": True}, "= true, which must be a number"),
        (("interventions", "faster", "set"), {"lr": 0.1}, "[interventions.faster] changes nothing"),
        (("metrics", "val_loss", "source", "regex"), "loss (", "'regex' does not compile"),
        (("metrics", "val_loss", "source", "regex"), "loss", "'regex' needs a group"),
        (("metrics", "val_loss", "source", "line"), "x", "exactly one of"),
        (("metrics", "thing"), {"source": "wall", "primary": True}, None),
        (("metrics", "thing"), {}, "nothing tells whether a higher thing is better"),
        (("metrics",), {}, "there is no metric; add a table such as [metrics.val_loss]"),
        (("baseline",), {"model": {"layers": 2}}, "[baseline] belongs to the built-in trainer"),
        (("analysis", "exchange"), [0.8], "analysis.exchange changes train.tokens"),
        (
            ("evaluation",),
            {"instructions": {"data": "d.json"}},
            "[evaluation.instructions] is about models of the built-in trainer",
        ),
    ],
)
def test_a_mistake_in_a_script_is_one_sentence_before_anything_runs(
    content: dict[str, Any],
    folder: Path,
    keys: tuple[str, ...],
    value: object,
    sentence: str | None,
) -> None:
    table = content
    for key in keys[:-1]:
        table = table[key]
    table[keys[-1]] = value
    if sentence is None:
        plan(content, folder)
        return
    told = refusal(content, folder)
    assert sentence in told
    assert "\n" not in told.strip()


def test_two_primary_metrics_are_refused(content: dict[str, Any], folder: Path) -> None:
    for metric in content["metrics"].values():
        metric["primary"] = True
    assert "val_loss and seconds are all primary; choose one" in refusal(content, folder)


def test_a_command_that_does_not_exist_is_named_with_the_path(
    content: dict[str, Any], folder: Path
) -> None:
    content["trainer"]["command"][0] = "pyhton"
    with pytest.raises(StudyError, match="'pyhton', which is no program on the PATH"):
        jobs(content, folder)
    content["trainer"]["command"][0] = "./train.py"
    with pytest.raises(StudyError, match=r"not executable; make it so with `chmod \+x"):
        jobs(content, folder)


def test_parameters_and_metrics_belong_to_a_script(content: dict[str, Any], folder: Path) -> None:
    del content["trainer"]
    assert "[parameters] belongs to a script; add [trainer]" in refusal(content, folder)


def test_a_parameter_counts_as_used_if_the_script_reads_their_file(
    content: dict[str, Any], folder: Path
) -> None:
    content["trainer"]["command"] = ["python", "train.py"]
    (folder / "train.py").write_text("open(os.environ['SWEEP_PARAMETERS'])\n")
    plan(content, folder)


def test_parameters_in_tables_have_dotted_names(content: dict[str, Any], folder: Path) -> None:
    content["parameters"] = {"optimizer": {"lr": 0.1, "decay": {"default": 0.0}}}
    content["trainer"] = {"command": ["python", "train.py"], "overrides": True}
    content["interventions"] = {"a": {"because": "b", "set": {"optimizer": {"lr": 1.0}}}}
    made = plan(content, folder)
    assert script_run(made.arm("a").spec).values == {"optimizer.lr": 1.0, "optimizer.decay": 0.0}


def test_an_override_sets_a_parameter_of_every_arm(content: dict[str, Any], folder: Path) -> None:
    made = plan(content, folder, **parse_overrides(["depth=8"]))
    assert {script_run(arm.spec).values["depth"] for arm in made.arms} == {8}
    made = plan(content, folder, **{"parameters.lr": 2})
    assert [script_run(arm.spec).values["lr"] for arm in made.arms] == [2.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("lrr", 1, "--override 'lrr': not a parameter; did you mean 'lr'?"),
        ("lr", "x", "--override lr = 'x' must be a number"),
        ("act", "silu", "--override act = 'silu' must be 'gelu' or 'relu2'"),
        ("depth", 6, "--override depth changes nothing: the baseline has 6 already"),
    ],
)
def test_a_wrong_override_of_a_parameter_is_told(
    content: dict[str, Any], folder: Path, key: str, value: object, sentence: str
) -> None:
    assert refusal(content, folder, **{key: value}) == sentence


@given(
    st.one_of(
        st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
    )
)
def test_a_parameter_takes_its_own_default_and_nothing_of_another_type(
    value: bool | float | str,
) -> None:
    parameter = Parameter(default=value)
    assert parameter.coerce(value) == value
    for other in (True, 1, 1.5, "x"):
        same = type(other) is type(value) or (isinstance(value, float) and type(other) is int)
        if same:
            assert type(parameter.coerce(other)) is type(value)
        else:
            with pytest.raises(ValueError, match=r"a number|text|true|whole"):
                parameter.coerce(other)
