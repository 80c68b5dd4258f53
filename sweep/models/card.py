"""The page that goes with an exported model: what it is, how good, and how to load it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from model.config import parameter_count
from sweep.store.rows import RunRow
from sweep.store.schema import arms, members, studies
from sweep.store.store import Store
from sweep.study.file import BASELINE
from sweep.verdicts.judge import make_report
from trainer.recipe import Recipe, vocabulary_size

LOADING = """\
    from transformers import pipeline

    write = pipeline("text-generation", "FOLDER OR OWNER/NAME")
    print(write("Once", max_new_tokens=50)[0]["generated_text"])

It is a GPT-2 to transformers: `AutoModelForCausalLM` and `AutoTokenizer` load it without remote
code. Its tokenizer takes `<|endoftext|>` in a text for text, as in training; the end-of-text token
itself is `tokenizer.eos_token_id`.
"""


def make_card(store: Store, run: RunRow, recipe: Recipe, study: str | None) -> str:
    """The model card of a run, in Markdown; with the verdict that `study`, or every study, gives."""
    places = _places(store, run.id, study)
    title = "/".join(str(part) for part in places[0]) if places else run.id[:12]
    verdicts = [_verdict(store, *place) for place in places]
    return "\n".join(
        [
            "---\nlibrary_name: transformers\npipeline_tag: text-generation",
            "tags:\n- gpt2\n- gpt-sweep\n---",
            f"# {title}\n",
            _summary(run, recipe),
            *(["## In its study\n", *verdicts] if verdicts else []),
            f"## Loading it\n\n{LOADING}",
            f"## Recipe\n\n```json\n{json.dumps(run.recipe, indent=1)}\n```\n",
            f"## Where it comes from\n\n```json\n{_origin(run)}\n```",
            "",
        ]
    )


def _summary(run: RunRow, recipe: Recipe) -> str:
    size = parameter_count(recipe.model, vocabulary_size(recipe.data.tokenizer))
    bits = run.bits_per_byte
    loss = f"{run.test_loss:.4f} nats per token"
    rows = {
        "parameters": f"{size:,}",
        "training tokens": f"{run.tokens:,} in {run.steps:,} steps",
        "corpus": f"{_plain(recipe.data.corpus)}, {recipe.data.tokenizer} tokens",
        "test loss": loss if bits is None else f"{loss}, {bits:.4f} bits per byte",
        "context": f"{recipe.model.context} tokens",
    }
    lines = ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())]
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """Text that stays one cell of a table."""
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`"


def _places(store: Store, run_id: str, study: str | None) -> Sequence[tuple[str, str, int]]:
    """Study, arm and seed of a run, the study last run first."""
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
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def _verdict(store: Store, study: str, arm: str, seed: int) -> str:
    rows = make_report(store, store.study(study)).as_dict()["arms"]
    by_name: Mapping[str, Any] = {row["arm"]: row for row in rows}
    row = by_name[arm]
    mean = f"The mean test loss of `{arm}` over {row['n_done']} seeds is {row['mean']:.4f}; this"
    words = f"{mean} is the run with seed {seed}."
    if arm == BASELINE or row["effect"] is None:
        return f"`{study}`: {words}\n"
    interval, p = "", row["p_adjusted"]
    if row["ci_low"] is not None:
        interval = f" (interval {row['ci_low']:+.4f} to {row['ci_high']:+.4f}"
        interval += ")" if p is None else f"; p {p:.2g} after correction for the study's arms)"
    return (
        f"`{study}`: **{row['verdict'] or 'no verdict yet'}**. The effect of `{arm}` on the test "
        f"loss, against `{BASELINE}` with the same seeds, is {row['effect']:+.4f} nats per "
        f"token{interval}; negative is better. {words}\n"
    )


def _origin(run: RunRow) -> str:
    return json.dumps(
        {"run": run.id, "corpus_hash": run.corpus_hash, **(run.provenance or {})}, indent=1
    )
