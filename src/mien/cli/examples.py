"""What people type, for the help of each command and for messages about what is missing from one."""

from __future__ import annotations

__all__ = ["EXAMPLES", "epilogue"]

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "predict": (
        ("mien predict photo.jpg", "one photo"),
        ("mien predict photos/ --model mien-photos --csv > answers.csv", "a folder, by your own model, as a table"),
        ("mien predict --model mien-photos --model-info", "what that model is worth, and its limits"),
    ),
    "audit": (
        ("mien audit photos/", "what needs a look"),
        ("mien audit photos/ --out findings.csv", "photo by photo, with a column for your decisions"),
    ),
    "review": (
        ("mien review photos/", "decide, on what an audit finds, by keys"),
        ("mien review mien-photos --out corrections.csv --resume", "a study's photos; go on where you stopped"),
    ),
    "study": (
        ("mien study demo", "try it on drawn faces"),
        ("mien study photos/", "a folder per class"),
        ("mien study photos.csv --group-column person --target others/", "persons apart; tested elsewhere too"),
    ),
    "train": (
        ("mien train photos/", "a minute; the test photos stay unread"),
        ("mien train photos/ --recipe finetune --epochs 5 --out tuned", "a network, trained further"),
    ),
    "evaluate": (
        ("mien evaluate default photos/", "the recogniser that comes with mien"),
        ("mien evaluate mien-photos others/", "your own, on other photos"),
    ),
    "score": (
        ("mien score answers.csv photos/", "a table of any tool's answers"),
        ("mien score answers.csv photos.csv --against default", "against mien's own recogniser, photo by photo"),
    ),
    "compare": (
        ("mien compare photos/ --arm augment=none --arm augment=notebook --epochs 10", "does augmentation help?"),
        ("mien compare photos/ --leave-one-out notebook --updates 500", "which part of it?"),
    ),
    "adapt": (
        ("mien adapt mien-photos others/", "what would help?"),
        ("mien adapt mien-photos others/ --save labels", "and write that model"),
    ),
    "export": (
        ("mien export mien-photos --precision fp16", "half the size"),
        ("mien export default --out default.onnx", "one file with everything in it"),
    ),
    "app": (
        ("mien app", "the page"),
        ("mien app --model mien-photos --api-only", "the service alone, with your own model"),
    ),
    "schema": (
        ("mien schema > results.schema.json", "for programs that read results"),
        ("mien schema | less", "to look at"),
    ),
    "completion": (
        ("mien completion bash > ~/.local/share/bash-completion/completions/mien", "for bash, from the next one on"),
        ("mien completion fish > ~/.config/fish/completions/mien.fish", "for fish"),
        ("mien completion zsh > ~/.zfunc/_mien", "for zsh, with fpath+=(~/.zfunc) before compinit"),
    ),
}
"""Command → lines, and what each is for; the first shows what must be given."""


def epilogue(command: str) -> str:
    """The examples of a command as Markdown, for its help."""
    lines = EXAMPLES[command]
    width = max(len(line) for line, _ in lines)
    shown = [f"{line:{width}}  # {what}" if width < 45 else f"# {what}\n{line}" for line, what in lines]
    return "\n".join(["Examples:", "", "```", *shown, "```"])
