"""The seeds of each arm: those of the design, or its own; the baseline has those of all arms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sweep.study.file import Study
from sweep.study.mistakes import Mistake
from sweep.study.seeds import joined

NEED_EQUAL_SEEDS = {"factorial", "fractional"}
"""Kinds of designs whose arms all have the same seeds."""


def seeds_by_arm(study: Study, arms: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """The seeds of each arm, of which `arms` has the interventions; the baseline has none."""
    design = study.design
    found = {name: design.own_seeds(_own(study, name, tuple(arms[name]))) for name in arms}
    for name, members in arms.items():
        if not members:
            found[name] = joined([design.seed_list(), *found.values()])
    return found


def _own(study: Study, name: str, members: tuple[str, ...]) -> list[int] | int | None:
    """The seeds that the file gives to an arm alone."""
    if members == (name,):
        return study.interventions[name].seeds
    return study.stacks[name].seeds if name in study.stacks else None


def wrong_seeds(study: Study, arms: Mapping[str, Sequence[str]]) -> Iterator[Mistake]:
    """Seeds of single arms that nothing would use, or that a race decides; races of factorials."""
    design = study.design
    if design.race and design.kind in NEED_EQUAL_SEEDS:
        yield Mistake(
            ("design", "seeds"),
            f'design.seeds: kind = "{design.kind}" cannot be a race: every run of it tells about every '
            "factor, so all arms need the same seeds; give a number of seeds",
        )
    own = [("interventions", name, each.seeds) for name, each in study.interventions.items()]
    own += [("stacks", name, each.seeds) for name, each in study.stacks.items()]
    for kind, name, seeds in own:
        if seeds is None:
            continue
        start = f"[{kind}.{name}] has seeds of its own, but"
        if design.race:
            yield Mistake(
                (kind, name, "seeds"),
                f"{start} in a race (design.seeds = {{ start, most }}) seeds go to the arms that need "
                "them; remove its seeds, or give design.seeds a number",
            )
        elif name not in arms or design.kind in NEED_EQUAL_SEEDS:
            yield Mistake(
                (kind, name, "seeds"),
                f'{start} design.kind = "{design.kind}" has no arm for it alone; remove its seeds',
            )
