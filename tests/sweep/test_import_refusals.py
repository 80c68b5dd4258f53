"""Invalid results files: the message for each, and that nothing is written."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweep.errors import ResultsError
from tests.sweep.importer import Importer, csv

Run = Callable[..., subprocess.CompletedProcess[str]]


BAD: dict[str, tuple[str | bytes, str, dict[str, Any], str]] = {
    "a missing column": (
        "arm,los\nbaseline,1\n",
        "r.csv",
        {},
        "has no column 'loss'; did you mean '--column loss=los'? (it has: 'arm', 'los')",
    ),
    "a mapped column that is missing": (
        "arm,test/loss\nbaseline,1\n",
        "r.csv",
        {"columns": {"loss": "test_loss"}},
        "has no column 'test_loss' for loss; did you mean 'test/loss'? (it has: 'arm', 'test/loss')",
    ),
    "a training loss beside a test loss": (
        "arm,seed,step,loss,eval_loss\nbaseline,1,1,5,\nbaseline,1,1,,5.1\n",
        "r.csv",
        {},
        (
            "has 'loss', which may be the training loss, beside 'eval_loss'; choose one with "
            "--column loss=eval_loss or --column loss=loss"
        ),
    ),
    "a training loss beside another kind of test loss": (
        "arm,Loss,val_bpb,validationLoss\nbaseline,1,2,3\n",
        "r.csv",
        {},
        "has 'Loss', which may be the training loss, beside 'val_bpb', 'validationLoss'; choose",
    ),
    "two test losses": (
        "arm,val/loss,test/loss\nbaseline,1,2\n",
        "r.csv",
        {},
        "has the losses 'val/loss', 'test/loss'; choose one with --column loss=val/loss",
    ),
    "a loss that is empty in every row": (
        "Name,State,seed,test/loss\nbaseline,finished,1,\nclip,finished,1,\n",
        "r.csv",
        {},
        "the column of the loss is empty in every row; name the one that holds the loss: --column",
    ),
    "a crash that is written as a loss of 0": (
        "arm,loss\nbaseline,0.998\nbaseline,0.997\nwide,0.000000\n",
        "r.csv",
        {},
        (
            "row 3 has a loss of exactly 0, and the other losses are between 0.997 and 0.998; some "
            "programs write it for a run that crashed. Add --zero-loss failed, or"
        ),
    ),
    "an arm that is passed over": (
        "arm,loss\nbaseline,1\n",
        "r.csv",
        {"columns": {"arm": "-"}},
        "--column arm=-: a run has to have this; name a column",
    ),
    "an accuracy": (
        "arm,test_Accuracy\nbaseline,0.8\nnew,0.9\n",
        "r.csv",
        {"columns": {"loss": "test_Accuracy"}},
        "'test_Accuracy' seems to be better when it is higher; add --higher-is-better, or",
    ),
    "a loss that is no number": (
        "arm,loss\nbaseline,1\na,two\n",
        "r.csv",
        {},
        "row 2: loss is 'two', which is not a number",
    ),
    "a loss with a thousands separator": (
        "arm,loss\nbaseline,1_000\na,2\n",
        "r.csv",
        {},
        "row 1: loss is '1_000', which is not a number",
    ),
    "an unknown status": (
        "arm,loss,status\nbaseline,1,don\n",
        "r.csv",
        {},
        "row 1: status is 'don', which is not known; did you mean 'done'?; say what it means with --status don=",
    ),
    "two losses for one run": (
        "arm,seed,loss\nbaseline,1,2.5\na,1,1\nbaseline,1,2.75\n",
        "r.csv",
        {},
        "rows 1 and 3 are both arm 'baseline', seed 1, with loss 2.5 and loss 2.75; keep the right one",
    ),
    "steps that nothing tells apart": (
        "arm,step,loss\nbaseline,1,2.5\nbaseline,1,2.75\n",
        "r.csv",
        {},
        "arm 'baseline' has step 1 more than once, and nothing tells its runs apart;",
    ),
    "an empty file": ("", "r.csv", {}, "is empty; a file of results has a row for each run"),
    "a header and nothing else": ("arm,loss\n", "r.csv", {}, "has no rows;"),
    "JSON Lines without a line": ("\n\n", "r.jsonl", {}, "is empty;"),
    "a baseline that does not exist": (
        "arm,loss\nbase,1\na,1\n",
        "r.csv",
        {},
        "did you mean 'base'? (it has: 'base', 'a'); name it with --baseline NAME",
    ),
    "an arm without a name": ("arm,loss\nbaseline,1\n ,2\n", "r.csv", {}, "row 2 names no arm"),
    "an arm with a huge name": (
        f"arm,loss\nbaseline,1\n{'a' * 300},2\n",
        "r.csv",
        {},
        "row 2 has an arm of 300 characters, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…; at most 250",
    ),
    "a huge cell": (
        f"arm,loss,x\nbaseline,1,{'a' * 200_000}\n",
        "r.csv",
        {},
        "a cell of column 'x' has 200000 characters, and at most 100000 are read",
    ),
    "a spreadsheet": (
        b"PK\x03\x04\x14\x00",
        "r.xlsx",
        {},
        "is a spreadsheet or a .zip; save the sheet",
    ),
    "a binary file": (b"arm,loss\nbase\x00line,1\n", "r.csv", {}, "is binary (byte 0 at 13);"),
    "rows of different lengths": (
        "arm,loss\nbaseline,1\na,1,2\n",
        "r.csv",
        {},
        "line 3 has 3 cells and the header has 2: 'a,1,2'",
    ),
    "a column twice": ("arm,loss,loss\nbaseline,1,2\n", "r.csv", {}, "has two columns 'loss'"),
    "what is no JSON": (
        '{"arm": "baseline", "loss": 1}\n{\n',
        "r.jsonl",
        {},
        "line 2 is not JSON: '{'",
    ),
    "a list in place of an object": (
        "[1]\n",
        "r.jsonl",
        {},
        "record 1 is 1; it must be an object",
    ),
    "what is no Parquet": (b"PAR1arm,loss", "r.parquet", {}, "is not a whole Parquet file:"),
    "a run without the seed of a stream": (
        "arm,init_seed,loss\nbaseline,1,1\nbaseline,,1\n",
        "r.csv",
        {},
        "row 2 has no init_seed; give every run one, or leave the column out with",
    ),
    "an alpha that is none": (
        "arm,loss\nbaseline,1\n",
        "r.csv",
        {"alpha": 2.0},
        "--alpha is 2.0;",
    ),
}


@pytest.mark.parametrize(("content", "name", "request_", "sentence"), BAD.values(), ids=BAD)
def test_an_invalid_file_is_refused_in_one_sentence_and_nothing_is_written(
    importer: Importer, content: str | bytes, name: str, request_: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ResultsError) as error:
        importer(content, name, **request_)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    database = importer.folder / "runs" / "sweep.db"
    assert not database.exists() or importer.workspace.open().studies() == []


def test_control_characters_in_names_are_escaped(importer: Importer) -> None:
    with pytest.raises(ResultsError) as error:
        importer("arm,\x1b[31mred\nbaseline,1\n")
    assert "\x1b" not in str(error.value)
    importer(csv([("baseline", 1, 1.0), ("\x1b[31mred", 1, 2.0), ("[bold]a", 1, 2.0)]))
    assert list(importer.arms()) == ["baseline", "\\x1b[31mred", "[bold]a"]


def test_a_refused_import_exits_with_2_and_one_sentence(tmp_path: Path, sweep: Run) -> None:
    for words, sentence in (
        (["no.csv", "--study", "x"], "no.csv does not exist; name a file of results"),
        (["no.csv", "--study", "a b"], "--study 'a b' is not a name; names are letters"),
    ):
        done = sweep(tmp_path, "import", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"sweep: {sentence}")
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
