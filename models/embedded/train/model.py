"""The LLaMA decoder, the EAGLE head and their optimiser, in plain PyTorch.

RoPE here is the half-split ("rotate_half") form of Hugging Face LLaMA checkpoints.
"""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    layers: int
    dim: int
    heads: int
    kv_heads: int
    ffn: int
    vocab: int = 2048
    context: int = 512
    rope_base: float = 10000.0
    eps: float = 1e-5

    @property
    def head_dim(self):
        return self.dim // self.heads


TARGET = Config(layers=8, dim=192, heads=6, kv_heads=2, ffn=448)
SMALL = Config(layers=2, dim=128, heads=4, kv_heads=2, ffn=384)
EAGLE = Config(layers=1, dim=192, heads=6, kv_heads=6, ffn=768)


class RmsNorm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rope_tables(config, positions):
    """cos and sin, [..., head_dim], for integer positions of any shape."""
    half = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    angles = positions[..., None].float() * config.rope_base ** -half
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


def causal_mask(length):
    """Additive mask [L, L]."""
    return torch.full((length, length), -1e9).triu(1)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.q_proj = nn.Linear(c.dim, c.heads * c.head_dim, bias=False)
        self.k_proj = nn.Linear(c.dim, c.kv_heads * c.head_dim, bias=False)
        self.v_proj = nn.Linear(c.dim, c.kv_heads * c.head_dim, bias=False)
        self.o_proj = nn.Linear(c.heads * c.head_dim, c.dim, bias=False)

    def forward(self, x, cos, sin, mask, cache=None):
        c, (b, l, _) = self.c, x.shape
        q = self.q_proj(x).view(b, l, c.heads, c.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(b, l, c.kv_heads, c.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(b, l, c.kv_heads, c.head_dim).transpose(1, 2)
        if cos.dim() == 3:  # positions differ between batch rows
            cos, sin = cos[:, None], sin[:, None]
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            k, v = cache.extend(k, v)
        return self.mix(q, k, v, mask)

    def mix(self, q, k, v, mask):
        """Attention of q [B, H, L, D] over k, v [B, KV, S, D] under an additive mask [L, S] or
        [B, L, S]. The query heads of one kv head share one matrix product."""
        c, (b, _, l, d) = self.c, q.shape
        group, length = c.heads // c.kv_heads, k.shape[2]
        q = q.reshape(b * c.kv_heads, group * l, d)
        k, v = k.reshape(-1, length, d), v.reshape(-1, length, d)
        mask = mask.repeat(*[1] * (mask.dim() - 2), group, 1)
        if mask.dim() == 3:
            mask = mask.repeat_interleave(c.kv_heads, 0)
        scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=1 / math.sqrt(d))
        out = torch.bmm(scores.softmax(-1), v).view(b, c.heads, l, d)
        return self.o_proj(out.transpose(1, 2).reshape(b, l, c.heads * d))


class Cache:
    """Keys and values of one layer, grown by concatenation."""

    def __init__(self):
        self.k = self.v = None

    def extend(self, k, v):
        if self.k is not None:
            k, v = torch.cat([self.k, k], 2), torch.cat([self.v, v], 2)
        self.k, self.v = k, v
        return k, v


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c.dim, c.ffn, bias=False)
        self.up_proj = nn.Linear(c.dim, c.ffn, bias=False)
        self.down_proj = nn.Linear(c.ffn, c.dim, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c, input_norm=True):
        super().__init__()
        self.self_attn = Attention(c)
        self.mlp = Mlp(c)
        if input_norm:
            self.input_layernorm = RmsNorm(c.dim, c.eps)
        else:
            self.input_layernorm = nn.Identity()
        self.post_attention_layernorm = RmsNorm(c.dim, c.eps)

    def forward(self, x, cos, sin, mask, cache=None):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


def init_weights(module):
    """Uniform fan-in weights; zero outputs, so that every layer starts as the identity."""
    for name, p in module.named_parameters():
        if "embed_tokens" in name:
            nn.init.normal_(p, std=0.02)
        elif name.endswith(("o_proj.weight", "down_proj.weight")):
            nn.init.zeros_(p)
        elif p.dim() == 2:
            nn.init.uniform_(p, -math.sqrt(1 / p.shape[1]), math.sqrt(1 / p.shape[1]))


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c.vocab, c.dim)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = RmsNorm(c.dim, c.eps)
        init_weights(self)

    def features(self, ids, positions=None, mask="causal", caches=None):
        """The hidden states after the final norm, [B, L, dim]: what the LM head reads."""
        length = ids.shape[1]
        if positions is None:
            positions = torch.arange(length)
        if isinstance(mask, str):
            mask = causal_mask(length)
        cos, sin = rope_tables(self.c, positions)
        x = self.embed_tokens(ids)
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, mask, None if caches is None else caches[i])
        return self.norm(x)

    def logits(self, features):
        """The LM head: the embedding matrix, tied."""
        return F.linear(features, self.embed_tokens.weight)

    def forward(self, ids):
        return self.logits(self.features(ids))


class EagleHead(nn.Module):
    """EAGLE-1/2 head. Row j reads (embedding of token j+1, feature of token j), position j,
    and predicts the feature of token j+1; the target's LM head turns that into logits."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c.vocab, c.dim)
        self.fc = nn.Linear(2 * c.dim, c.dim, bias=True)
        self.layers = nn.ModuleList([Layer(c, input_norm=False)])
        init_weights(self)

    def inputs(self, ids, features):
        return self.fc(torch.cat([self.embed_tokens(ids), features], -1))

    def forward(self, ids, features, positions=None, mask="causal", cache=None):
        if positions is None:
            positions = torch.arange(ids.shape[1])
        if isinstance(mask, str):
            mask = causal_mask(ids.shape[1])
        cos, sin = rope_tables(self.c, positions)
        return self.layers[0](self.inputs(ids, features), cos, sin, mask, cache)


def orthogonalise(g, steps=5):
    """Newton-Schulz iteration: the nearest semi-orthogonal matrices of a stack [N, r, c]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    transposed = g.shape[-2] > g.shape[-1]
    x = g.transpose(-1, -2) if transposed else g
    x = x / (x.flatten(-2).norm(dim=-1)[..., None, None] + 1e-7)
    for _ in range(steps):
        s = x @ x.transpose(-1, -2)
        x = a * x + (b * s + c * (s @ s)) @ x
    return x.transpose(-1, -2) if transposed else x


class Optimiser:
    """Muon for the matrices inside layers, Adam for embeddings, norms and biases.

    Muon (momentum, then orthogonalised updates) learns about twice as much per token as Adam at
    this size, and tokens are what a CPU is short of. State and weights lie in shared memory; of
    `parts` worker processes each updates its own share.
    """

    def __init__(self, module, matrix_lr=0.02, other_lr=3e-3, weight_decay=0.02):
        self.params = [p for p in module.parameters() if p.requires_grad]
        matrices = [i for i, (n, p) in enumerate(module.named_parameters())
                    if p.dim() == 2 and "embed_tokens" not in n]
        self.others = [i for i in range(len(self.params)) if i not in matrices]
        self.by_shape = {}
        for i in matrices:
            self.by_shape.setdefault(tuple(self.params[i].shape), []).append(i)
        self.first = [torch.zeros_like(p).share_memory_() for p in self.params]
        self.second = [torch.zeros_like(self.params[i]).share_memory_() for i in self.others]
        self.matrix_lr, self.other_lr, self.weight_decay = matrix_lr, other_lr, weight_decay

    @torch.no_grad()
    def step(self, grads, scale, number, part=0, parts=1):
        """Update `number` (from 0) of this part's weights; learning rates times `scale`."""
        for j in range(part, len(self.others), parts):
            i = self.others[j]
            self.first[i].lerp_(grads[i], 0.1)
            self.second[j].lerp_(grads[i].square(), 0.03)
            mean = self.first[i] / (1 - 0.9 ** (number + 1))
            square = self.second[j] / (1 - 0.97 ** (number + 1))
            self.params[i].sub_(mean / (square.sqrt() + 1e-8), alpha=self.other_lr * scale)
        lr = self.matrix_lr * scale
        for shape, indices in self.by_shape.items():
            own = indices[part::parts]
            for i in own:
                self.first[i].lerp_(grads[i], 0.05)
            if not own:
                continue
            update = orthogonalise(torch.stack([grads[i].lerp(self.first[i], 0.95) for i in own]))
            update.mul_(lr * math.sqrt(max(1.0, shape[0] / shape[1])))
            for i, u in zip(own, update):
                self.params[i].mul_(1 - lr * self.weight_decay).sub_(u)

    def state(self):
        return {"first": self.first, "second": self.second}

    def restore(self, state):
        for kind in ("first", "second"):
            for old, new in zip(getattr(self, kind), state[kind]):
                old.copy_(new)


def count_parameters(module):
    return sum(p.numel() for p in module.parameters())
