"""`sweep report`: the verdicts, any time, in any format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from sqlalchemy import RowMapping

from sweep.console import say
from sweep.explain import shown
from sweep.override import shown_overrides
from sweep.progress import duration
from sweep.report import Report, make_report, table_rows
from sweep.store import Store
from sweep.workspace import Workspace, file_differs
from trainer.errors import UserError
from trainer.files import write_whole

Format = Literal["table", "md", "csv", "json"]
MOST_COSTS = 8
"""Undecided arms whose further seeds are priced below a table."""


def report(
    workspace: Workspace, word: str | None, form: Format, output: Path | None, console: Console
) -> int:
    """Print the verdicts on a study, or write them to `output`; the exit status."""
    store = workspace.open()
    study = store.study(workspace.study_name(word))
    if form == "table" and output is None:
        print_report(store, study, console)
        return 0
    publish(_text(store, study, form), output, console)
    return 0


def publish(text: str, output: Path | None, console: Console) -> None:
    """Print a text as it is, or write it to a file, whole. Raises UserError."""
    if output is None:
        console.file.write(text)
        return
    try:
        write_whole(output, text.encode())
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}") from error
    say(console, f"Written to {output}.")


def print_report(store: Store, study: RowMapping, console: Console) -> None:
    """The table for a terminal, with what must be known to read it."""
    from analysis.table import rich_table, verdict_columns  # noqa: PLC0415  (brings numpy)

    result = make_report(store, study)
    content = result.as_dict()
    for line in preamble(result, study):
        say(console, line)
    columns = verdict_columns(1 - result.analysis["alpha"])
    console.print(rich_table(columns, table_rows(content), console.width))
    for line in footnotes(result, content):
        say(console, line)


def preamble(result: Report, study: RowMapping) -> list[str]:
    """What stands above the table."""
    settings, noise = result.analysis, result.judgement.noise
    what = shown(result.metric) if result.metric else "test loss, nats per token"
    lines = [f"{result.study}: effect = arm − baseline in {what}; negative is better."]
    if settings["correction"] == "bh":
        lines.append(
            "Exploratory: p-values control the rate of false discoveries, not of any error."
        )
    if noise is not None:
        lines.append(
            f"Baseline: mean {noise.mean:.4f}, sd {noise.sd:.4f} over {noise.n} seeds "
            f"(95% interval of the sd {noise.ci_low:.4f} to {noise.ci_high:.4f})."
        )
    if (known := result.noise_on_record) is not None:
        lines.append(f"Noise on record: sd {known['sd']:.4f} ({known['source']}).")
        lines += [known["warning"]] if known["warning"] else []
    lines.append(
        f"alpha {settings['alpha']:g}, {settings['correction']} over a family of "
        f"{result.judgement.family}; smallest effect worth having "
        f"{settings['smallest_effect']:g}; plan {result.plan_hash[:12]}."
    )
    if result.overrides:
        lines.append(f"Overridden on the command line: {shown_overrides(result.overrides)}.")
    if study["imported"]:
        lines.append(f"Imported from {study['path']}.")
    elif result.stack:
        lines.append(
            f"The stack of {result.stack['of']}, which promised "
            f"{result.stack['promise']['effect']:+.4f}; `sweep stack {result.stack['of']}` compares."
        )
    elif file_differs(Path(study["path"]), result.plan_hash, result.overrides):
        lines.append(
            f"{study['path']} has changed since: this is the plan last run; "
            f"`sweep run {study['path']}` trains and judges the new one."
        )
    return lines


def footnotes(result: Report, content: Mapping[str, Any]) -> list[str]:
    """What stands below the table."""
    lines, rows = [], content["arms"]
    if any(row["real_but_negligible"] for row in rows):
        lines.append("(real) The effect is not zero, but shown to be smaller than is worth having.")
    if any(row["sensitive"] for row in rows):
        lines.append("* another method would have given another verdict (see --format json).")
    if any(row["n_diverged"] and row["mean"] is not None for row in rows):
        lines.append("Means are over the runs that converged.")
    missing = sum(row["n_missing"] for row in rows)
    if missing:
        lines.append(f"{missing} runs are still to be trained: these verdicts are provisional.")
    undecided = [row for row in rows if row["verdict"] == "undecided" and row["seeds_to_settle"]]
    lines += [_cost_of_settling(undecided, imported=result.imported)] if undecided else []
    return lines + _reference_words(content["references"])


def _reference_words(references: Sequence[Mapping[str, Any]]) -> list[str]:
    if not references:
        return []
    first = (
        "A reference was not trained in this study: its effect is its loss − the baseline's mean, "
        "on the same text; it gets no verdict, and the family does not count it."
    )
    return [
        first,
        *(
            f"{each['name']}: {each['test_loss']:.4f} nats per token, "
            f"{each['bits_per_byte']:.4f} bits per byte, {each['parameters']:,} parameters."
            for each in references
        ),
    ]


def _cost_of_settling(undecided: list[dict[str, Any]], *, imported: bool) -> str:
    """What stands beside an undecided arm, and what it costs, the cheapest first."""
    known = [row for row in undecided if row["seconds_to_settle"] is not None]
    known.sort(key=lambda row: float(row["seconds_to_settle"]))
    costs = [f"{row['arm']} {duration(row['seconds_to_settle'])}" for row in known[:MOST_COSTS]]
    more = ", …" if len(known) > MOST_COSTS else ""
    price = f"; training them takes: {', '.join(costs)}{more}" if costs else ""
    how = "Import their losses too" if imported else "Raise design.seeds and run again"
    return (
        "(+n) n further seeds of the arm and the baseline settle it, four times in five"
        f"{price}. {how}."
    )


def _text(store: Store, study: RowMapping, form: Format) -> str:
    from analysis.table import (  # noqa: PLC0415  (brings numpy)
        csv_table,
        markdown_table,
        rich_table,
        verdict_columns,
    )

    result = make_report(store, study)
    content = result.as_dict()
    rows = table_rows(content)
    columns = verdict_columns(1 - result.analysis["alpha"])
    if form == "json":
        return json.dumps(content, indent=1, allow_nan=False) + "\n"
    if form == "csv":
        return csv_table(rows)
    above, below = preamble(result, study), footnotes(result, content)
    if form == "md":
        table = markdown_table(columns, rows)
        return "\n\n".join(["\n".join(above), table.strip(), *below]) + "\n"
    plain = Console(width=120, no_color=True, force_terminal=False)
    with plain.capture() as captured:
        plain.print(rich_table(columns, rows, 120))
    return "\n".join([*above, captured.get(), *below]) + "\n"
