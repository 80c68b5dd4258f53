"""Record which arms are stopped early, and why, with the plan that they belong to."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, update

from sweep.store.plan_content import PlanContent
from sweep.store.schema import plans, studies
from sweep.store.stopped_content import StoppedContent
from sweep.store.store import Store


def record_stops(
    store: Store, study: str, plan_hash: str, found: Mapping[str, StoppedContent]
) -> Mapping[str, StoppedContent]:
    """Store decisions to stop arms; returns all that the plan has, by arm.

    A decision that is stored already stays as it is. Nothing is stored, and nothing returned, if the
    study has another plan by now.
    """
    of_plan = (plans.c.study == study) & (plans.c.hash == plan_hash)
    with store.write() as connection:
        current = select(plans.c.content).join(studies, studies.c.name == plans.c.study)
        of_now = of_plan & (studies.c.plan_hash == plan_hash)
        content = connection.execute(current.where(of_now)).scalar()
        if content is None:
            return {}
        known = PlanContent.from_json(content).stopped
        fresh = {arm: each for arm, each in found.items() if arm not in known}
        if fresh:
            stopped = {arm: each.json for arm, each in {**known, **fresh}.items()}
            changed = update(plans).where(of_plan).values(content={**content, "stopped": stopped})
            connection.execute(changed)
            store.write_study_file(connection, study)
        return {**known, **fresh}
