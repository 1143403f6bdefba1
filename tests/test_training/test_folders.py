"""Folders on this machine: links, pipes, what may not be read."""

import os
import socket
from pathlib import Path

from tests.test_training.conftest import check, fill
from training.pictures import sources


def _linked(folder: Path) -> Path:
    """Return a folder whose label folders are links into `folder`."""
    linked = folder.parent / "linked"
    linked.mkdir()
    for label in folder.iterdir():
        (linked / label.name).symlink_to(label)
    return linked


def test_label_folders_may_be_links(folder: Path) -> None:
    """They were empty, while links to files worked."""
    assert check(_linked(folder)) == check(folder)


def test_links_in_circles_end(tmp_path: Path) -> None:
    """Each is told; every picture is there once."""
    fill(tmp_path, "rose", 2)
    (tmp_path / "rose" / "self").symlink_to(tmp_path / "rose")
    (tmp_path / "rose" / "up").symlink_to(tmp_path)
    source = sources.open_source(tmp_path)

    assert [entry.path for entry in source.entries()] == ["rose/000.png", "rose/001.png"]
    assert source.notes() == (
        "Left out, as it is a link to a folder that it lies in: rose/self, rose/up",
    )


def test_one_folder_under_two_labels_is_seen_as_what_it_is(folder: Path) -> None:
    """The same pictures would have two labels."""
    (folder / "zz").symlink_to(folder / "玫瑰")

    reasons = {one.reason for one in check(folder).set_aside}
    assert reasons == {"the same picture has the labels zz and 玫瑰"}


def test_what_is_no_file_is_left_out_without_waiting(tmp_path: Path) -> None:
    """Reading a pipe would never end; a link to nothing is told as well."""
    fill(tmp_path, "rose", 1)
    os.mkfifo(tmp_path / "rose" / "pipe.png")
    (tmp_path / "rose" / "gone.png").symlink_to(tmp_path / "nothing.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "rose" / "socket"))
        source = sources.open_source(tmp_path)

    assert len(source.entries()) == 1
    assert source.notes() == (
        "Left out, as it is a link to nothing: rose/gone.png",
        "Left out, as it is no regular file: rose/pipe.png, rose/socket",
    )
