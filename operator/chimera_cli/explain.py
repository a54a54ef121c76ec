"""`chimera explain`: where a request would go now, and why."""

import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from chimera_router.wire import APPLICATION, TENANT

TIMEOUT = 10.0  # seconds; a picker decides in milliseconds

FAILED, USAGE_ERROR = 1, 2


def explain(  # noqa: PLR0913 - one parameter for each option
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="The user's message; - reads it from standard input.")
    ],
    *,
    url: Annotated[str, typer.Option(help="The picker's management address, as `chimera up` prints it.")],
    model: Annotated[str, typer.Option(help="The model to ask for; auto asks for the full choice.")] = "auto",
    system: Annotated[str, typer.Option(help="A system message before the prompt, as an application sends it.")] = "",
    application: Annotated[str, typer.Option(help="The application that would ask, by name.")] = "",
    tenant: Annotated[str, typer.Option(help="The tenant that would ask: applications are learned for each.")] = "",
    token: Annotated[
        str, typer.Option(envvar="CHIMERA_TOKEN", help="A bearer token, where the picker asks who calls.")
    ] = "",
    ca_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Who signed the picker's certificate, as PEM.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the decision as JSON.")] = False,
) -> None:
    """Show the decision that a new request would get now: nothing is sent to any model.

    Example: chimera explain --url http://127.0.0.1:9090 "What is 17 times 23?"
    """
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": sys.stdin.read() if prompt == "-" else prompt})
    headers = {name: text for name, text in ((APPLICATION, application), (TENANT, tenant)) if text}
    body = {"model": model, "messages": messages}
    try:
        decision = _ask(f"{url.rstrip('/')}/chimera/v1/explain", body, headers, token=token, ca_file=ca_file)
    except urllib.error.HTTPError as error:
        _fail(_message(error.read()), USAGE_ERROR if error.code < 500 else FAILED)
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        _fail(f"{url}: {_why(error)}", FAILED)
    if as_json:
        typer.echo(json.dumps(decision))
    else:
        Console().print(_table(decision))


def _ask(
    url: str, body: dict[str, Any], headers: dict[str, str], *, token: str, ca_file: Path | None
) -> dict[str, Any]:
    data, headers = json.dumps(body).encode(), {"content-type": "application/json", **headers}
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - the user's own address
    if token:
        request.add_unredirected_header("authorization", f"Bearer {token}")
    trust = ssl.create_default_context(cafile=ca_file)
    with urllib.request.urlopen(request, timeout=TIMEOUT, context=trust) as response:  # noqa: S310 - same
        decision: dict[str, Any] = json.load(response)
        return decision


def _why(error: Exception) -> str:
    untrusted = isinstance(error, urllib.error.URLError) and isinstance(error.reason, ssl.SSLCertVerificationError)
    return "its certificate is not trusted, see --ca-file" if untrusted else "no picker answers there"


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "the picker refused the request"


def _fail(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def _table(decision: dict[str, Any]) -> Table:
    place = f"{decision['model']} on {decision['endpoint']}"
    how = f"policy {decision['policy']}, reason {decision['reason']}, predictor {decision['predictor']}"
    caption = f"{how}, application {decision['application']}, priority {decision['priority']}, {decision['held']} held"
    table = Table(title=place, caption=caption)
    table.add_column("model")
    for heading in ("confidence", "latency s", "delay s", "tokens left"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for each in decision["models"]:
        seconds = ("-" if each[key] is None else f"{each[key]:.2f}" for key in ("latency_s", "delay_s"))
        numbers = (f"{each['confidence']:.2f}", *seconds, f"{each['remaining_tokens']:.0f}")
        table.add_row(each["model"], *numbers, each["verdict"])
    return table
