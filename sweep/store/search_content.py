"""The parts of a plan that belong to a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TunedArm:
    """The best trial of one arm's search."""

    trial: int
    """Its number."""
    values: Mapping[str, Any]
    """The best values, by field."""
    best_seen: float
    """Mean result of that trial on the seeds of the search."""


@dataclass(frozen=True, kw_only=True)
class TunedContent:
    """The part of a plan that says where the values that a search has found come from."""

    study: str
    """The study with the trials."""
    search: Mapping[str, Any]
    """Everything in the study's [search] that its trials depend on."""
    arms: Mapping[str, TunedArm]
    """By tuned arm."""

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> TunedContent:
        """Read what `json` has written."""
        return cls(
            study=json["study"],
            search=json["search"],
            arms={name: TunedArm(**each) for name, each in json["arms"].items()},
        )

    @property
    def json(self) -> dict[str, Any]:
        """JSON values, as a plan has them."""
        arms = {name: vars(each) for name, each in self.arms.items()}
        return {"study": self.study, "search": self.search, "arms": arms}


@dataclass(frozen=True, kw_only=True)
class SearchContent:
    """The part of a plan that makes it a search: its arms are trials, and no questions."""

    of: str
    """The study whose arms are tuned."""
    arms: Mapping[str, str]
    """Hash of each arm's search, by arm."""
    trials: int
    """Planned trials of each arm."""
    settings: Mapping[str, Any]
    """Fields, sampler and seeds, as in the study file."""
