"""`petiole redis-users`: the users of Redis and what each may, as the file that Redis reads."""

from typing import Annotated

import typer

Database = Annotated[
    int, typer.Option(min=0, help="Number of the database that the parts' addresses name.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("redis-users")(show)


def show(database: Database = 0) -> None:
    """Print an ACL file for Redis; `#@web@` stands for the hash of that user's password."""
    from tasks import redis_users  # noqa: PLC0415 - as in every command

    typer.echo(redis_users.template(database), nl=False)
