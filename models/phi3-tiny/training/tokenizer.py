"""
Trains phi3-tiny's vocabulary and writes tokenizer.json in the form of Phi-3's: SentencePiece BPE with byte fallback,
no pre-tokenizer, ids in the order of training, Phi-3's special tokens behind it.

    python tokenizer.py --training FILE [--model ..]
"""

import argparse
import json
from pathlib import Path

import tokenizers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

SPACE = "\u2581"
# Merges stay inside a word with the space before it; digits and punctuation stand alone.
PIECES = f"{SPACE}?[A-Za-z]+|{SPACE}|[^A-Za-z{SPACE}]"
SPECIAL = [
    "<|endoftext|>", "<|assistant|>", "<|placeholder1|>", "<|placeholder2|>", "<|placeholder3|>", "<|placeholder4|>",
    "<|system|>", "<|end|>", "<|placeholder5|>", "<|placeholder6|>", "<|user|>",
]
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)


def train_pieces(texts: list[str], room: int) -> tuple[list[str], list[str]]:
    """Merged pieces in the order of training, then the single characters."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECES), "isolated")
    printable = [chr(c) for c in range(33, 127)] + [SPACE]
    trainer = trainers.BpeTrainer(
        vocab_size=room + 1, special_tokens=["<unk>"], initial_alphabet=printable, limit_alphabet=len(printable),
        min_frequency=2, show_progress=False,
    )
    # Line breaks are byte tokens.
    tokenizer.train_from_iterator((line for text in texts for line in text.split("\n")), trainer)
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    pieces = [piece for piece, _ in by_id if piece != "<unk>"]
    return [p for p in pieces if len(p) > 1], [p for p in pieces if len(p) == 1]


def all_merges(pieces: list[str], vocabulary: dict[str, int]) -> list[list[str]]:
    """Every pair that makes a piece, ordered by the piece: what SentencePiece would merge."""
    merges = []
    for piece in pieces:
        pairs = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        pairs = [p for p in pairs if p[0] in vocabulary and p[1] in vocabulary]
        merges += sorted(map(list, pairs), key=lambda p: (vocabulary[p[0]], vocabulary[p[1]]))
    return merges


def added_token(token_id: int, content: str) -> dict:
    chat = content.startswith("<|") and content != "<|endoftext|>"
    return {
        "id": token_id, "content": content, "single_word": False, "lstrip": False,
        "rstrip": chat or content == "</s>", "normalized": False, "special": content != "</s>",
    }


def tokenizer_json(pieces: list[str], characters: list[str], size: int) -> dict:
    names = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *pieces, *characters]
    vocabulary = {name: i for i, name in enumerate(names)}
    assert len(vocabulary) == len(names) == size - len(SPECIAL)
    added = [added_token(i, names[i]) for i in range(3)]
    added += [added_token(size - len(SPECIAL) + i, content) for i, content in enumerate(SPECIAL)]
    space = {"Sequence": {"id": "A", "type_id": 0}}
    bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        ]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, space],
            "pair": [bos, space, {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": vocabulary, "merges": all_merges(pieces, vocabulary),
        },
    }


def config_json(added: list[dict]) -> dict:
    decoder = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in added}
    return {
        "add_bos_token": True, "add_eos_token": False, "added_tokens_decoder": decoder, "bos_token": "<s>",
        "chat_template": TEMPLATE, "clean_up_tokenization_spaces": False, "eos_token": "<|endoftext|>", "legacy": False,
        "model_max_length": 1024, "pad_token": "<|endoftext|>", "padding_side": "left", "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer", "unk_token": "<unk>", "use_default_system_prompt": False,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--training", type=Path, required=True)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent.parent)
    args = parser.parse_args()

    texts: list[str] = []
    with args.training.open() as lines:
        for line in lines:
            d = json.loads(line)
            texts += [m["content"] for m in d["messages"]] if "messages" in d else [d["text"]]
    fixed = 3 + 256 + len(SPECIAL)
    pieces, characters = train_pieces(texts, args.size - fixed)
    size = fixed + len(pieces) + len(characters)
    print(f"{len(pieces)} pieces, {len(characters)} characters, {size} tokens (tokenizers {tokenizers.__version__})")
    data = tokenizer_json(pieces, characters, size)

    def write(name: str, value: dict) -> None:
        (args.model / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    write("tokenizer.json", data)
    write("tokenizer_config.json", config_json(data["added_tokens"]))
    write("special_tokens_map.json", {"bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": "<unk>"})


if __name__ == "__main__":
    main()
