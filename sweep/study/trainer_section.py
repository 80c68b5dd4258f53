"""`[trainer]` of a study file: the script or function that trains a run."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from model.config import Config
from sweep.errors import did_you_mean
from sweep.study.names import STREAMS
from sweep.terminal.printable import shown

ONE_SEED = "seed"
"""The name of the seed of a script that has only one."""
STREAM_NAMES = {"init": "init", "order": "order", "data": "order", "dropout": "dropout"}
"""Names that a script may give to its random streams, and the streams of the store."""


def _check_streams(names: list[str]) -> list[str]:
    for name in names:
        if name not in STREAM_NAMES and names != [ONE_SEED]:
            raise ValueError(
                f"{shown(name)} is not a stream; those are {', '.join(STREAM_NAMES)}"
                f"{did_you_mean(name, STREAM_NAMES)}"
            )
    if len({STREAM_NAMES.get(name, name) for name in names}) < len(names):
        raise ValueError("a stream is named twice ('data' and 'order' are the same)")
    return names


def _check_function(name: str) -> str:
    if not re.fullmatch(r"[\w.]+:[\w.]+", name):
        raise ValueError(
            f'{shown(name)} must name a module and a function in it, as in "fit:train"'
        )
    return name


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Streams = Annotated[list[str], BeforeValidator(_as_list), AfterValidator(_check_streams)]


class ScriptTrainer(Config):
    """The script or function that trains a run; exactly one of `command` and `function` is set."""

    command: list[str] | None = Field(
        default=None, min_length=1, examples=[["python", "train.py", "--seed={seed}"]]
    )
    """Program and arguments, without a shell. `{name}` stands for a parameter or a seed."""
    function: Annotated[str, AfterValidator(_check_function)] | None = None
    """`package.module:train`, called as `train(parameters, seed, run_dir, report)`."""
    code: list[str] | None = None
    """Files that belong to the run's fingerprint, with `*` and `**`. By default those that the
    command names, or the function's module, and the modules of the folder that they import."""
    workdir: str = "."
    """The folder in which the command is run, relative to the study file."""
    environment: dict[str, str] = Field(default={})
    """Environment variables; placeholders work in their values, too."""
    flags: bool = False
    """True to append `--name=value` for every parameter, and `--name` for true."""
    overrides: bool = False
    """True to append `name=value` for every parameter, as Hydra reads it."""
    seed: Streams = Field(default=[ONE_SEED], min_length=1)
    """The seeds that the script takes: `seed` for one, or a list of streams of its own."""
    pairs: bool = False
    """True if runs with the same seed share their randomness, whatever the parameters are."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> ScriptTrainer:
        if (self.command is None) == (self.function is None):
            raise ValueError(
                "give either 'command' or 'function', such as "
                'command = ["python", "train.py", "--seed={seed}"]'
            )
        if self.flags and self.overrides:
            raise ValueError("'flags' and 'overrides' exclude each other; choose one")
        if self.function is not None and (self.flags or self.overrides):
            raise ValueError("'flags' and 'overrides' belong to a command, not to a function")
        return self

    @property
    def takes_one_seed(self) -> bool:
        """True if the script does not tell its random streams apart."""
        return self.seed == [ONE_SEED]

    @property
    def streams(self) -> list[str]:
        """The streams of the store that the script takes seeds for."""
        return list(STREAMS) if self.takes_one_seed else [STREAM_NAMES[each] for each in self.seed]
