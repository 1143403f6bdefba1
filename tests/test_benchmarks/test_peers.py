"""The servers that ours is measured beside: how they are asked, compared and written down."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from benchmarks.bare_loop import LoopResult
from benchmarks.measurements import LoadResult
from benchmarks.peers import catalog, rounds
from benchmarks.peers.catalog import PEERS, Peer, Site
from benchmarks.peers.report import markdown
from benchmarks.peers.rounds import MANY, ONE, Found, Table
from benchmarks.peers.running import Running, ServerError, best_label
from benchmarks.service import ROOT
from benchmarks.service import SAMPLE as COFFEE
from benchmarks.wrk import BODY

each_peer = pytest.mark.parametrize("peer", PEERS, ids=[peer.folder for peer in PEERS])


def answered(request: Request) -> Response:
    """Answer as a peer does, with the number of bytes of the picture as its label."""
    uploaded = request.files.get("image")
    upload = uploaded.read() if uploaded else request.get_data()
    label = f'{{"predictions": [{{"label": "{len(upload)}", "probability": 1.0}}]}}'
    return Response(label, content_type="application/json")


@each_peer
def test_a_peer_has_a_lock_and_a_command(peer: Peer, tmp_path: Path) -> None:
    """Each has its folder, the version that its lock pins, and something to start."""
    site = Site("python", 8001, 6390, tmp_path, 2)
    commands = peer.commands(site)

    assert (ROOT / "benchmarks" / "peers" / peer.folder / "requirements.in").exists()
    assert peer.version
    assert any(str(site.port) in word for word in commands[-1])


@pytest.mark.parametrize("field", [BODY, "image"])
def test_the_picture_arrives_whole(httpserver: HTTPServer, field: str) -> None:
    """As the body and in a form, the server gets the bytes of the file."""
    httpserver.expect_request("/classify", method="POST").respond_with_handler(answered)
    size = str(COFFEE.stat().st_size)

    assert best_label(httpserver.url_for("/classify"), field, COFFEE) == size


def test_a_server_that_answers_wrong_is_not_measured(httpserver: HTTPServer) -> None:
    """Its answers are compared with the bare loop's, picture by picture."""
    httpserver.expect_request("/classify").respond_with_handler(answered)
    server = Running(httpserver.url_for("/classify"), BODY, (), 0.0)

    with pytest.raises(ServerError, match="1 of 1 answers differ"):
        rounds.compare(server, [COFFEE], ["espresso"])
    right = str(COFFEE.stat().st_size)
    assert rounds.compare(server, [COFFEE] * 2, [right, "espresso"], least=0.5) == 0.5


def test_what_could_not_be_installed_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The installer's words are kept, without the address of a package index."""
    monkeypatch.setattr(catalog, "ENVIRONMENTS", tmp_path)
    home = tmp_path / PEERS[0].folder
    home.mkdir()
    (home / ".failed").write_text("error: no wheel\n  at https://user:word@index.example/simple/x")

    assert PEERS[0].missing == "error: no wheel at (address)"

    (home / ".installed").touch()

    assert not PEERS[0].missing


def test_the_table_says_what_was_not_measured_and_why() -> None:
    """Ratios are within a round; a server that could not be installed is named."""
    many = [LoadResult(100, 0, 1.0, 50.0, 90.0), LoadResult(60, 1, 1.0, 70.0, 95.0)]
    one = [LoadResult(30, 0, 1.0, 20.0, 25.0)] * 2
    measured = Found("ours 1", "", {MANY: many, ONE: one}, [10.0, 12.0], 300.0, 5, 2.0)
    bare = [LoopResult(200, 1.0, {"predict": 5.0}), LoopResult(100, 1.0, {"predict": 9.0})]
    text = markdown(Table("m", bare, [measured, Found("theirs 2", "no wheel")]), "s", seconds=1)

    assert "| ours 1 | 80.0 | 0.55 (0.50 to 0.60) | 11.0 (10.0 to 12.0) | 60 | 92 | 1 |" in text
    assert "- theirs 2: not measured, no wheel" in text
    assert "same best label" not in text


def test_the_table_says_how_often_int8_says_the_same() -> None:
    """Below it, where that is not always."""
    loads = {MANY: [LoadResult(100, 0, 1.0, 50.0, 90.0)], ONE: [LoadResult(30, 0, 1.0, 20.0, 25.0)]}
    measured = Found("ours 1, int8", "", loads, [10.0], 300.0, 5, 2.0, 0.5, 0.97)
    text = markdown(Table("m", [LoopResult(200, 1.0, {})], [measured]), "s", seconds=1)

    assert "ours 1, int8: the same best label as the bare loop for 97% of the pictures." in text
