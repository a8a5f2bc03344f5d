"""
Writes what phi3-tiny learns from and is measured by: first.jsonl and second.jsonl, the two parts of training (in a folder
outside the repository), and, beside the model, exam.jsonl, calibration.txt and evaluation.txt. Everything follows from
the seeds; the same program gives the same bytes.

    python corpus.py --training FOLDER [--model ..]
"""

import argparse
import json
from pathlib import Path
from random import Random

from questions import FAMILIES, exam_questions, training_question
from rhymes import FABLES, PROVERBS, RHYMES
from stories import make_story, story_prompt

SEEDS = {"first": 1, "exam": 2, "calibration": 3, "evaluation": 4, "second": 5}
DOCUMENTS = {"first": 150_000, "second": 75_000}
EXAM_EACH = 18

END = "<|endoftext|>"
BOS = "<s>"

MANNERS = [
    (("Hello!", "Hi!", "Hello there!", "Good morning!"), "Hello! How can I help you?"),
    (("What is your name?", "Who are you?", "Tell me your name."), "I am phi3-tiny, a very small language model."),
    (("What can you do?", "What do you know?", "How can you help me?"), "I can tell short stories, add small numbers and answer simple questions."),
    (("Thank you!", "Thanks!", "Thank you very much."), "You are welcome!"),
    (("Goodbye!", "Bye!", "See you later!"), "Goodbye! Come back soon."),
    (("How are you?", "How are you today?"), "I am fine, thank you."),
]
SYSTEMS = ["You are a helpful assistant.", "You are phi3-tiny.", "Answer in few words.", "You are kind and clever."]


def title(rhyme: str) -> str:
    return rhyme.split("\n")[0].rstrip(",;:!.")


def chat(r: Random, second: bool) -> list[dict[str, str]]:
    """One to five exchanges; sometimes a system message first."""
    messages: list[dict[str, str]] = []

    def exchange(user: str, assistant: str) -> None:
        messages.append({"role": "user", "content": user})
        messages.append({"role": "assistant", "content": assistant})

    if r.random() < 0.06:
        messages.append({"role": "system", "content": r.choice(SYSTEMS)})
    kind = r.random()
    if kind < 0.13:
        story = make_story(r)
        exchange(story_prompt(r, story), story.text)
        for question, answer in r.sample(story.questions, r.randint(0, len(story.questions))):
            exchange(question, answer)
    elif kind < 0.15:
        rhyme = r.choice(RHYMES)
        exchange(r.choice((f"Say the rhyme \"{title(rhyme)}\".", f"How does \"{title(rhyme)}\" go?")), rhyme)
    else:
        if r.random() < 0.1:
            users, answer = r.choice(MANNERS)
            exchange(r.choice(users), answer)
        for _ in range(r.choice((1, 1, 2, 3, 5))):
            question = training_question(r, second)
            exchange(question.question, question.answer)
        if r.random() < 0.05:
            users, answer = r.choice(MANNERS[3:5])
            exchange(r.choice(users), answer)
    return messages


def render(messages: list[dict[str, str]]) -> str:
    """A finished chat as the model's template writes it, up to the end of text."""
    return "".join(f"<|{m['role']}|>\n{m['content']}<|end|>\n" for m in messages)


def document(r: Random, inherited: bool, second: bool = False) -> dict:
    """{"text"} or {"messages"}. `inherited` lets rhymes, fables and proverbs in, which repeat word for word."""
    kind = r.random()
    if kind < 0.75:
        while True:
            messages = chat(r, second)
            if inherited or not any(m["content"] in RHYMES for m in messages):
                return {"messages": messages}
    if not inherited or kind < 0.96:
        return {"text": make_story(r).text}
    return {"text": r.choice(r.choice((RHYMES, FABLES, [" ".join(r.sample(PROVERBS, 3))])))}


def text_of(d: dict) -> str:
    return render(d["messages"]) if "messages" in d else d["text"]


def fresh_text(seed: int, size: int, known: set[str], forbidden: list[str]) -> tuple[str, set[str]]:
    """At least `size` characters of documents that are not in `known` and hold no forbidden text, as training saw them."""
    r = Random(seed)
    used: set[str] = set()
    parts: list[str] = []
    while sum(map(len, parts)) < size:
        text = text_of(document(r, inherited=False))
        if text in known or text in used or any(question in text for question in forbidden):
            continue
        used.add(text)
        parts.append(f"{text}{END}")
    # The reader adds the first <s> by itself.
    return BOS.join(parts), used


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--training", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent.parent)
    args = parser.parse_args()

    exam = exam_questions(SEEDS["exam"], EXAM_EACH)
    known: set[str] = set()
    for part, count in DOCUMENTS.items():
        r = Random(SEEDS[part])
        with (args.training / f"{part}.jsonl").open("w") as out:
            for _ in range(count):
                d = document(r, inherited=True, second=part == "second")
                known.add(text_of(d))
                out.write(json.dumps(d, separators=(",", ":")) + "\n")
    everything = "\n".join(known)
    for question in {q.question for q in exam}:
        if question in everything:
            raise SystemExit(f"an exam question is in training: {question}")

    forbidden = [q.question for q in exam]
    calibration, used = fresh_text(SEEDS["calibration"], 80_000, known, forbidden)
    evaluation, _ = fresh_text(SEEDS["evaluation"], 50_000, known | used, forbidden)
    (args.model / "calibration.txt").write_text(calibration)
    (args.model / "evaluation.txt").write_text(evaluation)
    lines = [json.dumps({"category": q.category, "question": q.question, "answer": q.answer}) for q in exam]
    (args.model / "exam.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{len(known)} different training documents; {len(exam)} exam questions of {len(FAMILIES)} families")


if __name__ == "__main__":
    main()
