"""Prints stories that the exported target writes."""
import argparse
import os

import torch

from corpus import BOS, load_tokenizer
from export import load_llama
from generate import generate


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work")
    parser.add_argument("out")
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--prompt", default="Once upon a time")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = load_tokenizer(args.work)
    model = load_llama(os.path.join(args.out, "target.gguf"))
    prompt = [BOS] + tokenizer.encode(args.prompt)
    for row in generate(model, [prompt] * args.count, 360, args.temperature, args.seed):
        print(args.prompt + tokenizer.decode(row) + "\n---")


if __name__ == "__main__":
    main()
