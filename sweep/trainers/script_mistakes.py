"""Check the script of a study before anything is run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sweep.errors import StudyError, did_you_mean
from sweep.study.file import Study
from sweep.study.mistakes import Mistake
from sweep.study.names import STREAMS
from sweep.study.script_code import mentions
from sweep.study.trainer_section import ScriptTrainer
from sweep.terminal.printable import shown
from sweep.trainers.function_check import why_no_function
from trainer.errors import CommandError
from trainer.scripts.placeholders import PLACEHOLDERS, names

COMMAND = ("trainer", "command")


def script_mistakes(study: Study) -> list[Mistake]:
    """Return what is wrong with a study's script, apart from single values of parameters."""
    return [
        *_wrong_names(study),
        *_wrong_placeholders(study),
        *_wrong_files(study),
        *_wrong_streams(study),
        *_wrong_function(study),
    ]


def find_program(script: ScriptTrainer, folder: Path) -> None:
    """Raise StudyError if the command's program cannot be started on this machine."""
    if script.command is None or "{" in script.command[0]:
        return
    word = script.command[0]
    path = os.pathsep.join([script.environment.get("PATH", os.environ.get("PATH", os.defpath))])
    if os.sep not in word:
        if shutil.which(word, path=path) is None:
            raise StudyError(
                f"'trainer.command' starts {shown(word)}, which is no program on the PATH ({path}); "
                "install it, or give its whole path"
            )
        return
    program = folder / word
    if not program.exists():
        raise StudyError(f"'trainer.command' starts {shown(word)}, and {program} does not exist")
    if program.is_dir() or not os.access(program, os.X_OK):
        raise StudyError(
            f"'trainer.command' starts {shown(word)}, which is not executable; make it so with "
            f'`chmod +x {program}`, or name its interpreter: command = ["python", {shown(word)}]'
        )


def _wrong_names(study: Study) -> Iterator[Mistake]:
    script = study.script
    for name in study.parameters:
        if name in {*PLACEHOLDERS, "seed", *script.seed}:
            yield Mistake(
                ("parameters", name),
                f"[parameters] has {shown(name)}, which sweep fills in itself; remove it, or use "
                "another name",
            )


def _wrong_placeholders(study: Study) -> Iterator[Mistake]:
    """Unknown placeholders, and parameters that nothing uses."""
    script = study.script
    known = [*study.parameters, *script.seed, "seed", *PLACEHOLDERS]
    texts: list[tuple[tuple[str, ...], str]] = [(COMMAND, each) for each in script.command or []]
    texts += [(("trainer", "environment", k), v) for k, v in script.environment.items()]
    used: set[str] = set()
    for keys, text in texts:
        try:
            found = names(text)
        except CommandError as error:
            yield Mistake(keys, f"'{'.'.join(keys)}': {error}")
            used.update(study.parameters)  # it may have meant any
            continue
        used.update(found)
        for name in found:
            if name not in known:
                advice = did_you_mean(name, known) or f"; those known are {', '.join(known)}"
                yield Mistake(
                    keys,
                    f"'{'.'.join(keys)}' has the placeholder {{{name}}}, which is not declared under "
                    f"[parameters]{advice} (a brace itself is written twice: {{{{)",
                )
    if not ("parameters" in used or _uses_all(study)):
        for name in study.parameters:
            if name not in used:
                yield Mistake(
                    ("parameters", name),
                    f"[parameters] has {shown(name)}, which nothing uses; write {{{name}}} in the "
                    "command, set trainer.flags = true, or let the script read the file at "
                    "$SWEEP_PARAMETERS and name the script in trainer.code",
                )


def _uses_all(study: Study) -> bool:
    """True if the script gets all parameters, or seems to read their file."""
    script = study.script
    if script.function or script.flags or script.overrides:
        return True
    try:
        files = [study.script_folder / path for path in study.code]
        return mentions(b"SWEEP_PARAMETERS", files)
    except (StudyError, OSError):
        return True  # that the code is wrong is a mistake of its own


def _wrong_files(study: Study) -> Iterator[Mistake]:
    script, folder = study.script, study.script_folder
    if not folder.is_dir():
        yield Mistake(
            ("trainer", "workdir"), f"'trainer.workdir': the folder {folder} does not exist"
        )
        return
    try:
        found = study.code
    except StudyError as error:
        yield Mistake(("trainer", "code"), str(error))
        return
    if script.function is not None and script.code is None and not found:
        module = script.function.partition(":")[0]
        near = did_you_mean(module, [path.stem for path in folder.glob("*.py")])
        yield Mistake(
            ("trainer", "function"),
            f"'trainer.function' = {shown(script.function)}: there is no module {shown(module)} in "
            f"{folder}{near}",
        )


def _wrong_function(study: Study) -> Iterator[Mistake]:
    function = study.script.function
    if function is not None and (wrong := why_no_function(function, study.script_folder)):
        yield Mistake(("trainer", "function"), f"'trainer.function': {wrong}")


def _wrong_streams(study: Study) -> Iterator[Mistake]:
    script, vary = study.script, study.design.vary
    if study.design.race is not None and not script.pairs:
        yield Mistake(
            ("design", "seeds"),
            "'design.seeds' is a race, whose test needs pairs of runs; set trainer.pairs = true if equal "
            "seeds share their randomness, or give a number of seeds",
        )
    if script.takes_one_seed and set(vary) != set(STREAMS):
        yield Mistake(
            ("design", "vary"),
            "'design.vary' chooses among the streams of a script, and this one takes a single seed; "
            'declare its streams, as in trainer.seed = ["init", "data"], or remove design.vary',
        )
    elif not set(vary) & set(script.streams):
        yield Mistake(
            ("design", "vary"),
            f"'design.vary' names none of the streams that the script takes ({', '.join(script.seed)})",
        )
