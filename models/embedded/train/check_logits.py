"""Checks target.gguf against PyTorch, and reports what Q8_0 costs.

The exported file is read and run by a NumPy forward pass of its own (interleaved RoPE, GGUF
names), one that shares no code with the PyTorch model. Its logits must agree within 1e-3 with
those of the trained weights, rounded to Q8_0 inside PyTorch, on 20 held-out stories.
"""
import argparse
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

from corpus import Stories
from formats import dequantise_q8_0, quantise_q8_0, read_gguf
from model import TARGET, Llama

STORIES, PERPLEXITY_STORIES, TOLERANCE = 20, 500, 1e-3


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def interleaved_rope(x, base):
    """x: [length, heads, head_dim], a row per position; rotates the pairs (2i, 2i + 1)."""
    length, _, size = x.shape
    angles = np.arange(length)[:, None] * base ** (-np.arange(0, size, 2) / size)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    out = np.empty_like(x)
    out[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
    out[..., 1::2] = x[..., 0::2] * sin + x[..., 1::2] * cos
    return out


def gguf_logits(metadata, tensors, ids):
    heads = metadata["llama.attention.head_count"]
    kv_heads = metadata["llama.attention.head_count_kv"]
    eps = metadata["llama.attention.layer_norm_rms_epsilon"]
    base = metadata["llama.rope.freq_base"]
    length, size = len(ids), metadata["llama.rope.dimension_count"]
    future = np.triu(np.full((length, length), -np.inf), 1)
    x = tensors["token_embd.weight"][ids]
    for i in range(metadata["llama.block_count"]):
        w = {k.split(".")[2]: v for k, v in tensors.items() if k.startswith(f"blk.{i}.")}
        n = rms_norm(x, w["attn_norm"], eps)
        q = interleaved_rope((n @ w["attn_q"].T).reshape(length, heads, size), base)
        k = interleaved_rope((n @ w["attn_k"].T).reshape(length, kv_heads, size), base)
        v = (n @ w["attn_v"].T).reshape(length, kv_heads, size)
        mixed = []
        for h in range(heads):
            kv = h * kv_heads // heads
            scores = q[:, h] @ k[:, kv].T / math.sqrt(size) + future
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            mixed.append(scores / scores.sum(-1, keepdims=True) @ v[:, kv])
        x = x + np.concatenate(mixed, -1) @ w["attn_output"].T
        n = rms_norm(x, w["ffn_norm"], eps)
        gate = n @ w["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (n @ w["ffn_up"].T)) @ w["ffn_down"].T
    return rms_norm(x, tensors["output_norm.weight"], eps) @ tensors["token_embd.weight"].T


def rounded(model):
    """A copy of the model whose matrices have gone through Q8_0."""
    copy = Llama(model.c)
    state = {}
    for name, p in model.state_dict().items():
        array = p.numpy()
        if array.ndim == 2:
            array = dequantise_q8_0(*quantise_q8_0(array))
        state[name] = torch.from_numpy(np.array(array))
    copy.load_state_dict(state)
    return copy


@torch.no_grad()
def mean_loss(model, stories, count):
    """Loss per token (nats) over the first `count` stories, EOS included."""
    total = tokens = 0
    for i in range(count):
        ids = torch.from_numpy(stories[i])[None]
        total += F.cross_entropy(model(ids[:, :-1])[0], ids[0, 1:], reduction="sum").item()
        tokens += ids.shape[1] - 1
    return total / tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work")
    parser.add_argument("out")
    args = parser.parse_args()
    model = Llama(TARGET)
    model.load_state_dict(torch.load(os.path.join(args.work, "target.pt")))
    reference = rounded(model)
    metadata, tensors = read_gguf(os.path.join(args.out, "target.gguf"))
    heldout = Stories(os.path.join(args.work, "heldout.npz"))
    train = Stories(os.path.join(args.work, "train.npz"))
    worst = 0.0
    for i in range(STORIES):
        with torch.no_grad():
            expected = reference(torch.from_numpy(heldout[i])[None])[0].numpy()
        actual = gguf_logits(metadata, tensors, heldout[i])
        worst = max(worst, float(np.abs(expected - actual).max()))
    print(f"largest logit difference on {STORIES} held-out stories: {worst:.2e}")
    for name, m, stories in (("held-out, F32", model, heldout),
                             ("held-out, Q8_0", reference, heldout),
                             ("training, Q8_0", reference, train)):
        loss = mean_loss(m, stories, min(PERPLEXITY_STORIES, len(stories)))
        print(f"{name}: loss {loss:.4f}, perplexity {math.exp(loss):.3f} per token")
    if not worst < TOLERANCE:
        sys.exit(f"logits differ by more than {TOLERANCE}")


if __name__ == "__main__":
    main()
