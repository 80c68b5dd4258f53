"""Replies of a judge model that could be read, by the content of what was asked.

RUNS/judgements/AB/ABCDEF....json     one reply
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from sweep.judging.prompts import VERSION, Prompt
from sweep.judging.server import Reply
from sweep.study.evaluation_section import JudgeSettings
from trainer.files import write_json

FOLDER = "judgements"


class ReplyCache:
    """Keeps replies below the folder of runs."""

    def __init__(self, runs: Path, settings: JudgeSettings) -> None:
        self._folder = runs / FOLDER
        self._server = [settings.base_url, settings.model]

    def find(self, prompt: Prompt) -> Reply | None:
        """The reply to a prompt; None if it is not kept, or damaged."""
        try:
            return Reply(**json.loads(self._path(prompt).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, prompt: Prompt, reply: Reply) -> None:
        """Keep a reply. Raises OSError."""
        path = self._path(prompt)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(reply), durable=False)

    def _path(self, prompt: Prompt) -> Path:
        asked = [VERSION, self._server, prompt.repeat, prompt.messages]
        digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest[:32]}.json"
