"""`sweep data`: prepare, list and remove the token files of corpora."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlalchemy import or_, select

from sweep.commands.preparing import prepare_inputs
from sweep.errors import ExecutionError, NotFoundError, did_you_mean, listed
from sweep.reports.document import as_json, publish
from sweep.store.schema import arms, members, runs
from sweep.store.states import OPEN
from sweep.study.overrides import Overrides
from sweep.terminal.console import say
from sweep.terminal.printable import shown
from sweep.workload.corpora import Entry, find_entries
from sweep.workload.workload import make_workload
from sweep.workspace import Workspace, read_plan
from trainer.sources.hub import forget
from trainer.words import counted

NO_STUDY = "`sweep noise` or an earlier plan"
"""The origin of runs that are in no study."""


def prepare(workspace: Workspace, study: Path, overrides: Overrides, console: Console) -> int:
    """Make the token files of every corpus that a study reads; the exit status."""
    workload = make_workload(read_plan(study, overrides), workspace.cache, online=True)
    workload = prepare_inputs(workspace, workload, console)
    workload.inputs.save_small()
    for corpus in [supply.corpus for supply in workload.inputs.supplies if supply.corpus]:
        info = corpus.info
        say(
            console,
            f"{info.corpus} ({info.tokenizer}) is ready: {info.train_tokens:,} training and "
            f"{info.test_tokens:,} test tokens in {info.extent}, hash "
            f"{info.hash[:16]}.",
        )
    return 0


def list_corpora(workspace: Workspace, form: str, console: Console) -> int:
    """Print every prepared corpus; the exit status."""
    entries = find_entries(workspace.cache)
    if form == "json":
        publish(as_json([entry.as_json() for entry in entries]), None, console)
        return 0
    if not entries:
        say(console, f"No corpus is prepared in {workspace.cache}; `sweep data prepare STUDY`.")
        return 0
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("corpus", overflow="fold")
    table.add_column("tokenizer", no_wrap=True)
    for title in ("MB", "training", "test", "documents"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("hash", no_wrap=True)
    for entry in entries:
        table.add_row(*_row(entry))
    console.print(table)
    return 0


def _row(entry: Entry) -> tuple[str, ...]:
    megabytes = f"{entry.size / 1e6:,.1f}"
    info = entry.info
    if info is None:
        state = "damaged" if entry.is_finished else "not finished"
        return (entry.folder.name, state, megabytes, "", "", "", "")
    counts = info.train_tokens, info.test_tokens, info.documents
    return (info.corpus, info.tokenizer, megabytes, *(f"{n:,}" for n in counts), info.hash[:12])


def remove(workspace: Workspace, word: str, console: Console, *, force: bool) -> int:
    """Remove the token files of a corpus; the exit status.

    Raises NotFoundError, and ExecutionError if unfinished runs need them and `force` is False.
    """
    entries = find_entries(workspace.cache)
    found = [entry for entry in entries if entry.is_called(word)]
    if not found:
        known = [each.info.corpus for each in entries if each.info]
        raise NotFoundError(
            f"no corpus {shown(word)} in {workspace.cache}"
            f"{did_you_mean(word, known)}; `sweep data list` shows all corpora"
        )
    if len(found) > 1:
        names = listed(entry.folder.name for entry in found)
        raise NotFoundError(f"{shown(word)} may be {names}; name one of these folders")
    entry = found[0]
    needs = _needs(workspace, entry, entries)
    waiting = {study: n for (study, done), n in needs.items() if not done}
    if waiting and not force:
        words = listed(f"{n} of {study}" for study, n in waiting.items())
        raise ExecutionError(
            f"{entry.folder.name} is needed by runs that are not finished: {words}; finish them, "
            "or remove it anyway with --force"
        )
    shutil.rmtree(entry.folder)
    if entry.info and entry.info.revision:
        forget(workspace.cache, entry.info.revision)
    say(console, f"{entry.folder.name} removed, {entry.size / 1e6:,.1f} MB.")
    done = {study: n for (study, finished), n in needs.items() if finished}
    if done:
        words = listed(f"{counted(n, 'run')} of {study}" for study, n in done.items())
        say(console, f"The results of {words} stay; new seeds or arms prepare it again.")
    return 0


def _needs(
    workspace: Workspace, entry: Entry, entries: Sequence[Entry]
) -> Counter[tuple[str, bool]]:
    """Count the runs that read a corpus, by study and by whether they are finished.

    Runs that are in no study count only while they are still to be trained. A mixture reads its corpora.
    """
    store = workspace.open_to_read_if_any()
    if store is None or entry.info is None:
        return Counter()
    read = entry.info.hash
    mixtures = [each.info.hash for each in entries if each.info and read in each.info.needs]
    tokenizer = runs.c.recipe["data", "tokenizer"].as_string()
    query = (
        select(arms.c.study, runs.c.id, runs.c.state)
        .select_from(runs.outerjoin(members).outerjoin(arms))
        .where(runs.c.corpus_hash.in_([read, *mixtures]), tokenizer == entry.info.tokenizer)
        .where(or_(arms.c.study.is_not(None), runs.c.state.in_(OPEN)))
        .distinct()
    )
    with store.begin() as connection:
        rows = connection.execute(query).all()
    return Counter((row.study or NO_STUDY, row.state.is_finished) for row in rows)
