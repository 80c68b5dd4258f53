"""Precisions: each is near float32, and a run notes one that has no advantage."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
import torch

from model.gpt import GPT
from tests.trainer import forked
from trainer.corpora.corpus import Corpus
from trainer.errors import ExecutionSettingError
from trainer.recipe import Recipe, vocabulary_size
from trainer.rundir.directory import Event, Result, RunDirectory
from trainer.rundir.exits import Exit
from trainer.training import memory, precision
from trainer.training import trainer as trainer_module
from trainer.training.loop import train
from trainer.training.memory import check_fits
from trainer.training.optimizer import FIRST_SCALE
from trainer.training.trainer import Trainer
from trainer.training.world import Place

CPU = Place(torch.device("cpu"))
MakeRecipe = Callable[..., Recipe]
NEAR = {"float32": 0.0, "tf32": 0.0, "bfloat16": 2e-2, "float16": 3e-3}
"""How far a test loss may be from that of float32, in nats."""

each_precision = pytest.mark.parametrize("kind", NEAR)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """No precision is slow, whatever this machine is."""
    monkeypatch.setattr(precision, "slowdown", lambda _kind, _device: 1.0)


def of(make_recipe: MakeRecipe, kind: str, steps: int = 12) -> Recipe:
    return make_recipe({"train.precision": kind, "train.tokens": 16 * 8 * steps})


@pytest.mark.slow
@pytest.mark.usefixtures("fast")
@each_precision
def test_each_precision_trains_near_float32_and_is_recorded(
    corpus: Corpus, make_recipe: MakeRecipe, kind: str
) -> None:
    exact = train(of(make_recipe, "float32", 60), corpus, None, CPU)
    result = train(of(make_recipe, kind, 60), corpus, None, CPU)
    assert exact.test_loss is not None
    assert exact.test_loss < 5.0, "it learns"
    assert result.test_loss == pytest.approx(exact.test_loss, abs=NEAR[kind], rel=0)
    assert (result.test_loss == exact.test_loss) == (kind in {"float32", "tf32"})
    assert result.provenance["precision"] == kind
    assert result.skipped_steps == 0


@pytest.mark.usefixtures("fast")
@each_precision
def test_gradients_of_each_precision_point_where_those_of_float32_do(
    corpus: Corpus, make_recipe: MakeRecipe, kind: str
) -> None:
    exact, other = (Trainer(of(make_recipe, name), corpus, CPU) for name in ("float32", kind))
    exact.gradients(0, exact.sequences)
    other.gradients(0, other.sequences)
    assert float(other.optimizer.scale) == (FIRST_SCALE if kind == "float16" else 1.0)
    found = other.parameters.gradients / other.optimizer.scale
    difference = float((found - exact.parameters.gradients).norm() / found.norm())
    assert difference < {"bfloat16": 2e-2, "float16": 3e-3}.get(kind, 1e-7)
    assert float(other.step(0).norm) == pytest.approx(float(exact.step(0).norm), rel=1e-2)


def test_tf32_on_a_cpu_is_float32_to_the_bit_and_says_so(
    corpus: Corpus, make_recipe: MakeRecipe
) -> None:
    exact, other = (train(of(make_recipe, kind), corpus, None, CPU) for kind in ("float32", "tf32"))
    assert (exact.test_loss, exact.chunk_losses, exact.last_loss) == (
        other.test_loss,
        other.chunk_losses,
        other.last_loss,
    )
    assert exact.notes == []
    assert other.notes == ['train.precision = "tf32" is a GPU\'s; on this device it is float32']


# Steps that are skipped.


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int], float], None]:
    """Puts a number that is not finite into the gradients of some steps."""

    def make(steps: set[int], value: float) -> None:
        whole = Trainer.gradients

        def gradients(self: Trainer, step: int, sequences: slice) -> torch.Tensor:
            loss = whole(self, step, sequences)
            if step in steps:
                self.parameters.gradients[7] = value
            return loss

        monkeypatch.setattr(Trainer, "gradients", gradients)

    return make


@pytest.mark.usefixtures("fast")
@each_precision
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_steps_whose_gradients_are_not_finite_are_skipped_and_counted(
    corpus: Corpus,
    make_recipe: MakeRecipe,
    spoil: Callable[[set[int], float], None],
    kind: str,
    value: float,
) -> None:
    spoil({3, 4, 9}, value)
    file = io.StringIO()
    result = train(of(make_recipe, kind), corpus, file, CPU)
    assert (result.state, result.skipped_steps, result.steps) == ("done", 3, 12)
    events = [Event.model_validate_json(line) for line in file.getvalue().splitlines()]
    assert [event.step - 1 for event in events if event.skipped] == [3, 4, 9]
    assert [event.grad_norm is None for event in events] == [bool(e.skipped) for e in events]


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_a_skipped_step_changes_nothing_but_the_scale(
    corpus: Corpus,
    make_recipe: MakeRecipe,
    spoil: Callable[[set[int], float], None],
    kind: str,
) -> None:
    spoil({1}, float("inf"))
    trainer = Trainer(of(make_recipe, kind), corpus, CPU)
    trainer.step(0)
    before = {name: tensor.clone() for name, tensor in trainer.state().items()}
    assert float(trainer.step(1).skipped) == 1
    after = trainer.state()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == ({"scale", "growth"} if kind == "float16" else set())
    if kind == "float16":
        assert float(after["scale"]) == FIRST_SCALE / 2


@pytest.mark.usefixtures("fast")
def test_a_run_in_float16_finds_a_scale_without_overflow(
    corpus: Corpus, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.training.optimizer.FIRST_SCALE", 2.0**40)
    scaled = train(of(make_recipe, "float16", 60), corpus, None, CPU)
    plain = train(of(make_recipe, "float32", 60 - scaled.skipped_steps), corpus, None, CPU)
    assert 5 < scaled.skipped_steps < 40
    assert scaled.test_loss == pytest.approx(plain.test_loss, abs=0.1)


# What does not suit the device.


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_a_precision_that_is_slow_here_is_noted_with_the_measured_ratio(
    corpus: Corpus, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    seconds = {torch.float32: 0.002, torch.bfloat16: 0.0246, torch.float16: 0.0246}
    monkeypatch.setattr(precision, "_seconds", lambda kind, _device: seconds[kind])
    monkeypatch.setattr(precision, "device_name", lambda _device: "an old machine")
    result = train(of(make_recipe, kind), corpus, None, CPU)
    (note,) = result.notes
    assert note == (
        f'train.precision = "{kind}" takes 12.3 times as long as float32 on an old machine '
        "(a matrix product of 512 x 512)"
    )


def test_the_slowdown_is_measured_and_a_precision_that_is_not_slow_gives_no_note(
    corpus: Corpus, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0.01 < precision.slowdown(torch.bfloat16, CPU.device) < 1000
    monkeypatch.setattr(precision, "slowdown", lambda _kind, _device: precision.NOTED_SLOWDOWN)
    assert train(of(make_recipe, "bfloat16"), corpus, None, CPU).notes == []


def test_bfloat16_on_a_gpu_without_it_is_refused_with_alternatives(
    make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_options: False)
    monkeypatch.setattr(precision, "device_name", lambda _device: "Tesla T4")
    before = torch.get_float32_matmul_precision()
    try:
        with pytest.raises(ExecutionSettingError) as error:
            precision.prepare(of(make_recipe, "bfloat16"), torch.device("cuda"), pytest.fail)
    finally:
        torch.set_float32_matmul_precision(before)
    assert str(error.value) == (
        'train.precision = "bfloat16", but Tesla T4 has no bfloat16; use "float16" or "float32"'
    )


@pytest.mark.parametrize(
    ("kind", "setting"), [("float32", "highest"), ("tf32", "high"), ("float16", "high")]
)
def test_on_a_gpu_float32_keeps_every_bit_and_the_others_need_not(
    make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, kind: str, setting: str
) -> None:
    monkeypatch.setattr(precision, "slowdown", lambda _kind, _device: 0.5)
    before = torch.get_float32_matmul_precision()
    try:
        precision.prepare(of(make_recipe, kind), torch.device("cuda"), pytest.fail)
        assert torch.get_float32_matmul_precision() == setting
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_recipe_that_does_not_fit_is_refused_with_correct_arithmetic(
    make_run: Callable[..., RunDirectory], monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(trainer_module, "free_bytes", lambda _device: 50_000)
    monkeypatch.setattr(memory, "device_name", lambda _device: "a small machine")
    run = make_run("run", {"model.width": 64, "model.layers": 3}, processes=processes)
    child = forked.ForkedRun(run)
    assert child.wait() == Exit.REFUSED
    sentence = re.compile(
        r"the recipe does not fit a small machine: (\S+) parameters x 16 bytes \(value, gradient, "
        r"two moments\) = (\S+) GB, and (\S+) GB for one sequence of 16 tokens, but (\S+) GB are "
        r"free; use a smaller model.width, model.layers or model.context, or another device"
    )
    (line,) = set(child.log().splitlines())
    found = sentence.fullmatch(line)
    assert found, line
    recipe = run.read_request().recipe
    count = sum(p.numel() for p in GPT(recipe.model, vocabulary_size("bytes")).parameters())
    assert int(found[1].replace(",", "")) == count
    assert float(found[2]) == pytest.approx(count * 16 / 1e9, rel=1e-2)
    assert float(found[3]) == pytest.approx(
        memory.bytes_per_sequence(recipe, CPU.device) / 1e9, rel=1e-2
    )
    assert float(found[4]) == pytest.approx(5e-5 / processes)  # which share the machine
    assert run.read_result() is None


def test_a_recipe_fits_in_exactly_the_bytes_that_it_needs(recipe: Recipe) -> None:
    needs = memory.fixed_bytes(recipe) + memory.bytes_per_sequence(recipe, CPU.device)
    check_fits(recipe, CPU.device, needs)
    check_fits(recipe, CPU.device, None)
    with pytest.raises(ExecutionSettingError):
        check_fits(recipe, CPU.device, needs - 1)


@pytest.mark.usefixtures("fast")
def test_a_run_directory_records_the_precision_and_the_skipped_steps(
    make_run: Callable[..., RunDirectory], spoil: Callable[[set[int], float], None]
) -> None:
    spoil({2}, float("nan"))
    run = make_run("run", {"train.precision": "float16"})
    assert forked.train(run) == 0
    result = run.read_result()
    assert isinstance(result, Result)
    assert (result.skipped_steps, result.provenance["precision"]) == (1, "float16")
    assert sum(event.skipped for event in run.read_events()) == 1
