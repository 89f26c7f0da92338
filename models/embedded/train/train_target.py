"""Trains the target on the corpus; leaves `target.pt` (averaged weights) in the work folder."""
import argparse
import os

import torch
import torch.nn.functional as F

from corpus import Stories, batches, prepare
from model import TARGET, Llama, count_parameters
from training import fit, save

BATCH_TOKENS = 4096


def masked_cross_entropy(model, ids, mask):
    logits = model(ids[:, :-1])[mask]
    return F.cross_entropy(logits, ids[:, 1:][mask])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("work")
    parser.add_argument("--minutes", type=float, default=70)
    args = parser.parse_args()
    prepare(args.corpus, args.work)
    torch.manual_seed(1)
    stories = Stories(os.path.join(args.work, "train.npz"))
    model = Llama(TARGET)
    print("parameters", count_parameters(model), "training tokens", len(stories.tokens))

    def loss_of(progress, ids, mask):
        loss = masked_cross_entropy(model, ids, mask)
        return loss, {"loss": loss.detach()}, int(mask.sum())

    fit(model, lambda skip: batches(stories, BATCH_TOKENS, TARGET.context, 1, skip), loss_of,
        os.path.join(args.work, "target.ckpt"), args.minutes)
    save(os.path.join(args.work, "target.pt"), model.state_dict())


if __name__ == "__main__":
    main()
