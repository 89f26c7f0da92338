"""Batched generation with the target, plain decoding."""
import torch

from corpus import EOS
from model import Cache


@torch.no_grad()
def generate(model, prompts, new_tokens, temperature, seed):
    """Continues prompts (lists of ids of one length, BOS first). Returns the new ids of each,
    ending with EOS where the text ends before the limit."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.tensor(prompts)
    caches = [Cache() for _ in model.layers]
    out = [[] for _ in prompts]
    live = torch.arange(len(prompts))
    x, position, mask = ids, torch.arange(ids.shape[1]), "causal"
    for _ in range(new_tokens):
        logits = model.logits(model.features(x, position, mask, caches)[:, -1])
        if temperature == 0:
            tokens = logits.argmax(-1)
        else:
            probabilities = (logits / temperature).softmax(-1)
            tokens = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
        for i, token in zip(live.tolist(), tokens.tolist()):
            out[i].append(token)
        keep = (tokens != EOS).nonzero()[:, 0]
        if len(keep) == 0:
            break
        if len(keep) < len(live):  # ended texts leave the batch
            live, tokens = live[keep], tokens[keep]
            for cache in caches:
                cache.k, cache.v = cache.k[keep], cache.v[keep]
        x, position = tokens[:, None], position[-1:] + 1
        mask = torch.zeros(1, int(position) + 1)
    return out
