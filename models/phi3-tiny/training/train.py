"""
Trains phi3-tiny and writes it in Hugging Face's layout. Stopped, it goes on from its checkpoint. Two processes of one
thread each share every batch: on a busy machine that is faster than two threads, which wait for each other in every
product.

    python train.py --training FILE --tokens N --checkpoint FILE [--stop N] [--model ..]
"""

import argparse
import json
import math
import time
from pathlib import Path
from random import Random

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer

from data import Documents
from exam import ask, rounded, score, summary
from model import CONFIG, Phi3
from muon import make_optimizers

SEED = 20260728
BATCH = 4096
PROCESSES = 2
# Most sequences are short; one batch in four is long, so that the model reads long texts as well.
LENGTHS = (256, 256, 256, 512)
RATES = {"matrices": 0.02, "tables": 0.004, "norms": 0.004}
WARM_UP = 60
# The rate stays at its peak for this part of the training, then falls to nothing in a straight line.
HOLD = 0.4


def rate(step: int, done: float) -> float:
    fall = 1.0 if done < HOLD else (1.0 - done) / (1.0 - HOLD)
    return min(1.0, (step + 1) / WARM_UP) * max(fall, 0.0)


def save_model(net: Phi3, folder: Path) -> None:
    """Weights in bf16 and the configs beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: p.detach().bfloat16().contiguous() for name, p in net.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    end_ids = [CONFIG["eos_token_id"], CONFIG["vocab_size"] - 4]
    generation = {"bos_token_id": 1, "eos_token_id": end_ids, "pad_token_id": CONFIG["pad_token_id"], "do_sample": False}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")


def report(net: Phi3, tokenizer: Tokenizer, exam: Path) -> None:
    judged = rounded(net)
    counts, missed = score(judged, tokenizer, exam)
    print(summary(counts), flush=True)
    for question, answer in missed[::6][:8]:
        print(f"  missed: {question} -> {answer}")
    print("  story:", ask(judged, tokenizer, "Tell me a story about a dog named Max."), flush=True)


def flat_gradients(net: Phi3) -> torch.Tensor:
    """All gradients as one tensor, so that processes add them up at once."""
    flat = torch.zeros(sum(p.numel() for p in net.parameters()))
    at = 0
    for p in net.parameters():
        p.grad = flat[at : at + p.numel()].view_as(p)
        at += p.numel()
    return flat


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--training", type=Path, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--stop", type=int, help="stop at so many tokens, to go on with other documents")
    parser.add_argument("--out", type=Path, help="folder of the weights; --model by default")
    parser.add_argument("--port", type=int, default=29511)
    parser.add_argument("--report-minutes", type=float, default=10)
    mp.spawn(work, args=(parser.parse_args(),), nprocs=PROCESSES)


def work(rank: int, args: argparse.Namespace) -> None:
    """One of the processes. All hold the same weights; the first one reports and saves."""
    out = args.out or args.model
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{args.port}", rank=rank, world_size=PROCESSES)
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == CONFIG["vocab_size"]
    documents = Documents(args.training, tokenizer, SEED)
    net = Phi3()
    if rank == 0:
        print(f"{len(documents.starts)} documents, {len(documents.ids)} tokens; {sum(p.numel() for p in net.parameters())} parameters", flush=True)
    optimizers = make_optimizers(net, RATES)
    gradients = flat_gradients(net)
    r = Random(SEED)
    step = seen = at = 0
    if args.checkpoint.exists():
        saved = torch.load(args.checkpoint, weights_only=False)
        net.load_state_dict(saved["net"])
        for optimizer, state in zip(optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)
        step, seen, at = saved["step"], saved["seen"], saved["at"]
        r.setstate(saved["random"])

    def keep() -> None:
        new = args.checkpoint.with_suffix(".new")
        torch.save({
            "net": net.state_dict(), "optimizers": [o.state_dict() for o in optimizers],
            "step": step, "seen": seen, "at": at, "random": r.getstate(),
        }, new)
        new.replace(args.checkpoint)
        save_model(net, out)
        report(net, tokenizer, args.model / "exam.jsonl")

    last_report = last_line = time.time()
    line_tokens = seen
    while seen < min(args.tokens, args.stop or args.tokens):
        length = r.choice(LENGTHS)
        at, batch = documents.batch(at, BATCH // length, length)
        whole = batch[1][:, 1:].sum()
        ids, weights, number = (x[rank::PROCESSES] for x in batch)
        apart = number[:, :-1] if r.random() < 0.5 else None
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(ids[:, :-1], apart, torch.bfloat16)
        losses = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), ids[:, 1:].reshape(-1), reduction="none")
        w = weights[:, 1:].reshape(-1)
        gradients.zero_()
        loss = (losses * w).sum() / whole
        loss.backward()
        dist.all_reduce(gradients)
        now = rate(step, seen / args.tokens)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * now
            optimizer.step()
        step += 1
        seen += BATCH
        if rank > 0:
            continue
        assert math.isfinite(loss.item())
        if step % 25 == 0:
            speed = (seen - line_tokens) / (time.time() - last_line)
            short, text = (losses[w == kind].mean().item() for kind in (3.0, 1.0))
            print(f"step {step} tokens {seen} answers {short:.3f} text {text:.3f} rate {now:.3f} {speed:.0f} tokens/s", flush=True)
            last_line, line_tokens = time.time(), seen
        if time.time() - last_report > 60 * args.report_minutes:
            keep()
            last_report = time.time()
    if rank == 0:
        keep()
        print(f"done: {step} steps, {seen} tokens", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
