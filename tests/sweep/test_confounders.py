"""What else differs between runs stands in the report, and which of them are reproducible."""

from __future__ import annotations

from typing import Any

import pytest

from sweep.terminal.units import two_digits
from tests.sweep.stores import ORIGIN, Trainer, changed, usual

Content = dict[str, Any]


def with_origin(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    return {"provenance": {**ORIGIN, **fields}}


CONFOUNDERS: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {
    "another kind of device": (
        with_origin(device_type="cuda", device="H100"),
        ("device type", "cuda", "cpu"),
    ),
    "another device": (with_origin(device="Xeon"), ("device", "Xeon", "AMD EPYC")),
    "another package version": (
        with_origin(versions={"python": "3.11.2", "torch": "2.12.0"}),
        ("torch", "2.12.0", "2.13.0"),
    ),
    "another commit": (with_origin(commit="b" * 40), ("code", "b" * 12, "a" * 12)),
    "changed files": (with_origin(dirty=True), ("code", "a" * 12 + " with changes", "a" * 12)),
    "another precision": (with_origin(precision="bfloat16"), ("precision", "bfloat16", "float32")),
    "another number of processes": (with_origin(processes=2), ("processes", "2", "1")),
    "fewer tokens": ({"tokens": 1024}, ("tokens", "1,024", "2,048")),
}


@pytest.mark.parametrize(("outcome", "found"), CONFOUNDERS.values(), ids=CONFOUNDERS)
def test_differences_from_the_baseline_that_are_no_intervention_are_listed(
    train: Trainer, content: Content, outcome: dict[str, Any], found: tuple[str, str, str]
) -> None:
    train(content, lambda arm, seed: outcome if (arm, seed) == ("clip", 2) else usual(arm, seed))
    what, value, baseline = found
    expected = {"arm": "clip", "what": what, "value": value, "baseline": baseline, "runs": 1}
    assert train.report()["confounders"] == [expected]
    line = f"Confounded by {what}, {value} where the baseline has {baseline}: clip (1 run).\n"
    assert line in train.table()


def test_runs_are_compared_with_the_baseline_run_of_the_same_seed_only(
    train: Trainer, content: Content
) -> None:
    train(content, lambda _, seed: with_origin(device=f"machine {seed}"))
    assert train.report()["confounders"] == []


def test_a_run_without_a_partner_is_compared_with_all_runs_of_the_baseline(
    train: Trainer, content: Content
) -> None:
    def outcome(arm: str, seed: int) -> dict[str, Any]:
        if arm == "baseline":
            return {} if seed == 3 else with_origin(device=f"machine {seed}")
        return with_origin(device="machine 9" if arm == "clip" else f"machine {min(seed, 2)}")

    train(changed(content, "design/seeds", 3), outcome)
    alone = [each for each in train.report()["confounders"] if each["arm"] == "clip"]
    assert {(each["baseline"], each["runs"]) for each in alone} == {
        ("machine 1", 1),
        ("machine 2", 1),
        ("machine 1 or machine 2", 1),
    }
    assert len(train.report()["confounders"]) == len(alone)


def test_a_setting_of_an_intervention_is_no_confounder(train: Trainer, content: Content) -> None:
    with_arms = changed(
        content,
        "interventions/low",
        {"because": "Faster.", "set": {"train.precision": "bfloat16"}},
    )
    with_arms = changed(
        with_arms, "interventions/long", {"because": "More.", "set": {"train.tokens": 4100}}
    )
    asked = {"low": with_origin(precision="bfloat16"), "long": {"tokens": 4096}}
    train(with_arms, lambda arm, seed: asked.get(arm, usual(arm, seed)))
    assert train.report()["confounders"] == []


OTHER_TEXT: dict[str, tuple[dict[str, Any], tuple[str, str, str] | None]] = {
    "tokenizer": ({"data.tokenizer": "bpe-512"}, ("data.tokenizer", "bpe-512", "bytes")),
    "corpus": ({"data.corpus": "x.txt"}, ("data.corpus", "x.txt", "python-stdlib")),
    "share": ({"data.test_share": 0.5}, ("data.test_share", "0.5", "0.1")),
    "chunks": (
        {"evaluation.chunks": 3},
        ("test text", "192 tokens from 0 on", "128 tokens from 0 on"),
    ),
    "start": (
        {"evaluation.start_token": 64},
        ("test text", "128 tokens from 64 on", "128 tokens from 0 on"),
    ),
    "the same text in other chunks": ({"evaluation": {"chunks": 4, "chunk_tokens": 32}}, None),
    "less text to train on": ({"data.max_tokens": 1000}, None),
    "another order": ({"data.order": "sequential"}, None),
    "text from two corpora": ({"data.mixture": {"python-stdlib": 0.7, "x.txt": 0.3}}, None),
    "attention within documents": ({"data.mask_documents": True}, None),
}


@pytest.mark.parametrize(("setting", "found"), OTHER_TEXT.values(), ids=OTHER_TEXT)
def test_an_arm_that_is_tested_on_other_text_is_confounded_although_it_was_asked_for(
    train: Trainer,
    content: Content,
    setting: dict[str, Any],
    found: tuple[str, str, str] | None,
) -> None:
    arm = {"because": "It was asked for.", "set": setting}
    train(changed(content, "interventions/text", arm))
    expected = []
    if found is not None:
        what, value, baseline = found
        expected = [{"arm": "text", "what": what, "value": value, "baseline": baseline, "runs": 2}]
    assert train.report()["confounders"] == expected


def test_a_report_counts_runs_that_are_reproducible_to_the_last_bit_and_names_their_devices(
    train: Trainer, content: Content
) -> None:
    def outcome(arm: str, seed: int) -> dict[str, Any]:
        if arm == "no-dropout":
            return with_origin(device="H100", device_type="cuda", deterministic=seed == 1)
        if arm == "clip" and seed == 1:
            return {"state": "diverged", "test_loss": None, "chunk_losses": [], "diverged_at": 2}
        return usual(arm, seed)

    train(content, outcome)
    assert train.report()["reproducible"] == {
        "exactly": 5,
        "on": ("AMD EPYC with torch 2.13.0", "H100 with torch 2.13.0"),
        "roughly": 1,
    }
    assert (
        "Reproducible to the last bit on AMD EPYC with torch 2.13.0 or H100 with torch 2.13.0: "
        "5 runs.\n"
        "Reproducible but for rounding: 1 run, trained on a GPU without jobs.deterministic.\n"
    ) in train.table()


ATTEMPTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "processes": ({"processes": 2}, {"processes": "2, then 1"}),
    "threads": ({"threads": 4}, {"threads": "4, then 1"}),
    "micro-batch": ({"micro_batch": 3}, {"micro-batch": "3, then 8"}),
    "torch": (
        {"versions": {"python": "3.11.2", "torch": "2.12.0"}},
        {"torch": "2.12.0, then 2.13.0"},
    ),
    "processor": ({"device": "Xeon"}, {"device": "Xeon, then AMD EPYC"}),
    "device type": (
        {"device_type": "cuda", "device": "H100"},
        {"device type": "cuda, then cpu", "device": "H100, then AMD EPYC"},
    ),
    "precision": ({"precision": "bfloat16"}, {"precision": "bfloat16, then float32"}),
    "code": ({"commit": "b" * 40}, {"code": f"{'b' * 12}, then {'a' * 12}"}),
}
LAST = {**ORIGIN, "threads": 1, "micro_batch": 8}


@pytest.mark.parametrize(("first", "differences"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_run_whose_attempts_differ_is_a_confounder_and_not_reproducible(
    train: Trainer, content: Content, first: dict[str, Any], differences: dict[str, str]
) -> None:
    mixed = {"provenance": {**LAST, "earlier_attempts": [{**LAST, **first, "from_step": 0}]}}

    def outcome(arm: str, seed: int) -> dict[str, Any]:
        return mixed if (arm, seed) == ("baseline", 2) else {"provenance": LAST}

    train(content, outcome)
    report = train.report()
    assert report["mixed_attempts"] == [{"arm": "baseline", "seed": 2, "differences": differences}]
    assert report["reproducible"]["exactly"] == 5
    told = "; ".join(f"{what} {value}" for what, value in differences.items())
    assert (
        f"Confounded by attempts that differ: baseline/2 ({told}); training again would not "
        "give the same bits.\n"
    ) in train.table()


def test_attempts_that_an_older_version_did_not_record_are_not_called_reproducible(
    train: Trainer, content: Content
) -> None:
    train(content, lambda _arm, _seed: with_origin(earlier_attempts=[{"from_step": 0}]))
    assert train.report()["reproducible"]["exactly"] == 0
    assert len(train.report()["mixed_attempts"]) == 6
    assert "baseline/1 (attempts of an older version not recorded)" in train.table()


def test_runs_without_provenance_are_not_called_reproducible(
    train: Trainer, content: Content
) -> None:
    train(content, lambda _arm, _seed: {"provenance": {}})
    assert train.report()["reproducible"] == {"exactly": 0, "on": (), "roughly": 0}
    assert "eproducible" not in train.table()


def test_control_characters_in_a_device_name_are_not_printed(
    train: Trainer, content: Content
) -> None:
    train(content, lambda arm, _: with_origin(device="\x1b[31m\u202e" if arm == "clip" else "x"))
    assert "\x1b" not in train.table()
    assert "\u202e" not in train.table()


def test_a_verdict_that_rests_on_few_chunks_of_the_test_text_is_marked(
    train: Trainer, content: Content
) -> None:
    def outcome(arm: str, seed: int) -> dict[str, Any]:
        gains = {
            "baseline": [0.0] * 64,
            "clip": [0.09 + chunk % 3 / 100 for chunk in range(64)],
            "no-dropout": [6.4 * (chunk == 5) for chunk in range(64)],
        }[arm]
        by_chunk = [
            2.5 + chunk / 8 + seed / 100 - gain * (1 + seed / 99)
            for chunk, gain in enumerate(gains)
        ]
        return usual(arm, seed) | {"chunk_losses": by_chunk, "test_loss": sum(by_chunk) / 64}

    train(changed(content, "design/seeds", 3), outcome)
    baseline, lucky, steady = train.report()["arms"]
    assert (lucky["verdict"], steady["verdict"]) == ("better", "better")
    assert (baseline["rests_on_few_chunks"], steady["rests_on_few_chunks"]) == (None, False)
    assert (lucky["rests_on_few_chunks"], lucky["carried_by"], lucky["n_chunks"]) == (True, 1, 64)
    assert lucky["se_chunks"] == pytest.approx(abs(lucky["effect"]))  # one chunk has all of it
    table = train.table()
    assert table.count(" †") == 1
    assert "† may not hold on other text: the effect differs much between chunks" in table
    least, most = two_digits(steady["se_chunks"]), two_digits(lucky["se_chunks"])
    errors = f"{least} (clip) to {most} (no-dropout)"
    assert f"Test text: over 64 chunks of it an effect has a standard error of {errors}.\n" in table
