"""`python -m chaos`: run scenarios against a real service, print the table, fail if one broke."""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from secrets import randbelow

from benchmarks import report
from chaos import controls, soak, table
from chaos.controls import CONTROLS, Control
from chaos.experiment import row_of
from chaos.run import BROKERS, RABBITMQ, REDIS, Scenario, say
from chaos.scenarios import SCENARIOS, over
from chaos.service import Petiole
from chaos.services import OURS, PEERS, SERVICES
from chaos.stack import Service
from petiole.chaos.findings import Findings

INTERRUPTED = 130


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
    service = _service(arguments)
    scenarios, chosen = _chosen(arguments), _controls(arguments)
    say(f"seed {arguments.seed}")
    rows = [row_of(each, seed=arguments.seed, service=service) for each in scenarios]
    if rows:
        text = _text(rows, scenarios, arguments.seed, service)
        _publish(text, _mark(arguments), arguments.document)
    verdicts = [controls.judged(each, seed=arguments.seed, rows=rows) for each in chosen]
    if verdicts:
        _publish(table.controls(verdicts, seed=arguments.seed), "controls", arguments.document)
    # What a service of somebody else's does not keep was never promised by us.
    is_broken = arguments.settings not in PEERS and any(row.broken for row in rows)
    return int(is_broken or any(verdict.doubts for verdict in verdicts))


def _service(arguments: argparse.Namespace) -> Service:
    """Return what is hurt; only our own service knows another broker."""
    service = SERVICES[arguments.settings]
    if arguments.broker == RABBITMQ and isinstance(service, Petiole):
        return replace(service, has_rabbitmq=True)
    return service


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
    chosen = [each for each in over(arguments.broker) if each.quick or not arguments.quick]
    return [each for each in chosen if each.comparable or arguments.settings not in PEERS]


def _is_whole_run(arguments: argparse.Namespace) -> bool:
    """Tell whether the run is one that the controls belong to."""
    is_chosen = arguments.scenarios or arguments.soak or arguments.broker != REDIS
    return arguments.settings == OURS and not is_chosen


def _mark(arguments: argparse.Namespace) -> str:
    """Return the name of the marks between which the document has this table."""
    if arguments.broker != REDIS:
        return f"chaos-{arguments.broker}"
    return "chaos" if arguments.settings == OURS else str(arguments.settings)


def _controls(arguments: argparse.Namespace) -> Sequence[Control]:
    """Return the controls of this run: none where only a part of it is wanted."""
    if not _is_whole_run(arguments):
        return ()
    return CONTROLS[:1] if arguments.quick else CONTROLS


def _text(rows: list[Findings], scenarios: list[Scenario], seed: int, service: Service) -> str:
    titles = {scenario.name: scenario.title for scenario in scenarios}
    return table.markdown(rows, seed=seed, settings=service.name, titles=titles)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO")
    parser.add_argument("--seed", type=int, default=randbelow(1_000_000))
    parser.add_argument("--quick", action="store_true", help="the short selection")
    parser.add_argument("--controls", action="store_true", help="the controls alone")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="faults at random instead")
    parser.add_argument("--settings", choices=SERVICES, default=OURS)
    parser.add_argument("--broker", choices=BROKERS, default=REDIS, help="what has the messages")
    parser.add_argument("--document", type=Path, help="write the table between its marks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
