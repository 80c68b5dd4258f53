"""The trainers that ours is measured against, and ours, each behind `.step(index)`.

All of them start from the same weights, read the same batches, take the same hyperparameters from
the recipe, dropout in attention, after the embedding and after each branch included, and compute
the same function (tests/benchmarks/test_contenders.py). They differ in how.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from benchmarks.plain import FusedAttention, PlainGPT, WrittenOutAttention
from model.config import ModelConfig
from model.gpt import GPT
from model.init import initialise
from trainer.corpora.corpus import Corpus
from trainer.execution import Execution
from trainer.recipe import Recipe, vocabulary_size
from trainer.training.batches import Batches
from trainer.training.schedule import learning_rate
from trainer.training.trainer import Trainer
from trainer.training.world import Place

NICE = 64
"""On a GPU, matrix products like sizes that this divides: nanoGPT pads the vocabulary to it."""


class Contender(Protocol):
    """One way to train a recipe."""

    name: str

    def step(self, step: int) -> Tensor:
        """Take one optimiser step; the loss before it, a scalar on the device."""


class Ours:
    """The project's own loop."""

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        device: torch.device,
        *,
        name: str = "ours",
        compiled: Literal["auto", "always", "never"] = "auto",
    ) -> None:
        self.name = name
        self.trainer = Trainer(recipe, corpus, Place(device, Execution(compile=compiled)))

    def step(self, step: int) -> Tensor:
        """See Contender."""
        return self.trainer.step(step).loss


class _Plain:
    """A loop as tutorials have it: forward, backward, AdamW."""

    name: str

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        model: nn.Module,
        autocast: torch.dtype | None,
        **adamw: bool,
    ) -> None:
        self.recipe = recipe
        self.batches = Batches(recipe, corpus.train)
        self.model = model
        self.device = next(model.parameters()).device
        self.optimizer = _adamw(model, recipe, **adamw)
        self.autocast = autocast
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=autocast is torch.float16)

    def step(self, step: int) -> Tensor:
        """See Contender."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, step)
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            loss = self.loss(*self.read(step))
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if self.recipe.optimizer.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def read(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step, on the device."""
        inputs, targets = self.batches.read(step)
        return inputs.to(self.device), targets.to(self.device)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a batch."""
        return self.model(inputs, targets)  # type: ignore[no-any-return]


class Textbook(_Plain):
    """Every line as in a textbook: attention written out, separate projections, plain AdamW.

    A recipe with 16-bit precision trains in fp16 autocast with a GradScaler.
    """

    name = "textbook"

    def __init__(self, recipe: Recipe, corpus: Corpus, device: torch.device) -> None:
        model = PlainGPT(recipe.model, vocabulary_size(recipe.data.tokenizer), WrittenOutAttention)
        model.load_state_dict(_split_qkv(initial_weights(recipe)))
        autocast = None if recipe.train.precision == "float32" else torch.float16
        super().__init__(recipe, corpus, model.to(device), autocast, foreach=False, fused=False)


class NanoGPTStyle(_Plain):
    """The idea of nanoGPT: flash attention, one QKV product, fused AdamW, bf16, torch.compile.

    `backend` is the one that compiles, torch's own being "inductor"; None compiles nothing.
    """

    name = "nanoGPT-style"

    def __init__(
        self, recipe: Recipe, corpus: Corpus, device: torch.device, *, backend: str | None
    ) -> None:
        vocabulary = vocabulary_size(recipe.data.tokenizer)
        padded = -(-vocabulary // NICE) * NICE if device.type == "cuda" else vocabulary
        model = PlainGPT(recipe.model, padded, FusedAttention)
        model.load_state_dict(_padded(initial_weights(recipe), padded))
        autocast = None if recipe.train.precision == "float32" else torch.bfloat16
        super().__init__(recipe, corpus, model.to(device), autocast, fused=True)
        if backend is not None:
            self.model.compile(backend=backend)

    def read(self, step: int) -> tuple[Tensor, Tensor]:
        """Copied from pinned memory, so that the host need not wait."""
        inputs, targets = self.batches.read(step)
        if self.device.type != "cuda":
            return inputs, targets
        return tuple(t.pin_memory().to(self.device, non_blocking=True) for t in (inputs, targets))  # type: ignore[return-value]


class Transformers(_Plain):
    """Hugging Face's GPT2LMHeadModel as it comes, with torch's AdamW as it comes.

    GPT-2 has biases in its attention projections: they stay zero where the recipe has none.
    Raises ImportError when transformers is not installed.
    """

    name = "transformers"

    def __init__(self, recipe: Recipe, corpus: Corpus, device: torch.device) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel  # noqa: PLC0415  (an optional extra)

        shape = recipe.model
        vocabulary = vocabulary_size(recipe.data.tokenizer)
        config = GPT2Config(
            vocab_size=vocabulary,
            n_positions=shape.context,
            n_embd=shape.width,
            n_layer=shape.layers,
            n_head=shape.heads,
            resid_pdrop=shape.dropout,
            embd_pdrop=shape.dropout,
            attn_pdrop=shape.dropout,
            tie_word_embeddings=shape.tie_embeddings,
            bos_token_id=vocabulary - 1,
            eos_token_id=vocabulary - 1,
        )
        model = GPT2LMHeadModel(config).train().to(device)
        model.load_state_dict(_in_their_names(initial_weights(recipe), shape))
        for block in model.transformer.h:
            block.attn.c_attn.bias.requires_grad_(shape.qkv_bias)
        autocast = None if recipe.train.precision == "float32" else torch.bfloat16
        super().__init__(recipe, corpus, model, autocast)

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Its own loss would shift the targets, which our batches have done."""
        logits = self.model(input_ids=inputs, use_cache=False).logits
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def initial_weights(recipe: Recipe) -> dict[str, Tensor]:
    """The weights that our own loop starts from."""
    model = GPT(recipe.model, vocabulary_size(recipe.data.tokenizer))
    initialise(model, recipe.seeds.init)
    return model.state_dict()


def _split_qkv(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    split = {}
    for name, weight in weights.items():
        if ".qkv." in name:
            for part, rows in zip(("query", "key", "value"), weight.chunk(3), strict=True):
                split[name.replace("qkv", part)] = rows
        else:
            split[name] = weight
    return split


def _padded(weights: dict[str, Tensor], vocabulary: int) -> dict[str, Tensor]:
    """Rows of zeros for the token ids that do not exist."""
    rows = vocabulary - len(weights["head.weight"])
    names = ("token_embedding.weight", "head.weight")
    return weights | {name: F.pad(weights[name], (0, 0, 0, rows)) for name in names}


THEIR_NAMES = {
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "final_norm": "transformer.ln_f",
    "head": "lm_head",
    "blocks": "transformer.h",
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.projection": "attn.c_proj",
    "feed_forward_norm": "ln_2",
    "feed_forward.expand": "mlp.c_fc",
    "feed_forward.projection": "mlp.c_proj",
}


def _in_their_names(weights: dict[str, Tensor], shape: ModelConfig) -> dict[str, Tensor]:
    """For GPT2LMHeadModel, whose matrices within blocks are transposed (its Conv1D)."""
    theirs = {}
    for ours, weight in weights.items():
        name = ours
        for part, theirs_part in THEIR_NAMES.items():
            name = name.replace(part, theirs_part)
        inner_matrix = ours.startswith("blocks.") and weight.dim() == 2
        theirs[name] = weight.t() if inner_matrix else weight
    zeros = torch.zeros(3 * shape.width)
    biases = {f"transformer.h.{layer}.attn.c_attn.bias": zeros for layer in range(shape.layers)}
    return biases | theirs


def _adamw(model: nn.Module, recipe: Recipe, **options: bool) -> torch.optim.AdamW:
    """AdamW with the recipe's hyperparameters."""
    wanted = recipe.optimizer
    learned = [p for p in model.parameters() if p.requires_grad]
    spared = [p for p in learned if p.dim() < 2 and wanted.decay == "matrices"]
    decayed = [p for p in learned if p.dim() >= 2 or wanted.decay == "all"]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=wanted.learning_rate,
        betas=(wanted.beta1, wanted.beta2),
        eps=wanted.epsilon,
        weight_decay=wanted.weight_decay,
        **options,
    )
