"""`make bench-peers`: the service beside other servers and the bare loop, interleaved in one run.

All have the same model, runtime, decode, pictures and cores; only the serving differs. A server
whose answers differ from the bare loop's is not measured.
"""

import argparse
import os
from importlib.metadata import version
from pathlib import Path

from benchmarks import pictures, report, wrk
from benchmarks.peers import int8, rounds
from benchmarks.peers.catalog import BY_NAME
from benchmarks.peers.report import markdown
from petiole.parts import ROOT

RUNTIME = "openvino:float32"
MARK = "peers"


def main() -> None:
    """Measure, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.peers", description=__doc__)
    parser.add_argument("--peers", nargs="*", choices=list(BY_NAME), default=list(BY_NAME))
    parser.add_argument("--images", type=Path, help="folder of JPEGs; a drawn set by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument(
        "--int8", type=Path, help="photographs to make int8 of: ours with it is measured too"
    )
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    wrk.demand()
    images = pictures.chosen(arguments.images)
    os.environ.setdefault("PETIOLE_MODELS_STORE_URL", str(ROOT / "var" / "models"))
    # One variant for all: left to themselves, servers could choose differently.
    os.environ["PETIOLE_MODELS_RUNTIME"] = RUNTIME
    with int8.settings(arguments.int8) as quantized:
        found = rounds.measure(
            [BY_NAME[name] for name in arguments.peers],
            images.files,
            rounds=arguments.rounds,
            seconds=arguments.seconds,
            version=version("petiole"),
            int8=quantized,
        )
    text = markdown(found, images.described, seconds=arguments.seconds)
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
