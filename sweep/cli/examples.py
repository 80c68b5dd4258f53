"""An example of each command, the last line of its help."""

from __future__ import annotations

from collections.abc import Mapping

import typer

EXAMPLES: Mapping[str, str] = {
    "run": "studies/x.toml --slots 2",
    "search": "studies/search.toml",
    "plan": "studies/x.toml --effect 0.01",
    "report": "x -o x.md",
    "plot": "forest x -o forest.pdf",
    "serve": "--port 8000",
    "noise": "studies/x.toml --seeds 7",
    "settle": "no-dropout --study x --max-runs 40",
    "stack": "x --dry-run",
    "init": "studies/x.toml",
    "interventions": "rope",
    "import": "runs.csv --study mine --column arm=config.name",
    "status": "x",
    "watch": "x",
    "list": "--runs ../runs",
    "show": "no-dropout/1 --study x",
    "compare": "baseline no-dropout --study x",
    "log": "no-dropout/1 --all",
    "doctor": "--runs ../runs",
    "cancel": "no-dropout --study x",
    "retry": "no-dropout/1",
    "pause": "x",
    "resume": "x",
    "export": "no-dropout/1 --to models/no-dropout",
    "evaluate": "models/gpt2 --study x --name gpt2",
    "generate": 'no-dropout/1 --prompt "def main" --tokens 50',
    "judge": "x --data instructions.json",
    "evals": "x --tasks lambada_openai,piqa",
    "train": "runs/0123456789abcdef",
    "backup": "backup.db",
    "rebuild": "--runs ../runs",
    "gc": "--dry-run",
    "study list": "--format json",
    "study rename": "my-study clipping",
    "study delete": "x --with-runs",
    "study note": 'x "run on the old machine"',
    "study tag": "x paper",
    "data prepare": "studies/x.toml",
    "data list": "--format json",
    "data remove": "corpus.txt",
}
"""Arguments and options, by command."""


def add_examples(app: typer.Typer, above: str = "") -> None:
    """Give each command of `app` its example."""
    for command in app.registered_commands:
        function = command.callback.__name__ if command.callback else ""
        name = f"{above}{command.name or function.replace('_', '-')}"
        command.epilog = f"Example: sweep {name} {EXAMPLES[name]}"
