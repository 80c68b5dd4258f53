"""Names that other tools give to the settings of a study, and the field that each is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Meaning(NamedTuple):
    """What a setting of another tool is in a study file."""

    field: str | None
    """The field, as `optimizer.learning_rate` or `design.seeds`; None if there is none."""
    note: str = ""
    """How the values correspond; or why there is no such field."""


_STEPS = "in tokens: steps × train.batch_size × model.context"
_EPOCHS = "in tokens: epochs × the training tokens of the corpus"
_NO_TRACKER = (
    "there is no tracker: losses and curves are stored in the folder of runs, "
    "`sweep report --format csv` and `sweep.load` export them"
)
_NO_STOPPING = (
    "there is no early stopping: every run trains all its steps, so that arms are comparable"
)
_ONE_EVALUATION = "each run is evaluated once, after its last step"
_CURVE = "every run stores its training curve; `sweep show` and `sweep log` show runs"
_DEVICE = "runs use this machine's GPUs, or its cores; CUDA_VISIBLE_DEVICES and --slots limit them"
_ACCUMULATION = "train.batch_size is the whole batch of a step, and jobs.micro_batch splits it"
_METRIC = "runs are judged by their test loss, and those of a script by a metric that [metrics.NAME] declares"
_OPTIMISER = "optimizer.kind chooses the optimiser, which has no such setting"
_LABELS = "a study is found by its name, and says what it is for in 'question'"
_SPACE = (
    "there is no search space: each value to try is an intervention, such as "
    '[interventions.lr-1e-3] with set = { "optimizer.learning_rate" = 1e-3 }'
)
_ARCHITECTURE = (
    "the model has no such part; docs/recipe.md lists its fields, and "
    "docs/adding-an-intervention.md shows how to add one"
)

_FIELDS: Mapping[Meaning, str] = {
    Meaning("optimizer.learning_rate"): (
        "lr max_lr peak_lr base_lr init_lr initial_lr peak_learning_rate max_learning_rate "
        "learning_rates matrix_lr step_size muon_lr"
    ),
    Meaning("optimizer.kind", "'adamw', 'muon', 'lion', 'sgd' or 'adafactor'"): (
        "optimizer_type optimizer_name optimizer_kind optim"
    ),
    Meaning("optimizer.embedding_learning_rate"): "embedding_lr embed_lr wte_lr",
    Meaning("optimizer.head_learning_rate"): "head_lr unembedding_lr lm_head_lr",
    Meaning("optimizer.scalar_learning_rate"): "scalar_lr",
    Meaning("optimizer.momentum"): "muon_momentum sgd_momentum",
    Meaning("optimizer.weight_decay"): "wd decay_rate l2 l2_reg adam_weight_decay",
    Meaning("optimizer.beta1"): "adam_beta1 b1",
    Meaning("optimizer.beta2"): "adam_beta2 b2",
    Meaning("optimizer.beta1", "and 'optimizer.beta2'"): "betas adam_betas",
    Meaning("optimizer.epsilon"): "eps adam_eps adam_epsilon",
    Meaning("optimizer.clip_norm"): (
        "clip grad_clip gradient_clip max_grad_norm clip_grad clip_grad_norm grad_clip_norm "
        "grad_norm_clip gradient_clip_val gradient_clipping max_norm clipping"
    ),
    Meaning("schedule.kind", "'constant', 'cosine', 'linear' or 'wsd'"): (
        "scheduler lr_scheduler lr_scheduler_type lr_schedule lr_decay decay_lr schedule_type "
        "lr_decay_style schedule_kind"
    ),
    Meaning("schedule.warmup", "a fraction of the steps"): (
        "warmup warmup_iters warmup_steps warmup_ratio warmup_frac warmup_fraction num_warmup_steps "
        "lr_warmup lr_warmup_iters lr_warmup_steps warmup_tokens warmup_epochs warmup_pct pct_start"
    ),
    Meaning("schedule.final_factor", "as a factor of the peak"): (
        "min_lr final_lr end_lr lr_min eta_min min_lr_ratio final_lr_frac lr_end min_learning_rate"
    ),
    Meaning("schedule.cooldown", "a fraction of the steps"): (
        "cooldown_frac cooldown_steps warmdown warmdown_ratio warmdown_iters decay_fraction"
    ),
    Meaning("schedule.warmup_factor", "as a factor of the peak"): "warmup_init_lr start_lr",
    Meaning("model.layers"): (
        "n_layer n_layers num_layers num_hidden_layers depth n_blocks num_blocks layer blocks "
        "nlayers nlayer decoder_layers"
    ),
    Meaning("model.heads"): (
        "n_head n_heads num_heads num_attention_heads head attention_heads nhead nheads"
    ),
    Meaning("model.width"): (
        "n_embd d_model hidden_size hidden_dim dim embed_dim embedding_size embedding_dim "
        "model_dim d_embed hidden channels n_embed emb_dim model_width dmodel"
    ),
    Meaning("model.context"): (
        "block_size seq_len seq_length sequence_length context_length ctx n_ctx n_positions "
        "max_seq_len max_position_embeddings context_size context_window max_length ctx_len "
        "max_seq_length train_seq_len"
    ),
    Meaning("model.dropout"): (
        "drop dropout_rate dropout_prob p_dropout dropout_p attn_pdrop resid_pdrop embd_pdrop "
        "hidden_dropout attention_dropout resid_dropout hidden_dropout_prob pdrop"
    ),
    Meaning(
        "model.biases", "'all' or 'none'; model.qkv_bias adds those of queries, keys and values"
    ): ("bias use_bias"),
    Meaning("model.qkv_bias", "the other matrices keep their biases"): "attention_bias",
    Meaning("model.norm", "'layer' or 'rms'"): (
        "normalization norm_type layer_norm layernorm rmsnorm rms_norm use_rmsnorm"
    ),
    Meaning("model.init_std"): "initializer_range init_scale std init_sigma weight_init_std",
    Meaning("model.tie_embeddings"): (
        "tie_weights weight_tying tied_embeddings tie_word_embeddings tied tie share_embeddings"
    ),
    Meaning("model.position", "'learned', 'rope' or 'none'"): (
        "rope use_rope rotary position_embedding position_embedding_type pos_emb positional_encoding"
    ),
    Meaning("model.rope_base"): "rope_theta rotary_base rotary_emb_base",
    Meaning("model.rope_share"): "rotary_pct partial_rotary_factor rope_fraction",
    Meaning("model.qk_norm"): "use_qk_norm qk_layernorm query_key_norm",
    Meaning("model.kv_heads"): (
        "n_kv_head n_kv_heads num_kv_heads num_key_value_heads num_query_groups gqa kv_head"
    ),
    Meaning("model.window"): "sliding_window window_size attention_window local_attention",
    Meaning("model.activation", "'gelu', 'gelu_exact', 'relu2', 'silu' or 'swiglu'"): (
        "activation_function hidden_act act_fn swiglu use_swiglu mlp_type"
    ),
    Meaning("model.logit_softcap"): "softcap final_logit_softcapping logits_soft_cap soft_cap",
    Meaning("model.zero_init_projections"): "zero_init zero_init_proj",
    Meaning("model.experts"): "moe n_experts num_experts num_local_experts n_routed_experts",
    Meaning("model.active_experts"): "num_experts_per_tok top_k_experts moe_top_k",
    Meaning("model.expert_balance"): "router_aux_loss_coef aux_loss_coef balance_loss",
    Meaning("train.batch_size", "sequences of model.context tokens per step"): (
        "bs batch batchsize global_batch_size train_batch_size total_batch_size effective_batch_size"
    ),
    Meaning("train.tokens", _STEPS): (
        "steps max_steps max_iters iters iterations num_iterations num_steps train_steps n_steps "
        "total_steps train_iters n_iters training_steps num_train_steps max_iterations"
    ),
    Meaning("train.tokens", _EPOCHS): (
        "epoch epochs num_epochs num_train_epochs max_epochs n_epochs train_epochs"
    ),
    Meaning("train.tokens"): (
        "total_tokens train_tokens num_tokens n_tokens token_budget budget max_train_tokens"
    ),
    Meaning("train.precision", "'float32', 'tf32', 'bfloat16' or 'float16'"): (
        "dtype fp16 bf16 fp32 tf32 half amp mixed_precision autocast torch_dtype use_amp float16 "
        "bfloat16 float32"
    ),
    Meaning("train.initial_weights"): (
        "init_from pretrained checkpoint_path pretrained_model resume_from from_pretrained "
        "load_from weights initial_checkpoint model_name_or_path init_checkpoint"
    ),
    Meaning("data.corpus"): (
        "dataset datasets data_dir data_path dataset_name train_file train_data data_file text "
        "input_file train_files path dataset_path data input"
    ),
    Meaning("data.pattern"): "glob file_pattern file_glob extension extensions suffix include",
    Meaning("data.subset"): "dataset_config dataset_config_name config_name data_config",
    Meaning("data.text_column"): "text_field text_key content_key",
    Meaning("data.tokenizer"): "tokenizer_name encoding vocab vocabulary tokeniser tokenizer_path",
    Meaning("data.tokenizer", "'bpe-N' makes a vocabulary of N tokens"): (
        "vocab_size vocabulary_size n_vocab padded_vocab_size"
    ),
    Meaning("data.order", "'shuffled' or 'sequential'"): "shuffle shuffled shuffle_data",
    Meaning("data.test_share"): (
        "val_split test_split validation_split test_size val_size val_fraction test_fraction "
        "val_ratio split eval_split"
    ),
    Meaning("evaluation.chunks"): "eval_iters eval_steps eval_batches n_eval val_steps eval_tokens",
    Meaning("design.seeds", "a number n for the seeds 1 to n, or a list"): (
        "seed n_seeds num_seeds random_seed random_state rng_seed manual_seed replicates repeats "
        "n_trials num_trials trials n_repeats num_repeats torch_seed"
    ),
    Meaning("jobs.micro_batch"): (
        "micro_batch_size microbatch micro_bs per_device_train_batch_size device_batch_size "
        "per_device_batch_size per_gpu_batch_size microbatch_size mbs"
    ),
    Meaning("jobs.gpus_per_run"): (
        "gpus n_gpus num_gpus ngpu n_gpu nproc_per_node world_size ngpus gpu_count num_devices "
        "devices num_processes ddp"
    ),
    Meaning("jobs.nodes_per_run"): "nodes n_nodes num_nodes nnodes num_machines machines",
    Meaning(
        "jobs.compile", "'auto', 'always' or 'never'"
    ): "torch_compile use_compile compile_model",
    Meaning("jobs.checkpoint_seconds"): (
        "save_every save_interval checkpoint_interval save_steps checkpoint_every ckpt_interval "
        "checkpoint checkpoints save_freq checkpoint_freq checkpointing always_save_checkpoint"
    ),
    Meaning("jobs.retries"): "max_retries n_retries retry num_retries restarts max_restarts",
    Meaning("jobs.timeout"): "time_limit max_time max_seconds time_budget wall_time",
    Meaning("jobs.keep"): "save_model keep_checkpoints save_weights save_total_limit",
    Meaning("jobs.deterministic"): "use_deterministic cudnn_deterministic",
    Meaning("analysis.alpha"): "significance significance_level p_value confidence",
    Meaning("analysis.smallest_effect"): (
        "effect min_effect effect_size mde minimum_effect threshold min_delta sesoi practical_effect"
    ),
    Meaning("analysis.correction"): (
        "multiple_testing adjust adjustment p_adjust multiplicity fdr fwer multiple_comparisons"
    ),
    Meaning("question"): ("description notes title hypothesis comment purpose summary abstract"),
    Meaning("name"): (
        "project experiment study_name run_name experiment_name id wandb_run_name wandb_project_name"
    ),
    Meaning("baseline"): (
        "base defaults default config hyperparameters hparams base_config control reference params"
    ),
    Meaning("train"): "training trainer training_args train_config",
    Meaning("optimizer"): "optim adam adamw optimiser",
    Meaning("interventions"): (
        "arms variants treatments ablations changes conditions candidates experiments arm variant "
        "intervention ablation treatment"
    ),
    Meaning("stacks"): "combinations combos stack combination",
    Meaning("because"): "reason why rationale motivation note",
    Meaning("set"): "override overrides values sets fields settings change",
    Meaning("combine"): "members parts",
}
"""By meaning: the names, in lower case, with `_` between their words."""

_NO_FIELDS: Mapping[str, str] = {
    _NO_STOPPING: "early_stopping early_stop patience early_stopping_patience prune pruner pruning",
    _NO_TRACKER: (
        "wandb wandb_project wandb_log wandb_entity use_wandb tensorboard mlflow tracker "
        "report_to comet neptune project_name entity tracking log_with"
    ),
    _CURVE: (
        "logging log_interval log_every logging_steps log_freq verbose log_level logger "
        "print_every log_dir logging_dir log"
    ),
    _ONE_EVALUATION: (
        "eval_interval eval_every eval_freq eval_strategy evaluation_strategy val_every "
        "val_interval validate_every val_check_interval val_loss_every"
    ),
    _DEVICE: "device gpu cuda use_cuda accelerator backend cpu",
    _ACCUMULATION: (
        "grad_accum gradient_accumulation gradient_accumulation_steps grad_accum_steps "
        "accumulate_grad_batches accumulation_steps accum_steps grad_acc_steps"
    ),
    _METRIC: "metric metrics maximize minimize goal objective direction metric_name higher_is_better",
    _OPTIMISER: "fused nesterov amsgrad",
    _LABELS: "tags tag labels group author job_type owner",
    _SPACE: "sweep grid search parameters method search_space param_grid space values_to_try",
    _ARCHITECTURE: "mlp_ratio ffn_dim intermediate_size n_inner d_ff head_dim",
    "the cosine ends with the last step": "lr_decay_iters lr_decay_steps decay_steps",
    "the noise is measured; `sweep plan --sd` takes a guess": (
        "sd sigma noise stdev standard_deviation"
    ),
    "plans are made for a power of 80%": "power target_power",
    "`--runs DIR` names the folder of results": (
        "out_dir output_dir save_dir run_dir results_dir runs_dir output"
    ),
    "`--slots N` says how many runs train at a time": (
        "parallel max_parallel slots n_jobs concurrency workers max_concurrent num_parallel_runs"
    ),
    "text is encoded once, and read from a file of tokens": (
        "num_workers dataloader_num_workers pin_memory prefetch num_proc"
    ),
    "a stopped run continues when `sweep run` is typed again": "resume auto_resume",
}
"""By explanation: names of settings for which there is no field."""

OTHER_NAMES: Mapping[str, Meaning] = {
    **{name: meaning for meaning, names in _FIELDS.items() for name in names.split()},
    **{name: Meaning(None, note) for note, names in _NO_FIELDS.items() for name in names.split()},
}
"""The meaning of each name."""

OTHER_VALUES: Mapping[str, str] = {
    **dict.fromkeys(("bf16", "torch.bfloat16", "bf16-mixed"), "bfloat16"),
    **dict.fromkeys(("fp16", "half", "torch.float16", "16", "16-mixed", "f16"), "float16"),
    **dict.fromkeys(("fp32", "float", "full", "torch.float32", "32", "f32", "single"), "float32"),
    **dict.fromkeys(("rmsnorm", "rms_norm", "RMSNorm"), "rms"),
    **dict.fromkeys(("layernorm", "layer_norm", "LayerNorm", "ln"), "layer"),
    **dict.fromkeys(("fdr", "benjamini-hochberg", "fdr_bh", "BH"), "bh"),
    **dict.fromkeys(("random", "shuffle", "shuffled_once"), "shuffled"),
    **dict.fromkeys(("linear-order", "in-order", "ordered"), "sequential"),
    **dict.fromkeys(("cos", "cosine_decay", "cosine_with_warmup", "CosineAnnealingLR"), "cosine"),
    **dict.fromkeys(("LinearLR", "linear_decay", "linear_with_warmup"), "linear"),
    **dict.fromkeys(("warmup_stable_decay", "WSD", "trapezoidal", "trapezoid"), "wsd"),
    **dict.fromkeys(("flat", "fixed"), "constant"),
    **dict.fromkeys(("on", "yes"), "always"),
    **dict.fromkeys(("off", "no"), "never"),
    **dict.fromkeys(("full-factorial", "full_factorial", "2^k"), "factorial"),
    **dict.fromkeys(("fractional-factorial", "fractional_factorial", "fraction"), "fractional"),
    **dict.fromkeys(("leave_one_out", "loo", "leave-one-out-ablation"), "leave-one-out"),
    **dict.fromkeys(("pairwise", "two-way"), "pairs"),
    **dict.fromkeys(("custom", "list", "manual"), "explicit"),
    **dict.fromkeys(("oaat", "one_at_a_time", "ablation", "ofat"), "one-at-a-time"),
}
"""Words that other tools use for a choice, and the word that a study file uses."""
