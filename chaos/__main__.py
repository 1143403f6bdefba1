"""`python -m chaos`: run scenarios against a real service, print the table, fail if one broke."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from secrets import randbelow

from benchmarks import report
from chaos import controls, soak, table
from chaos.controls import CONTROLS, Control
from chaos.experiment import row_of
from chaos.layout import FULL, PROTECTIONS, Protection
from chaos.run import Scenario, say
from chaos.scenarios import SCENARIOS
from petiole.chaos.findings import Findings

INTERRUPTED = 130
MARKS = {FULL.name: "chaos", PROTECTIONS["plain"].name: "plain"}


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line names; return 1 when a promise was broken."""
    arguments = _parser().parse_args(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        say("interrupted; everything was stopped")
        return INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    protection = PROTECTIONS[arguments.settings]
    scenarios, chosen = _chosen(arguments), _controls(arguments)
    say(f"seed {arguments.seed}")
    rows = [row_of(each, seed=arguments.seed, protection=protection) for each in scenarios]
    if rows:
        mark = MARKS.get(protection.name, "chaos")
        _publish(_text(rows, scenarios, arguments.seed, protection), mark, arguments.document)
    verdicts = [controls.judged(each, seed=arguments.seed, rows=rows) for each in chosen]
    if verdicts:
        _publish(table.controls(verdicts, seed=arguments.seed), "controls", arguments.document)
    return int(any(row.broken for row in rows) or any(verdict.doubts for verdict in verdicts))


def _publish(text: str, mark: str, document: Path | None) -> None:
    print(text)  # noqa: T201 - the table is the output
    if document:
        report.write(document, text, mark=mark)


def _chosen(arguments: argparse.Namespace) -> list[Scenario]:
    if arguments.controls:
        return []
    if arguments.soak:
        return [soak.scenario(arguments.soak)]
    if arguments.scenarios:
        return [SCENARIOS[name] for name in arguments.scenarios]
    return [each for each in SCENARIOS.values() if each.quick or not arguments.quick]


def _controls(arguments: argparse.Namespace) -> Sequence[Control]:
    """Return the controls of this run: none where only a part of it is wanted."""
    if arguments.scenarios or arguments.soak or PROTECTIONS[arguments.settings] is not FULL:
        return ()
    return CONTROLS[:1] if arguments.quick else CONTROLS


def _text(
    rows: list[Findings], scenarios: list[Scenario], seed: int, protection: Protection
) -> str:
    titles = {scenario.name: scenario.title for scenario in scenarios}
    return table.markdown(rows, seed=seed, settings=protection.name, titles=titles)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO")
    parser.add_argument("--seed", type=int, default=randbelow(1_000_000))
    parser.add_argument("--quick", action="store_true", help="the short selection")
    parser.add_argument("--controls", action="store_true", help="the controls alone")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="faults at random instead")
    parser.add_argument("--settings", choices=PROTECTIONS, default="petiole")
    parser.add_argument("--document", type=Path, help="write the table between its marks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
