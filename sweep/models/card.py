"""Write the model card of an exported run: recipe, loss, verdict, and how to load it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import select

from model.config import ModelConfig
from model.export_format import ExportFormat
from model.export_formats import FORMATS
from model.size import parameter_count
from sweep.store.rows import RunRow
from sweep.store.schema import arms, members, studies
from sweep.store.store import Store
from sweep.study.names import BASELINE
from sweep.terminal.units import supported_decimals
from sweep.verdicts.decimals import arm_mean_decimals, decimals
from sweep.verdicts.judge import ArmReport, Report
from trainer.recipe import DataConfig, Recipe, vocabulary_size
from trainer.words import counted


class PlannedPlace(NamedTuple):
    """The place of a run in a study."""

    study: str
    arm: str
    seed: int


LOADING = """\
    from transformers import pipeline

    write = pipeline("text-generation", "FOLDER OR OWNER/NAME"{argument})
    print(write("Once", max_new_tokens=50)[0]["generated_text"])

{class_words}

Its tokenizer takes the name of its end-of-text token in a text for text, as in training; the token
itself is `tokenizer.eos_token_id`.
"""


def make_card(
    store: Store,
    run: RunRow,
    recipe: Recipe,
    export_format: ExportFormat,
    *,
    study: str | None,
    report_of: Callable[[str], Report],
) -> str:
    """The model card of a run in Markdown, with its verdict in `study`, or in every study of it.

    `report_of` judges a study.
    """
    places = _places(store, run.id, study)
    title = "/".join(map(str, places[0])) if places else run.id[:12]
    verdicts = [_verdict_words(report_of(place.study), place) for place in places]
    return "\n".join(
        [
            "---\nlibrary_name: transformers\npipeline_tag: text-generation",
            *("tags:", *(f"- {tag}" for tag in _tags(export_format)), "---"),
            f"# {title}\n",
            _summary(run, recipe),
            *(["## In its study\n", *verdicts] if verdicts else []),
            f"## Loading it\n\n{loading_words(recipe.model, export_format)}",
            f"## Recipe\n\n```json\n{json.dumps(run.recipe, indent=1)}\n```\n",
            f"## Where it comes from\n\n```json\n{_origin(run)}\n```",
            "",
        ]
    )


def _tags(export_format: ExportFormat) -> list[str]:
    return [export_format.model_type, *(["custom_code"] if export_format.code else []), "gpt-sweep"]


def loading_words(model: ModelConfig, export_format: ExportFormat) -> str:
    """How to load the model, as which class; for code of our own also why it is needed."""
    name = f"`{export_format.class_name}`"
    if not export_format.code:
        words = (
            f"It is a {name} to transformers: `AutoModelForCausalLM` and `AutoTokenizer` load it "
            "without remote code."
        )
        return LOADING.format(argument="", class_words=words)
    misfits = [each.misfit(model) for each in FORMATS if not each.code]
    files = ", ".join(f"`{path.name}`" for path in export_format.code)
    words = (
        f"It is a {name}, whose code is part of this model: {files}. transformers runs code of a "
        "model only with `trust_remote_code=True`, which `AutoModelForCausalLM` needs as well; read "
        "the code first. No class of transformers that `sweep` knows holds the model:\n\n"
    )
    words += "\n".join(f"- `{misfit.replace(': ', '`: ', 1)}" for misfit in misfits if misfit)
    return LOADING.format(argument=", trust_remote_code=True", class_words=words)


def _summary(run: RunRow, recipe: Recipe) -> str:
    size = parameter_count(recipe.model, vocabulary_size(recipe.data.tokenizer))
    bits = run.bits_per_byte
    loss = f"{run.test_loss:.4f} nats per token"
    rows = {
        "parameters": f"{size:,}",
        "training tokens": f"{run.tokens:,} in {counted(run.steps or 0, 'step')}",
        "corpus": f"{_corpus(recipe.data)}, {recipe.data.tokenizer} tokens",
        "test loss": loss if bits is None else f"{loss}, {bits:.4f} bits per byte",
        "context": f"{recipe.model.context} tokens",
    }
    lines = ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())]
    return "\n".join([*lines, ""])


def _corpus(data: DataConfig) -> str:
    """`corpus`, or `70% one, 30% other; tested on corpus`."""
    if data.mixture is None:
        return _plain(data.corpus)
    shares = [f"{100 * share:.4g}% {_plain(name)}" for name, share in data.mixture]
    return f"{', '.join(shares)}; tested on {_plain(data.corpus)}"


def _plain(text: str) -> str:
    """A text as code that stays within one cell of a table."""
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`"


def _places(store: Store, run_id: str, study: str | None) -> list[PlannedPlace]:
    """Places of a run, in the study that was last run first."""
    query = (
        select(arms.c.study, arms.c.name, members.c.seed)
        .join(members, members.c.arm_id == arms.c.id)
        .join(studies, studies.c.name == arms.c.study)
        .where(members.c.run_id == run_id)
        .order_by(studies.c.last_run.desc(), arms.c.position, members.c.seed)
    )
    if study is not None:
        query = query.where(arms.c.study == study)
    with store.begin() as connection:
        return [PlannedPlace(*row) for row in connection.execute(query)]


def _verdict_words(report: Report, place: PlannedPlace) -> str:
    arm = report.arm(place.arm)
    result, most = arm.result, decimals(report)
    words = (
        f"The mean test loss of `{arm.name}` over {counted(result.n_done, 'seed')} is "
        f"{result.mean:.{arm_mean_decimals(arm, most)}f}; this is the run with seed {place.seed}."
    )
    if arm.name == BASELINE or result.effect is None:
        return f"`{place.study}`: {words}\n"
    return (
        f"`{place.study}`: **{result.verdict or 'no verdict yet'}**. The effect of `{arm.name}` on "
        f"the test loss, against `{BASELINE}` with the same seeds, is {_effect_words(arm, most)}; "
        f"negative is better. {words}\n"
    )


def _effect_words(arm: ArmReport, most: int) -> str:
    """`-0.029 nats per token (interval -0.042 to -0.016; p 0.002 ...)`, by the verdict's test."""
    (low, high), p = arm.interval, arm.result.p_adjusted
    digits = supported_decimals(low, high, most)
    effect = f"{arm.effect:+.{digits}f} nats per token"
    if low is None:
        return effect
    after = "" if p is None else f"; p {p:.2g} after correction for the study's arms"
    return f"{effect} (interval {low:+.{digits}f} to {high:+.{digits}f}{after})"


def _origin(run: RunRow) -> str:
    return json.dumps(
        {"run": run.id, "corpus_hash": run.corpus_hash, **(run.provenance or {})}, indent=1
    )
