"""Judges without a model: similarity to the reference answer, and equality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sweep.errors import StudyError
from sweep.judging.judge import MAX_SCORE, Judged, Panel, Score


class Exact:
    """100 for an answer that equals the reference answer but for white space, else 0."""

    facts: Mapping[str, Any] = {"judge": "exact"}

    def check(self) -> None:
        """It needs nothing."""

    def announce(self, panels: Sequence[Panel]) -> str | None:  # noqa: ARG002  (it costs nothing)
        return None

    def score(self, panels: Sequence[Panel], advanced: Callable[[int, int], None]) -> Judged:
        return score_each(panels, _equal, advanced)


class Chrf:
    """chrF2: F-score of character n-grams against the reference (Popović 2015, WMT), by sacrebleu."""

    @property
    def facts(self) -> Mapping[str, Any]:
        import sacrebleu

        return {"judge": "chrf", "sacrebleu": str(sacrebleu.__version__)}

    def check(self) -> None:
        try:
            import sacrebleu  # noqa: F401  (to tell before the fine-tunes begin)
        except ImportError as error:
            raise StudyError(
                "the judge 'chrf' needs sacrebleu, which is not installed: `pip install sacrebleu`; or "
                "choose another judge with --judge exact"
            ) from error

    def announce(self, panels: Sequence[Panel]) -> str | None:  # noqa: ARG002  (it costs nothing)
        return None

    def score(self, panels: Sequence[Panel], advanced: Callable[[int, int], None]) -> Judged:
        from sacrebleu.metrics.chrf import CHRF

        metric = CHRF()
        return score_each(
            panels,
            lambda text, wanted: float(metric.sentence_score(text, [wanted]).score),
            advanced,
        )


def score_each(
    panels: Sequence[Panel],
    compare: Callable[[str, str], float],
    advanced: Callable[[int, int], None],
) -> Judged:
    """Score each answer by itself, against the reference answer."""
    judged = Judged(prompts=len(panels))
    for done, panel in enumerate(panels, 1):
        for run_id, text in panel.answers.items():
            value = compare(text, panel.item.output)
            judged.scores.append(Score(run_id, panel.number, 0, None, value))
        advanced(done, len(panels))
    return judged


def _equal(text: str, wanted: str) -> float:
    return MAX_SCORE if text.split() == wanted.split() else 0.0
