"""The corpus: stories -> tokenizer, token ids, held-out split and batches.

A corpus is a UTF-8 text file of stories, each ended by a line `<|endoftext|>`.
"""
import json
import os

import numpy as np
import sentencepiece
import torch

VOCAB_SIZE = 2048
UNK, BOS, EOS = 0, 1, 2
END_MARK = "<|endoftext|>"
HELD_OUT_EVERY = 50  # every 50th story (2 %) is never trained on


def read_stories(path):
    """The stories of a corpus file, without their end marks and outer white space."""
    with open(path, encoding="utf-8") as f:
        return [s for s in (part.strip() for part in f.read().split(END_MARK)) if s]


def split_stories(stories):
    """(training stories, held-out stories)."""
    held = [s for i, s in enumerate(stories) if i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1]
    train = [s for i, s in enumerate(stories) if i % HELD_OUT_EVERY != HELD_OUT_EVERY - 1]
    return train, held


def train_tokenizer(stories, prefix):
    """Trains a SentencePiece BPE model at `prefix`.model.

    No normalisation and no added leading space: the ids spell the text exactly, byte for byte.
    A newline is the byte token <0x0A> (SentencePiece sees one line at a time in training).
    """
    lines = (line for story in stories for line in story.split("\n") if line)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_prefix=prefix, model_type="bpe", vocab_size=VOCAB_SIZE,
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=False, split_digits=True, character_coverage=0.99995,
        unk_id=UNK, bos_id=BOS, eos_id=EOS, pad_id=-1, minloglevel=1)


def load_tokenizer(work):
    return sentencepiece.SentencePieceProcessor(model_file=os.path.join(work, "tokenizer.model"))


def prepare(corpus_path, work):
    """Writes tokenizer.model, train.npz, heldout.npz and heldout.json into `work`, once."""
    os.makedirs(work, exist_ok=True)
    if os.path.exists(os.path.join(work, "heldout.json")):
        return
    train, held = split_stories(read_stories(corpus_path))
    train_tokenizer(train, os.path.join(work, "tokenizer"))
    tokenizer = load_tokenizer(work)
    for name, stories in (("train", train), ("heldout", held)):
        rows = [[BOS] + ids + [EOS] for ids in tokenizer.encode(stories)]
        np.savez(os.path.join(work, name + ".npz"),
                 tokens=np.concatenate([np.array(r, dtype=np.uint16) for r in rows]),
                 ends=np.cumsum([len(r) for r in rows]))
    with open(os.path.join(work, "heldout.json"), "w", encoding="utf-8") as f:
        json.dump(held, f)


class Stories:
    """Tokenised stories: each is BOS, text, EOS."""

    def __init__(self, path):
        data = np.load(path)
        self.tokens = data["tokens"].astype(np.int64)
        ends = data["ends"]
        self.spans = list(zip(np.concatenate([[0], ends[:-1]]).tolist(), ends.tolist()))

    def __len__(self):
        return len(self.spans)

    def __getitem__(self, i):
        begin, end = self.spans[i]
        return self.tokens[begin:end]


def make_batch(rows, max_len):
    """Pads rows with EOS. Returns ids [B, L+1] and the mask [B, L] of real targets."""
    length = min(max(len(r) for r in rows), max_len + 1)
    ids = np.full((len(rows), length), EOS, dtype=np.int64)
    mask = np.zeros((len(rows), length - 1), dtype=bool)
    for i, r in enumerate(rows):
        r = r[:length]
        ids[i, :len(r)] = r
        mask[i, :len(r) - 1] = True
    return torch.from_numpy(ids), torch.from_numpy(mask)


def batches(stories, batch_tokens, max_len, seed, skip=0):
    """Endless batches of about `batch_tokens` positions, one story per row from position 0.

    Stories of like length share a batch (little padding, no story sees another). The order
    depends on `seed` only, so that a resumed run skips the `skip` batches it has seen.
    """
    epoch = 0
    while True:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(stories))
        groups = []
        for pool in np.array_split(order, max(1, len(order) // 2048)):
            pool = sorted(pool.tolist(), key=lambda i: stories.spans[i][1] - stories.spans[i][0])
            group, longest = [], 0
            for i in pool:
                longest = max(longest, min(stories.spans[i][1] - stories.spans[i][0], max_len + 1))
                if group and (len(group) + 1) * longest > batch_tokens:
                    groups.append(group)
                    group = []
                group.append(i)
            groups.append(group)
        for g in rng.permutation(len(groups)):
            if skip > 0:
                skip -= 1
                continue
            yield make_batch([stories[i] for i in groups[g]], max_len)
        epoch += 1
