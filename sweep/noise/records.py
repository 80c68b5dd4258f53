"""Noise studies in the database: store them, and find the one that fits a study."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from sweep.noise.results import (
    ArmDifferences,
    Decomposition,
    NoiseStudy,
    stored_decomposition,
    stored_differences,
    stored_noise,
)
from sweep.noise.setting import Setting, SettingChanges
from sweep.noise.warning_text import warning_text
from sweep.store.rows import NoiseRow
from sweep.store.schema import noises
from sweep.store.store import Store

if TYPE_CHECKING:
    from analysis.noise import Noise


@dataclass(frozen=True, kw_only=True)
class Record:
    """A noise study in the database."""

    study: str
    setting: Setting
    measured: float
    """Unix time."""
    noise: Noise
    """Summary of the baseline's test losses."""
    differences: Sequence[ArmDifferences]
    """Spread of the paired differences to the baseline, by ascending sd."""
    content: Mapping[str, Any]
    """The JSON of the noise study."""

    @classmethod
    def from_row(cls, row: NoiseRow) -> Record:
        """Read a row of the table `noises`."""
        return cls(
            study=row.study,
            setting=Setting(recipe=row.recipe, corpus_hash=row.corpus_hash, device=row.device),
            measured=row.measured,
            noise=stored_noise(row.content),
            differences=stored_differences(row.content),
            content=row.content,
        )

    @property
    def decomposition(self) -> Decomposition | None:
        """The decomposition, if there is one. Read on demand, because it imports pandas."""
        return stored_decomposition(self.content)

    @property
    def source(self) -> str:
        """`sweep noise interventions, 7 seeds, 2026-11-25`."""
        day = time.strftime("%Y-%m-%d", time.localtime(self.measured))
        return f"`sweep noise {self.study}`, {self.noise.counted} seeds, {day}"


@dataclass(frozen=True, kw_only=True)
class FoundRecord:
    """The record that fits a study best."""

    record: Record
    changes: SettingChanges
    """How the study's setting differs from that of the record."""
    borrowed: bool
    """True if the record is of another study."""

    @property
    def warning(self) -> str | None:
        """Why the record may not hold for the study; None if it holds."""
        if not self.changes:
            return None
        return warning_text(self.record.study, self.changes, borrowed=self.borrowed)


@dataclass(frozen=True, kw_only=True)
class CitedNoise:
    """The noise on record that a report cites."""

    noise: Noise
    source: str
    """The command, the number of seeds and the day."""
    warning: str | None
    """Why it may not hold any more; None if it holds."""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self.noise), "source": self.source, "warning": self.warning}


def save_noise(store: Store, setting: Setting, found: NoiseStudy) -> None:
    """Store a noise study. It replaces an earlier one of the same study and setting."""
    study, fingerprint = found.study, setting.fingerprint
    same = (noises.c.study == study) & (noises.c.fingerprint == fingerprint)
    with store.write() as connection:
        connection.execute(delete(noises).where(same))
        connection.execute(
            insert(noises).values(
                study=study,
                fingerprint=fingerprint,
                recipe=dict(setting.recipe),
                corpus_hash=setting.corpus_hash,
                device=setting.device,
                measured=time.time(),
                content=found.as_json(),
            )
        )
        store.write_noise_file(connection, study)


def record_noise(store: Store, setting: Setting, found: NoiseStudy) -> NoiseStudy:
    """Store a noise study, unless the store is read-only, and return it.

    If no decomposition was asked for, it keeps the one on record for the same setting.
    """
    if found.decomposition is None and (best := best_record(store, found.study, setting)):
        known = None if best.changes else best.record.decomposition
        found = replace(found, decomposition=known)
    if not store.read_only:
        save_noise(store, setting, found)
    return found


def records(store: Store) -> list[Record]:
    """All noise studies in the database, the latest first."""
    query = select(noises).order_by(noises.c.measured.desc())
    with store.begin() as connection:
        rows = [NoiseRow(**row) for row in connection.execute(query).mappings()]
    return [Record.from_row(row) for row in rows]


def best_record(store: Store, study: str, setting: Setting) -> FoundRecord | None:
    """The noise study that fits a study best; None if there is none.

    In this order: one with the same setting, of whichever study; the latest one of the study
    itself; the latest one of another study that was trained here.
    """
    found = [
        FoundRecord(
            record=record,
            changes=record.setting.changes(setting),
            borrowed=record.study != study,
        )
        for record in records(store)
        if record.study == study or not record.setting.imported
    ]
    return min(found, key=lambda each: (bool(each.changes), each.borrowed), default=None)


def cited_noise(store: Store, study: str, setting: Setting) -> CitedNoise | None:
    """The noise on record that holds for a study, or did before the study was changed."""
    found = best_record(store, study, setting)
    if found is None or (found.changes and found.borrowed):
        return None
    return CitedNoise(noise=found.record.noise, source=found.record.source, warning=found.warning)
