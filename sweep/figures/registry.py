"""The figures of a study. `FIGURES` is the only list of them: the page and `sweep plot` look there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.pictures.figure import Figure
    from sweep.figures.source import Source


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """A figure that a study may have."""

    name: str
    """Its name on the command line."""
    words: str
    """What it shows."""
    needs: str
    """What a study must have for it."""
    caption: str
    """How to read it."""
    make: Callable[[Source], Figure | None]
    """Returns None if the study has nothing to draw."""
    shows_trials: bool = False
    """True if a study of trials, which has no verdicts, may have it."""


def _forest(source: Source) -> Figure | None:
    from sweep.figures.forest import forest

    return forest(source)


def _seeds(source: Source) -> Figure | None:
    from sweep.figures.seeds import seeds

    return seeds(source)


def _curves(source: Source) -> Figure | None:
    from sweep.figures.curves import curves

    return curves(source)


def _difference(source: Source) -> Figure | None:
    from sweep.figures.curves import difference

    return difference(source)


def _noise(source: Source) -> Figure | None:
    from sweep.figures.noise import noise

    return noise(source)


def _power(source: Source) -> Figure | None:
    from sweep.figures.power import power

    return power(source)


def _design(source: Source) -> Figure | None:
    from sweep.figures.design import design

    return design(source)


def _race(source: Source) -> Figure | None:
    from sweep.figures.race import race

    return race(source)


def _search(source: Source) -> Figure | None:
    from sweep.figures.search import search

    return search(source)


def _stack(source: Source) -> Figure | None:
    from sweep.figures.stack import stack

    return stack(source)


def _guards(source: Source) -> Figure | None:
    from sweep.figures.guards import guards

    return guards(source)


def _scores(source: Source) -> Figure | None:
    from sweep.figures.scores import scores

    return scores(source)


FIGURES: Mapping[str, FigureKind] = {
    each.name: each
    for each in (
        FigureKind(
            name="forest",
            words="effects with intervals, and every seed",
            needs="an arm with an effect",
            caption="Large sign and line: the effect and its adjusted interval, by which the verdict was "
            "reached. Small dots: the difference of every seed to the baseline's. An interval that reaches "
            "the edge goes on beyond it.",
            make=_forest,
        ),
        FigureKind(
            name="seeds",
            words="seeds as lines across arms",
            needs="a run that is done",
            caption="A line joins the runs of one seed. Where lines are parallel, pairs cancel the noise of "
            "the seed; where they cross, they do not.",
            make=_seeds,
        ),
        FigureKind(
            name="curves",
            words="training curves with the range over seeds",
            needs="training curves of the baseline, and at most 2,000 runs",
            caption="Line: the mean over the runs that are done. Area: from the smallest to the largest seed.",
            make=_curves,
        ),
        FigureKind(
            name="difference",
            words="training curves as paired differences to the baseline",
            needs="training curves of arms and baseline with the same seeds, and at most 2,000 runs",
            caption="The same seed has the same data and random numbers in both arms, so their "
            "difference shows the change alone. Area: from the smallest to the largest seed. The test result "
            "is measured without dropout, so it may lie elsewhere than the end of the curve.",
            make=_difference,
        ),
        FigureKind(
            name="noise",
            words="QQ plot of the baseline, and the spread of runs and of pairs",
            needs="three runs of the baseline that differ",
            caption="First panel: if runs of the baseline are normal, they lie on the line. Second panel: the spread "
            "of single runs, and that of the difference to the baseline with the same seed: the further left, "
            "the more noise a pair cancels. Lines are chi-square intervals.",
            make=_noise,
        ),
        FigureKind(
            name="power",
            words="the smallest effect that a number of seeds detects",
            needs="two runs of the baseline, and an arm",
            caption="The smallest true effect that is detected with 80% power after the correction for all "
            "questions. Below the red line effects do not matter.",
            make=_power,
        ),
        FigureKind(
            name="design",
            words="half-normal plot of a factorial's effects",
            needs="a factorial design with results",
            caption="Effects of noise alone lie on a line through zero. An effect far to the right of it is real.",
            make=_design,
        ),
        FigureKind(
            name="race",
            words="intervals of a race's arms, narrowing with the seeds",
            needs="a race whose first round has ended",
            caption="Line: the effect at each look. Area: its adjusted confidence sequence, which holds at all looks at "
            "once. An arm leaves the race at the dashed line, as soon as it is decided; its sign is the verdict. An area that reaches the "
            "edge goes on beyond it.",
            make=_race,
        ),
        FigureKind(
            name="search",
            words="trials of a search, the best so far, importance of fields",
            needs="a search with a trial that has a result",
            caption="Trials use seeds that no verdict uses, so the best one looks better than it is. Trials far "
            "worse than the others are drawn at the edge. Importance is that of PED-ANOVA.",
            make=_search,
            shows_trials=True,
        ),
        FigureKind(
            name="stack",
            words="predicted and confirmed effects of a stack",
            needs="a stack that was trained",
            caption="Of a member: what it adds to the other members. The prediction is shrunk, because members "
            "were chosen for good results.",
            make=_stack,
        ),
        FigureKind(
            name="guards",
            words="changes in the metrics that may not get worse",
            needs="a guard with an answer",
            caption="An arm is not worse if its whole interval lies on the good side of the dashed line.",
            make=_guards,
        ),
        FigureKind(
            name="scores",
            words="test loss against the score of a judge, a point per run",
            needs="runs with scores (`sweep judge`)",
            caption="If loss and score agreed on which runs are better, the points would fall from the upper "
            "left to the lower right. Signs are those of the verdicts of this report.",
            make=_scores,
        ),
    )
}
