"""Import of files in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from sweep.commands.import_ import ImportRequest, import_results
from sweep.commands.report import print_report
from sweep.importing.fields import Field
from sweep.importing.rules import Rules
from sweep.importing.settings import Settings
from sweep.reports.verdict_json import report_json
from sweep.verdicts.judge import make_report
from sweep.workspace import Workspace


class Importer:
    """Imports files into the database of a test, in this process, and reads the study back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(folder / "runs")

    def __call__(
        self,
        content: str | bytes,
        name: str = "r.csv",
        *,
        columns: Mapping[str, str] | None = None,
        rules: Rules | None = None,
        **settings: Any,  # noqa: ANN401  (fields of Settings)
    ) -> str:
        """Import a file with this content; returns what the command prints."""
        file = self.folder / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        request = ImportRequest(
            files=[file],
            study="x",
            columns={Field(field): column for field, column in (columns or {}).items()},
            settings=Settings(**settings),
            rules=rules or Rules(),
        )
        return self.request(request)

    def file(self, file: Path) -> str:
        """Import a file as it is; returns what the command prints."""
        return self.request(ImportRequest(files=[file], study="x"))

    def request(self, request: ImportRequest) -> str:
        """Run the command; returns what it prints."""
        console = Console(width=500, markup=False, highlight=False)
        with console.capture() as said:
            import_results(self.workspace, request, console)
        return said.get()

    def report(self) -> dict[str, Any]:
        store = self.workspace.open()
        try:
            return report_json(make_report(store, store.study("x")))
        finally:
            store.engine.dispose()

    def table(self) -> str:
        """Return what `sweep report` prints."""
        store, console = self.workspace.open(), Console(width=500, markup=False, highlight=False)
        with store, console.capture() as said:
            print_report(store, store.study("x"), console)
        return said.get()

    def arms(self) -> dict[str, dict[str, Any]]:
        return {row["arm"]: row for row in self.report()["arms"]}

    def runs(self) -> list[dict[str, Any]]:
        store = self.workspace.open()
        try:
            return [
                {"arm": each.arm, "seed": each.seed, **vars(each.run)}
                for each in store.study_runs("x")
            ]
        finally:
            store.engine.dispose()


def csv(rows: Sequence[Sequence[object]], header: str = "arm,seed,loss") -> str:
    return "\n".join([header, *(",".join(str(cell) for cell in row) for row in rows)]) + "\n"


PAIRED = [("baseline", s, 2.5 + s / 100) for s in range(1, 5)] + [
    ("clip", s, 2.4 + s / 100 + s * s / 1000) for s in range(1, 5)
]
