"""`python -m trainer.tools.evaluate`: the test loss of a folder of weights on a study's test text.

A `Request` in JSON on standard input; lines of JSON on standard output: how far it is, and at last
a `Mark`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from model.config import Config, parameter_count
from trainer.corpora.corpus import find_corpus
from trainer.errors import CorpusError, WeightsError
from trainer.recipe import Recipe
from trainer.tools.child import answer
from trainer.training.evaluate import evaluate, pieces
from trainer.training.provenance import code, device_name
from trainer.training.world import Place
from trainer.weights.initial import check_tokens
from trainer.weights.pretrained import open_pretrained
from trainer.weights.weights import load_model


class Request(Config):
    """What to evaluate, and on what."""

    folder: str
    """A GPT-2 in Hugging Face's format, an exported model, or a run."""
    recipe: Recipe
    """Of the study's baseline: its test text, its context, its tokenizer."""
    corpus_hash: str
    cache: str
    """Where token files are kept."""


class Mark(Config):
    """The loss of a model that the study did not train."""

    test_loss: float
    """Nats per token."""
    bits_per_byte: float
    weights_hash: str
    parameters: int
    context: int
    """The positions that the model knows; it is evaluated with those of the study."""
    provenance: dict[str, object]


def mark(request: Request, tell: Callable[[tuple[int, int]], None]) -> Mark:
    """Evaluate; `tell` is called with the number of pieces done, and of all.

    Raises WeightsError where the model's loss would not be comparable, CorpusError where the test
    text is gone.
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
            f"{source.folder} knows {source.config.context} positions, and the study evaluates "
            f"with model.context = {recipe.model.context}; its loss could not be compared"
        )
    check_tokens(source, recipe.data.tokenizer, corpus, Path(cache))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(source, recipe.model.context).to(device)
    total = len(pieces(model, recipe))
    steps = iter([(done, total) for done in range(total)])
    loss = evaluate(model, corpus, recipe, Place(device), lambda: tell(next(steps)))
    return Mark(
        test_loss=loss.nats_per_token,
        bits_per_byte=loss.bits_per_byte,
        weights_hash=source.hash,
        parameters=parameter_count(source.config, source.vocabulary),
        context=source.config.context,
        provenance={**code(), "device": device_name(device), "torch": torch.__version__},
    )


def _write(content: bytes) -> None:
    def say(value: object) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    say(mark(Request.model_validate_json(content), say).model_dump())


if __name__ == "__main__":
    sys.exit(answer(_write))
