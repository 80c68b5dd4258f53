"""Logs of training programs, read by a regular expression with named groups."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sweep.errors import ResultsError
from sweep.importing.fields import MATCHES, SEED_FIELDS, Field, recognise
from sweep.importing.files.content import read_content
from sweep.importing.files.table import Record, Table, table_of
from sweep.importing.files.text import Text, read_text
from sweep.terminal.printable import shown
from trainer.sources.file_kinds import suffix_of

KNOWN_LINES = {
    "nanoGPT": r"step (?P<step>\d+):.*val loss (?P<loss>[0-9.]+)",
    "modded-nanogpt": r"step:(?P<step>\d+)/\d+ val_loss:(?P<loss>[0-9.]+)",
    "nanochat": r"Step (?P<step>\d+) \| Validation bpb: (?P<loss>[0-9.]+)",
    "llm.c": r"^val loss (?P<loss>[0-9.]+)",
    "autoresearch": r"^val_bpb: +(?P<loss>[0-9.]+)",
    "Hugging Face's Trainer": r"eval_loss\W+(?P<loss>[0-9.]+)",
    "a step and a validation loss": (
        r"(?i)(?:step|iter|epoch)\w*[ :=]+(?P<step>\d+).*?"
        r"\b(?:val|valid|validation|eval|test)[ _/]loss[ :=]+(?P<loss>[0-9.]+)"
    ),
}
"""Regular expressions for lines that well-known programs print, by program."""
_LOOKED_AT = 1 << 20
"""Bytes in which a line of a log is looked for."""
_LONGEST_LINE = 100_000
"""Characters; more of a line is not looked at."""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOT_FINITE = re.compile(r"\b(?:nan|inf(?:inity)?)\b", re.IGNORECASE)
_LINE_ENDS = re.compile(r"[\r\n]+")
"""A progress bar ends its lines with `\\r`."""


def parse_pattern(pattern: str | None) -> re.Pattern[str] | None:
    """Compile `--regex`. Raises ResultsError if it is invalid or has no named group."""
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ResultsError(f"--regex {pattern!r} is not a regular expression: {error}") from error
    if not compiled.groupindex:
        raise ResultsError(
            f"--regex {pattern!r} has no group with a name; name the loss: (?P<loss>[0-9.]+), and "
            r"the step, if there is one: (?P<step>\d+)"
        )
    return compiled


def read_log(path: Path, pattern: re.Pattern[str]) -> Table:
    """Read a row from each line that matches; of several lines for a step, the last one counts.

    Without a step, the last line of the run counts, and the number of lines says how far it got. A log without any line is a row without a
    loss: that run ended before it had one.
    """
    text = read_text(read_content(path), path)
    fields = dict(recognise(list(pattern.groupindex)))
    of_run = [fields[field] for field in (Field.ARM, Field.RUN, *SEED_FIELDS) if field in fields]
    steps = [fields[Field.STEP]] if Field.STEP in fields else []
    rows: dict[tuple[str | None, ...], Record] = {}
    for count, row in enumerate(_matches(text, pattern), 1):
        counted = {} if of_run or steps or MATCHES in row else {MATCHES: str(count)}
        rows[tuple(row[key] for key in [*of_run, *steps])] = {**row, **counted}
    nothing: Record = {**dict.fromkeys(pattern.groupindex), **dict.fromkeys(steps, "0")}
    return Table(
        cells=table_of(rows.values() or [nothing], path),
        one_run=not of_run,
        remarks=text.remarks,
        is_blank=not rows,
    )


def without_other_files(logs: Mapping[Path, Table], pattern: re.Pattern[str]) -> dict[Path, Table]:
    """Leave out files of a folder that are not logs: without a match, and of another suffix.

    Other files without a match are runs that ended early; a remark names them. Raises ResultsError
    if no file has a match.
    """
    suffixes = {suffix_of(path) for path, log in logs.items() if not log.is_blank}
    if not suffixes:
        raise ResultsError(
            f"no line of {next(iter(logs))}{' and the others' if len(logs) > 1 else ''} matches "
            f"--regex {pattern.pattern!r}"
        )
    kept = {path: log for path, log in logs.items() if suffix_of(path) in suffixes}
    for path, log in kept.items():
        if log.is_blank:
            remark = f"{path}: no line matches, so its run has no loss."
            kept[path] = replace(log, remarks=(*log.remarks, remark))
    return kept


def _matches(text: Text, pattern: re.Pattern[str]) -> Iterator[Record]:
    for line in _lines(text.content):
        if found := pattern.search(line) or _search_without_nan(line, pattern):
            yield {name: line[slice(*found.span(name))] or None for name in pattern.groupindex}


def _lines(content: bytes) -> Iterator[str]:
    for line in _LINE_ENDS.split(content.decode()):
        yield _COLOURS.sub("", line[:_LONGEST_LINE])


def _search_without_nan(line: str, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """Search a line in which digits stand for `nan` and `inf`, which `[0-9.]+` does not match.

    Else a run that diverged would end at its last finite loss. Places are those of the line.
    """
    finite = _NOT_FINITE.sub(lambda found: "9" * len(found[0]), line)
    return pattern.search(finite) if finite != line else None


def check_no_log(text: Text, path: Path) -> None:
    """Raise ResultsError, with the option to type, for the log of a known program."""
    if path.suffix.lower() in {".csv", ".tsv"}:
        return
    lines = list(_lines(text.content[:_LOOKED_AT].decode(errors="ignore").encode()))
    for program, pattern in KNOWN_LINES.items():
        line = next((line for line in lines if re.search(pattern, line)), None)
        if line is not None:
            raise ResultsError(
                f"{path} seems to be a log, with lines as {program} prints them: "
                f"{shown(line.strip())}; read it with --regex '{pattern}'"
            )
