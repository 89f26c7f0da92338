"""Trains both drafts against the exported (dequantised) target: the EAGLE head and the small LM.

The stories are the corpus's; where `generated.npz` exists (see generate_stories.py), every second
batch is text that the target wrote itself, which is what a draft meets in use.
"""
import argparse
import os

import torch
import torch.nn.functional as F

from corpus import Stories, batches, load_tokenizer
from export import export_eagle, export_llama, load_llama
from model import EAGLE, SMALL, EagleHead, Llama, causal_mask, rope_tables, rotate
from training import fit

SINGLE_STEP_SHARE = 0.3  # of the time, at first: one step is cheap, and the later ones build on it
UNROLL = 4  # training steps on the head's own predictions; growth at inference takes up to 7
NOISE = 0.2
FEATURE_WEIGHT = 0.5


def alternate(first, second):
    while True:
        yield next(first)
        yield next(second)


def story_batches(work, tokens, seed):
    """A function from the number of batches to skip to the batches after them."""
    corpus = Stories(os.path.join(work, "train.npz"))
    path = os.path.join(work, "generated.npz")
    generated = Stories(path) if os.path.exists(path) else None

    def start(skip):
        if generated is None:
            return batches(corpus, tokens, EAGLE.context, seed, skip)
        return alternate(batches(corpus, tokens, EAGLE.context, seed, skip // 2),
                         batches(generated, tokens, EAGLE.context, seed + 1, skip // 2))
    return start


def soft_cross_entropy(logits, probabilities):
    return -(probabilities * logits.log_softmax(-1)).sum(-1).mean()


def unrolled(head, ids, features, steps):
    """The head's predictions [B, R, dim] for `steps` steps, row j being that of feature j+1.

    Step 1 reads true features. Step s reads at row j what step s-1 predicted for feature j, and
    sees what a draft node s-1 levels below the last accepted token sees: the step-1 rows up to
    j-s+1, then its s-2 ancestors' rows and itself, each of its own step.
    """
    layer = head.layers[0]
    attention, c = layer.self_attn, head.c
    b, r, _ = features.shape
    cos, sin = rope_tables(c, torch.arange(r))
    mask = causal_mask(r)
    group = c.heads // c.kv_heads
    inputs, keys, values, predictions = features, [], [], []
    for step in range(steps):
        x = head.inputs(ids, inputs)
        q = rotate(attention.q_proj(x).view(b, r, c.heads, -1).transpose(1, 2), cos, sin)
        k = rotate(attention.k_proj(x).view(b, r, c.kv_heads, -1).transpose(1, 2), cos, sin)
        v = attention.v_proj(x).view(b, r, c.kv_heads, -1).transpose(1, 2)
        if group > 1:
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        keys.append(k)
        values.append(v)
        q = q * c.head_dim ** -0.5
        if step > 0:
            mask = mask.clone()
            index = torch.arange(r)
            mask[index[step - 1:], index[:r - step + 1]] = -1e9  # now seen in a later step's row
        scores = q @ keys[0].transpose(-1, -2) + mask
        if step > 0:
            # Ancestor rows of steps 2..s: row j sees row j-d of step s-d.
            shifted = [(F.pad(keys[step - d], (0, 0, d, 0))[:, :, :r],
                        F.pad(values[step - d], (0, 0, d, 0))[:, :, :r]) for d in range(step)]
            own = torch.stack([(q * key).sum(-1) for key, _ in shifted], -1)
            weights = torch.cat([scores, own], -1).softmax(-1)
            mixed = weights[..., :r] @ values[0]
            for d, (_, value) in enumerate(shifted):
                mixed = mixed + weights[..., r + d, None] * value
        else:
            mixed = scores.softmax(-1) @ values[0]
        x = x + attention.o_proj(mixed.transpose(1, 2).reshape(b, r, -1))
        prediction = x + layer.mlp(layer.post_attention_layernorm(x))
        predictions.append(prediction)
        inputs = torch.cat([features[:, :1], prediction[:, :-1]], 1)
    return predictions


def train_eagle(target, start, work, minutes):
    torch.manual_seed(2)
    head = EagleHead(EAGLE)
    with torch.no_grad():
        head.embed_tokens.weight.copy_(target.embed_tokens.weight)

    def loss_of(progress, ids, mask):
        with torch.no_grad():
            features = target.features(ids[:, :-1])
            truth, rows = features[:, 1:], mask[:, 1:]
            probabilities = target.logits(truth[rows]).softmax(-1)
            noisy = features[:, :-1] + (torch.rand_like(truth) - 0.5) * NOISE
        loss, figures = 0, {}
        steps = 1 if progress < SINGLE_STEP_SHARE else UNROLL
        for step, predicted in enumerate(unrolled(head, ids[:, 1:-1], noisy, steps)):
            # The first `step` rows of a story have no ancestors that deep.
            use = rows.clone()
            use[:, :step] = False
            pick = use[rows]
            logits = target.logits(predicted[use])
            entropy = soft_cross_entropy(logits, probabilities[pick])
            distance = F.smooth_l1_loss(predicted[use], truth[use])
            loss = loss + (entropy + FEATURE_WEIGHT * distance) / steps
            figures[f"ce{step + 1}"] = entropy.detach()
            figures[f"hit{step + 1}"] = (logits.argmax(-1) ==
                                         probabilities[pick].argmax(-1)).float().mean()
            if step == 0:
                figures["l1"] = distance.detach()
        return loss, figures, int(mask.sum())

    fit(head, start, loss_of, os.path.join(work, "eagle.ckpt"), minutes, report=50,
        other_lr=2e-3)
    return head


def train_small(target, start, work, minutes):
    torch.manual_seed(3)
    model = Llama(SMALL)

    def loss_of(progress, ids, mask):
        with torch.no_grad():
            probabilities = target(ids[:, :-1])[mask].softmax(-1)
        logits = model(ids[:, :-1])[mask]
        entropy = soft_cross_entropy(logits, probabilities)
        hit = (logits.argmax(-1) == probabilities.argmax(-1)).float().mean()
        return entropy, {"ce": entropy.detach(), "hit": hit}, int(mask.sum())

    fit(model, start, loss_of, os.path.join(work, "small.ckpt"), minutes, report=25)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=["eagle", "small"])
    parser.add_argument("work")
    parser.add_argument("out", help="folder with target.gguf; the draft is written there")
    parser.add_argument("--minutes", type=float, required=True)
    args = parser.parse_args()
    target = load_llama(os.path.join(args.out, "target.gguf"))
    if args.which == "eagle":
        head = train_eagle(target, story_batches(args.work, 2048, 10), args.work, args.minutes)
        export_eagle(head, os.path.join(args.out, "eagle"))
    else:
        small = train_small(target, story_batches(args.work, 4096, 20), args.work, args.minutes)
        export_llama(small, "FlowSpec embedded draft", load_tokenizer(args.work),
                     os.path.join(args.out, "draft.gguf"))


if __name__ == "__main__":
    main()
