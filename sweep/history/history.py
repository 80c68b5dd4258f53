"""What became of the plan that a study began with, and of the file that it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sweep.errors import StudyError
from sweep.history.changes import Content, PlanChange, plan_changes
from sweep.history.withdrawn import WithdrawnArm, find_withdrawn
from sweep.store.rows import PlanRow, StudyRow
from sweep.store.store import Store
from sweep.workspace import is_there, read_plan

FileState = Literal["as planned", "changed", "unreadable", "gone", "imported", "stack"]


@dataclass(frozen=True, kw_only=True)
class PlanHistory:
    """The plan that a report is made from, beside every other that its study has had."""

    content: Content
    stored: float
    """Unix time at which the study first had this plan."""
    first_stored: float
    """The same of its first plan."""
    earlier: int
    """Plans that it had beside this one."""
    changes: Sequence[PlanChange]
    """From its first plan to this one."""
    path: str
    file: FileState
    """What the study's file asks for now, beside this plan."""
    file_changes: Sequence[PlanChange]
    """From this plan to what the file asks for."""
    withdrawn: Sequence[WithdrawnArm]
    """Arms that ran and are gone."""

    @property
    def questions_withdrawn(self) -> int:
        """How many of them count in the family."""
        return sum(arm.in_family for arm in self.withdrawn)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "stored": self.stored,
            "first_stored": self.first_stored,
            "earlier": self.earlier,
            "changes": [asdict(change) for change in self.changes],
            "path": self.path,
            "file": self.file,
            "file_changes": [asdict(change) for change in self.file_changes],
            "withdrawn": [asdict(arm) for arm in self.withdrawn],
        }


def plan_history(store: Store, study: StudyRow) -> PlanHistory:
    """The history of a study's plan, and how its file stands to it."""
    known = store.plans(study.name)
    current = next(row for row in known if row.hash == study.plan_hash)
    contents = [row.content for row in known]
    state, changes = _file(study, current)
    return PlanHistory(
        content=current.content,
        stored=current.stored,
        first_stored=known[0].stored,
        earlier=len(known) - 1,
        changes=plan_changes(contents[0], current.content),
        path=study.path,
        file=state,
        file_changes=changes,
        withdrawn=find_withdrawn(store, study.name, current.content, contents),
    )


def _file(study: StudyRow, current: PlanRow) -> tuple[FileState, list[PlanChange]]:
    if study.imported:
        return "imported", []
    if current.content.get("stack"):  # it is in no file
        return "stack", []
    path, content = Path(study.path), current.content
    try:
        plan = read_plan(path, content.get("overrides", {}))
    except StudyError:
        return ("unreadable" if is_there(path) else "gone"), []
    if plan.hash == current.hash:
        return "as planned", []
    return "changed", plan_changes(content, plan.content())
