"""What the report says about a search."""

from __future__ import annotations

import pytest

from sweep.metrics.metric import Direction
from sweep.reports.search_text import search_parts
from sweep.searching.results import ArmSearch, SearchResult
from sweep.searching.trials import Outcome, Trial
from sweep.study.search_section import Search, SearchField


def failed(number: int) -> Trial:
    return Trial(
        number=number,
        arm="baseline",
        name=f"trial-{number}",
        values={"a": 1.0},
        sampler_state={},
        outcome=Outcome.FAILED,
        value=None,
        pruned_at=None,
        asked=0.0,
        runs=[],
    )


@pytest.mark.parametrize(
    ("planned", "said"),
    [(3, "2 failed or cancelled and 1 to come."), (1, ", 2 failed or cancelled.")],
)
def test_trials_to_come_are_never_negative_when_fewer_are_asked_for(
    planned: int, said: str
) -> None:
    arm = ArmSearch(
        arm="baseline",
        planned=planned,
        trials=[failed(0), failed(1)],
        direction=Direction.MINIMIZE,
        importance=None,
    )
    search = Search(fields={"a": SearchField(low=0.0, high=1.0)})
    result = SearchResult(study="s-trials", of="s", search=search, arms=[arm])
    first, *_ = search_parts(result)
    assert said in str(first)
