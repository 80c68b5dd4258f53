"""The steps of a recipe: how many, and the batch and the length of sequences at each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.config import ModelConfig
from trainer.ramps import context_at, first_sequences, growing_batches, stage_starts
from trainer.recipe_sections import EvaluationConfig, ScheduleConfig, TrainConfig


class StepCounts:
    """What follows from the budget and the schedules, for a class with these sections."""

    if TYPE_CHECKING:  # pydantic would take them for fields
        model: ModelConfig
        schedule: ScheduleConfig
        train: TrainConfig
        evaluation: EvaluationConfig

    @property
    def tokens_per_step(self) -> int:
        """Tokens per optimiser step."""
        return self.train.batch_size * self.model.context

    @property
    def steps(self) -> int:
        """Optimiser steps: as many whole batches as the token budget allows, or more that are smaller."""
        if self.schedule.batch_warmup == 0:
            return self.train.tokens // self.tokens_per_step
        whole = (self._sequences - sum(self._ramp)) // self.train.batch_size
        return len(self._ramp) + whole

    @property
    def _sequences(self) -> int:
        """Sequences of training text."""
        return self.train.tokens // self.tokens_per_step * self.train.batch_size

    @property
    def _ramp(self) -> tuple[int, ...]:
        """Sequences in each of the first steps, before batches are whole."""
        schedule = self.schedule
        if schedule.batch_warmup == 0:
            return ()
        share, factor = schedule.batch_warmup, schedule.batch_warmup_factor
        return growing_batches(self.train.batch_size, self._sequences, share, factor)

    def batch_size_at(self, step: int) -> int:
        """Sequences in the batch of a step (from 0)."""
        if self.schedule.batch_warmup == 0:
            return self.train.batch_size
        return self._ramp[step] if step < len(self._ramp) else self.train.batch_size

    def sequences_until(self, steps: int) -> int:
        """Sequences that the first `steps` steps read."""
        until = first_sequences(self._ramp)
        whole = max(0, steps - len(self._ramp))
        return until[min(steps, len(self._ramp))] + whole * self.train.batch_size

    def tokens_until(self, steps: int) -> int:
        """Tokens that the first `steps` steps train on."""
        return self.sequences_until(steps) * self.model.context

    @property
    def steps_per_point(self) -> int:
        """Number of steps that are averaged for one point of the loss curve."""
        return max(1, min(50, self.steps // 100))

    @property
    def warmup_steps(self) -> int:
        """Number of warm-up steps, before the learning rate is at its peak."""
        return round(self.schedule.warmup * self.steps)

    @property
    def cooldown_steps(self) -> int:
        """Number of steps at the end of a wsd schedule over which the learning rate falls."""
        return min(round(self.schedule.cooldown * self.steps), self.steps - self.warmup_steps)

    @property
    def context_warmup_steps(self) -> int:
        """Number of steps until sequences have `model.context` tokens."""
        return (
            0 if self.train.first_context is None else round(self.train.context_warmup * self.steps)
        )

    def context_at(self, step: int) -> int:
        """Tokens per sequence at a step (from 0)."""
        if self.train.first_context is None:
            return self.model.context
        steps = self.context_warmup_steps
        return context_at(self.model.context, self.train.first_context, step, steps)

    def tokens_by_context(self) -> dict[int, int]:
        """Training tokens by the length of the sequences that they are read in."""
        whole, first = self.model.context, self.train.first_context
        starts = {0: whole}
        if first is not None:
            starts = stage_starts(whole, first, self.context_warmup_steps)
        ends = [*list(starts)[1:], self.steps]
        return {
            length: self.tokens_until(end) - self.tokens_until(start)
            for (start, length), end in zip(starts.items(), ends, strict=True)
        }

    @property
    def averaged_steps(self) -> int:
        """Number of last steps whose weights are averaged for the evaluation."""
        return round(self.evaluation.average_last * self.steps)
