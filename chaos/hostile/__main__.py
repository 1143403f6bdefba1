"""`python -m chaos.hostile`: try hostile pictures and requests, print counts, fail on a fault."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks import report
from chaos.hostile import contract, guided, table, tally
from chaos.hostile.bombs import BOMBS
from chaos.hostile.cases import Case
from chaos.hostile.mutants import mutant
from chaos.hostile.strangers import STRANGERS
from chaos.hostile.tally import Tally
from chaos.hostile.trials import Pair
from chaos.run import say
from model_store.pictures.headers import ACCEPTED_FORMATS

MUTANTS, SECONDS, SEED = 1000, 600.0, 1
# Of the time that fuzzing has, the decoders' share; requests have the rest.
DECODERS_SHARE = 0.6
KEEP = Path("var/hostile")
CORPUS, GUIDED, REQUESTS = "corpus", "guided", "requests"


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line names; return 1 when something was wrong."""
    arguments = _parser().parse_args(words)
    parts = {CORPUS: _corpus, GUIDED: _guided, REQUESTS: _requests}
    clean = [parts[name](arguments) for name in arguments.parts or parts]
    return int(not all(clean))


def _corpus(arguments: argparse.Namespace) -> bool:
    tallies = list(corpus(arguments.mutants, arguments.seed, keep=KEEP))
    text = f"{table.heading(arguments.seed)}\n\n{table.corpus(tallies)}"
    _publish(text, CORPUS, arguments.document)
    return table.is_clean(tallies)


def corpus(mutants: int, seed: int, *, keep: Path | None = None) -> Iterator[Tally]:
    """Yield the counts of the mutants of each format, of the bombs, and of what is no picture."""
    with Pair() as pair:
        for format in ACCEPTED_FORMATS:
            yield tally.of(f"{format} mutants", _mutants(format, mutants, seed), pair, keep=keep)
            say(f"{format}: {mutants} mutants")
        yield tally.of("bombs", BOMBS, pair, keep=keep)
        yield tally.of("no pictures, and two at once", STRANGERS, pair, keep=keep)


def _mutants(format: str, count: int, seed: int) -> Iterator[Case]:
    for number in range(count):
        build: Callable[[], bytes] = partial(mutant, format, number, seed=seed)
        yield Case(f"{format} {seed}-{number}", build)


def _guided(arguments: argparse.Namespace) -> bool:
    if not guided.is_available():
        say("atheris is not installed: it has builds for Linux on x86-64 only; left out")
        return True
    seconds = arguments.seconds * DECODERS_SHARE / len(ACCEPTED_FORMATS)
    found = {
        format: guided.fuzzed(format, seconds=seconds, seed=arguments.seed, keep=KEEP)
        for format in ACCEPTED_FORMATS
    }
    text = f"{table.heading(arguments.seed)}\n\n{table.guided(found)}"
    _publish(text, GUIDED, arguments.document)
    return table.is_clean([each.tally for each in found.values()])


def _requests(arguments: argparse.Namespace) -> bool:
    seconds = arguments.seconds * (1 - DECODERS_SHARE)
    found = contract.checked(contract.Extent(seconds=seconds), seed=arguments.seed)
    say(found.said)
    text = f"{table.heading(arguments.seed)}\n\n{table.contract(found)}"
    _publish(text, REQUESTS, arguments.document)
    return not (found.failures or found.broken)


def _publish(text: str, mark: str, document: Path | None) -> None:
    print(text)  # noqa: T201 - the counts are the output
    if document:
        report.write(document, text, mark=mark)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos.hostile", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], CORPUS, GUIDED, REQUESTS], metavar="PART")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--mutants", type=int, default=MUTANTS, help="of each format")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all fuzzing together")
    parser.add_argument("--document", type=Path, help="write the counts between their marks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
