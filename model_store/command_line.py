"""What our command lines share: how this program is called, and what a typo meant.

It lies under every room that prints a command, so that each prints one that works as it stands.
"""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

PROGRAM = "petiole"


def command(*words: str, **variables: str) -> str:
    """Return a call of `petiole` that works in this directory and environment as it is printed.

    `variables` are set for this call, before it.
    """
    settings = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return " ".join([*settings, called_as(), *map(shlex.quote, words)])


def called_as() -> str:
    """Return how this program is called here: by its name, by its path, or as a module."""
    called = Path(sys.argv[0] or ".").absolute()
    as_module = (called.parent.name, called.name) == (PROGRAM, "__main__.py")
    # A worker or a test is another program; the command lies beside its interpreter.
    script = called if called.name == PROGRAM else Path(sys.executable).with_name(PROGRAM)
    if as_module or not script.exists():
        return f"{_found(Path(sys.executable))} -m {PROGRAM}"
    return _found(script)


def of_celery(*words: str) -> str:
    """Return a call of Celery, as it is installed beside this interpreter, for our workers."""
    celery = _found(Path(sys.executable).with_name("celery"))
    return " ".join([celery, "-A", "tasks", *map(shlex.quote, words)])


def here(path: Path) -> str:
    """Return a path as it is best written in this directory."""
    place, folder = Path(os.path.normpath(path.absolute())), Path.cwd()
    return str(place.relative_to(folder) if place.is_relative_to(folder) else place)


def _found(program: Path) -> str:
    """Return the name that leads to a program by `PATH`, else its path."""
    if shutil.which(program.name) == str(program):
        return program.name
    shown = here(program)
    return shlex.quote(shown if os.sep in shown else f"./{shown}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about a word that is unknown: what may be meant, or nothing.

    A known one of several words, as `models install`, is meant by its last word as well.
    """
    names = {name: name for name in sorted(known)}
    by_last_word = {name.rpartition(" ")[2]: name for name in reversed(names)} | names
    alike = get_close_matches(word, by_last_word, n=2)
    meant = dict.fromkeys(by_last_word[each] for each in alike)
    return f"; did you mean {' or '.join(meant)}?" if meant else ""


class Parser(argparse.ArgumentParser):
    """A parser whose every refusal is one line that says what to do."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the options; a flag that is none ends the program with what may be meant."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(self._explained(unknown))
        return options

    def error(self, message: str) -> NoReturn:
        """End the program as wrong usage."""
        end = "" if message.endswith("?") else f"; `{self.call('--help')}` has all of them"
        self.exit(2, f"{self.prog}: {message}{end}\n")

    def _explained(self, unknown: Sequence[str]) -> str:
        flag = unknown[0].partition("=")[0]
        known = (name for action in self._actions for name in action.option_strings[:1])
        return f"there is no {flag}{did_you_mean(flag, known)}"

    def call(self, flag: str) -> str:
        """Return a call of this program with one flag, as it works here."""
        program, *words = self.prog.split()
        return command(*words, flag) if program == PROGRAM else f"{self.prog} {flag}"
