"""What commands that ask a cluster have in common."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from chimera_cli.output import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from chimera_operator.cluster.errors import ApiServerError
    from chimera_operator.cluster.port import Api

FAILED = 1

Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        envvar="KUBECONFIG",
        help="Address and credentials of the cluster; ~/.kube/config, or in a pod its own, where not given.",
    ),
]
Namespace = Annotated[str, typer.Option("-n", "--namespace", help="Where the pool is.")]

_USUAL = Path(".kube") / "config"  # in the user's folder, as for kubectl
_Answer = TypeVar("_Answer")


class _Uncounted:
    def called(self, verb: str, code: str) -> None:
        """Nobody counts the calls of a command."""


def ask(kubeconfig: Path | None, question: "Callable[[Api], Coroutine[Any, Any, _Answer]]") -> _Answer:
    """Return what a cluster answers; end the command with one line where it does not."""
    # The command line starts without the second that these take.
    from chimera_operator.cluster.errors import ApiServerError, CredentialsError  # noqa: PLC0415 - as said above
    from chimera_operator.telemetry import logs  # noqa: PLC0415 - same

    logs.configure("error")
    usual = Path.home() / _USUAL
    try:
        return asyncio.run(_asked(kubeconfig or (usual if usual.exists() else None), question))
    except CredentialsError as error:
        refuse(str(error))
    except ApiServerError as error:
        _fail(_sentence(error))
    except TimeoutError:
        _fail("the cluster could not be read in time: is there a right to list what the operator lists?")


async def _asked(kubeconfig: Path | None, question: "Callable[[Api], Coroutine[Any, Any, _Answer]]") -> _Answer:
    from chimera_operator.cluster import credentials  # noqa: PLC0415 - as above
    from chimera_operator.cluster.client import ApiServer  # noqa: PLC0415 - same

    async with credentials.connected(kubeconfig) as library:
        return await question(ApiServer(library, _Uncounted()))


def _sentence(error: "ApiServerError") -> str:
    """Return the server's own sentence, which whoever asks may see, or what there is in its place."""
    return error.said or str(error)


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(FAILED)
