"""`petiole train` and `python -m training`: a command line around `run`.

What is worth keeping goes to stdout, progress and errors to stderr. Exit codes: 0 done, 1 it failed
or the gate did not let it pass, 2 wrong usage, 130 interrupted.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from model_store import ModelStore, ModelStoreError
from model_store.heavy import quiet_libraries
from model_store.settings import ModelSettings
from training.errors import SettingsError, TrainingError
from training.journal import Journal, Terminal
from training.settings import WRITTEN, TrainingSettings

SUCCEEDED, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


Enqueue = Callable[[TrainingSettings], int]
ApiUrl = Callable[[], str]


def main(
    arguments: Sequence[str],
    *,
    program: str = "petiole train",
    enqueue: Enqueue | None = None,
    api_url: ApiUrl | None = None,
) -> int:
    """Do what the arguments say and return the exit code.

    Args:
        arguments: The command line.
        program: What the command is called in messages.
        enqueue: Hands the run to a training worker; None where there is no way to.
        api_url: Tells where this machine's service answers; None where nobody knows.
    """
    from training import flags  # noqa: PLC0415 - keeps `petiole --help` quick

    try:
        said = flags.parse(arguments, program=program)
        _refuse_enqueueing(said.settings, possible=enqueue is not None, asked=said.enqueue)
    except SettingsError as exc:
        print(f"{program}: {exc}", file=sys.stderr)  # noqa: T201 - a command's answer
        return WRONG_USAGE
    for sentence in said.ignored:
        print(f"{program}: {sentence}", file=sys.stderr)  # noqa: T201 - a command's answer
    if enqueue is not None and said.enqueue:
        return enqueue(said.settings)
    with quiet_libraries() as stderr:
        try:
            return _run(said.settings, Journal(Terminal(stderr)), api_url)
        except SettingsError as exc:
            return _say(stderr, f"{program}: {exc}", WRONG_USAGE)
        except (TrainingError, ModelStoreError) as exc:
            return _say(stderr, f"{program}: {exc}", FAILED)
        except KeyboardInterrupt:
            again = "the same command goes on from here"
            return _say(stderr, f"{program}: interrupted; {again}", INTERRUPTED)


def _refuse_enqueueing(settings: TrainingSettings, *, possible: bool, asked: bool) -> None:
    if asked and not possible:
        raise SettingsError("enqueue works with `petiole train` only")
    for name, said in (("check", settings.check), ("cross_validate", settings.cross_validate)):
        if asked and said:
            raise SettingsError(f"{name} is answered here and now; leave out enqueue")
    for name in WRITTEN:
        if asked and name in settings.model_fields_set:
            raise SettingsError(f"{name} is the training worker's to say; leave out one of the two")


def _run(settings: TrainingSettings, journal: Journal, api_url: ApiUrl | None) -> int:
    # `--help` needs none of it.
    from training import answer, beginning, cross_validation, run  # noqa: PLC0415

    if settings.cross_validate is not None:
        found = cross_validation.run(settings, journal)
        print(answer.of_cross_validation(found, settings))  # noqa: T201 - the command's answer
        return SUCCEEDED if found.verdict.passed else FAILED
    if settings.check:
        prepared = beginning.check(settings, journal)
        print(answer.of_check(prepared, settings))  # noqa: T201 - the command's answer
        return SUCCEEDED
    # Looked up first: a bad setting of the service is not found out after the work.
    address = api_url() if api_url else ""
    outcome = run.train(settings, ModelStore.of(ModelSettings()), journal)
    print(answer.of_run(outcome, settings, api_url=address))  # noqa: T201 - the command's answer
    return SUCCEEDED if outcome.verdict.passed else FAILED


def _say(stream: TextIO, text: str, code: int) -> int:
    print(text, file=stream)
    return code
