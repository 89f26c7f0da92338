"""Checks that the tokens and scores in target.gguf alone give SentencePiece's ids.

Encodes tokenizer_vectors.jsonl and the held-out prompts the way GGUF engines do for
`tokenizer.ggml.model` = "llama": spaces become U+2581, then the neighbours whose joint piece has
the best score are merged until none is left; what is no piece falls back to its UTF-8 bytes.
"""
import argparse
import json
import os
import sys

from formats import read_gguf

BYTE = 6


def encode(text, pieces, scores, byte_ids):
    symbols = list(text.replace(" ", "\u2581"))
    while True:
        best, at = None, None
        for i in range(len(symbols) - 1):
            piece = pieces.get(symbols[i] + symbols[i + 1])
            if piece is not None and (best is None or scores[piece] > best):
                best, at = scores[piece], i
        if at is None:
            break
        symbols[at:at + 2] = [symbols[at] + symbols[at + 1]]
    ids = []
    for symbol in symbols:
        if symbol in pieces:
            ids.append(pieces[symbol])
        else:
            ids += [byte_ids[b] for b in symbol.encode("utf-8")]
    return ids


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    args = parser.parse_args()
    metadata, _ = read_gguf(os.path.join(args.out, "target.gguf"))
    tokens = metadata["tokenizer.ggml.tokens"]
    types = metadata["tokenizer.ggml.token_type"]
    scores = metadata["tokenizer.ggml.scores"]
    pieces = {t: i for i, t in enumerate(tokens) if types[i] == 1}
    byte_ids = {int(t[3:5], 16): i for i, t in enumerate(tokens) if types[i] == BYTE}
    wrong = count = 0
    for name, text, ids in (("tokenizer_vectors.jsonl", "text", "ids"),
                            ("heldout.jsonl", "prompt", "prompt_tokens")):
        with open(os.path.join(args.out, name), encoding="utf-8") as f:
            for row in map(json.loads, f):
                actual, count = encode(row[text], pieces, scores, byte_ids), count + 1
                if actual != row[ids]:
                    wrong += 1
                    print(f"{row[text]!r}: {actual}, expected {row[ids]}")
    print(f"{count} texts, {wrong} wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
