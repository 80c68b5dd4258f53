"""What a script is given: its folder of outputs, environment variables, and its filled-in command."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from trainer.errors import CommandError
from trainer.files import write_json
from trainer.rundir.directory import RunDirectory
from trainer.scripts.group import NodeGroup
from trainer.scripts.placeholders import as_flags, as_overrides, fill
from trainer.scripts.request import ScriptRequest

RUN_DIR = "SWEEP_RUN_DIR"
"""Environment variable that names the folder of outputs; every process of a run has it."""
OUTPUT_FOLDER = "output"
"""The folder of a script's outputs in the run directory: other files there are ours."""
RESULT_FILE = "metrics.json"
PARAMETERS_FILE = "parameters.json"
_FIRST_PORT, _PORTS = 20_000, 12_000  # below those that the kernel gives to outgoing connections


@dataclass(frozen=True)
class Outputs:
    """Paths of the files that a script writes and reads.

    The other nodes of a run have files of their own, so that only what the first one writes counts.
    """

    folder: Path
    node: int = 0
    """Number of the node among those of the run."""

    @property
    def result(self) -> Path:
        """The JSON file of metrics."""
        return self._own(RESULT_FILE)

    @property
    def parameters(self) -> Path:
        """The JSON file of parameters."""
        return self._own(PARAMETERS_FILE)

    @property
    def curves(self) -> Path:
        """The file of JSON lines."""
        return self._own("metrics.jsonl")

    def _own(self, name: str) -> Path:
        return self.folder / (f"node-{self.node}-{name}" if self.node else name)


def outputs_of(directory: RunDirectory, node: int = 0) -> Outputs:
    """The files of a script in a run directory, on a node of the run."""
    return Outputs(directory.path.resolve() / OUTPUT_FOLDER, node)


def prepare_outputs(directory: RunDirectory, request: ScriptRequest, node: int) -> Outputs:
    """Make the folder of outputs; an earlier attempt's metrics are removed, all else is kept."""
    outputs = outputs_of(directory, node)
    outputs.folder.mkdir(exist_ok=True)
    if outputs.result.is_dir() and not outputs.result.is_symlink():
        shutil.rmtree(outputs.result)
    outputs.result.unlink(missing_ok=True)
    write_json(outputs.parameters, request.parameters, durable=False)
    return outputs


def seed_variables(seeds: Mapping[str, int]) -> dict[str, str]:
    """`SWEEP_SEED` for a run with one seed, and `SWEEP_SEED_INIT` and the like for streams."""
    if len(seeds) == 1:
        return {"SWEEP_SEED": str(next(iter(seeds.values())))}
    return {
        f"SWEEP_SEED_{re.sub(r'[^A-Z0-9]', '_', name.upper())}": str(seed)
        for name, seed in seeds.items()
    }


@dataclass(frozen=True)
class Invocation:
    """What one attempt is given."""

    request: ScriptRequest
    outputs: Outputs
    attempt: int
    threads: int | None
    port: int
    group: NodeGroup | None = None
    """The node that it is for, if the run has several."""

    def arguments(self) -> list[str]:
        """Program and arguments. Raises CommandError if a placeholder stands for nothing."""
        request = self.request
        command = [fill(part, self._values()) for part in request.command or []]
        if request.flags == "flags":
            return command + as_flags(request.parameters)
        return command + (as_overrides(request.parameters) if request.flags == "overrides" else [])

    def environment(self) -> dict[str, str]:
        """Environment variables. Raises CommandError as `arguments` does."""
        values = self._values()
        given = {name: fill(text, values) for name, text in self.request.environment.items()}
        nodes = self.group.script_variables(self.request.processes) if self.group else {}
        return {
            "MASTER_ADDR": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",  # output comes as it is printed, and none is lost in a kill
            **({"OMP_NUM_THREADS": str(self.threads)} if self.threads else {}),
            **os.environ,
            **nodes,
            **given,
            RUN_DIR: str(self.outputs.folder),
            "SWEEP_RESULT": str(self.outputs.result),
            "SWEEP_PARAMETERS": str(self.outputs.parameters),
            "SWEEP_ATTEMPT": str(self.attempt),
            "MASTER_PORT": str(self.port),
            **seed_variables(self.request.seeds),
        }

    def _values(self) -> dict[str, JsonValue]:
        own: dict[str, JsonValue] = {
            "run_dir": str(self.outputs.folder),
            "result": str(self.outputs.result),
            "parameters": str(self.outputs.parameters),
            "gpus": self.request.processes // (self.group.nodes if self.group else 1),
            "port": self.port,
            "attempt": self.attempt,
        }
        return {**own, **self.request.seeds, **self.request.parameters}


def check_folder(folder: str) -> None:
    """Raise CommandError if the working folder does not exist."""
    if not Path(folder).is_dir():
        raise CommandError(
            f"the working folder {folder} does not exist; correct workdir under [trainer]"
        )


def find_program(name: str, folder: str, environment: Mapping[str, str]) -> str:
    """The absolute path of a program. Raises CommandError if it cannot be started."""
    check_folder(folder)
    searched = environment.get("PATH", os.defpath)
    if "/" not in name:
        found = shutil.which(name, path=searched)
        if found is None:
            raise CommandError(
                f"the command {name!r} was not found in PATH ({searched}); correct its spelling under "
                f"[trainer], give its path, or install it{_here(name, folder)}"
            )
        return str(Path(folder, found))
    path = Path(folder, name)
    if not path.exists():
        raise CommandError(f"the command {path} does not exist; correct it under [trainer]")
    if path.is_dir() or not os.access(path, os.X_OK):
        why = "is a folder" if path.is_dir() else "is not executable"
        raise CommandError(f"the command {path} {why}; {_remedy(path)}")
    return str(path)


def free_port() -> int:
    """A port that nothing uses. Processes that run at the same time get different ones."""
    for offset in range(_PORTS):
        port = _FIRST_PORT + (os.getpid() + offset) % _PORTS
        with socket.socket() as tried:
            try:
                tried.bind(("", port))
            except OSError:
                continue
            return port
    return 0


def _here(name: str, folder: str) -> str:
    return f"; for {Path(folder, name)} write './{name}'" if Path(folder, name).is_file() else ""


def _remedy(path: Path) -> str:
    return (
        f'write ["python", "{path.name}"] to run it with Python, or type `chmod +x {path}`'
        if path.suffix == ".py"
        else f"type `chmod +x {path}`"
    )
