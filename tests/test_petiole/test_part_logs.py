"""The logs of parts are files that do not grow without bound and never hold up a part."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from petiole.part_logs import MAX_BYTES, PartLogs, Recorded
from petiole.supervisor import Console


def test_a_start_keeps_the_logs_of_the_one_before(tmp_path: Path) -> None:
    """One generation back, so that a crash can be read after the next start."""
    for start in ("first", "second", "third"):
        logs = PartLogs(tmp_path, ["worker"])
        logs.write("worker", start)
        logs.close()

    assert (tmp_path / "worker.log").read_text() == "third\n"
    assert (tmp_path / "worker.log.1").read_text() == "second\n"


def test_a_log_never_takes_more_than_two_files_of_its_size(tmp_path: Path) -> None:
    """However much a part says."""
    logs = PartLogs(tmp_path, ["worker"])
    for number in range(3 * MAX_BYTES // 100_000):
        logs.write("worker", f"{number:099999}")
    logs.close()
    files = sorted(tmp_path.glob("worker.log*"))

    assert [path.name for path in files] == ["worker.log", "worker.log.1"]
    assert all(path.stat().st_size <= MAX_BYTES for path in files)


def test_a_full_disk_is_said_once_and_holds_up_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines are lost, the part goes on."""
    (tmp_path / "worker.log").symlink_to("/dev/full")
    logs = PartLogs(tmp_path, ["worker"])
    for _ in range(3):
        logs.write("worker", "a line")
    logs.close()

    assert capsys.readouterr().err.count("No space left on device") == 1


def test_an_output_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    """As after `petiole up | head`: what the parts say is still read, and kept."""
    reader, writer = os.pipe()
    os.close(reader)
    stream, logs = os.fdopen(writer, "w"), PartLogs(tmp_path, ["worker"])
    recorded = Recorded(Console(["worker"], stream), logs)
    recorded.write("worker", "a line")
    recorded.stopping()
    logs.close()
    with suppress(BrokenPipeError):
        stream.close()

    assert (tmp_path / "worker.log").read_text() == "a line\n"
