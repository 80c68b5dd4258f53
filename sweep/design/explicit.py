"""The explicit design: the baseline, and the combinations that the study file lists."""

from __future__ import annotations

from sweep.design.combinations import KIND, Design, combined_arms, wrong_members
from sweep.design.factors import Members
from sweep.study.file import Study
from sweep.study.mistakes import Keys, Mistake
from sweep.study.names import BASELINE


def explicit(study: Study) -> Design:
    """List the arms of `design.arms`, in the order of the file."""
    listed = study.design.arms
    if not listed:
        sentence = (
            "'design.kind' = 'explicit' needs the arms, each a list of interventions: "
            'arms = [["one"], ["one", "another"]]'
        )
        return {BASELINE: ()}, [Mistake(KIND, sentence)]
    mistakes: list[Mistake] = []
    sets: list[Members] = []
    for number, members in enumerate(listed, 1):
        where, keys = f"'design.arms' number {number}", ("design", "arms")
        wrong = [*_wrong(members, sets, where, keys), *wrong_members(study, members, where, keys)]
        mistakes += wrong
        if not wrong:
            sets.append(tuple(members))
    found, others = combined_arms(study, sets)
    return found, [*mistakes, *others]


def _wrong(members: list[str], before: list[Members], where: str, keys: Keys) -> list[Mistake]:
    if not members:
        return [Mistake(keys, f"{where} is the baseline, which every study has; leave it out")]
    if set(members) in [set(each) for each in before]:
        names = ", ".join(map(repr, members))
        return [Mistake(keys, f"{where} lists {names} again; leave it out")]
    return []
