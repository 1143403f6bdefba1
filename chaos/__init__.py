"""The fault harness: it starts the real service, hurts it, and counts what became of every picture.

`python -m chaos` (or `make chaos`) runs the scenarios and prints one table; `docs/reliability.md`
has the last one, and what each column means. A scenario is one function in `chaos/scenarios`.
"""
