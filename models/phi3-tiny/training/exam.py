"""
Greedy answers to exam.jsonl: right is the whole answer, then <|end|>.

    python exam.py [--model ..]
"""

import argparse
import copy
import json
from collections import defaultdict
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from corpus import render
from model import Phi3


def rounded(net: Phi3) -> Phi3:
    """The model with its weights rounded to bf16, computing in f32."""
    net = copy.deepcopy(net)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p.bfloat16().float())
    return net


@torch.no_grad()
def score(net: Phi3, tokenizer: Tokenizer, file: Path) -> tuple[dict[str, tuple[int, int]], list[tuple[str, str]]]:
    """Right and asked by category, and the questions missed. An answer is greedy exactly if each of its tokens is likeliest."""
    questions = [json.loads(line) for line in file.read_text().splitlines()]
    end = tokenizer.token_to_id("<|end|>")
    bos = tokenizer.token_to_id("<s>")
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    missed = []
    for at in range(0, len(questions), 63):
        some = questions[at : at + 63]
        prompts, wholes = [], []
        for q in some:
            prompt = render([{"role": "user", "content": q["question"]}]) + "<|assistant|>\n"
            prompts.append([bos, *tokenizer.encode(prompt, add_special_tokens=False).ids])
            wholes.append([bos, *tokenizer.encode(f"{prompt}{q['answer']}<|end|>", add_special_tokens=False).ids])
        width = max(map(len, wholes))
        best = net(torch.tensor([w + [end] * (width - len(w)) for w in wholes])).argmax(-1)
        for i, q in enumerate(some):
            start, stop = len(prompts[i]), len(wholes[i])
            got = best[i, start - 1 : stop - 1].tolist()
            right = got == wholes[i][start:]
            counts[q["category"]][0] += right
            counts[q["category"]][1] += 1
            if not right:
                missed.append((q["question"], f"{q['answer']} <- {tokenizer.decode(got, skip_special_tokens=False)}"))
    return {k: (v[0], v[1]) for k, v in counts.items()}, missed


@torch.no_grad()
def generate(net: Phi3, tokenizer: Tokenizer, text: str, most: int = 150) -> str:
    """Greedy continuation, without a cache."""
    stop = {tokenizer.token_to_id(t) for t in ("<|end|>", "<|endoftext|>")}
    ids = [1, *tokenizer.encode(text, add_special_tokens=False).ids]
    start = len(ids)
    while len(ids) < start + most:
        token = int(net(torch.tensor([ids]))[0, -1].argmax())
        if token in stop:
            break
        ids.append(token)
    return tokenizer.decode(ids[start:])


def ask(net: Phi3, tokenizer: Tokenizer, question: str) -> str:
    return generate(net, tokenizer, render([{"role": "user", "content": question}]) + "<|assistant|>\n")


def summary(counts: dict[str, tuple[int, int]]) -> str:
    right, asked = (sum(c[i] for c in counts.values()) for i in (0, 1))
    parts = " ".join(f"{name} {c[0]}/{c[1]}" for name, c in counts.items())
    return f"exam {right}/{asked} = {100 * right / asked:.1f} %: {parts}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, default=Path(__file__).parent.parent)
    args = parser.parse_args()
    net = Phi3()
    net.load_state_dict({k: v.float() for k, v in load_file(args.model / "model.safetensors").items()})
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    counts, missed = score(net, tokenizer, args.model / "exam.jsonl")
    for question, answer in missed:
        print(f"missed: {question} -> {answer}")
    print(summary(counts))


if __name__ == "__main__":
    main()
