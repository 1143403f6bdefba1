"""`make bench-against BASE=COMMIT`: this code beside that of an earlier commit, in turn.

Both services run with the same packages, model and machine; only one of them is given pictures at
a time. The table goes into `docs/performance.md` with `--document`, else only to the screen.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import pictures, report, wrk
from benchmarks.measurements import LoadResult
from benchmarks.pictures import PictureSet
from benchmarks.service import ROOT, Started, loaded, started_service
from petiole.markdown import table

CONNECTIONS = 16
WARM_SECONDS = 3.0
MARK = "against"


@dataclass
class Rounds:
    """What one side did, round for round."""

    results: list[LoadResult] = field(default_factory=list)
    cpu_ms: list[dict[str, float]] = field(default_factory=list)

    @property
    def cpu_sums_ms(self) -> list[float]:
        """CPU milliseconds a picture, all processes together, of each round."""
        return [sum(roles.values()) for roles in self.cpu_ms]

    def role_ms(self, role: str) -> float:
        """Median CPU milliseconds a picture of one role; 0 where there is none."""
        return statistics.median(roles.get(role, 0.0) for roles in self.cpu_ms)


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Lay the files of a commit out for the duration of the block."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.check_output(["git", "archive", commit], cwd=ROOT)  # noqa: S603, S607
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)  # noqa: S603, S607
        yield Path(folder)


def measure(base: str, images: Sequence[Path], *, rounds: int, seconds: float) -> list[Rounds]:
    """Give both services pictures in turn, each first in every second round."""
    found = [Rounds(), Rounds()]
    with ExitStack() as stack:
        codes = [stack.enter_context(checkout(base)), ROOT]
        sides = list(zip([_started(stack, code) for code in codes], found, strict=True))
        for service, _ in sides:
            loaded(service, images, connections=CONNECTIONS, seconds=WARM_SECONDS)
        for number in range(rounds):
            for service, side in sides if number % 2 == 0 else sides[::-1]:
                _round(side, service, images, seconds)
            said = ", ".join(f"{side.cpu_sums_ms[-1]:.2f}" for side in found)
            print(f"round {number + 1}: CPU ms a picture {said}", file=sys.stderr)  # noqa: T201
    return found


def _started(stack: ExitStack, code: Path) -> Started:
    state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return stack.enter_context(started_service(state, code=code))


def _round(side: Rounds, service: Started, images: Sequence[Path], seconds: float) -> None:
    result, cpu_ms = loaded(service, images, connections=CONNECTIONS, seconds=seconds)
    side.results.append(result)
    side.cpu_ms.append(cpu_ms)


def markdown(base: str, found: Sequence[Rounds], *, images: PictureSet, seconds: float) -> str:
    """Return the table: CPU of each process, and the rate, of both and as ratios."""
    what = (
        f"{images.described}; {len(found[0].results)} rounds of {seconds:g} s for each,"
        f" interleaved, {CONNECTIONS} connections; medians, ratios within a round."
    )
    roles = {role for side in found for roles in side.cpu_ms for role in roles}
    rows = [_row(role, *(side.role_ms(role) for side in found)) for role in sorted(roles)]
    sums = _ratio_row("**all, CPU ms a picture**", *(side.cpu_sums_ms for side in found))
    rates = [[result.rate for result in side.results] for side in found]
    rows += [sums, _ratio_row("**pictures a second**", *rates)]
    return f"{report.heading(what)}\n\n{table(('', f'`{base}`', 'now', 'ratio'), rows)}"


def _row(name: str, before: float, now: float) -> tuple[str, ...]:
    ratio = f"{now / before:.2f}" if before else ""
    return f"{name}, CPU ms a picture", f"{before:.2f}", f"{now:.2f}", ratio


def _ratio_row(name: str, before: Sequence[float], now: Sequence[float]) -> tuple[str, ...]:
    ratio = statistics.median(b / a for a, b in zip(before, now, strict=True))
    medians = statistics.median(before), statistics.median(now)
    return name, f"{medians[0]:.2f}", f"{medians[1]:.2f}", f"**{ratio:.2f}**"


def main() -> None:
    """Measure, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="the earlier commit")
    parser.add_argument("--images", type=Path, help="folder of JPEGs; a drawn set by default")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    seconds: float = arguments.seconds
    wrk.demand()
    images = pictures.chosen(arguments.images)
    found = measure(arguments.base, images.files, rounds=arguments.rounds, seconds=seconds)
    text = markdown(arguments.base, found, images=images, seconds=seconds)
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
