"""A DNS server of a test's own: names whose answers change, mix and lead on, never to be kept."""

import socketserver
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import Any

import dns.message
import dns.rcode
import dns.rrset

Zone = Mapping[str, Sequence[Sequence[str]]]
"""For each name what it has at the first question of a kind, at the second …; `A 10.0.0.1`."""
MOST_OVER_UDP_BYTES = 512
LONGEST_CHAIN = 8
PORT = 53


class Resolver:
    """Answers questions from a zone; what it does not have, does not exist."""

    def __init__(self, zone: Zone, note: Callable[[dict[str, str]], None]) -> None:
        """Note each question."""
        self._zone, self._note = zone, note
        self._asked: Counter[tuple[str, str]] = Counter()

    def answer(self, question: bytes, *, is_udp: bool) -> bytes:
        """Return the answer to a question; too long for UDP, it says that and nothing else."""
        asked = dns.message.from_wire(question)
        (about,) = asked.question
        name = about.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(about.rdtype)
        self._note({"name": name, "kind": kind})
        reply = dns.message.make_response(asked)
        reply.flags |= dns.flags.RA
        if name not in self._zone:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        for _ in range(LONGEST_CHAIN):
            name = self._add(reply, name, kind)
        wire = reply.to_wire(max_size=65_535)
        if is_udp and len(wire) > MOST_OVER_UDP_BYTES:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            wire = reply.to_wire()
        return wire

    def _add(self, reply: dns.message.Message, name: str, kind: str) -> str:
        """Add what a name has; returns where it leads, itself empty where it leads nowhere."""
        turns = self._zone.get(name)
        if not turns:
            return ""
        records = turns[min(self._asked[name, kind], len(turns) - 1)]
        self._asked[name, kind] += 1
        onward = ""
        for each in records:
            of_kind, _, value = each.partition(" ")
            if of_kind in (kind, "CNAME"):
                reply.answer.append(dns.rrset.from_text(f"{name}.", 0, "IN", of_kind, value))
            if of_kind == "CNAME":
                onward = value.rstrip(".")
        return onward

    def serve(self, address: str) -> None:
        """Answer at an address, over UDP and TCP, in threads."""
        resolver = self

        class OverUdp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                question, back = self.request
                back.sendto(resolver.answer(question, is_udp=True), self.client_address)

        class OverTcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                question = self.rfile.read(int.from_bytes(self.rfile.read(2)))
                wire = resolver.answer(question, is_udp=False)
                self.wfile.write(len(wire).to_bytes(2) + wire)

        servers: tuple[Any, ...] = (
            socketserver.ThreadingUDPServer((address, PORT), OverUdp),
            socketserver.ThreadingTCPServer((address, PORT), OverTcp),
        )
        for server in servers:
            Thread(target=server.serve_forever, daemon=True).start()
