"""texts: the texts and tokenizers that peers.py times."""

import json
import pathlib


def prepare_texts(args):
    """In `folder`: lines.txt, long.txt (all in one line), and a tokenizer.json of each kind."""
    import lzma
    import shutil
    import tokenizers as tk
    import transformers
    folder, sign = pathlib.Path(args.folder), "\u2581"
    with (lzma.open if args.texts.endswith(".xz") else open)(args.texts, "rt") as f:
        lines = [x for x in f.read(3_000_000).replace("<br />", "\n").replace(". ", ".\n").split("\n")[:-1] if x]
    (folder / "lines.txt").write_text("\n".join(lines) + "\n")
    (folder / "long.txt").write_text(" ".join(lines) + "\n")
    for kind in ("wordpiece", "bytes", "sentencepiece"):
        (folder / kind).mkdir()
    shutil.copy(f"{args.model}/tokenizer.json", folder / "wordpiece")
    path = pathlib.Path(args.language)
    transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).backend_tokenizer.save(
        str(folder / "bytes" / "tokenizer.json"))
    t = tk.Tokenizer(tk.models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.pre_tokenizer = tk.pre_tokenizers.Metaspace(sign, "always")  # pieces within words; then used as Llama 2 does
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    t.train_from_iterator(lines, tk.trainers.BpeTrainer(vocab_size=12000, show_progress=False, special_tokens=special))
    made = json.loads(t.to_str())
    made.update(pre_tokenizer=None, normalizer={"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": sign}, {"type": "Replace", "pattern": {"String": " "}, "content": sign}]})
    (folder / "sentencepiece" / "tokenizer.json").write_text(json.dumps(made))
