"""Writes target.gguf from the trained target.pt."""
import argparse
import os

import torch

from corpus import load_tokenizer
from export import export_llama
from model import TARGET, Llama


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work")
    parser.add_argument("out")
    args = parser.parse_args()
    model = Llama(TARGET)
    model.load_state_dict(torch.load(os.path.join(args.work, "target.pt")))
    os.makedirs(args.out, exist_ok=True)
    export_llama(model, "FlowSpec embedded target", load_tokenizer(args.work),
                 os.path.join(args.out, "target.gguf"))


if __name__ == "__main__":
    main()
