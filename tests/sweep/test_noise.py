"""`sweep noise`: real processes, real training of a very small study."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sweep.verdicts.decimals import sd_decimals
from tests.sweep.said import content

Done = subprocess.CompletedProcess[str]


Run = Callable[..., Done]


EVERY = "init,order,dropout"


@pytest.fixture(scope="module")
def decomposed(
    finished: tuple[Path, Done], sweep: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Done]:
    """A finished study whose noise was decomposed, and what that printed; to be read only."""
    folder = tmp_path_factory.mktemp("decomposed") / "copy"
    shutil.copytree(finished[0], folder)
    words = ("--seeds", 5, "--decompose", EVERY, "--format", "json")
    return folder, sweep(folder, "noise", *words)


@pytest.fixture
def copy(decomposed: tuple[Path, Done], tmp_path: Path) -> Path:
    """A copy of that folder, to be changed."""
    return Path(shutil.copytree(decomposed[0], tmp_path / "copy"))


@pytest.mark.slow
def test_four_seeds_of_each_stream_take_sixteen_runs_and_the_runs_of_the_study_count(
    decomposed: tuple[Path, Done],
) -> None:
    _, done = decomposed
    noise = content(done)
    # 12 more runs for the layout; the seeds 3, 4 and 5; and the first one again.
    assert done.stderr.count("tokens/s") == 12 + 3 + 1
    assert noise["n"] == 5
    assert noise["decomposition"]["n"] == 16
    assert noise["decomposition"]["reason"] is None
    assert list(noise["components"]) == ["init", "order", "dropout"]
    for part in noise["components"].values():
        assert part.keys() == {"sd", "ci_low", "ci_high", "share"}
        assert part["ci_low"] <= part["sd"] <= part["ci_high"]
        assert 0 <= part["share"] <= 1
    assert sum(part["share"] for part in noise["components"].values()) <= 1


@pytest.mark.slow
def test_a_decomposition_is_trained_once_and_stored(
    decomposed: tuple[Path, Done], sweep: Run
) -> None:
    folder, done = decomposed
    for words in (["--decompose", EVERY], []):
        again = sweep(folder, "noise", "--seeds", 5, *words, "--format", "json")
        assert again.stderr == ""
        assert content(again) == content(done)
    some = content(sweep(folder, "noise", "--decompose", "dropout", "--seeds", 5, "--format=json"))
    assert some["components"] == {"dropout": content(done)["components"]["dropout"]}


@pytest.mark.slow
def test_smallest_visible_effects_shrink_with_seeds_and_name_the_arm_that_pairing_is_measured_on(
    decomposed: tuple[Path, Done],
) -> None:
    noise = content(decomposed[1])
    rows = noise["smallest_visible_effect"]
    assert [row["seeds"] for row in rows] == list(range(1, 21))
    assert rows[0] == {"seeds": 1, "paired": None, "unpaired": None}
    for kind in ("paired", "unpaired"):
        effects = [row[kind] for row in rows[1:]]
        assert effects == sorted(effects, reverse=True)
    paired = noise["paired_differences"]
    assert paired["arm"] in {"no-dropout", "clip"}
    assert paired["reason"] is None
    # Two standard normal quantiles and the t distribution: 2.80 sd for many seeds, more for 20.
    assert 2.80 < rows[-1]["paired"] / paired["sd"] * 20**0.5 < 3.1
    assert 2.80 < rows[-1]["unpaired"] / noise["sd"] * 10**0.5 < 3.0


@pytest.mark.slow
def test_the_qq_plot_has_a_point_for_every_seed(decomposed: tuple[Path, Done]) -> None:
    shape = content(decomposed[1])["normality"]
    assert len(shape["points"]) == 5
    assert 0 < shape["correlation"] <= 1
    assert 0 < shape["p"] <= 1


@pytest.mark.slow
def test_the_table_fits_80_columns_and_names_every_part(
    decomposed: tuple[Path, Done], sweep: Run
) -> None:
    done = sweep(decomposed[0], "noise", "--seeds", 5, "--decompose", EVERY)
    assert done.returncode == 0, done.stderr
    for words in (
        "bit-identical, so all of this is the seeds",
        "Normal? The QQ plot's correlation is ",
        " seeds ",
        " unpaired ",
        " paired ",
        " init ",
        " together ",
        "The study itself compares seed by seed: `sweep report`.",
        "16 runs of the baseline in which every stream changes by itself (method of moments)",
    ):
        assert words in done.stdout
    table = [line for line in done.stdout.splitlines() if line.startswith(" ")]
    assert max(len(line) for line in table) <= 80


@pytest.mark.slow
def test_with_three_levels_there_are_no_shares_and_the_reason_is_given(
    copy: Path, sweep: Run
) -> None:
    done = sweep(copy, "noise", "--levels", 3, "--decompose", EVERY, "--format", "json")
    noise = content(done)
    assert noise["decomposition"]["n"] == 9
    assert [part["share"] for part in noise["components"].values()] == [None, None, None]
    assert noise["decomposition"]["reason"] == (
        "a share needs 4 seeds with effects that can be told from those of the other streams' "
        "seeds, and there are 3 of 3 of init, 3 of 3 of order and 3 of 3 of dropout"
    )


@pytest.mark.slow
def test_if_a_run_diverged_the_others_are_decomposed_by_reml(copy: Path, sweep: Run) -> None:
    with closing(sqlite3.connect(copy / "runs" / "sweep.db")) as db, db:
        db.execute(
            "UPDATE runs SET state = 'diverged', test_loss = NULL "
            "WHERE (init_seed, order_seed, dropout_seed) = (1, 2, 4)"
        )
    assert (
        content(sweep(copy, "noise", "--decompose", EVERY, "--seeds", 5, "--format", "json"))[
            "decomposition"
        ].items()
        >= {"n": 15, "method": "REML"}.items()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--decompose", "init,ordre"],
            (
                "--decompose init,ordre: 'ordre' is not a stream of random numbers; did you mean "
                "'order'?; the streams are init, order, dropout"
            ),
        ),
        (["--decompose", "init,init"], "--decompose init,init: name each stream once"),
        (
            ["--decompose", "init", "--levels", "6"],
            "--levels 6: 6 levels have no such layout; take 4, or an odd number from 3 on",
        ),
        (
            ["--decompose", "init", "--override", "data.order=sequential", "--levels", "6"],
            "--levels 6: 6 levels have no such layout; take 4, or an odd number from 3 on",
        ),
        (
            ["--decompose", EVERY, "--override", "data.order=sequential"],
            "--decompose order: this stream makes no difference here: data.order is sequential",
        ),
    ],
)
def test_an_impossible_decomposition_is_refused_before_anything_is_trained(
    empty: Path, sweep: Run, words: list[str], sentence: str
) -> None:
    done = sweep(empty, "noise", "s.toml", *words)
    assert (done.returncode, done.stderr) == (2, f"sweep: {sentence}\n")
    assert [path.name for path in empty.iterdir()] == ["s.toml"]


@pytest.mark.slow
def test_a_decomposition_is_refused_if_only_one_stream_varies(
    empty: Path, sweep: Run, study_text: str
) -> None:
    text = study_text.replace("seeds = 2", 'seeds = 2\nvary = ["init"]')
    (empty / "s.toml").write_text(text)
    done = sweep(empty, "noise", "s.toml", "--decompose", "order")
    assert done.stderr == (
        "sweep: --decompose order: this stream makes no difference here: design.vary holds it at 0\n"
    )
    done = sweep(empty, "noise", "s.toml", "--decompose", "init")
    assert done.stderr.startswith("sweep: --decompose init: it is the only stream that makes a ")


@pytest.mark.slow
def test_a_report_cites_the_noise_and_says_when_it_is_stale(
    copy: Path, sweep: Run, study_text: str
) -> None:
    noise = content(sweep(copy, "noise", "--seeds", 5, "--format", "json"))
    known = content(sweep(copy, "report", "--format", "json"))["noise_on_record"]
    assert (known["n"], known["sd"], known["warning"]) == (5, noise["sd"], None)
    sd = f"{noise['sd']:.{sd_decimals(noise['ci_low'], noise['ci_high'])}f}"
    assert f"Noise on record: sd {sd} (`sweep noise tiny`, 5 seeds, " in (
        sweep(copy, "report").stdout
    )
    (copy / "s.toml").write_text(study_text.replace("tokens = 2048", "tokens = 1024"))
    done = sweep(copy, "run", "s.toml")
    assert (
        "The noise on record is stale: the recipe (train.tokens 2048 then, 1024 now) has changed "
        "since; `sweep noise tiny` measures it again.\n"
    ) in done.stdout


@pytest.mark.slow
def test_a_rebuilt_database_has_the_noise_on_record(copy: Path, sweep: Run) -> None:
    before = sweep(copy, "report", "--format", "json").stdout
    for path in (copy / "runs").glob("sweep.db*"):
        path.unlink()
    assert sweep(copy, "rebuild").returncode == 0
    assert "noise_on_record" in before
    assert sweep(copy, "report", "--format", "json").stdout == before
