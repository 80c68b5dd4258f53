"""The parameters of a network, and its operations per token. Does not import torch."""

from __future__ import annotations

import math

from model.config import ModelConfig

Shape = tuple[int, ...]


def parameter_shapes(config: ModelConfig, vocabulary: int) -> dict[str, Shape]:
    """The shape of every parameter by its name in `model.gpt`; a tied head is left out."""
    shapes = _outside_blocks(config, vocabulary)
    for index in range(config.layers):
        shapes |= {f"blocks.{index}.{name}": shape for name, shape in _block(config).items()}
        if config.has_value_embedding(index):
            shapes[f"blocks.{index}.attention.value_sum.weight"] = (2,)
    return shapes


def parameter_count(config: ModelConfig, vocabulary: int, multi_token: int = 1) -> int:
    """Number of parameters of a model; a tied matrix is counted once.

    With `multi_token` of `train.multi_token`, those of the further heads are among them.
    """
    layers = [*range(config.layers), *_layers_of_further_heads(config, multi_token)]
    sums = 2 * sum(map(config.has_value_embedding, layers))
    blocks = len(layers) * _numbers(_block(config)) + sums
    return _numbers(_outside_blocks(config, vocabulary)) + blocks


def flops_per_token(config: ModelConfig, vocabulary: int, multi_token: int = 1) -> float:
    """Floating-point operations of training per token, by the 6N rule (Kaplan et al. 2020, sec. 2.1).

    N counts the parameters that a token is multiplied by; attention scores are added. A further head of
    `train.multi_token` has a block's, and those of the norm and the head where it has a target.
    """
    layers = [*range(config.layers), *_layers_of_further_heads(config, multi_token)]
    unused = _looked_up(config, vocabulary) + len(layers) * _of_inactive_experts(config)
    in_products = parameter_count(config, vocabulary, multi_token) - unused
    keys = sum(_keys_per_query(config, layer) for layer in layers)
    repeated = vocabulary * config.width + _numbers(_norm("final_norm", config.width, config))
    with_target = sum(1 - ahead / config.context for ahead in range(1, multi_token))
    return 6 * in_products + 12 * config.width * keys + 6 * repeated * with_target


def _layers_of_further_heads(config: ModelConfig, multi_token: int) -> list[int]:
    """The layer that the block of each further head is like: the last one."""
    return [config.layers - 1] * (multi_token - 1)


def _looked_up(config: ModelConfig, vocabulary: int) -> int:
    """Number of parameters of which a token reads one row, and is multiplied by none."""
    shapes = _outside_blocks(config, vocabulary)
    tables = {name: shape for name, shape in shapes.items() if "embedding" in name}
    return _numbers(tables) - (vocabulary * config.width if config.tie_embeddings else 0)


def _of_inactive_experts(config: ModelConfig) -> int:
    """Number of parameters of a layer that a token is not multiplied by."""
    if config.experts is None:
        return 0
    of_all = _numbers({n: s for n, s in _feed_forward(config).items() if len(s) == 3})
    return of_all // config.experts * (config.experts - config.active_experts)


def _keys_per_query(config: ModelConfig, layer: int) -> float:
    """Mean number of keys that a query attends to, the query's own position counted half."""
    window = min(config.window_of(layer) or config.context, config.context)
    return window - window**2 / (2 * config.context)


def _numbers(shapes: dict[str, Shape]) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def _outside_blocks(config: ModelConfig, vocabulary: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {
        "token_embedding.weight": (vocabulary, config.width),
        **_norm("final_norm", config.width, config),
    }
    if config.position == "learned":
        shapes["position_embedding.weight"] = (config.context, config.width)
    shared = config.key_value_heads * config.head_channels
    shapes |= {
        f"value_embeddings.{layer}.weight": (vocabulary, shared)
        for layer in range(config.layers)
        if config.has_value_embedding(layer)
    }
    if not config.tie_embeddings:
        shapes["head.weight"] = (vocabulary, config.width)
    return shapes


def _block(config: ModelConfig) -> dict[str, Shape]:
    width = config.width
    residual: dict[str, Shape] = {"residual_sum.weight": (2,)} if config.residual_scale else {}
    return {
        **residual,
        **_norm("attention_norm", width, config),
        **_attention(config),
        **_norm("feed_forward_norm", width, config),
        **_feed_forward(config),
    }


def _attention(config: ModelConfig) -> dict[str, Shape]:
    width, channels = config.width, config.head_channels
    qkv = width + 2 * config.key_value_heads * channels
    norms: dict[str, Shape] = {
        f"attention.{part}_norm.weight": (channels,) for part in ("query", "key")
    }
    return {
        **_linear("attention.qkv", width, qkv, bias=config.qkv_bias),
        **_linear("attention.projection", width, width, bias=config.biases == "all"),
        **(norms if config.qk_norm else {}),
    }


def _feed_forward(config: ModelConfig) -> dict[str, Shape]:
    width, hidden, bias = config.width, config.hidden_channels, config.biases == "all"
    if config.experts is not None:
        return _experts(config, config.experts)
    gate = _linear("feed_forward.gate", width, hidden, bias=bias)
    return {
        **(gate if config.activation == "swiglu" else {}),
        **_linear("feed_forward.expand", width, hidden, bias=bias),
        **_linear("feed_forward.projection", hidden, width, bias=bias),
    }


def _experts(config: ModelConfig, experts: int) -> dict[str, Shape]:
    width, hidden = config.width, config.hidden_channels
    gate: dict[str, Shape] = {"feed_forward.gate.weight": (experts, hidden, width)}
    return {
        "feed_forward.router.weight": (experts, width),
        **(gate if config.activation == "swiglu" else {}),
        "feed_forward.expand.weight": (experts, hidden, width),
        "feed_forward.projection.weight": (experts, width, hidden),
    }


def _linear(name: str, inputs: int, outputs: int, *, bias: bool) -> dict[str, Shape]:
    weight: dict[str, Shape] = {f"{name}.weight": (outputs, inputs)}
    return {**weight, f"{name}.bias": (outputs,)} if bias else weight


def _norm(name: str, width: int, config: ModelConfig) -> dict[str, Shape]:
    weight: dict[str, Shape] = {f"{name}.weight": (width,)}
    has_bias = config.norm == "layer" and config.biases == "all"
    return {**weight, f"{name}.bias": (width,)} if has_bias else weight
