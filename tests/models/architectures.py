"""Small random networks of many architectures, each as transformers makes it from a config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast

from metaglot.models import HfLearner
from metaglot.models.quiet import quiet
from metaglot.seeds import seeded

VOCAB, PAD, FIRST, LAST = 96, 1, 2, 3  # tokens, and the numbers of three special ones
POSITIONS = 40
STRONG = 8.0  # times the usual weights: attention is sharp, so that neighbours matter

PLAIN = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": POSITIONS,
}
GROUPED = {**PLAIN, "num_key_value_heads": 2, "head_dim": 8}
WINDOW = {**GROUPED, "sliding_window": 4}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": POSITIONS}
BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": POSITIONS,
}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4}
DEBERTA = {**PLAIN, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
XLM = {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "max_position_embeddings": POSITIONS}
AFTER_PADDING = {**PLAIN, "max_position_embeddings": POSITIONS + PAD + 1}  # positions begin after the padding token's

ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "albert": PLAIN,
    "bart": BART,
    "bert": PLAIN,
    "bert-generation": PLAIN,
    "big_bird": {**PLAIN, "block_size": 2, "num_random_blocks": 1},
    "biogpt": PLAIN,
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "camembert": AFTER_PADDING,
    "codegen": {**GPT, "rotary_dim": 4},
    "cohere": GROUPED,
    "convbert": {**PLAIN, "embedding_size": 32},
    "ctrl": {**GPT, "dff": 64},
    "data2vec-text": AFTER_PADDING,
    "deberta": DEBERTA,
    "deberta-v2": {**DEBERTA, "share_att_key": True, "norm_rel_ebd": "layer_norm", "position_buckets": 16},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": POSITIONS},
    "electra": PLAIN,
    "ernie": PLAIN,
    "esm": {**AFTER_PADDING, "mask_token_id": 32, "token_dropout": True, "position_embedding_type": "rotary"},
    "eurobert": GROUPED,
    "falcon": PLAIN,
    "flaubert": XLM,
    "fnet": {k: PLAIN[k] for k in PLAIN if k != "num_attention_heads"},
    "funnel": {
        "d_model": 32,
        "block_sizes": [1, 1],
        "block_repeats": [1, 1],
        "n_head": 4,
        "d_head": 8,
        "d_inner": 64,
        "num_decoder_layers": 1,
    },
    "gemma": GROUPED,
    "gemma2": {**WINDOW, "query_pre_attn_scalar": 8},
    "gemma3_text": {**WINDOW, "query_pre_attn_scalar": 8},
    "gpt2": GPT,
    "gpt_neo": {
        "hidden_size": 32,
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "max_position_embeddings": POSITIONS,
        "window_size": 4,
    },
    "gpt_neox": PLAIN,
    "gptj": {**GPT, "rotary_dim": 4},
    "granite": GROUPED,
    "led": {
        **{k: BART[k] for k in BART if k != "max_position_embeddings"},
        "max_encoder_position_embeddings": POSITIONS,
        "max_decoder_position_embeddings": POSITIONS,
        "attention_window": [8, 8],
    },
    "llama": GROUPED,
    "longformer": {**AFTER_PADDING, "attention_window": [8, 8]},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    "mbart": BART,
    "megatron-bert": PLAIN,
    "mistral": WINDOW,
    "mixtral": {**GROUPED, "num_local_experts": 2},
    "mobilebert": {**PLAIN, "embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32},
    "modernbert": {**PLAIN, "local_attention": 16},
    "mpnet": AFTER_PADDING,
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": POSITIONS},
    "mt5": T5,
    "nystromformer": PLAIN,
    "olmo": GROUPED,
    "openai-gpt": GPT,
    "opt": {
        "hidden_size": 32,
        "ffn_dim": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": POSITIONS,
        "word_embed_proj_dim": 16,
    },
    "persimmon": PLAIN,
    "phi": PLAIN,
    "phi3": GROUPED,
    "plbart": BART,
    "qwen2": {**WINDOW, "use_sliding_window": True, "max_window_layers": 1},
    "qwen3": GROUPED,
    "rembert": PLAIN,
    "roberta": AFTER_PADDING,
    "roformer": PLAIN,
    "squeezebert": {**PLAIN, "embedding_size": 32},
    "stablelm": GROUPED,
    "starcoder2": GROUPED,
    "t5": T5,
    "umt5": T5,
    "xglm": {
        "d_model": 32,
        "num_layers": 2,
        "attention_heads": 4,
        "ffn_dim": 64,
        "max_position_embeddings": POSITIONS,
    },
    "xlm": XLM,
    "xlm-roberta": AFTER_PADDING,
    "xlm-roberta-xl": AFTER_PADDING,
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64},
    "xmod": {**AFTER_PADDING, "languages": ("en_XX",), "default_language": "en_XX"},
    "yoso": PLAIN,
}
"""By the type of a model, the settings of a small one; it is strong enough that its neighbours would be seen."""
CLASSES = {"t5": "T5EncoderModel", "mt5": "MT5EncoderModel", "umt5": "UMT5EncoderModel", "funnel": "FunnelModel"}
"""Of types with several classes, the one that is taken: of T5 and its kin the encoder alone."""


def random_network(kind: str, **settings: Any) -> nn.Module:
    """Return a frozen network of the type, of random weights, with eager attention."""
    given = {"vocab_size": VOCAB, "pad_token_id": PAD, "bos_token_id": FIRST, "eos_token_id": LAST}
    config = transformers.AutoConfig.for_model(kind, **{**given, **ARCHITECTURES[kind], **settings})
    config._attn_implementation = "eager"
    with seeded(0, torch.device("cpu")):
        own = CLASSES.get(kind)
        module = getattr(transformers, own)(config) if own else transformers.AutoModel.from_config(config)
        with torch.no_grad():
            for value in module.parameters():
                if value.ndim > 1:
                    value.mul_(STRONG)
    return module.requires_grad_(requires_grad=False).eval()


def network_learner(kind: str, **settings: Any) -> HfLearner:
    """Return the learner around a network of the type."""
    return HfLearner(random_network(kind, **settings))


def word_tokenizer(**settings: Any) -> PreTrainedTokenizerFast:
    """Return a tokenizer of the words w0, w1 …, which sets a special token before and behind every text."""
    words = ["[NONE]", "[PAD]", "[FIRST]", "[LAST]", "[UNK]", *(f"w{i}" for i in range(VOCAB - 5))]
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[FIRST] $A [LAST]",
        pair="[FIRST] $A [LAST] $B:1 [LAST]:1",
        special_tokens=[("[FIRST]", FIRST), ("[LAST]", LAST)],
    )
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]", **settings)


def saved_network(folder: Path, kind: str, *, tokenizer: Mapping[str, Any] | None = None, **settings: Any) -> Path:
    """Write a random network of the type into a folder, with a tokenizer of words."""
    module: Any = random_network(kind, **settings)
    with quiet():
        module.save_pretrained(folder)
        word_tokenizer(**(tokenizer or {})).save_pretrained(folder)
    return folder
