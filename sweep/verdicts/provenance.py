"""The provenance of a run: machine, code and packages that it was trained with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Machine, code and packages of a run. Fields are None if they were not recorded."""

    device_type: str | None = None
    """`cpu` or `cuda`."""
    device: str | None = None
    """Name of the processor or GPU."""
    commit: str | None = None
    dirty: bool = False
    """True if files had changes that were not committed."""
    precision: str | None = None
    deterministic: bool = False
    """True if only deterministic kernels were allowed (`jobs.deterministic`)."""
    last_step: str | None = None
    """The step that the loss of an imported run is from."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Version of each package that matters, by name."""
    split: str | None = None
    """The rule by which the test text was chosen, for people."""


def parse_provenance(text: str | None) -> Provenance:
    """Read the JSON of the column `runs.provenance`; None and a JSON null give no fields."""
    found = json.loads(text) if text else None
    if not isinstance(found, dict):
        return Provenance()
    versions = found.get("versions") or {}
    corpus = found.get("corpus")
    return Provenance(
        device_type=_text(found.get("device_type")),
        device=_text(found.get("device")),
        commit=_text(found.get("commit")),
        dirty=bool(found.get("dirty")),
        precision=_text(found.get("precision")),
        deterministic=bool(found.get("deterministic")),
        last_step=_text(found.get("last_step")),
        versions={name: str(version) for name, version in versions.items() if version is not None},
        split=_text(corpus.get("split")) if isinstance(corpus, dict) else None,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
