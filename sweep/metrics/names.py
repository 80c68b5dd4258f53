"""The direction in which a metric improves, told by its name: an accuracy is better when higher."""

from __future__ import annotations

import re

from sweep.metrics.metric import Direction

HIGHER = frozenset(
    {
        *("accuracy", "accuracies", "acc", "auc", "auroc", "auprc", "f1", "precision", "recall"),
        *("map", "ndcg", "mrr", "r2", "mcc", "kappa", "spearman", "pearson", "iou", "miou", "dice"),
        *("bleu", "rouge", "chrf", "meteor", "cider", "psnr", "ssim", "top1", "top5"),
        *("exactmatch", "em", "passrate", "hitrate", "winrate", "successrate", "success", "elo"),
        *("score", "scores", "reward", "rewards", "return", "returns", "correct", "likelihood"),
        *("loglik", "logprob", "logprobs", "elbo", "mfu", "hfu", "throughput", "speed", "speedup"),
        *("tflops", "flops", "tps", "mmlu", "gsm8k", "hellaswag", "piqa", "arc"),
        *("winogrande", "lambada", "humaneval", "mbpp", "boolq", "glue", "superglue", "squad"),
        *("tokpersec", "tokenspersec", "tokenspersecond", "samplespersecond", "stepspersecond"),
        *("toksec", "toks", "samplessec", "stepssec", "tokenssec", "pass1", "pass10", "passk"),
        *("core", "performance", "perf", "quality", "fitness"),
    }
)
"""Words, also joined from neighbours such as `win_rate`, of metrics that are better when higher."""
LOWER = frozenset(
    {
        *(
            "loss",
            "losses",
            "nll",
            "ppl",
            "perplexity",
            "bpb",
            "bpc",
            "bpd",
            "entropy",
            "ce",
            "xent",
        ),
        *("crossentropy", "error", "errors", "err", "errorrate", "wer", "cer", "ter", "mse", "mae"),
        *("rmse", "mape", "brier", "ece", "fid", "kid", "regret", "cost", "bitsperbyte"),
        *("latency", "runtime", "seconds", "memory", "vram"),
    }
)
"""Words of metrics that are better when lower, whatever else their names say."""
OPPOSITE = frozenset({"neg", "negative", "negated", "minus", "inverse", "inv"})
"""First words that turn a direction round: `negative_log_likelihood`."""
_ONE_MINUS = re.compile(r"^\s*(1|one)\s*[-−_]\s*(minus[\s_]*)?(?!shot)", re.IGNORECASE)
"""Begins a metric that was turned round: `1 - accuracy`, `one_minus_auc`; not `1-shot accuracy`."""
LONGEST_JOIN = 3
"""Neighbouring words that are read as one: `tokens/per/second`."""


def direction_of_name(name: str) -> Direction | None:
    """Return the direction that a metric's name says; None if it says nothing.

    Names of losses and errors go before all others: `accuracy_error` is an error.
    """
    bare = _ONE_MINUS.sub("", name)
    if bare != name:
        return _turned(direction_of_name(bare))
    words = words_of_name(name)
    joined = {
        "".join(words[first : first + length])
        for length in range(1, LONGEST_JOIN + 1)
        for first in range(len(words) - length + 1)
    }
    if words and words[0] in OPPOSITE:
        return _turned(direction_of_name(" ".join(words[1:])))
    if not joined.isdisjoint(LOWER):
        return Direction.MINIMIZE
    return None if joined.isdisjoint(HIGHER) else Direction.MAXIMIZE


def _turned(direction: Direction | None) -> Direction | None:
    """Return the other direction."""
    return direction and (
        Direction.MAXIMIZE if direction is Direction.MINIMIZE else Direction.MINIMIZE
    )


def words_of_name(name: str) -> list[str]:
    """Return the words of a name in lower case: `evalLoss` has `eval` and `loss`."""
    return [word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+|[0-9]+", name)]
