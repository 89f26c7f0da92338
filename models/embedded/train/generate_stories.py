"""Lets the exported target continue the openings of training stories: text for draft training.

Greedy text, which the corpus (sampled text) has little of. Writes `generated.npz`, saving after
every group; an interrupted run goes on where it stopped.
"""
import argparse
import os

import numpy as np
import torch
import torch.multiprocessing

from corpus import Stories
from export import load_llama
from generate import generate

GROUP, PROMPT, NEW_TOKENS = 128, 33, 224  # the prompt is BOS and 32 tokens


def write_group(job):
    model, prompts = job
    torch.set_num_threads(1)
    continuations = generate(model, prompts, NEW_TOKENS, temperature=0, seed=0)
    return [p + c for p, c in zip(prompts, continuations)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work")
    parser.add_argument("out")
    parser.add_argument("--groups", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    path = os.path.join(args.work, "generated.npz")
    done, rows = 0, []
    if os.path.exists(path):
        old = Stories(path)
        rows = [old[i].tolist() for i in range(len(old))]
        done = len(rows) // GROUP
    model = load_llama(os.path.join(args.out, "target.gguf"))
    stories = Stories(os.path.join(args.work, "train.npz"))
    # From the corpus's end: the order of training is shuffled, so any part serves.
    openings = [stories[i][:PROMPT].tolist() for i in range(len(stories) - 1, -1, -1)
                if len(stories[i]) > 2 * PROMPT]
    jobs = ((model, openings[g * GROUP:(g + 1) * GROUP]) for g in range(done, args.groups))
    with torch.multiprocessing.get_context("fork").Pool() as pool:
        for group in pool.imap(write_group, jobs):
            rows += group
            part = path + ".part.npz"
            np.savez(part, tokens=np.concatenate([np.array(r, dtype=np.uint16) for r in rows]),
                     ends=np.cumsum([len(r) for r in rows]))
            os.replace(part, path)
            print(len(rows), "stories", sum(map(len, rows)), "tokens", flush=True)


if __name__ == "__main__":
    main()
