"""LoRA, warps and contexts find where they act on every architecture, without a name being given."""

import pytest
import torch
from tests.models.architectures import ARCHITECTURES, PAD, network_learner

from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.models import Context, Lora, Warp
from metaglot.models.targets import default_targets

FOUND = {
    "bert": {"query", "value"},
    "bloom": {"query_key_value"},
    "ctrl": {"Wq", "Wv"},
    "deberta": {"in_proj"},
    "deberta-v2": {"query_proj", "value_proj"},
    "distilbert": {"q_lin", "v_lin"},
    "fnet": {"dense"},
    "funnel": {"q_head", "v_head"},
    "gpt2": {"c_attn"},
    "gpt_neox": {"query_key_value"},
    "llama": {"q_proj", "v_proj"},
    "mamba": {"in_proj"},
    "modernbert": {"Wqkv"},
    "mpnet": {"q", "v"},
    "phi3": {"qkv_proj"},
    "qwen2": {"q_proj", "v_proj"},
    "squeezebert": {"query", "value"},
    "t5": {"q", "v"},
    "xlnet": {"layer_1", "layer_2"},
}
"""What the scopes act on by default."""
NO_WARP = {"squeezebert"}
"""Networks whose layers are convolutions in groups, which a matrix behind them would mix."""
BATCH = Classification(PAD).collate([{"input_ids": [5, 6, 7, 8], "label": 0}, {"input_ids": [9, 10], "label": 1}])


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_lora_warps_and_contexts_act_by_default(kind: str):
    learner = network_learner(kind)
    still = learner.forward({}, BATCH).pooled
    for scope in (Lora(rank=2), Warp(), Context(4)):
        if isinstance(scope, Warp) and kind in NO_WARP:
            with pytest.raises(MetaglotError, match="the layers of this network have no weight matrix"):
                scope.init(learner.body(), seed=0)
            continue
        meta = scope.init(learner.body(), seed=0)
        rng = torch.Generator().manual_seed(0)
        noise = {name: 0.5 * torch.randn(value.shape, generator=rng) for name, value in meta.items()}
        moved = {name: value + noise[name] for name, value in meta.items()}
        code = {"context.code": torch.ones(4)} if isinstance(scope, Context) else {}
        turned = (still - learner.forward({**moved, **code}, BATCH).pooled).abs().max()
        assert turned > 1e-3, f"{kind}: {scope}"
        torch.testing.assert_close(learner.forward(meta, BATCH).pooled, still, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", FOUND)
def test_the_queries_and_values_of_each_family(kind: str):
    names = Lora().init(network_learner(kind).body(), seed=0)
    assert {name.rsplit(".", 3)[1] for name in names} == FOUND[kind]
    assert all(".0." in name or ".1." in name for name in names), "nothing outside the layers"


def test_names_that_are_given_are_not_replaced():
    body = network_learner("llama").body()
    for scope in (Lora(targets=("query", "value")), Warp(("query", "value"))):
        with pytest.raises(MetaglotError, match=r"'query' matches no weight matrix; there are: .*q_proj"):
            scope.init(body, seed=0)


def test_a_network_without_layers_is_refused():
    with pytest.raises(MetaglotError, match=r"no weight matrix for LoRA or warps .* bias-norm"):
        default_targets(["body.embeddings.weight"])
