"""Where the runs of a study come from, as names with values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from sweep.errors import listed
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
        *(
            [("GPU sharing", told(sharing_words))]
            if any_shared(report.evidence.provenances)
            else []
        ),
        ("Precision", told(lambda each: each.precision)),
        ("Code", told(_commit)),
        ("Packages", told(_versions)),
        ("Test text", told(lambda each: each.split)),
        ("Training time", _time(report)),
    ]


def any_shared(provenances: Sequence[Provenance]) -> bool:
    """True if a run shared its GPU with others."""
    return any(each.gpu_share for each in provenances)


def sharing_words(provenance: Provenance) -> str:
    """How many runs were on the GPU of a run, and whether they computed at the same time."""
    if provenance.gpu_share is None:
        return "one run on each GPU"
    how = "with CUDA MPS" if provenance.mps else "by turns (no CUDA MPS)"
    return f"{round(1 / provenance.gpu_share)} runs on each GPU {how}"


def sharing_lines(provenances: Sequence[Provenance]) -> list[str]:
    """How the runs shared GPUs; empty if none did."""
    if not any_shared(provenances):
        return []
    words = dict.fromkeys(map(sharing_words, provenances))
    return [f"GPUs were shared: {listed(words)}."]


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
