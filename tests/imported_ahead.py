"""What a zygote imports before its first fork: all that its commands would import, one after another."""

from __future__ import annotations

import importlib

from tests.sources import ROOT, SOURCES

OTHERS = (
    *("pandas", "scipy.stats", "pyarrow.parquet", "sqlalchemy.dialects.sqlite"),
    *("torch.optim", "optuna", "matplotlib.figure", "matplotlib.backends.backend_agg", "jinja2"),
    *("matplotlib.backends.backend_pdf", "matplotlib.backends.backend_svg", "alembic.config"),
    *("uvicorn", "starlette.applications", "tokenizers", "safetensors.torch", "tiktoken"),
)
"""Packages of others that commands import only when they need them."""
LEFT_OUT = (
    "sweep.__main__",
    "sweep.executors.ray.",  # Ray starts threads, which a fork does not have
    "model.remote_code.",  # transformers reads its settings from the environment at its import
    "model.triton_kernels",  # needs a GPU's packages
)
"""The beginnings of the names of our modules that are not imported."""


def import_ahead() -> None:
    """Import all of our packages, and what they use."""
    for name in (*OTHERS, *own_modules()):
        importlib.import_module(name)


def own_modules() -> list[str]:
    """The names of our modules."""
    paths = [path.relative_to(ROOT).with_suffix("") for path in SOURCES]
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    return [name for name in names if not f"{name}.".startswith(LEFT_OUT)]
