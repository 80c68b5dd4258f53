from __future__ import annotations

import time

import torch

from benchmarks.promises import Promise
from benchmarks.rounds import Spread, Turns

CPU = torch.device("cpu")


def test_each_has_one_turn_per_round_and_another_begins_each_round() -> None:
    order: list[str] = []
    turns = Turns(CPU, steps=1)
    for name in "abc":
        turns.add_task(name, lambda name=name: order.append(name))
    order.clear()
    turns.play(until=time.perf_counter() + 60, at_most=3)
    assert "".join(order) == "abc" + "bca" + "cab"
    assert {name: len(times) for name, times in turns.times.items()} == dict.fromkeys("abc", 3)


def test_one_round_is_played_even_when_time_is_up() -> None:
    turns = Turns(CPU, steps=1)
    turns.add_task("a", lambda: None)
    turns.play(until=0.0)
    assert turns.rounds == 1


def test_a_ratio_is_formed_round_by_round() -> None:
    turns = Turns(CPU, steps=1)
    turns.times = {"ours": [1.0, 10.0, 2.0], "other": [2.0, 20.0, 4.0]}
    assert turns.speedup("ours", "other") == Spread(2.0, 2.0, 2.0)
    assert turns.rate("ours", 10).median == 5


def test_a_promise_says_what_was_measured_and_what_was_promised() -> None:
    assert Promise("a / b", 2.0, 2.1).text() == "kept: a / b is 2.10, promised at least 2.00"
    assert Promise("a / b", 2.0, 1.9).text() == "NOT KEPT: a / b is 1.90, promised at least 2.00"
    assert Promise("cost", 0.2, 0.1, at_most=True).kept
    assert not Promise("cost", 0.2, 0.3, at_most=True).kept


def test_what_was_not_measured_is_not_kept() -> None:
    promise = Promise("a / b", 2.0, None)
    assert not promise.kept
    assert "unmeasured" in promise.text()
