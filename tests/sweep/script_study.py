"""The text of a small study of a script or a function."""

from __future__ import annotations


def script_study(trainer: str) -> str:
    """A study of two seeds and one intervention; `trainer` is the line of its `[trainer]`."""
    return f"""\
name = "fn"
[trainer]
{trainer}
[parameters]
lr = 0.5
[metrics.val_loss]
[interventions.big]
because = "It is bigger."
set = {{ lr = 2.5 }}
[design]
seeds = 2
[analysis]
smallest_effect = 0.01
"""
