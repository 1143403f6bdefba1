"""How long work says what it is doing: a function that is called at the start of each step."""

from collections.abc import Callable

Report = Callable[[str], None]
