"""Gradients of parameters, added up without autograd."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from model.linear import weight_gradient


def add_gradient(parameter: Any, gradient: Tensor) -> None:  # noqa: ANN401  (an attribute of a module)
    """Add to the gradient of a parameter, which may have none yet."""
    if parameter.grad is None:
        parameter.grad = gradient
    else:
        parameter.grad.add_(gradient)


def add_linear_gradients(layer: nn.Module, x: Tensor, grad: Tensor) -> None:
    """Add the gradients of a linear layer's parameters: `x` went in, `grad` is that of what came out."""
    add_gradient(layer.weight, weight_gradient(x, grad))
    if layer.bias is not None:
        add_gradient(layer.bias, grad.sum(0))


def array_of(tensor: Any) -> Any:  # noqa: ANN401  (an attribute of a module, an array)
    """The array of a tensor or parameter; both have the same memory."""
    return tensor.detach().numpy()
