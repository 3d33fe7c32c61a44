"""The command line: one lazily loaded module per command. Nothing outside it and ``signals.py`` prints or exits."""

from __future__ import annotations

import os
import sys
import warnings

from cyclopts import App, Group, Parameter

from mien.cli.blanks import refuse_blanks
from mien.cli.examples import epilogue
from mien.cli.exits import plain_ending
from mien.cli.renamed import with_new_names
from mien.system.addresses import without_secrets
from mien.system.signals import ended_by_signals, keep_ctrl_c_from_polars
from mien.system.streams import open_safely
from mien.version import __version__

__all__ = ["COMMANDS", "app", "main"]

app = App(
    name="mien",
    help="Turn a folder of labelled face photos into a facial-expression recogniser you can trust.",
    help_format="plaintext",
    group_commands=Group("Other", sort_key=9),
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # it would end without a word
)

RECOGNISING = Group("Recognise expressions", sort_key=1)
LEARNING = Group("Make a recogniser from your photos", sort_key=2)
JUDGING = Group("Judge a recogniser on other photos", sort_key=3)
TAKING = Group("Take it elsewhere", sort_key=4)
AROUND = Group("For programs and shells", sort_key=5)

HELP = {
    "predict": (RECOGNISING, "Recognise the expression shown in photos and videos."),
    "app": (RECOGNISING, "Open a page to try a recogniser on, and a service that programs can call."),
    "audit": (
        LEARNING,
        "Find what is wrong with a set of photos: copies, contradictions, shortcuts, doubtful labels, poor faces.",
    ),
    "review": (
        LEARNING,
        """Go through what the audit found, photo by photo and by keys, on a page of this machine.

    Every decision is written at once to the table that --corrections reads. Photos are never touched.""",
    ),
    "study": (LEARNING, "Do the main job: audit, split, train, compare, test, and write a report."),
    "train": (LEARNING, "Train and validate only; the test photos stay unread."),
    "compare": (
        LEARNING,
        """Compare settings of training under equal budgets, paired over seeds and folds; no test photo is read.

    Each of --epochs, --updates and --seconds is a budget of its own.""",
    ),
    "evaluate": (JUDGING, "Say whether a model is good enough for labelled photos, or better than another."),
    "score": (JUDGING, "Say how good the answers of any tool are on labelled photos, or whether others are better."),
    "adapt": (
        JUDGING,
        "Measure what would make a model better on photos from elsewhere, and what that would cost at home.",
    ),
    "export": (TAKING, "Write a model file to take elsewhere, as it is or smaller, and measure what that costs."),
    "schema": (AROUND, "Print the JSON Schema of what --json prints and results.json holds."),
    "completion": (AROUND, "Print what makes bash, zsh or fish complete commands and options with Tab."),
}
"""Command → its group and help, in the order of use. The functions do not say it, so that a list of the commands
imports none of them."""

for _place, (_name, (_group, _help)) in enumerate(HELP.items()):
    _path = "mien.cli.serve:serve_app" if _name == "app" else f"mien.cli.{_name}:{_name}"
    app.command(
        _path,
        name=_name,
        help=_help,
        help_format="markdown",  # fills the lines of the terminal, but takes as long to load as all the rest
        help_epilogue=epilogue(_name),
        group=_group,
        sort_key=_place,
        default_parameter=Parameter(negative=()),  # no --no-json and the like, but where a group names one
    )

COMMANDS = tuple(name for name in app if not name.startswith("-"))
"""The names of all commands."""


def main() -> None:
    """Run the command that ``sys.argv`` asks for."""
    from mien.system.scratch import remove_dead

    # Threads that wait by spinning make training several times slower as soon as anything else runs on the machine.
    # OpenMP reads this once, when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Pictures that are too large become rows with this reason; Pillow's warning beside it would say it twice.
    warnings.filterwarnings("ignore", module="PIL")
    open_safely()
    with ended_by_signals(), plain_ending():
        if not {"--help", "-h", "--version"} & set(sys.argv):  # which need not wait for it
            keep_ctrl_c_from_polars()
            remove_dead()
        refuse_blanks(sys.argv[1:])
        app(with_new_names(without_secrets(sys.argv[1:])), exit_on_error=False, print_error=False)
