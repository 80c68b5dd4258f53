"""The names of judges. Quick to import, for the command line."""

from __future__ import annotations

from typing import Literal

JudgeName = Literal["chrf", "exact", "openai"]
