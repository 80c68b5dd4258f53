"""Our own modelling code for transformers: what an export of any model can be.

Does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.config import ModelConfig
from model.export_format import Export, Source, common_fields, held, make_config, misfit, values_of
from model.size import parameter_shapes

FOLDER = Path(__file__).parent / "remote_code"
"""The files that are copied into an export; nothing of this package imports them."""
CONFIGURATION = "configuration_gpt_sweep"
MODELLING = "modeling_gpt_sweep"

EXPORTS: Mapping[str, Export] = {
    **{
        name: Export(keys=(name,))
        for name in (
            *("layers", "heads", "width", "context", "dropout", "qkv_bias", "norm", "position"),
            *("rope_base", "rope_share", "qk_norm", "kv_heads", "window", "window_pattern"),
            *("activation", "biases", "logit_softcap", "zero_init_projections", "residual_scale"),
            *("value_embeddings", "experts", "active_experts", "expert_balance"),
        )
    },
    "init_std": Export(keys=("initializer_range",)),
    "tie_embeddings": Export(keys=("tie_word_embeddings",)),
}
"""How the modelling code holds each field of `ModelConfig`. A field that is missing here is refused,
and a test fails."""


class OwnCode:
    """The format of `GPTSweepForCausalLM`, whose code is in `FOLDER`."""

    model_type = "gpt_sweep"
    class_name = "GPTSweepForCausalLM"
    code = tuple(sorted(FOLDER.glob("*_gpt_sweep.py")))

    def misfit(self, config: ModelConfig) -> str | None:
        """See `ExportFormat`."""
        return misfit(config, EXPORTS, "the modelling code of exports")

    def fields(self, config: ModelConfig, vocabulary: int, end_of_text: int) -> dict[str, Any]:
        """See `ExportFormat`."""
        return {
            **common_fields(self.class_name, vocabulary, end_of_text),
            **held(config, EXPORTS),
            "model_type": self.model_type,
            # Before version 5, `pipeline` finds no tokenizer for a class that it does not know.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "auto_map": {
                "AutoConfig": f"{CONFIGURATION}.GPTSweepConfig",
                "AutoModel": f"{MODELLING}.GPTSweepModel",
                "AutoModelForCausalLM": f"{MODELLING}.{self.class_name}",
            },
        }

    def read(self, fields: Mapping[str, Any]) -> ModelConfig:
        """See `ExportFormat`."""
        return make_config(values_of(fields, EXPORTS))

    def tensors(self, config: ModelConfig, vocabulary: int) -> dict[str, Source]:
        """See `ExportFormat`."""
        return {
            "lm_head.weight" if name == "head.weight" else f"model.{name}": Source(name, shape)
            for name, shape in parameter_shapes(config, vocabulary).items()
        }
