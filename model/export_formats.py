"""The registry of formats that models are exported in. Does not import torch."""

from __future__ import annotations

from model.config import ModelConfig
from model.export_format import ExportFormat
from model.huggingface import GPT2
from model.llama import Llama
from model.own_code import OwnCode

FORMATS: tuple[ExportFormat, ...] = (GPT2(), Llama(), OwnCode())
"""The formats; the first one that holds a model is used."""


def format_of(config: ModelConfig) -> ExportFormat:
    """The format that holds a model.

    Raises ValueError, naming the field and the reason, if there is none.
    """
    for each in FORMATS:
        if each.misfit(config) is None:
            return each
    raise ValueError(FORMATS[-1].misfit(config))
