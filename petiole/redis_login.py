"""The users of the embedded Redis: a password for each, made once and kept for its owner alone.

The server reads hashes of them from a file, and each part gets its own address: no password is
ever in a command line or a log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from petiole import kept_secrets
from tasks import addresses, redis_users
from tasks.settings import EMBEDDED_ADDRESS


@dataclass(frozen=True)
class Logins:
    """The file with the users for the server, and the password of each."""

    users_file: Path
    passwords: Mapping[str, str] = field(repr=False)

    def at(self, url: str, user: str) -> str:
        """Return the address of a server as one of the users reaches it."""
        return addresses.with_login(url, user, self.passwords[user])


def directory_of(state_directory: Path) -> Path:
    """Return the folder with a file for each user's password."""
    return state_directory / "redis-passwords"


def made(state_directory: Path, port: int) -> Logins:
    """Return who may use the server at `port`, the same at every start.

    Raises:
        OSError: a password cannot be written to the state directory, or read from it.
    """
    folder = directory_of(state_directory)
    passwords = {name: kept_secrets.kept(folder / name) for name in redis_users.NAMES}
    logins = Logins(folder / "users.acl", passwords)
    kept_secrets.write(logins.users_file, redis_users.file_text(passwords))
    url = logins.at(url_of(port), redis_users.OPERATOR)
    kept_secrets.write(state_directory / EMBEDDED_ADDRESS, f"{url}\n")
    return logins


def url_of(port: int) -> str:
    """Return the address of the server at a port of this machine, without a user."""
    return f"redis://127.0.0.1:{port}/0"
