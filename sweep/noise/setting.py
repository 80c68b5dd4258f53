"""The setting that a measured noise holds for: baseline recipe, corpus and device."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sweep.design.plan import Plan
from sweep.store.plan_content import PlanContent
from sweep.store.rows import RunRow
from sweep.store.store import Store
from sweep.study.names import BASELINE
from sweep.trainers.stored_recipes import without_locations
from sweep.workload.workload import Workload
from trainer.recipe_forms import to_dotted

UNKNOWN = ""
"""A corpus or device that is not known yet. It counts as equal to any other."""
DEFAULT: Final = object()
"""Stands for the value of a field that a recipe does not list: it is at its default."""
STUDY_FILE_SECTIONS = {"seeds": "design"}
"""Sections of `Setting.recipe` that have another name in a study file."""


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """A field that differs between two recipes."""

    field: str
    """`section.field`, as in a study file."""
    before: Any
    """Its value in the first recipe, or DEFAULT."""
    after: Any
    """Its value in the second recipe, or DEFAULT."""


@dataclass(frozen=True, kw_only=True)
class SettingChanges:
    """The differences between two settings; false if there are none."""

    fields: Sequence[FieldChange]
    corpus: bool
    """True if the corpora differ."""
    devices: tuple[str, str] | None
    """Both devices; None if they are equal, or one is not known."""

    def __bool__(self) -> bool:
        return bool(self.fields or self.corpus or self.devices)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The baseline recipe, corpus and device of a noise study."""

    recipe: Mapping[str, Any]
    """The baseline's recipe as nested JSON without defaults; "seeds" says which streams vary.
    For an imported study: {"imported": its name and its number of baseline runs}."""
    corpus_hash: str
    device: str

    @property
    def imported(self) -> bool:
        """True for runs from elsewhere. Their model and the unit of their losses are not known."""
        return "imported" in self.recipe

    @property
    def fingerprint(self) -> str:
        """SHA-256 of recipe, corpus and device."""
        everything = [dict(self.recipe), self.corpus_hash, self.device]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()

    def changes(self, now: Setting) -> SettingChanges:
        """The differences from this setting to another one."""
        devices = (self.device, now.device)
        return SettingChanges(
            fields=_field_changes(self.recipe, now.recipe),
            corpus=_known_to_differ(self.corpus_hash, now.corpus_hash),
            devices=devices if _known_to_differ(*devices) else None,
        )


def _known_to_differ(before: str, after: str) -> bool:
    return before != after and UNKNOWN not in (before, after)


def _field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    old, new = _dotted(before), _dotted(after)
    pairs = {key: (old.get(key, DEFAULT), new.get(key, DEFAULT)) for key in [*old, *new]}
    return [
        FieldChange(field=key, before=value, after=other)
        for key, (value, other) in pairs.items()
        if value != other
    ]


def _dotted(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return to_dotted(
        {STUDY_FILE_SECTIONS.get(section, section): fields for section, fields in recipe.items()}
    )


def planned_setting(store: Store | None, plan: Plan, workload: Workload | None) -> Setting:
    """The setting of a study as planned now, on the device of its baseline's runs.

    Without a workload (its corpus is not on this machine), corpus and device are unknown.
    """
    study, arm = plan.study, plan.arms[0]
    job = workload.job(arm.spec) if workload else None
    runs = store.family_runs(job.family) if store and job else []
    return Setting(
        recipe=_setting_recipe(json.loads(arm.identity), study.design.vary, study.design.hold),
        corpus_hash=job.corpus_hash if job else UNKNOWN,
        device=latest_device(runs),
    )


def stored_setting(plan: PlanContent, runs: Sequence[RunRow]) -> Setting:
    """The setting of a study as it was run or imported; `runs` are the runs of its baseline."""
    if plan.imported:
        imported = {"study": plan.study, "baseline_runs": len(runs)}
        return Setting(recipe={"imported": imported}, corpus_hash=UNKNOWN, device=UNKNOWN)
    return Setting(
        recipe=_setting_recipe(plan.arms[BASELINE], plan.vary, plan.hold),
        corpus_hash=runs[0].corpus_hash,
        device=latest_device(runs),
    )


def _setting_recipe(identity: Mapping[str, Any], vary: Sequence[str], hold: int) -> dict[str, Any]:
    """A recipe without seeds and without paths: files are compared by their hashes."""
    return {**without_locations(identity), "seeds": {"vary": sorted(set(vary)), "hold": hold}}


def latest_device(runs: Sequence[RunRow]) -> str:
    """The device of the run that finished last, or UNKNOWN."""
    trained = [run for run in runs if run.provenance and run.finished]
    if not trained:
        return UNKNOWN
    latest = max(trained, key=lambda run: run.finished or 0.0)
    return str((latest.provenance or {}).get("device", UNKNOWN))
