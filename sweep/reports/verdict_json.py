"""A report as JSON values and as CSV records."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from sweep.reports.document import finite
from sweep.reports.effects_text import effect_records, effects_json
from sweep.reports.plan_history import history_json
from sweep.reports.steps_text import step_json
from sweep.verdicts.guards import Guard
from sweep.verdicts.judge import ArmReport, Report
from sweep.verdicts.references import Reference
from sweep.verdicts.settling import Settling

SETTLING = [field.name for field in fields(Settling)]


def report_json(report: Report) -> dict[str, Any]:
    """JSON values of a report; None where a field does not apply."""
    noise, known = report.judgement.noise, report.noise_on_record
    return {
        "study": report.study,
        "plan_hash": report.plan_hash,
        "plan": history_json(report.history),
        "alpha": report.analysis.alpha,
        "correction": report.analysis.correction,
        "metric": report.metric.name,
        **({} if report.is_primary else {"primary": report.primary.name}),
        **({"guards": [_guard_json(each) for each in report.guards]} if report.guards else {}),
        "direction": report.direction.value,
        "pairs": report.pairs,
        "family": report.judgement.family,
        "shared_streams": list(report.judgement.shared_streams),
        "family_growth": asdict(report.family_growth) if report.family_growth else None,
        "smallest_effect": report.analysis.smallest_effect,
        "margin": report.analysis.margin,
        "target": report.analysis.target,
        "exchange": list(report.analysis.exchange),
        "asked": dict(report.questions),
        "overrides": dict(report.plan.overrides),
        "resolution": report.judgement.resolution,
        "noise": None if noise is None else asdict(noise),
        "spread": None if (spread := report.judgement.spread) is None else asdict(spread),
        "noise_on_record": known.as_json() if known else None,
        "stack": report.stack.json if report.stack else None,
        **({"design": effects_json(report.effects)} if report.effects else {}),
        **({"steps": [step_json(each) for each in report.steps]} if report.steps else {}),
        "reproducible": asdict(report.facts.reproducible),
        "confounders": [asdict(each) for each in report.facts.confounders],
        "equal_losses": [asdict(each) for each in report.facts.equal_losses],
        "mixed_attempts": [asdict(each) for each in report.facts.mixed_attempts],
        "arms": _arms_json(report),
        "references": [_reference_json(each) for each in report.references],
    }


def _arms_json(report: Report) -> list[dict[str, Any]]:
    """The arms, each with its number of runs that existed before the plan; None if unknown."""
    existed = report.history.existed
    return [
        {
            **_arm_json(arm),
            "n_existed": existed.by_arm.get(arm.name, 0) if existed else None,
            **({"guards": _answers_json(report, arm.name)} if report.guards else {}),
        }
        for arm in report.arms
    ]


def _guard_json(guard: Guard) -> dict[str, Any]:
    return {
        "metric": guard.metric.name,
        "direction": guard.metric.direction.value,
        "bound": guard.text,
        "change": guard.bound.change,
        "relative": guard.bound.is_relative,
        "lacking": guard.lacking,
    }


def _answers_json(report: Report, arm: str) -> dict[str, Any]:
    """The answers of the guards for an arm, by metric."""
    answers = {guard.metric.name: guard.answers.get(arm) for guard in report.guards}
    return {
        name: {key: value for key, value in finite(asdict(each)).items() if key != "arm"}
        for name, each in answers.items()
        if each is not None
    }


def _arm_json(arm: ArmReport) -> dict[str, Any]:
    result = finite(asdict(arm.result))
    return {
        "arm": result.pop("arm"),
        "interventions": list(arm.interventions),
        **result,
        **asdict(arm.text),
        "seconds_to_settle": arm.seconds_to_settle,
        "seconds": arm.seconds,
        **_settling_json(arm.settling),
        **(
            {"stopped": {**arm.stopped.decision.json, "runs": arm.stopped.runs}}
            if arm.stopped
            else {}
        ),
    }


def _settling_json(settling: Settling | None) -> dict[str, Any]:
    """What the command takes that settles the verdict: seeds of the study, runs, seconds, slots."""
    values = asdict(settling) if settling else dict.fromkeys(SETTLING)
    return {f"settling_{name}": value for name, value in values.items()}


def _reference_json(reference: Reference) -> dict[str, Any]:
    internal = {"study", "test_text", "provenance"}
    fields = {key: value for key, value in vars(reference.model).items() if key not in internal}
    return {**fields, "difference": reference.effect}


def report_records(report: Report) -> list[dict[str, Any]]:
    """A record for each arm, and one for each reference with the fields that it shares with arms.

    A factorial has a record for each effect in their place.
    """
    if report.factorial:
        return effect_records(report.factorial)
    arms = [_flat(arm, report) for arm in _arms_json(report)]
    empty = dict.fromkeys(arms[0])
    references = [
        {
            **empty,
            "arm": each.name,
            "mean": each.mean_loss,
            "effect": each.effect,
            "verdict": "reference",
        }
        for each in report.references
    ]
    return [*arms, *references]


def _flat(arm: dict[str, Any], report: Report) -> dict[str, Any]:
    """An arm with a column for each figure of each guard: `guard_loss_state`."""
    from analysis.guards import GuardVerdict

    answers, _ = arm.pop("guards", {}), arm.pop("stopped", None)
    names = [field.name for field in fields(GuardVerdict) if field.name != "arm"]
    return arm | {
        f"guard_{guard.metric.name}_{name}": answers.get(guard.metric.name, {}).get(name)
        for guard in report.guards
        for name in names
    }
