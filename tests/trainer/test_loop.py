from __future__ import annotations

import io
import math
from collections.abc import Callable

import pytest
import torch

import trainer.training.loop
from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe
from trainer.rundir.directory import Event
from trainer.training.checkpoint import Checkpoint
from trainer.training.journal import DivergedError, Journal, Progress, Step
from trainer.training.loop import RunStoppedError, Session, train
from trainer.training.schedule import learning_rate
from trainer.training.trainer import Trainer
from trainer.training.world import Place

CPU = Place(torch.device("cpu"))


def events_of(file: io.StringIO) -> list[Event]:
    return [Event.model_validate_json(line) for line in file.getvalue().splitlines()]


def test_a_run_learns(corpus: Corpus, make_recipe: Callable[..., Recipe]) -> None:
    recipe = make_recipe({"train.tokens": 16 * 8 * 250, "optimizer.learning_rate": 1e-2})
    events = io.StringIO()
    result = train(recipe, corpus, events, CPU)
    assert result.state == "done"
    assert result.test_loss is not None
    assert result.test_loss < math.log(257) - 1.2
    curve = events_of(events)
    assert curve[0].loss == pytest.approx(math.log(257), abs=0.2)
    assert [event.step for event in curve] == list(range(2, 251, 2))
    assert result.last_loss == pytest.approx(curve[-1].loss, rel=0.2)


def test_a_result_records_steps_tokens_and_provenance(corpus: Corpus, recipe: Recipe) -> None:
    result = train(recipe, corpus, io.StringIO(), CPU)
    assert (result.steps, result.tokens) == (12, 12 * 8 * 16)
    assert len(result.chunk_losses) == 4
    assert result.started <= result.first_step <= result.finished
    assert result.tokens_per_second > 0
    assert result.provenance["corpus"]["hash"] == corpus.info.hash
    assert result.provenance["device_type"] == "cpu"
    assert result.provenance["versions"]["torch"] == torch.__version__
    assert result.provenance["precision"] == "float32"


def test_the_curve_has_the_learning_rate_of_each_step(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe({"schedule.kind": "cosine", "schedule.warmup": 0.25})
    events = io.StringIO()
    train(recipe, corpus, events, CPU)
    rates = [event.learning_rate for event in events_of(events)]
    assert rates == [learning_rate(recipe, step) for step in range(12)]


def test_an_absurd_learning_rate_diverges_and_says_when_and_why(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe({"optimizer.learning_rate": 1e3, "optimizer.weight_decay": 0.0})
    result = train(recipe, corpus, io.StringIO(), CPU)
    assert result.state == "diverged"
    assert result.diverged_at == 10
    assert result.steps == 11
    assert (
        result.cause == "the training loss has been above ln(vocabulary) + 1 = 6.549 for 10 steps"
    )
    assert result.last_loss is not None


def test_a_run_whose_loss_is_not_finite_ends_at_that_step(corpus: Corpus, recipe: Recipe) -> None:
    trainer = Trainer(recipe, corpus, CPU)
    trainer.step(0)
    state = {name: tensor.clone() for name, tensor in trainer.state().items()}
    state["values"][:] = math.nan
    progress = Progress(steps=7, last_loss=3.5)
    events = io.StringIO()
    session = Session(resume=Checkpoint(7, state, progress.to_json()))
    result = train(recipe, corpus, events, CPU, session)
    assert (result.state, result.diverged_at, result.steps) == ("diverged", 7, 8)
    assert result.cause == "the training loss is not finite"
    assert result.last_loss == 3.5
    assert events_of(events)[-1].loss is None


def test_a_run_that_ends_worse_than_a_uniform_guess_has_diverged(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe({"optimizer.learning_rate": 1e3, "train.tokens": 16 * 8 * 3})
    result = train(recipe, corpus, io.StringIO(), CPU)
    assert (result.state, result.diverged_at) == ("diverged", 3)
    assert result.cause is not None
    assert result.cause.startswith("the test loss ")
    assert result.cause.endswith("is not below ln(vocabulary) + 1 = 6.549")
    assert (result.test_loss, result.chunk_losses) == (None, [])


def test_a_loss_above_the_ceiling_is_allowed_during_warm_up_and_if_it_falls_again(
    make_recipe: Callable[..., Recipe],
) -> None:
    recipe = make_recipe({"train.tokens": 16 * 8 * 100, "schedule.warmup": 0.3})
    journal = Journal(recipe, None, Progress())
    for loss in [99.0] * 30 + [99.0] * 9 + [3.0] + [99.0] * 9:
        journal.record(step_with(loss))
    with pytest.raises(DivergedError, match="for 10 steps") as diverged:
        journal.record(step_with(99.0))
    assert diverged.value.step == 49


def test_a_gradient_that_stays_not_finite_ends_the_run(
    make_recipe: Callable[..., Recipe],
) -> None:
    progress = Progress()
    journal = Journal(make_recipe({"train.tokens": 16 * 8 * 99}), None, progress)
    for _ in range(49):
        journal.record(step_with(3.0, skipped=True))
    with pytest.raises(DivergedError, match="the gradient has not been finite for 50 steps"):
        journal.record(step_with(3.0, skipped=True))
    assert progress.skipped == 50


def test_a_loss_that_is_not_finite_is_attributed_to_its_step_inside_a_stretch(
    make_recipe: Callable[..., Recipe],
) -> None:
    progress = Progress(steps=10)
    journal = Journal(make_recipe({"train.tokens": 16 * 8 * 500}), io.StringIO(), progress)
    assert journal.stretch == 5
    for loss in (5.0, 4.0, math.nan, 3.0):
        journal.record(step_with(loss))
    with pytest.raises(DivergedError) as diverged:
        journal.record(step_with(math.inf))
    assert diverged.value.step == 12
    assert progress.last_loss == 4.0


@pytest.mark.parametrize("first", [0, 4, 23])
def test_a_run_that_becomes_nan_records_the_step_and_ends_with_its_stretch(
    corpus: Corpus, make_recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    taken: list[int] = []
    whole = Trainer.step

    def step(self: Trainer, number: int) -> Step:
        taken.append(number)
        done = whole(self, number)
        return done._replace(loss=done.loss * math.nan) if number >= first else done

    def spend(*_arguments: object, **_keywords: object) -> None:
        pytest.fail("a run without hope is not evaluated, nor kept")

    monkeypatch.setattr(Trainer, "step", step)
    monkeypatch.setattr(trainer.training.loop, "evaluate", spend)
    recipe = make_recipe({"train.tokens": 16 * 8 * 500})
    result = train(recipe, corpus, io.StringIO(), CPU, Session(keep=spend))
    assert (result.state, result.diverged_at) == ("diverged", first)
    assert taken == list(range(first - first % 5 + 5)), "a stretch is five steps here"
    assert result.steps == len(taken)


def step_with(loss: float, *, skipped: bool = False) -> Step:
    return Step(*map(torch.tensor, (loss, 1.0, 0.0, float(skipped))))


def test_a_run_that_is_asked_to_stop_does_so_before_its_next_step(
    corpus: Corpus, recipe: Recipe
) -> None:
    answers = iter([False, False, False, True])
    events = io.StringIO()
    with pytest.raises(RunStoppedError):
        train(recipe, corpus, events, CPU, Session(should_stop=lambda: next(answers)))
    assert [event.step for event in events_of(events)] == [1, 2, 3]


def test_bfloat16_trains_on_a_cpu_and_is_not_float32(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    exact, rounded = (
        train(make_recipe({"train.precision": precision}), corpus, io.StringIO(), CPU)
        for precision in ("float32", "bfloat16")
    )
    assert exact.test_loss is not None
    assert exact.test_loss != rounded.test_loss
    assert rounded.test_loss == pytest.approx(exact.test_loss, abs=0.02)


def test_clipping_changes_the_step_but_not_the_norm_that_is_reported(
    corpus: Corpus, recipe: Recipe, make_recipe: Callable[..., Recipe]
) -> None:
    clipped = Trainer(make_recipe({"optimizer.clip_norm": 1e-3}), corpus, CPU)
    free = Trainer(recipe, corpus, CPU)
    assert torch.equal(clipped.step(0).norm, free.step(0).norm)
    norms = [
        torch.nn.utils.get_total_norm([p.grad for p in t.model.parameters() if p.grad is not None])
        for t in (clipped, free)
    ]
    assert float(norms[0]) == pytest.approx(1e-3, rel=1e-2)
    assert float(norms[1]) > 0.1
