"""The end of a script: its result, a divergence, or a failure whose reason is a sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.trainer.scripts import MakeScript
from trainer.rundir.exits import Exit


@pytest.mark.parametrize("word", ["nan", "-inf", "NaN"])
def test_a_metric_that_is_not_finite_is_a_divergence_though_the_expression_takes_digits(
    script: MakeScript, word: str
) -> None:
    made = script(f"print('val loss 3.5'); print('val loss {word}')")
    assert made.run()["status"] == Exit.DONE
    assert made.result.state == "diverged"
    assert made.result.diverged_at == 2
    assert made.result.cause in {"val_loss is not a number", "val_loss is infinite"}
    assert made.result.metrics == {}


def test_a_script_that_gives_up_at_a_loss_that_is_not_finite_has_diverged(
    script: MakeScript,
) -> None:
    made = script("print('val loss nan'); raise SystemExit('Loss is nan, stopping training')")
    made.run()
    assert made.result.state == "diverged"


@pytest.mark.parametrize(
    "text", ['{"val_loss": NaN}', '{"val_loss": Infinity}', '{"val_loss": "nan"}']
)
def test_a_result_file_with_nan_is_a_divergence(script: MakeScript, text: str) -> None:
    made = script(f"import os; open(os.environ['SWEEP_RESULT'], 'w').write({text!r})")
    made.run()
    assert made.result.state == "diverged"


def test_status_0_without_the_metric_is_a_failure_with_expression_and_last_lines(
    script: MakeScript,
) -> None:
    made = script("""
        import time

        for line in ("one", "two", "loss: 3", "bye"):
            print(line, flush=True)
            time.sleep(0.05)  # so that each is read as a block of its own
    """)
    assert made.run()["status"] == Exit.FAILED
    assert made.directory.read_result() is None
    assert made.reason == (
        "exit status 0, but no line of its output matched 'val loss (?P<value>[0-9.]+)', the "
        'expression of val_loss; its last lines: "two", "loss: 3", "bye"'
    )


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"json": "out.json:a.b"}, "it wrote no a.b into out.json in the folder $SWEEP_RUN_DIR"),
        ({"line": "val"}, "no JSON line of its output or of metrics.jsonl had 'val'"),
        ({}, "it wrote no val_loss into the file $SWEEP_RESULT"),
    ],
)
def test_each_source_says_where_it_looked(
    script: MakeScript, metrics: dict[str, str], said: str
) -> None:
    made = script("", metrics={"val_loss": metrics})
    made.run()
    assert said in made.reason
    assert "it printed nothing" in made.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3.2", "holds a number, but must be an object of numbers"),
        ("{val", "metrics.json is no JSON"),
        ('{"val_loss": "3.2"}', 'has "3.2" for val_loss, which is a text; it must be a number'),
        ('{"val_loss": null}', "has null for val_loss"),
        ('{"val_loss": true}', "has true for val_loss"),
    ],
)
def test_a_wrong_result_file_is_described(script: MakeScript, text: str, said: str) -> None:
    made = script(f"import os; open(os.environ['SWEEP_RESULT'], 'w').write({text!r})")
    assert made.run()["status"] == Exit.FAILED
    assert said in made.reason


def test_the_end_of_a_script_is_the_end_of_its_run(script: MakeScript) -> None:
    made = script("print('val loss 1'); raise ValueError('wrong shape')")
    assert made.run()["status"] == Exit.FAILED
    assert made.reason == "ValueError: wrong shape (exit status 1)"
    assert made.directory.read_result() is None


def test_a_silent_failure_has_its_status(script: MakeScript) -> None:
    made = script("raise SystemExit(75)")
    assert made.run()["status"] == Exit.FAILED
    assert made.reason == "exited with status 75 and printed nothing"


def test_wrong_arguments_are_not_tried_again(script: MakeScript) -> None:
    made = script("import argparse; argparse.ArgumentParser().parse_args(['--lr=1'])")
    assert made.run()["status"] == Exit.REFUSED
    assert "unrecognized arguments: --lr=1 (exit status 2)" in made.reason


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_a_signal_that_ends_the_script_ends_the_run(script: MakeScript, name: str) -> None:
    made = script(f"import os, signal; os.kill(os.getpid(), signal.{name})")
    ended = made.run()
    assert ended["status"] is None
    assert ended["signal"] == getattr(__import__("signal"), name)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["pythom", "x"], "the command 'pythom' was not found in PATH (/"),
        (["./missing"], "does not exist"),
        (["./script.py"], 'is not executable; write ["python", "script.py"]'),
        (["script.py"], "write './script.py'"),
        (["./empty.sh"], "is no program of this machine"),
        (["./lost.sh"], "the interpreter that its first line names does not exist"),
        ([sys.executable, "{lrr}"], "the placeholder {lrr}, which is not known here"),
    ],
)
def test_a_command_that_cannot_be_started_is_refused_in_a_sentence(
    script: MakeScript, command: list[str], said: str
) -> None:
    made = script("", command=command)
    for name, first_line in (("empty.sh", "echo"), ("lost.sh", "#!/no/such/interpreter\n")):
        (made.folder / name).write_text(first_line)
        (made.folder / name).chmod(0o755)
    assert made.run()["status"] == Exit.REFUSED
    assert said in made.reason
    assert "Traceback" not in made.log


def test_a_missing_folder_is_refused(script: MakeScript, tmp_path: Path) -> None:
    made = script("", folder=str(tmp_path / "gone"))
    assert made.run()["status"] == Exit.REFUSED
    assert f"the working folder {tmp_path}/gone does not exist" in made.reason


def test_the_next_attempt_finds_the_files_but_no_old_result(script: MakeScript) -> None:
    made = script(
        """
        import json, os
        folder, attempt = os.environ["SWEEP_RUN_DIR"], os.environ["SWEEP_ATTEMPT"]
        kept = folder + "/checkpoint"
        if attempt == "1":
            open(kept, "w").write("10")
            json.dump({"val_loss": 9.0}, open(os.environ["SWEEP_RESULT"], "w"))
            json.dump({"acc": 9.0}, open(folder + "/state.json", "w"))
            for step in (5, 10, 15):
                print(f"step {step} speed {step}")
            raise SystemExit("lost its data")
        if attempt == "2":
            raise SystemExit(0)
        assert open(kept).read() == "10" and not os.path.exists(os.environ["SWEEP_RESULT"])
        print("step 11 speed 11")
        json.dump({"val_loss": 1.0}, open(os.environ["SWEEP_RESULT"], "w"))
        """,
        metrics={
            "val_loss": {},
            "acc": {"json": "state.json:acc"},
            "speed": {"regex": r"speed (\d+)", "step_regex": r"step (\d+)", "take": "mean"},
        },
    )
    assert made.run()["status"] == Exit.FAILED
    assert made.run()["status"] == Exit.FAILED  # the result of the first attempt does not count
    assert "wrote no val_loss" in made.reason
    assert made.run()["status"] == Exit.DONE
    assert made.result.metrics == {"val_loss": 1.0, "speed": (5 + 10 + 11) / 3}
    assert made.curve("speed") == {5: 5.0, 10: 10.0, 11: 11.0}


def test_a_run_with_a_result_is_not_run_again(script: MakeScript) -> None:
    made = script("print('val loss 1'); open('ran', 'a').write('x')")
    assert [made.run()["status"], made.run()["status"]] == [0, 0]
    assert (made.folder / "ran").read_text() == "x"


def test_output_that_is_no_text_is_kept_and_searched(script: MakeScript) -> None:
    made = script(
        r"""
        import sys
        sys.stdout.buffer.write(b"\xff\xfe\x00 bad\nprogress 1%\rprogress 2% val loss 2.5\r" + b"\xe4\n")
        """
    )
    made.run()
    assert made.result.metrics == {"val_loss": 2.5}
    assert made.directory.log.read_bytes().startswith(b"\xff\xfe\x00 bad\n")


def test_a_long_line_and_much_output_need_little_memory_and_are_cut(script: MakeScript) -> None:
    made = script(
        r"""
        import sys
        write = sys.stdout.buffer.write
        write(b"first\nval loss 7 " + b"x" * 50_000_000 + b"\n")
        line = b"y" * 79 + b"\n"
        for _ in range(50):
            write(line * 10_000)
        write(b"val loss 3\nlast\n")
        """
    )
    ended = made.run()
    assert made.curve() == {1: 7.0, 2: 3.0}
    log = made.directory.log.read_bytes()
    assert len(log) < 3.2 * 2**23
    assert log.startswith(b"first\nval loss 7 xxx")
    assert log.endswith(b"y\nval loss 3\nlast\n")
    assert log.count(b" bytes of output were cut here]\n") == 1
    cut = int(log.split(b" bytes of output")[0].rpartition(b"[")[2].replace(b",", b""))
    marker = len(f"\n[{cut:,} bytes of output were cut here]\n")
    assert cut + len(log) - marker == 50_000_018 + 50 * 800_000 + 16
    assert ended["peak_bytes"] < 400_000_000


def test_a_curve_of_very_many_points_is_thinned(script: MakeScript) -> None:
    made = script("for step in range(100_000): print('val loss', step)")
    made.run()
    assert made.result.metrics == {"val_loss": 99_999.0}
    assert 10_000 < len(made.curve()) < 60_000


def test_what_was_left_running_is_named(script: MakeScript) -> None:
    made = script(
        """
        import os, time
        if os.fork():
            print("started in the background")
            os._exit(0)
        print("val loss", end="")
        time.sleep(10_000)
        """
    )
    made.run()
    assert "it left 1 process running, which was killed" in made.reason
    assert made.processes() == []


def test_what_a_script_puts_into_the_run_directory_survives(script: MakeScript) -> None:
    made = script(
        """
        import os
        folder = os.environ["SWEEP_RUN_DIR"]
        for name in ("result.json", "log.txt", "weights.safetensors"):
            open(f"{folder}/{name}", "w").write("mine")
        os.makedirs(f"{folder}/checkpoints")
        print("val loss 2")
        """
    )
    made.run()
    assert made.result.metrics == {"val_loss": 2.0}
    assert (made.outputs.folder / "result.json").read_text() == "mine"
    assert (made.outputs.folder / "checkpoints").is_dir()
    assert json.loads(made.directory.result.read_text())["state"] == "done"
