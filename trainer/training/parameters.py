"""All parameters of a model in one vector, and their gradients in another.

So the optimiser, the gradient norm, clipping and the exchange between processes take a few
operations on one tensor, instead of a few per parameter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import torch
from torch import Tensor, nn

from trainer.recipe_sections import PARAMETER_KINDS, ParameterKind

ALIGNMENT = 16
"""Each parameter begins at a multiple of this many numbers: 64 bytes, a cache line."""
LINE = 4096
"""Numbers per partial sum of squares; summing the partial sums then rounds less."""


@dataclass(frozen=True)
class ParameterGroup:
    """Neighbouring parameters that are updated alike."""

    kind: ParameterKind
    """`matrix` also where kinds are not told apart."""
    decays: bool
    """True if weight decay applies."""
    place: slice
    """Where they are in `values`, with padding."""
    names: tuple[str, ...] = ()


def parameter_kind(model: nn.Module, name: str) -> ParameterKind:
    """What a parameter is to an optimiser. A tied head counts as an embedding."""
    owner, _, _ = name.rpartition(".")
    if isinstance(model.get_submodule(owner), nn.Embedding):
        return "embedding"
    if model.get_parameter(name).dim() < 2:
        return "scalar"
    return "head" if owner == "head" else "matrix"


class FlatParameters:
    """Moves the parameters of a model, and their gradients, into two vectors.

    Parameters that decay come first; with `by_kind`, those of each kind stand together. Padding
    between parameters is zero.
    """

    def __init__(
        self, model: nn.Module, decay: Literal["all", "matrices"], *, by_kind: bool = False
    ) -> None:
        named = dict(model.named_parameters())  # a tied one once
        keys = {
            name: (
                decay == "all" or p.dim() >= 2,
                parameter_kind(model, name) if by_kind else "matrix",
            )
            for name, p in named.items()
        }
        ordered = sorted(named, key=lambda n: (not keys[n][0], PARAMETER_KINDS.index(keys[n][1])))
        sizes = {name: _aligned(named[name].numel(), ALIGNMENT) for name in ordered}
        device = next(iter(named.values())).device
        self.values = torch.zeros(_aligned(sum(sizes.values()), LINE), device=device)
        self.gradients = torch.zeros_like(self.values)
        self.named: dict[str, nn.Parameter] = {}
        self._places: dict[str, slice] = {}
        self._gradients: list[Tensor] = []
        self.groups: list[ParameterGroup] = []
        first = 0
        for (decays, kind), names in groupby(ordered, keys.__getitem__):
            begin, members = first, tuple(names)
            for name in members:
                self._move(name, named[name], first)
                first += sizes[name]
            self.groups.append(ParameterGroup(kind, decays, slice(begin, first), members))
        self._add_padding(first)

    def _add_padding(self, first: int) -> None:
        """Let the last group hold the padding at the end, if it does not decay, or else a new one."""
        if first == len(self.values):
            return
        last = ParameterGroup(self.groups[-1].kind, decays=False, place=slice(first, None))
        if not self.groups[-1].decays:
            same = self.groups.pop()
            last = ParameterGroup(same.kind, False, slice(same.place.start, None), same.names)
        self.groups.append(last)

    def _move(self, name: str, parameter: nn.Parameter, first: int) -> None:
        place = slice(first, first + parameter.numel())
        shape = parameter.shape
        self.values[place] = parameter.detach().flatten()
        parameter.data = self.values[place].view(shape)
        parameter.grad = self.gradients[place].view(shape)
        self._gradients.append(parameter.grad)
        self._places[name] = place
        self.named[name] = parameter

    def vector(self, group: ParameterGroup) -> nn.Parameter:
        """All values of a group in one tensor, with their gradients."""
        return _with_gradient(self.values[group.place], self.gradients[group.place])

    def tensors(self, group: ParameterGroup) -> list[nn.Parameter]:
        """The parameters of a group in their shapes, with their gradients.

        A joint projection of queries, keys and values is three of them.
        """
        found = []
        for name in group.names:
            place, shape = self._places[name], self.named[name].shape
            pieces = [shape[0]]
            if name.endswith("qkv.weight"):
                pieces = [shape[1], *[(shape[0] - shape[1]) // 2] * 2]
            values = self.values[place].view(shape).split(pieces)  # type: ignore[no-untyped-call]
            gradients = self.gradients[place].view(shape).split(pieces)  # type: ignore[no-untyped-call]
            found += [_with_gradient(*both) for both in zip(values, gradients, strict=True)]
        return found

    def matrices(self, group: ParameterGroup) -> list[nn.Parameter]:
        """The matrices of a group one by one, with their gradients; a stack of n matrices is n."""
        found = []
        for tensor in self.tensors(group):
            stack = (-1, *tensor.shape[-2:])
            values, gradients = tensor.detach().view(stack), gradient_of(tensor).view(stack)
            found += [_with_gradient(*both) for both in zip(values, gradients, strict=True)]
        return found

    def forget_gradients(self) -> None:
        """Reset the gradients for another step."""
        if self.gradients.is_cuda:
            for parameter in self.named.values():
                parameter.grad = None
        else:
            self.gradients.zero_()

    def collect_gradients(self) -> None:
        """Copy the gradients into `gradients`: on a GPU that is faster than adding them up there."""
        if self.gradients.is_cuda:
            found = [p.grad for p in self.named.values() if p.grad is not None]  # all of them
            torch._foreach_copy_(self._gradients, found)
            self.forget_gradients()

    def gradient_norm(self) -> Tensor:
        """The 2-norm of the whole gradient, a scalar."""
        return torch.linalg.vector_norm(  # type: ignore[no-any-return]
            torch.linalg.vector_norm(self.gradients.view(-1, LINE), dim=1)
        )


def _with_gradient(values: Tensor, gradient: Tensor) -> nn.Parameter:
    vector = nn.Parameter(values)
    vector.grad = gradient
    return vector


def gradient_of(vector: nn.Parameter) -> Tensor:
    """The gradient of a vector or matrix that `FlatParameters` has made."""
    if vector.grad is None:
        raise RuntimeError("a view of the parameters has lost its gradient")
    return vector.grad


def _aligned(size: int, to: int) -> int:
    return math.ceil(size / to) * to
