"""The warning that a noise on record may not hold. It is part of the JSON of reports and plans."""

from __future__ import annotations

from collections.abc import Iterator

from sweep.errors import listed
from sweep.noise.setting import DEFAULT, FieldChange, SettingChanges
from sweep.terminal.printable import shown
from trainer.words import with_rest

MAX_FIELDS = 3
"""Fields of a changed recipe that are named; of the others, the text has the number."""


def warning_text(study: str, changes: SettingChanges, *, borrowed: bool) -> str:
    """Say what has changed since `study` measured its noise, or what differs if it is borrowed."""
    if borrowed:
        differing = listed(_parts(changes, "there", "here"))
        return (
            f"The noise is borrowed from {study}, which differs in {differing}; "
            "`sweep noise` on this study measures its own."
        )
    changed = list(_parts(changes, "then", "now"))
    have = "has" if len(changed) == 1 else "have"
    return (
        f"The noise on record is stale: {listed(changed)} {have} changed since; "
        f"`sweep noise {study}` measures it again."
    )


def _parts(changes: SettingChanges, first: str, second: str) -> Iterator[str]:
    """The differences; `first` and `second` mark the two values, as in `0.1 then, 0 now`."""
    if changes.fields:
        fields = [_field_text(field, first, second) for field in changes.fields]
        yield f"the recipe ({', '.join(with_rest(fields, MAX_FIELDS))})"
    if changes.corpus:
        yield "the corpus"
    if changes.devices:
        before, after = map(shown, changes.devices)
        yield f"the device ({before} {first}, {after} {second})"


def _field_text(change: FieldChange, first: str, second: str) -> str:
    """`train.tokens 4096 then, 8192 now`."""
    before, after = map(_value_text, (change.before, change.after))
    return f"{change.field} {before} {first}, {after} {second}"


def _value_text(value: object) -> str:
    return "the default" if value is DEFAULT else shown(value)
