"""Every service that the harness can hurt, by the name that the command line knows it by."""

from chaos.layout import PROTECTIONS
from chaos.peers.relier.service import Relier
from chaos.service import Petiole
from chaos.stack import Service

OURS = "petiole"
PEERS: dict[str, Service] = {"relier": Relier()}
SERVICES: dict[str, Service] = {name: Petiole(each) for name, each in PROTECTIONS.items()} | PEERS
