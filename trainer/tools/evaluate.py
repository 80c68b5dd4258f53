"""The test loss of a folder of weights on a study's test text.

Reads a `Request` as JSON on standard input. Writes lines of JSON on standard output: progress as
`[done, total]`, and at last an `Evaluation`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from model.config import Config
from model.size import parameter_count
from trainer.corpora.corpus import find_corpus
from trainer.errors import CorpusError, WeightsError
from trainer.recipe import Recipe, vocabulary_size
from trainer.tools.child import answer
from trainer.training.evaluate import evaluate, pieces
from trainer.training.provenance import code, device_name
from trainer.training.world import Place
from trainer.weights.initial import check_tokens
from trainer.weights.pretrained import open_pretrained
from trainer.weights.weights import load_model


class Request(Config):
    """A folder of weights, and the test text to evaluate it on."""

    folder: str
    """A folder or file that `open_pretrained` reads."""
    recipe: Recipe
    """The recipe of the study's baseline: gives test text, context and tokenizer."""
    corpus_hash: str
    cache: str
    """The folder of token files."""


class Evaluation(Config):
    """The loss of a model that the study did not train."""

    test_loss: float
    """Nats per token."""
    bits_per_byte: float
    weights_hash: str
    parameters: int
    context: int
    """The positions of the model; it is evaluated with the study's context."""
    provenance: dict[str, object]
    """Code, device, and notes on what was evaluated otherwise than it is stored."""


def evaluate_folder(request: Request, report: Callable[[tuple[int, int]], None]) -> Evaluation:
    """Evaluate a folder of weights; calls `report` with (pieces done, pieces in all).

    Raises WeightsError if the loss would not be comparable with the study's, CorpusError if the
    test text is missing.
    """
    source, recipe, cache = open_pretrained(Path(request.folder)), request.recipe, request.cache
    corpus = find_corpus(recipe.data.tokenizer, request.corpus_hash, Path(cache))
    if corpus is None:
        raise CorpusError(
            f"the study's corpus {request.corpus_hash[:16]} is not below {cache} any more; "
            "`sweep data prepare STUDY` makes it again"
        )
    if source.config.context < recipe.model.context:
        raise WeightsError(
            f"{source.folder} has {source.config.context} positions, and the study evaluates "
            f"with model.context = {recipe.model.context}; its loss could not be compared"
        )
    check_tokens(source, recipe.data.tokenizer, corpus, Path(cache))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    vocabulary = vocabulary_size(recipe.data.tokenizer)
    model = load_model(source, recipe.model.context, vocabulary).to(device)
    total = len(pieces(model, recipe))
    steps = iter([(done, total) for done in range(total)])
    loss = evaluate(model, corpus, recipe, Place(device), lambda: report(next(steps)))
    return Evaluation(
        test_loss=loss.nats_per_token,
        bits_per_byte=loss.bits_per_byte,
        weights_hash=source.hash,
        parameters=parameter_count(source.config, vocabulary),
        context=source.config.context,
        provenance={
            **code(),
            "device": device_name(device),
            "torch": torch.__version__,
            "notes": source.notes(vocabulary),
        },
    )


def _write(content: bytes) -> None:
    def write(value: object) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    write(evaluate_folder(Request.model_validate_json(content), write).model_dump())


def main() -> int:
    """Answer the request on standard input; returns the exit status."""
    return answer(_write)
