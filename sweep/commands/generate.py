"""`sweep generate`: write text with a finished run or an exported model."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from sweep.models.find import model_folder
from sweep.models.torch_child import call
from sweep.workspace import Workspace
from trainer.errors import UserError


@dataclass(frozen=True)
class GenerateRequest:
    """Options of `sweep generate`."""

    model: str
    """A word that names a run, or a folder."""
    study: str | None
    prompt: str
    tokens: int
    temperature: float
    top_k: int | None
    seed: int


def generate(workspace: Workspace, request: GenerateRequest) -> int:
    """Write text to standard output as it is sampled. Returns the exit status."""
    try:
        request.prompt.encode()
    except UnicodeEncodeError as error:
        raise UserError("--prompt is not UTF-8; check the encoding of your terminal") from error
    values = {
        "folder": str(model_folder(workspace, request.model, request.study)),
        "prompt": request.prompt,
        "safe": sys.stdout.isatty(),
        "sampling": {
            "tokens": request.tokens,
            "temperature": request.temperature,
            "top_k": request.top_k,
            "seed": request.seed,
        },
    }
    call("trainer.tools.generate", json.dumps(values))
    return 0
