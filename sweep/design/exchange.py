"""Arms that are the baseline with other budgets of tokens: `analysis.exchange`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sweep.design.plan import Arm
from sweep.design.specs import make_specs
from sweep.study.analysis_section import budget_arm
from sweep.study.file import Study
from sweep.study.mistakes import InvalidStudyError, Mistake

KEYS = ("analysis", "exchange")


def budget_arms(study: Study, others: Sequence[str]) -> tuple[list[Arm], list[Mistake]]:
    """The baseline with each budget of `analysis.exchange`, and what is wrong with the others.

    Only `train.tokens` differs, so that schedules are those of a shorter or longer run. `others` are
    the names of the other arms.
    """
    arms: list[Arm] = []
    mistakes: list[Mistake] = []
    for factor in study.analysis.exchange:
        name = budget_arm(factor)
        if name in others:
            sentence = f"'analysis.exchange' makes an arm {name!r}, and there is one already"
            mistakes.append(Mistake(KEYS, f"{sentence}; rename the other"))
            continue
        try:
            arms.append(_arm(study, name, factor))
        except InvalidStudyError as error:
            mistakes += [
                Mistake(KEYS, f"'analysis.exchange' = {factor:g} {each.sentence}")
                for each in error.mistakes
            ]
    return arms, [*mistakes, *_same_steps(arms)]


def _arm(study: Study, name: str, factor: float) -> Arm:
    changes = {"train.tokens": round(factor * study.baseline.train.tokens)}
    return Arm(name, (), changes, make_specs(study, changes, study.design.seed_list()))


def _same_steps(arms: Sequence[Arm]) -> Iterator[Mistake]:
    """Budgets so close to each other that their runs have equally many steps."""
    seen: dict[int, str] = {}
    for arm in arms:
        other = seen.setdefault(arm.spec.cost.steps, arm.name)
        if other != arm.name:
            yield Mistake(
                KEYS,
                f"'analysis.exchange': the runs of {other!r} and {arm.name!r} have the same number "
                "of steps; leave one out",
            )
