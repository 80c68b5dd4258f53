"""The answer to whether a stack needs a member."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.decision import Verdict


class Needed(StrEnum):
    """The answer to: does the stack need this member?"""

    YES = "yes"
    NO = "no"
    HARMS = "it harms"
    UNDECIDED = "undecided"


NEEDED: Mapping[Verdict, Needed] = {
    "worse": Needed.YES,
    "unstable": Needed.YES,
    "negligible": Needed.NO,
    "identical": Needed.NO,
    "better": Needed.HARMS,
    "undecided": Needed.UNDECIDED,
}
"""The answer for a member, by the verdict on the stack without it."""
