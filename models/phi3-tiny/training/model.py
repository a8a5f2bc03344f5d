"""Phi-3 in plain PyTorch: the training twin of transformers' Phi3ForCausalLM, with the same tensor names."""

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {
    "architectures": ["Phi3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "embd_pdrop": 0.0,
    "eos_token_id": 2293,
    "hidden_act": "silu",
    "hidden_size": 256,
    "initializer_range": 0.02,
    "intermediate_size": 768,
    "max_position_embeddings": 1024,
    "model_type": "phi3",
    "num_attention_heads": 4,
    "num_hidden_layers": 8,
    "num_key_value_heads": 4,
    "original_max_position_embeddings": 1024,
    "pad_token_id": 2293,
    "resid_pdrop": 0.0,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 2304,
}

WIDTH = CONFIG["hidden_size"]
HEADS = CONFIG["num_attention_heads"]
HEAD = WIDTH // HEADS
INNER = CONFIG["intermediate_size"]
EPS = CONFIG["rms_norm_eps"]


def rope_tables(length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of shape (length, HEAD), halves repeated as Phi-3 rotates them."""
    frequencies = CONFIG["rope_theta"] ** (-torch.arange(0, HEAD, 2).float() / HEAD)
    angles = torch.outer(torch.arange(length).float(), frequencies)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-right, left], dim=-1) * sin


class Norm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (WIDTH,), self.weight.to(x.dtype), EPS)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv_proj = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.o_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, cos, sin, mask):
        batch, length, _ = x.shape
        q, k, v = self.qkv_proj(x).view(batch, length, 3, HEADS, HEAD).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        # Written out: at these lengths it is faster on a CPU than the fused form.
        scores = q @ k.transpose(-1, -2) * HEAD**-0.5 + mask
        y = torch.softmax(scores.float(), dim=-1).to(v.dtype) @ v
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, WIDTH))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(WIDTH, 2 * INNER, bias=False)
        self.down_proj = nn.Linear(INNER, WIDTH, bias=False)

    def forward(self, x):
        gate, up = self.gate_up_proj(x).chunk(2, dim=-1)
        return self.down_proj(F.silu(gate) * up)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.input_layernorm = Norm()
        self.self_attn = Attention()
        self.post_attention_layernorm = Norm()
        self.mlp = Mlp()

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(CONFIG["vocab_size"], WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(CONFIG["num_hidden_layers"]))
        self.norm = Norm()


class Phi3(nn.Module):
    """Token ids (batch, length) to logits (batch, length, vocabulary)."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Body()
        self.lm_head = nn.Linear(WIDTH, CONFIG["vocab_size"], bias=False)
        cos, sin = rope_tables(CONFIG["max_position_embeddings"])
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        depth = 2 * CONFIG["num_hidden_layers"]
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                shrink = depth**-0.5 if "o_proj" in name or "down_proj" in name else 1.0
                spread = WIDTH**-0.5 if "embed" not in name else 0.5
                nn.init.normal_(weight, std=0.6 * spread * shrink)

    def forward(self, ids: torch.Tensor, documents: torch.Tensor | None = None, dtype=torch.float32) -> torch.Tensor:
        """`documents` numbers the document of each token (batch, length): then none sees another."""
        length = ids.shape[1]
        sees = torch.ones(length, length, dtype=torch.bool).tril()[None]
        if documents is not None:
            sees = sees & (documents[:, :, None] == documents[:, None, :])
        mask = torch.zeros(sees.shape, dtype=dtype).masked_fill_(~sees, -1e9)[:, None]
        cos, sin = self.cos[:length].to(dtype), self.sin[:length].to(dtype)
        x = self.model.embed_tokens(ids).to(dtype)
        for layer in self.model.layers:
            x = layer(x, cos, sin, mask)
        return self.lm_head(self.model.norm(x))
