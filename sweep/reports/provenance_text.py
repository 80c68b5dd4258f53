"""Where the runs of a study come from, as names with values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sweep.reports.basis_text import MAX_ARMS
from sweep.terminal.printable import harmless_first
from sweep.terminal.units import rough_duration
from sweep.verdicts.judge import Report
from sweep.verdicts.provenance import Provenance
from trainer.words import counted

UNKNOWN = "not recorded"


def provenance_facts(report: Report) -> list[tuple[str, str]]:
    """Device, code, packages and cost of the runs that have a result."""
    frame = report.evidence.frame
    ended = frame[frame.status.isin(["done", "diverged"])]
    counts = Counter(ended.provenance.tolist())
    runs = [(report.evidence.provenances[number], count) for number, count in counts.items()]

    def told(value: Callable[[Provenance], str | None]) -> str:
        return _told([(value(each), count) for each, count in runs])

    return [
        ("Runs", counted(len(ended), "run")),
        ("Device", told(lambda each: each.device)),
        ("Precision", told(lambda each: each.precision)),
        ("Code", told(_commit)),
        ("Packages", told(_versions)),
        ("Test text", told(lambda each: each.split)),
        ("Training time", _time(report)),
    ]


def _told(values: list[tuple[str | None, int]]) -> str:
    """Each value, the most frequent one first, with its runs if there are several."""
    counts = Counter[str]()
    for value, count in values:
        counts[value or UNKNOWN] += count
    if len(counts) <= 1:
        return harmless_first(list(counts), 1) or UNKNOWN
    words = [f"{value} ({counted(count, 'run')})" for value, count in counts.most_common()]
    return harmless_first(words, MAX_ARMS)


def _commit(provenance: Provenance) -> str | None:
    if provenance.commit is None:
        return None
    return provenance.commit[:12] + (" with uncommitted changes" if provenance.dirty else "")


def _versions(provenance: Provenance) -> str:
    return ", ".join(f"{name} {version}" for name, version in provenance.versions.items())


def _time(report: Report) -> str:
    spent = sum(report.evidence.seconds_spent.values())
    return f"{rough_duration(spent)} in all runs together" if spent else UNKNOWN
