"""One run in memory: the model, its optimiser and its data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from model.dropout import DropoutStream, use_dropout
from model.init import initialise
from model.multi_token import make_model
from trainer.corpora.corpus import Corpus
from trainer.corpora.tokenizer import document_border
from trainer.errors import DeviceMemoryError
from trainer.recipe import Recipe, vocabulary_size
from trainer.training.average import make_average
from trainer.training.batches import Batches
from trainer.training.compile import compile_model
from trainer.training.journal import Progress, Step
from trainer.training.memory import (
    MicroBatches,
    check_fits,
    free_bytes,
    is_out_of_memory,
    kept_numbers,
    out_of_memory_error,
)
from trainer.training.optimizer import Optimizer, StepReport
from trainer.training.parameters import FlatParameters
from trainer.training.precision import autocast, prepare
from trainer.training.schedule import learning_rate
from trainer.training.world import Place
from trainer.weights.pretrained import Pretrained
from trainer.weights.weights import load_weights
from trainer.words import counted


class Trainer:
    """Takes the steps of a recipe. A step depends only on the parameters and the step's number.

    Raises ExecutionSettingError if the recipe does not fit the device.
    """

    def __init__(
        self, recipe: Recipe, corpus: Corpus, place: Place, progress: Progress | None = None
    ) -> None:
        self.recipe = recipe
        self.place = place
        self.progress = progress or Progress()
        self.sequences = place.world.part(recipe.train.batch_size)
        check_fits(recipe, place.device, self._free_bytes())
        # A continued run has these notes already, and a new measurement might add a different one.
        prepare(recipe, place.device, _ignore if self.progress.steps else self._note)
        self.batches = Batches(recipe, corpus.train, corpus.parts)
        self.dropout = DropoutStream(recipe.seeds.dropout)
        vocabulary = vocabulary_size(recipe.data.tokenizer)
        heads, border = recipe.train.multi_token, document_border(recipe.data)
        self.model = make_model(recipe.model, vocabulary, heads, border)
        initialise(self.model, recipe.seeds.init)
        self.model.to(place.device)
        self.dropout.to(place.device)
        use_dropout(self.model, self.dropout)
        self.parameters = FlatParameters(
            self.model, recipe.optimizer.decay, by_kind=recipe.optimizer.tells_kinds_apart
        )
        self.optimizer = Optimizer(
            self.parameters, recipe.optimizer, scaled=recipe.train.precision == "float16"
        )
        self.average = make_average(recipe, self.parameters.values)
        place.world.part(recipe.batch_size_at(0))  # raises if that is too small
        compile_model(self.model, recipe, place, self._note)
        self.micro_batch = self._choose_micro_batch()
        self._halved = False

    def step(self, step: int) -> Step:
        """Take optimiser step `step`, without waiting for the device."""
        loss = self._gradients_that_fit(step)
        self.place.world.sum(loss)
        self.place.world.sum(self.parameters.gradients)
        return Step(loss, *self.update(step))

    def update(self, step: int) -> StepReport:
        """Update the parameters with the gradients of the whole batch of step `step`."""
        report = self.optimizer.step(learning_rate(self.recipe, step))
        if self.average is not None:
            self.average.update(self.parameters.values, step)
        return report

    def _gradients_that_fit(self, step: int) -> Tensor:
        """Compute the gradients of a step; halves the micro-batch once if memory runs out."""
        while True:
            try:
                return self.gradients(step, self.sequences_of(step))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self._halved or self.micro_batch == 1:
                    raise self._does_not_fit(step) from error
            # Not inside the handler, where the exception keeps the tensors alive.
            self._halve(step)

    def _halve(self, step: int) -> None:
        half = (self.micro_batch + 1) // 2
        self._note(
            f"out of memory at step {step} with a micro-batch of {counted(self.micro_batch, 'sequence')}; "
            f"went on with {half}"
        )
        self.micro_batch = half
        self._halved = True
        if self.place.device.type == "cuda":
            torch.cuda.empty_cache()

    def _does_not_fit(self, step: int) -> DeviceMemoryError:
        halved = ", half of the size that was tried first" if self._halved else ""
        tried = f"at step {step} with a micro-batch of {self.micro_batch}{halved}"
        return out_of_memory_error(self.recipe, self.place.device, tried)

    def sequences_of(self, step: int) -> slice:
        """The sequences of a step's batch that this process trains on."""
        return self.place.world.part(self.recipe.batch_size_at(step))

    def gradients(self, step: int, sequences: slice) -> Tensor:
        """Compute the gradients of some of a step's sequences; returns their share of the loss."""
        inputs, targets = (self._on_device(t) for t in self.batches.read(step, sequences))
        self.parameters.forget_gradients()
        tokens = self.recipe.batch_size_at(step) * self.recipe.model.context
        scale = self.optimizer.scale * (1 / tokens)
        loss = torch.zeros_like(scale)
        context = self.recipe.context_at(step)
        pieces, shape = self.recipe.model.context // context, (-1, context)
        z_loss = self.recipe.train.z_loss
        for first in range(0, len(inputs), self.micro_batch):
            some = slice(first, first + self.micro_batch)
            self.dropout.seek(step, (sequences.start + first) * pieces)
            with autocast(self.recipe, self.place.device):
                loss += self.model.add_gradients(
                    inputs[some].view(shape), targets[some].view(shape), scale, z_loss
                )
        self.parameters.collect_gradients()
        return loss / self.optimizer.scale

    def _on_device(self, tensor: Tensor) -> Tensor:
        if self.place.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.place.device, non_blocking=True)

    def _choose_micro_batch(self) -> int:
        most = self.sequences.stop - self.sequences.start
        asked = self.place.execution.micro_batch
        if asked != "auto":
            return min(asked, most)  # type: ignore[no-any-return]
        # A continued run keeps its size, because another one rounds differently.
        if self.progress.micro_batch is not None:
            return self.progress.micro_batch
        known = MicroBatches(self.place.cache, self._free_bytes())
        return known.find(self.recipe, self.place.device, most, self._attempt)

    def _free_bytes(self) -> int | None:
        """Free memory for this process, in bytes; on a CPU, the run's processes share it equally."""
        free = free_bytes(self.place.device)
        shared = self.place.world.size if self.place.device.type == "cpu" else 1
        return None if free is None else free // shared

    def _attempt(self, size: int) -> None:
        """Compute a micro-batch of this size and discard the result; raises if it does not fit."""
        self.micro_batch = size
        first = self.sequences.start
        # AdamW allocates its moments at the first step, and copies of the values come later still, so
        # memory for all of them is reserved here.
        _kept = torch.empty(
            kept_numbers(self.recipe), self.parameters.values.numel(), device=self.place.device
        )
        self.gradients(self.recipe.steps - 1, slice(first, first + size))
        self.parameters.gradients.zero_()

    def _note(self, sentence: str) -> None:
        if sentence not in self.progress.notes:
            self.progress.notes.append(sentence)

    def state(self) -> dict[str, Tensor]:
        """All tensors that a checkpoint needs."""
        average = {} if self.average is None else {"average": self.average.values}
        return {"values": self.parameters.values} | average | self.optimizer.state()

    @contextlib.contextmanager
    def final_weights(self) -> Iterator[None]:
        """Let the model have the weights to evaluate and keep: the average, if the recipe asks for one."""
        if self.average is None:
            yield
            return
        last = self.parameters.values.clone()
        self.parameters.values.copy_(self.average.values)
        try:
            yield
        finally:
            self.parameters.values.copy_(last)

    def load_initial_weights(self, weights: Pretrained) -> None:
        """Replace the random weights. Requires `Pretrained.check_fits`; raises WeightsError."""
        load_weights(self.model, weights)
        for note in weights.notes(vocabulary_size(self.recipe.data.tokenizer)):
            self._note(note)

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        rest = dict(tensors)
        self.parameters.values.copy_(rest.pop("values"))
        if self.average is not None:
            self.average.values.copy_(rest.pop("average"))
        self.optimizer.load_state(rest)


def _ignore(_sentence: str) -> None:
    """Drop a note."""
