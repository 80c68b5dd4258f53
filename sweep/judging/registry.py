"""The registry of judges, and the metrics of their scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sweep.judging.judge import Judge
from sweep.judging.model_judge import ModelJudge
from sweep.judging.overlap import Chrf, Exact
from sweep.study.evaluation_section import JudgeSettings
from sweep.study.judge_names import JudgeName

JUDGES: Mapping[JudgeName, Callable[[JudgeSettings, Path], Judge]] = {
    "chrf": lambda _settings, _runs: Chrf(),
    "exact": lambda _settings, _runs: Exact(),
    "openai": ModelJudge,
}
"""By name: makes the judge, from its settings and the folder of runs."""
METRIC_OF_JUDGE: Mapping[JudgeName, str] = {
    "chrf": "instructions",
    "exact": "instructions_exact",
    "openai": "instructions_openai",
}
"""The metric that a judge's scores are stored as."""


def make_judge(settings: JudgeSettings, runs: Path) -> Judge:
    """Make the judge that the settings name."""
    return JUDGES[settings.kind](settings, runs)
