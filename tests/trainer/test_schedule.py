"""The learning rate at every step, and the number of steps and operations of a recipe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from tests.trainer.recipes import make, refusal
from trainer.recipe import Recipe
from trainer.training.schedule import learning_rate


def test_the_reference_setting_takes_the_published_number_of_steps() -> None:
    assert make().steps == 33_165
    assert make().tokens_per_step == 96 * 1024


def test_only_whole_steps_are_taken() -> None:
    assert make(train={"tokens": 98_304 * 3 - 1}).steps == 2


def test_the_operations_of_the_reference_setting_follow_the_6nd_rule() -> None:
    # 163,009,536 parameters less two embeddings that are looked up; 6 L d n for the scores.
    in_products = 163_009_536 - (50_257 + 1024) * 768
    per_token = 6 * in_products + 6 * 12 * 768 * 1024
    assert make(data={"tokenizer": "gpt2"}).flops == pytest.approx(per_token * 3_260_252_160)


def test_tying_the_embeddings_does_not_change_the_operations() -> None:
    assert make(model={"tie_embeddings": True}).flops == make().flops


@settings(max_examples=40)
@given(
    steps=st.integers(2, 120),
    warmup=st.floats(0, 0.9),
    warmup_factor=st.floats(1e-6, 1),
    final_factor=st.floats(0, 1),
)
@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")  # torch's own SequentialLR
def test_the_learning_rate_equals_that_of_torchs_schedulers_at_every_step(
    steps: int, warmup: float, warmup_factor: float, final_factor: float
) -> None:
    assume(warmup == 0 or 0 < round(warmup * steps) < steps)
    schedule = {"kind": "cosine", "final_factor": final_factor}
    if warmup:
        schedule |= {"warmup": warmup, "warmup_factor": warmup_factor}
    recipe = make(train={"tokens": steps * 98_304}, schedule=schedule)
    assert recipe.steps == steps
    warmup_steps = round(warmup * steps)
    expected = rates(lambda optimizer: torch_schedule(optimizer, recipe, warmup_steps), steps=steps)
    assert [learning_rate(recipe, step) for step in range(steps)] == pytest.approx(
        expected, rel=1e-6, abs=1e-12
    )


def test_a_warm_up_of_less_than_a_step_is_refused() -> None:
    said = refusal(train={"tokens": 2 * 98_304}, schedule={"warmup": 0.2})
    assert "schedule.warmup = 0.2 of 2 steps rounds to no step at all; use at least 0.5" in said


def torch_schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, warmup: int
) -> torch.optim.lr_scheduler.LRScheduler:
    peak, schedule = recipe.optimizer.learning_rate, recipe.schedule
    cosine = CosineAnnealingLR(
        optimizer, recipe.steps - warmup, eta_min=peak * schedule.final_factor
    )
    if warmup == 0:
        return cosine
    linear = LinearLR(optimizer, schedule.warmup_factor, total_iters=warmup)
    return SequentialLR(optimizer, [linear, cosine], [warmup])


def rates(
    make_schedule: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler],
    *,
    steps: int,
) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=4e-4)
    scheduler = make_schedule(optimizer)
    seen = []
    for _ in range(steps):
        seen.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return seen


def test_a_constant_schedule_stays_at_the_peak_after_its_warm_up() -> None:
    recipe = make(train={"tokens": 100 * 98_304}, schedule={"warmup": 0.1, "warmup_factor": 0.5})
    assert learning_rate(recipe, 0) == pytest.approx(2e-4)
    assert learning_rate(recipe, 5) == pytest.approx(3e-4)
    assert {learning_rate(recipe, step) for step in range(10, 100)} == {4e-4}
