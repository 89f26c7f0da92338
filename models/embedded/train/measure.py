"""Accept lengths of the drafts: tokens emitted per verification, the target's own included.

The tree is EAGLE-2's (top-k 10, depth 6, the best 80 nodes) and is verified as a whole. The text
is what the target writes alone, at T = 0 or sampled; a draft child that carries the text's next
token is a hit. That is exactly what a verifier that samples the target at every node would
accept, and it needs the target once per text instead of once per tree.
"""
import argparse
import json
import os

import torch
import torch.multiprocessing

from corpus import BOS
from export import load_eagle, load_llama
from generate import generate
from model import Cache

TOP_K, DEPTH, NODES = 10, 6, 80
BLOCKED = -1e9


def prefix_of(cache, rows):
    copy = Cache()
    copy.k, copy.v = cache.k[:, :, :rows], cache.v[:, :, :rows]
    return copy


class LanguageModelDraft:
    """A language model with the target's vocabulary (or the target itself: the ceiling)."""

    def __init__(self, model):
        self.model = model

    def read(self, ids, features):
        """Takes in a text; trees can then be grown at any of its tokens."""
        self.caches = [Cache() for _ in self.model.layers]
        self.features = self.model.features(ids, caches=self.caches)[0]

    def at_root(self, n):
        """What the tree below token n starts from: feature, caches, position of level 1."""
        return self.features[n], [prefix_of(c, n + 1) for c in self.caches], n + 1

    def forward(self, tokens, parents, position, mask, caches):
        positions = torch.full((len(tokens),), position)
        return self.model.features(tokens[None], positions, mask, caches)[0]

    def logits(self, features):
        return self.model.logits(features)


class EagleDraft:
    def __init__(self, head, target):
        self.head, self.target = head, target

    def read(self, ids, features):
        self.cache = Cache()
        self.features = self.head(ids[:, 1:], features[:, :-1], cache=self.cache)[0]

    def at_root(self, n):
        return self.features[n - 1], [prefix_of(self.cache, n)], n

    def forward(self, tokens, parents, position, mask, caches):
        positions = torch.full((len(tokens),), position)
        return self.head(tokens[None], parents[None], positions, mask, caches[0])[0]

    def logits(self, features):
        return self.target.logits(features)


def grow(draft, n):
    """The tree below token n: a dict (parent node or -1, token) -> node."""
    feature, caches, position = draft.at_root(n)
    prefix = caches[0].k.shape[2]
    scores, tokens = draft.logits(feature).log_softmax(-1).topk(TOP_K)
    all_scores, all_tokens = [scores], [tokens]
    all_parents = [torch.full((TOP_K,), -1)]
    beam = torch.arange(TOP_K)  # node numbers
    parents = feature.expand(TOP_K, -1)
    seen = torch.zeros(TOP_K, 0, dtype=torch.bool)  # which beam rows each beam node sees
    for level in range(DEPTH):
        seen = torch.cat([seen, torch.eye(TOP_K, dtype=torch.bool)], 1)
        mask = torch.zeros(TOP_K, prefix + seen.shape[1])
        mask[:, prefix:][~seen] = BLOCKED
        out = draft.forward(tokens, parents, position + level, mask, caches)
        step, chosen = draft.logits(out).log_softmax(-1).topk(TOP_K)
        step = (step + scores[:, None]).flatten()
        first = sum(len(s) for s in all_scores)
        all_scores.append(step)
        all_tokens.append(chosen.flatten())
        all_parents.append(beam.repeat_interleave(TOP_K))
        scores, best = step.topk(TOP_K)
        beam, tokens = first + best, chosen.flatten()[best]
        parents, seen = out[best // TOP_K], seen[best // TOP_K]
    order = torch.cat(all_scores).sort(descending=True, stable=True)[1][:NODES].tolist()
    tokens, parents = torch.cat(all_tokens).tolist(), torch.cat(all_parents).tolist()
    return {(parents[i], tokens[i]): i for i in order}


def accept_counts(draft, ids, features, prompt_length):
    """Tokens emitted by each verification of one text (list of ids, BOS first)."""
    draft.read(torch.tensor([ids]), features)
    counts, n = [], prompt_length  # the first new token comes from the prompt's own pass
    while n < len(ids) - 1:
        tree, node, accepted = grow(draft, n), -1, 0
        while n + accepted + 1 < len(ids):
            node = tree.get((node, ids[n + accepted + 1]))
            if node is None:
                break
            accepted += 1
        # The target's own token after the accepted ones, unless the text ends before it.
        emitted = min(accepted + 1, len(ids) - 1 - n)
        counts.append(emitted)
        n += emitted
    return counts


@torch.no_grad()
def counts_of_text(job):
    draft, target, ids, prompt_length = job
    torch.set_num_threads(1)
    return accept_counts(draft, ids, target.features(torch.tensor([ids])), prompt_length)


def accept_length(draft, target, texts, prompt_length, pool):
    counts = pool.map(counts_of_text, [(draft, target, t, prompt_length) for t in texts], 1)
    flat = [c for cs in counts for c in cs]
    return sum(flat) / len(flat), len(flat)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", help="folder of the shipped files")
    parser.add_argument("--prompts", type=int, default=60)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--drafts", default="eagle,small,target")
    args = parser.parse_args()
    torch.set_num_threads(1)
    target = load_llama(os.path.join(args.out, "target.gguf"))
    drafts = {
        "eagle": lambda: EagleDraft(load_eagle(os.path.join(args.out, "eagle")), target),
        "small": lambda: LanguageModelDraft(load_llama(os.path.join(args.out, "draft.gguf"))),
        "target": lambda: LanguageModelDraft(target)}
    with open(os.path.join(args.out, "heldout.jsonl"), encoding="utf-8") as f:
        prompts = [[BOS] + json.loads(line)["prompt_tokens"] for line in f][:args.prompts]
    with torch.multiprocessing.get_context("fork").Pool() as pool:
        for temperature in (0, 1):
            texts = [p + o for p, o in zip(prompts, generate(
                target, prompts, args.tokens, temperature, seed=1))]
            for name in args.drafts.split(","):
                mean, count = accept_length(drafts[name](), target, texts, len(prompts[0]), pool)
                print(f"T={temperature} {name}: {mean:.3f} tokens per verification "
                      f"({count} verifications)", flush=True)


if __name__ == "__main__":
    main()
