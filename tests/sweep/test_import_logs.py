"""Several files, folders and patterns as one import, and logs read by a regular expression."""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path

import pytest

from sweep.commands.import_ import ImportRequest
from sweep.errors import ResultsError
from sweep.importing.fields import Field
from sweep.importing.files.finding import run_names
from sweep.importing.files.logs import KNOWN_LINES
from tests.sweep.exports import Reader
from tests.sweep.importer import Importer

NANOGPT = r"step (?P<step>\d+).*val loss (?P<loss>[0-9.]+)"
SPEEDRUN = r"step:(?P<step>\d+)/\d+ val_loss:(?P<loss>[0-9.]+)"


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def nanogpt(*losses: str) -> str:
    return "".join(
        f"step {250 * n}: train loss 4.0000, val loss {loss}\niter {250 * n}: loss 4.1, mfu 3%\n"
        for n, loss in enumerate(losses)
    )


def test_a_folder_of_logs_is_a_run_for_each_log_named_after_its_file(read: Reader) -> None:
    read.write("logs/base-seed1.log", nanogpt("9.0", "2.5"))
    read.write("logs/clip-seed1.log", nanogpt("9.0", "2.25"))
    rows = [("base", "1", "9.0"), ("base", "1", "2.5"), ("clip", "1", "9.0"), ("clip", "1", "2.25")]
    logs = read.folder / "logs"
    for named in ([logs], [logs / "*.log"], sorted(logs.iterdir())):
        assert read(*named, regex=NANOGPT) == rows
    assert read.choose(logs, regex=NANOGPT).cells[Field.STEP].tolist() == ["0", "250", "0", "250"]


def test_the_logs_of_a_speedrun_begin_with_its_source(read: Reader) -> None:
    source = 'print0(f"step:{step}/{train_steps} val_loss:{val_loss:.4f}")\n'
    log = source + "".join(
        f"step:{step}/1750 val_loss:{loss} train_time:9ms step_avg:nanms\n"
        for step, loss in ((0, "10.8258"), (1750, "3.2789"))
    )
    path = read.write("logs/a1b2.txt", log)
    assert read(path, regex=SPEEDRUN)[-1] == ("a1b2", None, "3.2789")


def test_a_log_that_ends_in_nan_is_no_run_that_ended_before(read: Reader) -> None:
    path = read.write("a.log", nanogpt("9.0", "2.5", "nan"))
    assert [row[2] for row in read(path, regex=NANOGPT)] == ["9.0", "2.5", "nan"]


def test_a_log_without_a_loss_is_a_run_without_a_loss(read: Reader) -> None:
    paths = [read.write("a.log", nanogpt("9.0")), read.write("dead.log", "Traceback\n")]
    assert read(*paths, regex=NANOGPT) == [("a", None, "9.0"), ("dead", None, None)]


def test_files_beside_the_logs_of_a_folder_are_no_runs(read: Reader) -> None:
    read.write("r/a.log.gz", gzip.compress(nanogpt("9.0").encode()))
    read.write("r/dead.log", "Traceback\n")
    read.write("r/notes.txt", "to do\n")
    assert read(read.folder / "r", regex=NANOGPT) == [("a", None, "9.0"), ("dead", None, None)]
    dead = read.folder / "r" / "dead.log"
    assert read.remarks == [f"{dead}: no line matches, so its run has no loss."]


def test_a_pattern_that_no_line_matches_is_refused(read: Reader) -> None:
    paths = [read.write("a.log", "x\n"), read.write("b.log", "y\n")]
    with pytest.raises(ResultsError, match="and the others matches --regex"):
        read(*paths, regex="loss=(?P<loss>.+)")


def test_of_a_step_that_is_logged_again_the_last_line_counts(read: Reader) -> None:
    path = read.write("a.log", nanogpt("9.0", "2.5") + nanogpt("9.0", "2.25"))
    assert read(path, regex=NANOGPT) == [("a", None, "9.0"), ("a", None, "2.25")]


def test_without_a_step_the_last_line_of_a_log_counts(read: Reader) -> None:
    path = read.write("a.log", "val loss 3\nval loss 2\n")
    assert read(path, regex="val loss (?P<loss>[0-9.]+)") == [("a", None, "2")]


def test_colours_and_progress_bars_do_not_hide_a_line(read: Reader) -> None:
    path = read.write("a.log", "10%|#\r\x1b[32mval loss\x1b[0m 2.5\r20%|##\r")
    assert read(path, regex="^val loss (?P<loss>[0-9.]+)$") == [("a", None, "2.5")]


def test_lines_that_name_their_arms_are_runs(read: Reader) -> None:
    path = read.write("all.txt", "base s1: 2.5\nclip s1: 2.25\nclip s2: 2.125\n")
    regex = r"(?P<arm>\w+) s(?P<seed>\d+): (?P<loss>[0-9.]+)"
    rows = [("base", "1", "2.5"), ("clip", "1", "2.25"), ("clip", "2", "2.125")]
    assert read(path, regex=regex) == rows


LINES = {
    "nanoGPT": "step 250: train loss 4.0, val loss 4.1234",
    "modded-nanogpt": "step:1750/1750 val_loss:3.2789 train_time:9ms",
    "nanochat": "Step 00250 | Validation bpb: 0.9979",
    "llm.c": "val loss 3.291",
    "autoresearch": "val_bpb:          0.997900",
    "Hugging Face's Trainer": "{'eval_loss': 2.5, 'eval_runtime': 1.0, 'epoch': 1.0}",
    "a step and a validation loss": "epoch 3 | lr 0.1 | valid_loss: 2.5",
}


@pytest.mark.parametrize("program", KNOWN_LINES)
def test_the_log_of_a_known_program_is_refused_with_the_option_that_reads_it(
    read: Reader, program: str
) -> None:
    path = read.write("train.log", f"starting\n{LINES[program]}\n")
    with pytest.raises(ResultsError) as error:
        read(path)
    found = re.search("read it with --regex '([^']+)'$", str(error.value))
    assert found
    assert float(read(path, regex=found[1])[0][2] or "nan") > 0


@pytest.mark.parametrize(
    ("regex", "sentence"),
    [
        ("(?P<loss", "is not a regular expression: "),
        ("loss (.*)", "has no group with a name; name"),
    ],
)
def test_an_unusable_regular_expression_is_refused(read: Reader, regex: str, sentence: str) -> None:
    with pytest.raises(ResultsError, match=sentence):
        read(read.write("a.log", "loss 1\n"), regex=regex)


def test_the_name_of_a_run_is_what_tells_its_path_from_the_others() -> None:
    for paths, names in (
        (["out/a/log.txt", "out/b/log.txt"], ["a", "b"]),
        (["out/a/logs/x.log", "out/b/logs/x.log"], ["a", "b"]),
        (["out/a/1/progress.csv", "out/a/2/progress.csv"], ["1", "2"]),
        (["a-seed1.csv.gz", "lr0.1.csv"], ["a-seed1", "lr0.1"]),
        (["out/a/checkpoint-9/trainer_state.json"], ["a"]),
        (["out/a/version_0/metrics.csv"], ["a"]),
        (["out/version_0/metrics.csv", "out/version_1/metrics.csv"], ["version_0", "version_1"]),
        (["out/a/x.csv", "out/b.csv"], ["a/x", "b"]),
    ):
        assert run_names([Path(path) for path in paths]) == names


def test_files_with_arms_are_joined_whatever_their_columns(read: Reader) -> None:
    first = read.write("a.csv", "arm,seed,loss\nbaseline,1,2.5\n")
    second = read.write("b.json", json.dumps([{"arm": "clip", "seed": 1, "loss": 2.25, "lr": 0.1}]))
    assert read(first, second) == [("baseline", "1", "2.5"), ("clip", "1", "2.25")]


def test_a_table_of_seeds_for_each_arm_is_an_arm(read: Reader) -> None:
    paths = [read.write(f"r/{arm}.csv", "seed,loss\n1,2\n2,3\n") for arm in ("base", "clip")]
    rows = [("base", "1", "2"), ("base", "2", "3"), ("clip", "1", "2"), ("clip", "2", "3")]
    assert read(*paths) == rows
    assert read(read.folder / "r") == rows


def test_files_of_steps_are_runs_and_files_of_rows_are_asked_about(read: Reader) -> None:
    for arm in ("base", "clip"):
        read.write(f"r/{arm}/metrics.csv", "global_step,lr,val_loss\n1,0.1,9\n2,0.1,2.5\n")
        read.write(f"q/{arm}.jsonl", '{"percentage": 5, "loss": 9}\n{"percentage": 9, "loss": 3}\n')
    assert read(read.folder / "r")[-2:] == [("clip", None, "9"), ("clip", None, "2.5")]
    with pytest.raises(ResultsError, match="nothing says whether they are steps or runs; name"):
        read(read.folder / "q")
    columns = {"step": "percentage"}
    assert read(read.folder / "q", columns=columns)[-1] == ("clip", None, "3")


def test_the_summaries_of_runs_are_runs(read: Reader) -> None:
    for arm, loss in (("base", 2.5), ("clip", 2.25)):
        read.write(f"r/{arm}-seed1/wandb-summary.json", json.dumps({"val/loss": loss, "_step": 9}))
    assert read(read.folder / "r") == [("base", "1", "2.5"), ("clip", "1", "2.25")]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("x.bin", "with no file of results (.csv, .tsv, .jsonl, .ndjson, .json, .parquet, "),
        ("a.log", "to read logs, add --regex 'step "),
        ("0/meta.yaml", "it is a store of MLflow: export its runs with mlflow.search_runs("),
        ("run-1/run-a.wandb", "it is a folder of W&B: export the runs as CSV from the site"),
    ],
)
def test_a_folder_without_results_is_refused_with_what_to_do(
    read: Reader, name: str, sentence: str
) -> None:
    folder = read.write(f"r/{name}", "x").parents[name.count("/")]
    with pytest.raises(ResultsError) as error:
        read(folder)
    assert sentence in str(error.value)


def test_a_pattern_without_a_file_is_refused(read: Reader) -> None:
    with pytest.raises(ResultsError, match=r"\*\.csv matches no file"):
        read(read.folder / "*.csv")


def test_event_files_need_the_package_that_reads_them(
    read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    path = read.write("events.out.tfevents.1.host", b"\x00")
    with pytest.raises(ResultsError, match=r"pip install 'gpt-sweep\[tensorboard\]'; or download"):
        read(path)


def test_event_files_have_a_row_for_each_step(read: Reader) -> None:
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    summary_pb2 = pytest.importorskip("tensorboard.compat.proto.summary_pb2")
    writers = pytest.importorskip("tensorboard.summary.writer.event_file_writer")

    for arm, loss in (("base", 2.5), ("clip", 2.25)):
        writer = writers.EventFileWriter(str(read.folder / "tb" / f"{arm}-seed1"))
        for step, value in ((0, 9.0), (100, loss)):
            for tag in ("val/loss", "train/loss"):
                scalar = summary_pb2.Summary.Value(tag=tag, simple_value=value)
                summary = summary_pb2.Summary(value=[scalar])
                writer.add_event(event_pb2.Event(step=step, wall_time=step, summary=summary))
        writer.close()
    rows = [("base", "1", "9.0"), ("base", "1", "2.5"), ("clip", "1", "9.0"), ("clip", "1", "2.25")]
    assert read(read.folder / "tb") == rows


def test_logs_without_steps_that_end_early_are_told_by_their_lines(
    importer: Importer, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for run in ("baseline-seed1", "clip-seed1"):
        lines = ["val loss 9.9", "val loss 3.4"][: 1 if run == "clip-seed1" else 2]
        (folder / f"{run}.log").write_text("\n".join(lines))
    request = ImportRequest(files=[folder], study="x", regex=r"val loss (?P<loss>[0-9.]+)")
    assert "By 'matches', the runs do not end at the same step: 'baseline' at 2, 'clip' at 1." in (
        importer.request(request)
    )
