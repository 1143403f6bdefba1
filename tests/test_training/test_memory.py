"""Memory: it grows by the features of a picture, and not by its pixels."""

import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.test_training.conftest import ROOT, draw, encode

WIDTH_PIXELS, HEIGHT_PIXELS = 800, 600
FEW, MANY = 64, 384

# Prints the most bytes that the process held, as seen whenever something is counted.
MEASURED = """
import sys
from pathlib import Path
import psutil
from tests.test_training import test_features as tests
from training.learning import features
from training.pictures import data, inspection, sources

process, most = psutil.Process(), 0

def look(done, total):
    global most
    most = max(most, process.memory_info().rss)

place = Path(sys.argv[1])
source = sources.open_source(place)
cache = inspection.findings_cache(place.parent / f"{place.name} fingerprints")
found = data.check(source, cache, advance=look)
known = features.cache(tests.backbone(), place.parent / f"{place.name} features")
features.compute(source, found.pictures, tests._extractor(sys.argv[2]), known, advance=look)
look(0, 0)
print(len(found.pictures), most)
"""


def _drawn(folder: Path, n: int) -> Path:
    """Write `n` large pictures in files that are small and quick to write."""
    (folder / "a").mkdir(parents=True)
    size = (WIDTH_PIXELS, HEIGHT_PIXELS)
    for i in range(n):
        image = draw(i, side=8).resize(size, Image.Resampling.NEAREST)
        (folder / "a" / f"{i}.png").write_bytes(encode(image, compress_level=1))
    return folder


def _most_bytes(folder: Path, n: int, store_url: str) -> int:
    """Check `n` pictures and compute their features in a process; return the most it held."""
    program = [sys.executable, "-c", MEASURED, str(_drawn(folder / str(n), n)), store_url]
    said = subprocess.check_output(program, cwd=ROOT, env=dict(os.environ), text=True)
    done, most = map(int, said.split())
    assert done == n
    return most


def test_memory_does_not_grow_with_the_pixels(tmp_path: Path, colour_store: str) -> None:
    """320 pictures more, of 1.4 MB each, take less than a twentieth of that."""
    growth = _most_bytes(tmp_path, MANY, colour_store) - _most_bytes(tmp_path, FEW, colour_store)

    # A picture's digest, fingerprint, features and paths are 1 kB. What is left is for the noise
    # of two processes: between 24 and 96 pictures it was 12 MB, from there to 384 only 1 MB.
    assert growth < (MANY - FEW) * WIDTH_PIXELS * HEIGHT_PIXELS * 3 / 20
