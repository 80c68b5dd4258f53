"""Make the draft of a study from a script's command: its template, parameters, seed and metric."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from sweep.drafting.arguments import Argument, Form, read_arguments
from sweep.drafting.command_line import CommandLine, read_command
from sweep.drafting.declared import Declared, by_name, declared_flags, normal
from sweep.drafting.launchers import Launch, read_launcher
from sweep.drafting.metrics import Proposal, propose_metric
from sweep.drafting.roles import Role, role_of, streams_of
from sweep.drafting.values import Value, value_of
from sweep.errors import UserError
from sweep.study.local_modules import MAX_BYTES, local_files, parse
from trainer.scripts.placeholders import PLACEHOLDERS, escape

RESERVED = frozenset({"seed", *PLACEHOLDERS})
"""Placeholders that mean something else."""
CONFIGURATIONS = frozenset({".py", ".yaml", ".yml", ".json", ".toml", ".cfg", ".ini", ".conf"})
"""Suffixes of files of settings, which belong to the code of a run."""
MAX_CODE = 12
"""Files of code that are listed by name; more of a folder are given as a pattern."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of the script."""

    flag: str
    value: Value
    choices: tuple[Value, ...] = ()


@dataclass
class Draft:
    """All that a study file for a script says."""

    line: CommandLine
    metric: Proposal
    launch: Launch
    words: list[str] = field(default_factory=list)
    """The arguments of the command, with placeholders."""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    seeds: dict[str, str] = field(default_factory=dict)
    """The stream of random numbers of each flag that takes a seed."""
    uses_flags: bool = False
    """True if all parameters are appended as flags."""
    others: list[Declared] = field(default_factory=list)
    """Flags that the script declares and the command does not give."""
    fixed: list[str] = field(default_factory=list)
    """Arguments that stay as they were typed."""
    outputs: list[str] = field(default_factory=list)
    """Flags whose value is the run's directory."""
    code: list[str] = field(default_factory=list)
    reads_seed: bool = False
    """True if the script reads `$SWEEP_SEED`."""


def make_draft(command: str, folder: Path) -> Draft:
    """The draft of a study for a command that is typed in `folder`. Raises UserError."""
    line = read_command(command, folder)
    files = local_files(folder / line.script, folder) if line.script else []
    declared = [
        flag
        for path in files
        if (tree := parse(path))
        for flag in declared_flags(tree, path.read_text(errors="replace"))
    ]
    known = by_name(declared)
    arguments = read_arguments(line.arguments, known)
    draft = Draft(line=line, metric=propose_metric(files, folder), launch=read_launcher(line))
    _place(draft, arguments, known)
    _add_undeclared(draft, arguments, declared)
    configs = _configurations(line.arguments, folder)
    draft.reads_seed = any(b"SWEEP_SEED" in path.read_bytes() for path in [*files, *configs])
    draft.code = _patterns([*files, *configs], folder)
    return draft


def _configurations(words: Sequence[str], folder: Path) -> list[Path]:
    """Files of settings that arguments name; data is not among them."""
    values = [each.value for each in read_arguments(words, {})]
    named = [folder / value for value in values if Path(value).suffix in CONFIGURATIONS]
    return [path.resolve() for path in named if path.is_file() and path.stat().st_size <= MAX_BYTES]


def _place(draft: Draft, arguments: Sequence[Argument], declared: Mapping[str, Declared]) -> None:
    """Give each argument its place: a parameter, a seed, an output, or as it was typed."""
    streams = streams_of([each.flag for each in arguments if role_of(each.flag) is Role.SEED])
    draft.uses_flags = _is_all_flags(arguments, declared)
    flags = [each for each in arguments if each.form is not Form.POSITIONAL]
    names = _names(flags, RESERVED.union(streams.values()))
    for argument in arguments:
        known = declared.get(normal(argument.flag))
        role = Role.FIXED if _is_fixed(argument) else role_of(argument.flag)
        if role is Role.SEED:
            draft.seeds[argument.flag] = streams[argument.flag]
            draft.words += argument.words(f"{{{streams[argument.flag]}}}")
        elif role in (Role.FOLDER, Role.FILE):
            draft.outputs.append(argument.flag)
            end = f"/{Path(argument.value).name}" if role is Role.FILE else ""
            draft.words += argument.words(f"{{run_dir}}{end}")
        elif role is Role.FIXED or (argument.form is Form.BARE and not draft.uses_flags):
            draft.fixed.append(" ".join(argument.words()))
            draft.words += [escape(word) for word in argument.words()]
        else:
            name = argument.flag.lstrip("-") if draft.uses_flags else names[argument]
            draft.parameters[name] = _parameter(argument, known)
            if not draft.uses_flags:
                draft.words += argument.words(f"{{{name}}}")


def _is_fixed(argument: Argument) -> bool:
    """True for words without a flag, and for paths."""
    if argument.form is Form.POSITIONAL:
        return True
    is_path = "/" in argument.value and role_of(argument.flag) is Role.PARAMETER
    return is_path or argument.flag.startswith("hydra")


def _is_all_flags(arguments: Sequence[Argument], declared: Mapping[str, Declared]) -> bool:
    """True if a flag alone is among the parameters, and `--name=value` gives all of them."""
    parameters = [
        each for each in arguments if not _is_fixed(each) and role_of(each.flag) is Role.PARAMETER
    ]
    switches = [declared.get(normal(each.flag)) for each in parameters if each.form is Form.BARE]
    return (
        bool(switches)
        and all(known and known.is_bare for known in switches)
        and all(each.flag.startswith("--") for each in parameters)
        and all(each.form is not Form.FURTHER for each in parameters)
    )


def _parameter(argument: Argument, known: Declared | None) -> Parameter:
    """The parameter that an argument gives."""
    if argument.form is Form.BARE:
        return Parameter(argument.flag, value=True)
    value = value_of(argument.value, known.kind if known else None)
    choices = tuple(value_of(str(each), type(value)) for each in known.choices) if known else ()
    if value in ("true", "false"):
        choices = ("true", "false")
    return Parameter(argument.flag, value, choices if value in choices else ())


def _names(arguments: Sequence[Argument], reserved: AbstractSet[str]) -> dict[Argument, str]:
    """A name for each argument: that of its flag, as short as it can be."""
    short = Counter(_identifier(each.flag.rpartition(".")[2]) for each in arguments)
    names: dict[Argument, str] = {}
    for argument in arguments:
        last = _identifier(argument.flag.rpartition(".")[2])
        name = last if short[last] == 1 else _identifier(argument.flag)
        number, taken = 2, set(names.values()) | reserved
        first = name
        while name in taken:
            name = f"{first}_{number}" if first not in reserved else f"{first}_value"
            number += 1
        names[argument] = name
    return names


def _identifier(flag: str) -> str:
    """A flag as a name: `batch_size` for `--batch-size`."""
    return re.sub(r"\W+", "_", flag.lstrip("-+")).strip("_") or "value"


def _add_undeclared(
    draft: Draft, arguments: Sequence[Argument], declared: Sequence[Declared]
) -> None:
    """Add the seed and, if the command has no parameters, flags that the script declares."""
    given = {normal(each.flag) for each in arguments}
    missing = [each for each in declared if given.isdisjoint(map(normal, each.names))]
    seeds = [each for each in missing if role_of(each.flag) is Role.SEED]
    if not draft.seeds and len({each.flag for each in seeds}) == 1:
        draft.seeds[seeds[0].flag] = "seed"
        draft.words.append(f"{seeds[0].flag}={{seed}}")
    usable = [each for each in missing if role_of(each.flag) is Role.PARAMETER]
    numbers = [each for each in usable if type(each.default) in (int, float)]
    if not draft.parameters:
        for each in numbers:
            name = _identifier(each.flag)
            default = float(each.default) if each.kind is float else each.default
            draft.parameters[name] = Parameter(each.flag, default)
            draft.words.append(f"{each.flag}={{{name}}}")
        usable = [each for each in usable if each not in numbers]
    if not draft.parameters:
        raise UserError(
            f"--command has no parameter that a study could change, and {draft.line.title} declares "
            "none; add what you want to vary to the command, such as --lr=0.1"
        )
    draft.others = usable


def _patterns(files: Sequence[Path], folder: Path) -> list[str]:
    """Files of code relative to the folder; a pattern for folders with many of them."""
    inside = [path.relative_to(folder) for path in files if path.is_relative_to(folder)]
    listed = list(dict.fromkeys(map(str, inside)))
    if len(listed) <= MAX_CODE:
        return listed
    tops = [path.parts[0] for path in inside if len(path.parts) > 1]
    alone = [str(path) for path in inside if len(path.parts) == 1]
    return [*dict.fromkeys(alone), *(f"{top}/**/*.py" for top in dict.fromkeys(tops))]
