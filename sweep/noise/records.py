"""What is on record of chance: noise that was measured, and whether it still holds."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from sweep.design.plan import Plan
from sweep.errors import listed
from sweep.store.plan_content import PlanContent
from sweep.store.rows import NoiseRow, RunRow
from sweep.store.schema import noises
from sweep.store.store import Store
from sweep.study.file import BASELINE
from sweep.terminal.printable import shown
from sweep.workload.workload import Workload
from trainer.recipe import INPUT_LOCATIONS

THEN, THERE = ("then", "now"), ("there", "here")
"""How two circumstances are told apart: of one study, and of two."""
UNKNOWN = ""
"""A corpus or device that nobody can tell yet: it agrees with any other."""
FIELDS_SHOWN = 3
"""Of a recipe that is another one."""
SECTIONS = {"seeds": "design"}
"""What a study file calls a section of `Circumstances.recipe`, where the names differ."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What a measured noise holds for."""

    recipe: Mapping[str, Any]
    """Sections of the baseline's recipe, and under "seeds" which streams vary."""
    corpus_hash: str
    device: str

    @property
    def imported(self) -> bool:
        """Whether the runs are from elsewhere: of what model, in what unit, nobody knows."""
        return "imported" in self.recipe

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it."""
        everything = [dict(self.recipe), self.corpus_hash, self.device]
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()

    def changes(self, now: Circumstances, words: tuple[str, str] = THEN) -> list[str]:
        """What is different now, in words; `words` tell the two sides apart."""
        there, here = words
        changed = []
        if fields := _differences(self.recipe, now.recipe, words):
            more = [f"and {len(fields) - FIELDS_SHOWN} more"] if len(fields) > FIELDS_SHOWN else []
            changed.append(f"the recipe ({', '.join([*fields[:FIELDS_SHOWN], *more])})")
        if _known_to_differ(self.corpus_hash, now.corpus_hash):
            changed.append("the corpus")
        if _known_to_differ(self.device, now.device):
            changed.append(f"the device ({shown(self.device)} {there}, {shown(now.device)} {here})")
        return changed


def _known_to_differ(then: str, now: str) -> bool:
    return then != now and UNKNOWN not in (then, now)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A noise study that was stored."""

    study: str
    circumstances: Circumstances
    measured: float
    """Unix time."""
    content: Mapping[str, Any]

    @property
    def source(self) -> str:
        """`sweep noise interventions, 7 seeds, 2026-11-25`."""
        day = time.strftime("%Y-%m-%d", time.localtime(self.measured))
        return f"`sweep noise {self.study}`, {self.content['n']} seeds, {day}"


def planned_circumstances(
    store: Store | None, plan: Plan, workload: Workload | None
) -> Circumstances:
    """Those of a study as it is now: the device is that of its baseline's runs.

    Without a workload, where its corpus is not at hand, corpus and device are unknown.
    """
    study, arm = plan.study, plan.arms[0]
    job = workload.job(arm.spec) if workload else None
    runs = store.family_runs(job.family) if store and job else []
    return Circumstances(
        recipe=_about(json.loads(arm.identity), study.design.vary, study.design.hold),
        corpus_hash=job.corpus_hash if job else UNKNOWN,
        device=device_of(runs),
    )


def stored_circumstances(plan: PlanContent, runs: Sequence[RunRow]) -> Circumstances:
    """Those of a study as it was run or imported; `runs` are its baseline's."""
    if plan.imported:
        about = {"study": plan.study, "baseline_runs": len(runs)}
        return Circumstances(recipe={"imported": about}, corpus_hash=UNKNOWN, device=UNKNOWN)
    return Circumstances(
        recipe=_about(plan.arms[BASELINE], plan.vary, plan.hold),
        corpus_hash=runs[0].corpus_hash,
        device=device_of(runs),
    )


def _about(identity: Mapping[str, Any], vary: Sequence[str], hold: int) -> dict[str, Any]:
    """A recipe without its seeds and without the places of what is known by its hash."""
    fields = {
        section: {
            key: value
            for key, value in fields.items()
            if key not in INPUT_LOCATIONS.get(section, ())
        }
        for section, fields in identity.items()
    }
    return {**fields, "seeds": {"vary": sorted(set(vary)), "hold": hold}}


def device_of(runs: Sequence[RunRow]) -> str:
    """The device that runs were trained on, the latest where there were several."""
    trained = [run for run in runs if run.provenance and run.finished]
    if not trained:
        return UNKNOWN
    latest = max(trained, key=lambda run: run.finished or 0.0)
    return str((latest.provenance or {}).get("device", UNKNOWN))


def save_noise(store: Store, study: str, where: Circumstances, content: Mapping[str, Any]) -> None:
    """Put a noise study on record, in place of an earlier one under the same circumstances."""
    same = (noises.c.study == study) & (noises.c.fingerprint == where.fingerprint)
    with store.write() as connection:
        connection.execute(delete(noises).where(same))
        connection.execute(
            insert(noises).values(
                study=study,
                fingerprint=where.fingerprint,
                recipe=dict(where.recipe),
                corpus_hash=where.corpus_hash,
                device=where.device,
                measured=time.time(),
                content=dict(content),
            )
        )
        store.write_noise_down(connection, study)


def records(store: Store) -> list[Record]:
    """Every noise study on record, the latest first."""
    query = select(noises).order_by(noises.c.measured.desc())
    with store.begin() as connection:
        rows = [NoiseRow(**row) for row in connection.execute(query).mappings()]
    return [
        Record(
            study=row.study,
            circumstances=Circumstances(
                recipe=row.recipe, corpus_hash=row.corpus_hash, device=row.device
            ),
            measured=row.measured,
            content=row.content,
        )
        for row in rows
    ]


def best_record(store: Store, study: str, now: Circumstances) -> tuple[Record, list[str]] | None:
    """The noise study that tells most about `study`, and what has changed since it was made.

    One under the same circumstances, whichever study asked for it; else the study's own latest;
    else the latest of another one that was trained here. None when there is none.
    """
    known = [
        (record, record.circumstances.changes(now, THEN if record.study == study else THERE))
        for record in records(store)
        if record.study == study or not record.circumstances.imported
    ]
    ranked = sorted(known, key=lambda each: (bool(each[1]), each[0].study != study))
    return ranked[0] if ranked else None


def cited(store: Store, study: str, now: Circumstances) -> dict[str, Any] | None:
    """The noise on record that holds for a study, or did once; as JSON values."""
    found = best_record(store, study, now)
    if found is None or (found[1] and found[0].study != study):
        return None
    record, changes = found
    numbers = {key: record.content[key] for key in ("n", "mean", "sd", "ci_low", "ci_high")}
    return {**numbers, "source": record.source, "warning": warning(record, changes, study)}


def warning(record: Record, changes: Sequence[str], study: str) -> str | None:
    """What must be known of a record before it is relied on; None where it simply holds."""
    if not changes:
        return None
    if record.study == study:
        have = "has" if len(changes) == 1 else "have"
        return (
            f"The noise on record is stale: {listed(changes)} {have} changed since; "
            f"`sweep noise {study}` measures it again."
        )
    return (
        f"The noise is borrowed from {record.study}, where other things hold: {listed(changes)}; "
        f"`sweep noise` on this study measures its own."
    )


def _differences(
    then: Mapping[str, Any], now: Mapping[str, Any], words: tuple[str, str]
) -> list[str]:
    """`train.tokens 4096 then, 8192 now`."""
    before, after = _flat(then), _flat(now)
    there, here = words
    return [
        f"{key} {_value(before, key)} {there}, {_value(after, key)} {here}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]


def _value(fields: Mapping[str, Any], key: str) -> str:
    return shown(fields[key]) if key in fields else "the default"


def _flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{SECTIONS.get(section, section)}.{field}": value
        for section, fields in recipe.items()
        for field, value in fields.items()
    }
