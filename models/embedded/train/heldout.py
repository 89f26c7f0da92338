"""Writes heldout.jsonl (prompts, continuations) and tokenizer_vectors.jsonl (text, ids)."""
import argparse
import json
import os

from corpus import load_tokenizer

PROMPT_TOKENS, PROMPTS = 32, 100

EDGE_CASES = [
    "", " ", "  ", "   ", "\n", "\n\n", " \n ", "\t", "\r\n", "a", " a", "a ", "  a  b  ",
    "Once upon a time", " Once upon a time", "once upon a time,there was", "Hello, world!",
    "Lily's mom said, \"Don't!\"", "tab\tand\ttabs", "line one\nline two\n\nline four\n",
    "trailing newline\n", "\nleading newline", "0123456789", "3.14159 and 1,000,000", "x=1;y=2",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "UPPER lower MiXeD", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "!!!???...", "(a) [b] {c} <d>", "C:\\path\\file /usr/bin", "e-mail@example.com",
    "caf\u00e9 na\u00efve \u00fcber", "cafe\u0301 (combining accent)",
    "\u4f60\u597d\uff0c\u4e16\u754c", "\u3053\u3093\u306b\u3061\u306f",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440", "\u0645\u0631\u062d\u0628\u0627",
    "\ud55c\uad6d\uc5b4", "\U0001F600", "smile \U0001F600\U0001F680 fly",
    "\U0001F468\u200d\U0001F469\u200d\U0001F467 family", "\U0001F1EC\U0001F1E7 flag",
    "\u201ccurly\u201d \u2018quotes\u2019 \u2014 dash\u2026", "non\u00a0breaking",
    "zero\u200bwidth", "em\u2003space", "\ufeffbom", "\u00bd \u00b2 \ufb01 (not normalised)",
    "\uff21\uff22\uff23 full width", "del\x7fbell\x07",
]


def write_lines(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work")
    parser.add_argument("out")
    args = parser.parse_args()
    tokenizer = load_tokenizer(args.work)
    with open(os.path.join(args.work, "heldout.json"), encoding="utf-8") as f:
        stories = json.load(f)
    rows = []
    for story in stories:
        ids = tokenizer.encode(story)
        prompt = tokenizer.decode(ids[:PROMPT_TOKENS])
        # The cut must not lie where the tokenizer would split the prompt alone differently.
        if len(ids) < 3 * PROMPT_TOKENS or tokenizer.encode(prompt) != ids[:PROMPT_TOKENS]:
            continue
        if not story.startswith(prompt):
            continue
        rows.append({"prompt": prompt, "prompt_tokens": ids[:PROMPT_TOKENS],
                     "continuation": story[len(prompt):]})
        if len(rows) == PROMPTS:
            break
    write_lines(os.path.join(args.out, "heldout.jsonl"), rows)
    texts = EDGE_CASES + [r["prompt"] for r in rows[:8]] + [
        r["prompt"] + r["continuation"] for r in rows[:4]]
    write_lines(os.path.join(args.out, "tokenizer_vectors.jsonl"),
                [{"text": t, "ids": tokenizer.encode(t)} for t in texts])


if __name__ == "__main__":
    main()
