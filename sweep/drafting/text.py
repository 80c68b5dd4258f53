"""A draft as the text of a study file, and the lines that say what was guessed."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from sweep.drafting.draft import Draft
from sweep.drafting.proposals import Change, propose_changes
from sweep.drafting.values import key, quoted, toml
from sweep.metrics.metric import Direction

MAX_EXAMPLES = 4
"""Interventions that are proposed as comments."""


def study_text(draft: Draft, name: str, path: Path, folder: Path) -> str:
    """The study file at `path` for a command that is typed in `folder`."""
    parts = [
        _head(draft, name, path),
        _trainer(draft, path, folder),
        _parameters(draft),
        _metric(draft),
        _interventions(draft),
        _rest(draft),
    ]
    return "\n".join("\n".join(part) + "\n" for part in parts)


def _head(draft: Draft, name: str, path: Path) -> Iterator[str]:
    title = draft.line.title
    yield f"# A study of {title}: its parameters, changes to them (interventions), and seeds to tell"
    yield "# real effects from noise. `sweep init` guessed it from the command; check what it says."
    yield "#"
    yield f"#   sweep plan {path}     show what would run; train nothing"
    yield f"#   sweep run {path}      train what is missing and print the verdicts"
    yield "#"
    yield "# docs/your-own-script.md describes every field."
    yield ""
    yield f"name = {quoted(name)}"
    yield f"question = {quoted(f'Which of these changes to {title} help?')}"


def _trainer(draft: Draft, path: Path, folder: Path) -> Iterator[str]:
    streams = list(dict.fromkeys(draft.seeds.values()))
    yield "[trainer]"
    yield f"command = {_listed([*draft.launch.words, *draft.words])}"
    if draft.code:
        yield "# The code: if one of these files changes, runs are new runs."
        yield f"code = {_listed(draft.code)}"
    beside = os.path.relpath(folder, path.absolute().parent)
    yield f"workdir = {quoted(beside)}    # where the command runs, relative to this file"
    if draft.uses_flags:
        yield "flags = true    # appends --name=value for each parameter, and --name for true"
    if draft.line.environment:
        yield f"environment = {toml(draft.line.environment)}"
    if streams and streams != ["seed"]:
        yield f"seed = {toml(streams)}    # the streams of random numbers; each has a seed"
    if not streams and not draft.reads_seed:
        yield "# No flag for a seed was found. Without a seed, all runs of an arm are the same run:"
        yield '# add one to the command, such as "--seed={seed}", or let the script read $SWEEP_SEED.'
    yield "# pairs = true    # if equal seeds give all arms the same random numbers"


def _parameters(draft: Draft) -> Iterator[str]:
    yield "[parameters]    # the baseline; interventions change it"
    for name, each in draft.parameters.items():
        if not each.choices:
            yield f"{key(name)} = {toml(each.value)}"
    for name, each in draft.parameters.items():
        if each.choices:
            yield f"\n[parameters.{key(name)}]"
            yield f"default = {toml(each.value)}\nchoices = {toml(each.choices)}"
    if draft.others:
        flags = ", ".join(dict.fromkeys(each.flag for each in draft.others))
        yield f"# {draft.line.title} has further flags, which the command does not give:"
        yield textwrap.fill(
            flags,
            93,
            initial_indent="# ",
            subsequent_indent="# ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _metric(draft: Draft) -> Iterator[str]:
    metric = draft.metric
    yield f"[metrics.{key(metric.name)}]"
    if metric.place:
        yield f"# From {metric.place}."
    else:
        yield f"# A guess: no metric was found in {draft.line.title}."
    if metric.source:
        yield f"source = {toml(metric.source)}"
    yield f"direction = {quoted(metric.direction.value)}    # {metric.direction.words}"


def _interventions(draft: Draft) -> Iterator[str]:
    changes = propose_changes(draft.parameters)
    yield "# An intervention sets parameters. Each is an arm of the study. These are examples."
    for number, change in enumerate(changes[: MAX_EXAMPLES + 1]):
        lines = _intervention(change)
        yield from (f"# {line}" if number else line for line in lines)
        if number + 1 < min(len(changes), MAX_EXAMPLES + 1):
            yield ""


def _intervention(change: Change) -> list[str]:
    return [
        f"[interventions.{key(_name(change.name))}]",
        'because = "Say why it is expected to help."',
        f"set = {toml({change.parameter: change.value})}",
    ]


def _rest(draft: Draft) -> Iterator[str]:
    yield "[design]"
    yield "seeds = 3    # 1 to 3; or a list such as [11, 12, 13]"
    yield ""
    if draft.launch.gpus:
        yield f"[jobs]\ngpus_per_run = {draft.launch.gpus}\n"
    unit = draft.metric.name
    yield "[analysis]"
    yield f"smallest_effect = {_smallest(draft)}    # in units of {unit}; smaller effects do not matter"


def _smallest(draft: Draft) -> float:
    """The smallest effect that matters: a guess by the metric's name."""
    is_share = draft.metric.direction is Direction.MAXIMIZE
    return 0.002 if is_share else 0.005


def _name(text: str) -> str:
    """A valid name for an intervention."""
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.+_")[:64] or "change"


def _listed(words: list[str]) -> str:
    """A list in TOML: on several lines if it is long."""
    line = toml(words)
    if len(line) <= 88:
        return line
    return "[\n" + "".join(f"    {toml(word)},\n" for word in words) + "]"


def guesses(draft: Draft) -> Mapping[str, str]:
    """Guesses to check, by subject."""
    metric = draft.metric
    found = {
        "parameters": ", ".join(
            f"{name} = {toml(each.value)}" for name, each in draft.parameters.items()
        ),
        "seed": ", ".join(draft.seeds) or _no_seed(draft),
        "metric": f"{metric.name}, {metric.direction.words}; "
        + (f"from {metric.place}" if metric.place else "nothing found that is printed: a guess"),
        "code": ", ".join(draft.code) or "none found",
    }
    outputs = {"output": f"{', '.join(draft.outputs)}: the folder of each run"}
    fixed = {"as typed": " ".join(draft.fixed)}
    return {**found, **(outputs if draft.outputs else {}), **(fixed if draft.fixed else {})}


def _no_seed(draft: Draft) -> str:
    if draft.reads_seed:
        return "the script reads $SWEEP_SEED"
    return "none found: every run of an arm would be the same; see [trainer]"
