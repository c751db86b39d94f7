"""The command line: `gradewire --help`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from integration import cli_live
from integration.cli_common import opened as _gradewire
from integration.cli_common import settings_here as _settings
from integration.cli_operator import add_commands
from integration.config import SETTINGS, load
from integration.domain.errors import GradewireError, InvalidInput
from integration.domain.payload import iso

console = Console(width=None if sys.stdout.isatty() else 240)  # a table in a pipe is for a program, or for grep


class Named(click.Group):
    """A group whose commands end with one clear line where Gradewire names an error."""

    def invoke(self, context: click.Context) -> Any:
        """Run; a named error becomes its sentence and exit status 1, and so does what keeps the database shut."""
        try:
            return super().invoke(context)
        except GradewireError as error:
            raise click.ClickException(error.message) from error
        except Exception as error:
            sentence = _unopened(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from error


def _unopened(error: Exception) -> str | None:
    """What is wrong where a file or the database cannot be used; None for any other error."""
    from sqlalchemy.exc import ArgumentError, OperationalError

    if isinstance(error, OperationalError):
        return f"The database cannot be used: {str(error.orig).splitlines()[0]}. `gradewire doctor` says more."
    if isinstance(error, ArgumentError):
        return "DATABASE_URL must begin with sqlite:/// or postgresql://."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}. GRADEWIRE_DATA chooses another data folder."
    return None


@click.group(cls=Named, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradewire")
def main() -> None:
    """Gradewire watches the Token Metrics API and tells people when something they care about changes."""


for command in (cli_live.listen, cli_live.fire):
    main.add_command(command)


@main.command()
@click.option("--port", type=int, help="Port to listen on (PORT).")
@click.option("--host", help="Address to listen on (GRADEWIRE_HOST).")
@click.option("--day", help="Length of a sandbox market day: 5s, 1m, 24h.")
@click.option("--tokens", type=int, help="Tokens in the sandbox market.")
@click.option("--replay", type=click.Path(exists=True, file_okay=False), help="Replay a folder of price files.")
def up(port: int | None, host: str | None, day: str | None, tokens: int | None, replay: str | None) -> None:
    """Start everything in one process: page, worker, beat, mail catcher, and the sandbox unless a key is set."""
    given = {"port": port, "host": host, "sandbox_day": day, "sandbox_tokens": tokens, "sandbox_replay": replay}
    from integration.embedded import run

    run(load().replace(**{name: value for name, value in given.items() if value is not None}), console)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8799, show_default=True)
@click.option("--day", default="24h", show_default=True, help="Length of a market day: 5s, 1m, 24h.")
@click.option("--tokens", default=200, show_default=True, help="Tokens in the market, 40 to 6000.")
@click.option("--coming", default=0, show_default=True, help="How many of them are listed later, one every ten days.")
@click.option("--seed", default=7, show_default=True, help="Another seed is another market.")
@click.option("--plan", default="premium", show_default=True, type=click.Choice(["free", "advanced", "premium", "vip"]))
@click.option("--start", default="2024-01-01", show_default=True, help="The market's first today.")
@click.option("--replay", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Replay a folder of price files.")
@click.option("--paused", is_flag=True, help="Start with the clock stopped; step it at /_sandbox/clock.")
def sandbox(host: str, port: int, day: str, start: str, **given: Any) -> None:
    """Serve made-up market data as the Token Metrics API would, v2 and v3."""
    from datetime import date

    from integration.sandbox import SANDBOX_KEY, SandboxSettings, parse_day, serve

    try:
        settings = SandboxSettings(day=parse_day(day), start=date.fromisoformat(start), **given)
        console.print(f"[bold]Sandbox data[/], not Token Metrics: http://{host}:{port}  key {SANDBOX_KEY}", soft_wrap=True)
        serve(settings, host, port)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.") from error


@main.command()
@click.argument("source", required=False)
def poll(source: str | None) -> None:
    """Poll SOURCE now, or every source that somebody wants."""
    from integration.service.noticing import latest
    from integration.service.scheduling import poll_now

    with _gradewire() as gradewire:
        known = {key: each for key, each in gradewire.catalogue.sources.items() if each.derivation is None}
        if source is not None and source not in known:
            raise InvalidInput(f"Unknown source {source!r}. There are: {', '.join(known)}.")
        with console.status("Polling …"):
            for ended in poll_now(gradewire, known[source] if source else None):
                told = f"{ended.rows} rows, {ended.events} events, {ended.owed} deliveries" if not ended.error else ended.error
                console.print(f"{ended.source} ({ended.selection}): {ended.status}, {told}")
        for notice in latest(gradewire):
            console.print(f"[yellow]![/] {notice.text}", highlight=False)


@main.command()
@click.argument("answer", required=False, type=click.IntRange(1, 2**63 - 1))
def spoilt(answer: int | None) -> None:
    """List upstream answers that could not be read, or show the start of one by its id."""
    from integration.store.queries import spoilt as queries

    with _gradewire() as gradewire, gradewire.database.read() as connection:
        if answer is None:
            rows = [{**row._mapping, "at": iso(row.at)} for row in queries.newest(connection)]
            _table(["id", "at", "endpoint", "size", "error"], rows)
            return
        body = queries.body(connection, answer)
    if body is None:
        raise InvalidInput(f"No answer {answer} is kept; `gradewire spoilt` lists those that are.")
    text = body.decode(errors="replace")
    click.echo("".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text))


@main.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    with _gradewire():
        console.print("The database is at the newest schema.")


# -- keys ------------------------------------------------------------------------------------------------------------


@main.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.option("--account", required=True, help="E-mail address; the account is made if it is new.")
@click.option("--label", default="", help="What the key is for.")
def create_key(account: str, label: str) -> None:
    """Make a key and show it, this once."""
    from integration.service.accounts import create_key as create

    with _gradewire() as gradewire:
        click.echo(create(gradewire, account, label))


@keys.command("list")
@click.option("--account", help="Only this account's.")
def list_keys(account: str | None) -> None:
    """Show keys by prefix."""
    from integration.service.accounts import list_keys as listed

    with _gradewire() as gradewire:
        rows = listed(gradewire, account)
    _table(["id", "prefix", "account", "label", "created_at", "last_used_at", "active"], rows)


@keys.command("revoke")
@click.argument("key")
def revoke_key(key: str) -> None:
    """Revoke a key by its id or shown prefix."""
    from integration.service.accounts import revoke_key as revoke

    with _gradewire() as gradewire:
        console.print(f"Revoked {', '.join(revoke(gradewire, key))}.")


@main.group()
def secrets() -> None:
    """The keys that secrets are encrypted with."""


@secrets.command("rotate")
def rotate_secrets() -> None:
    """Encrypt every secret anew with a new key, and say which old key can be removed."""
    from integration import cli_secrets

    with _gradewire() as gradewire:
        cli_secrets.rotate_keys(gradewire, console)


# -- looking and asking ----------------------------------------------------------------------------------------------


@main.command("triggers")
@click.argument("key", required=False)
def show_triggers(key: str | None) -> None:
    """List the catalogue, or show the options of one trigger."""
    from integration import triggers

    known = triggers.load()
    if key is None:
        _table(
            ["key", "label", "description"],
            [{"key": t.key, "label": t.label, "description": t.description} for t in known.values()],
        )
        return
    if key not in known:
        raise InvalidInput(f"Unknown trigger {key!r}. There are: {', '.join(known)}.")
    rows = []
    for name, field in known[key].options().fields.items():
        default = field.load_default() if callable(field.load_default) else field.load_default
        default = "" if default is None else default if isinstance(default, str) else json.dumps(default)
        rows.append({"option": name, "default": default, "help": field.metadata["description"]})
    console.print(f"[bold]{known[key].label}[/]: {known[key].description}")
    _table(["option", "default", "help"], rows)


@main.command()
@click.argument("trigger")
@click.option("--account", required=True, help="E-mail address of the account.")
@click.option("--to", "channel", required=True, help="Channel: webhook, slack, sheets, email.")
@click.option("--set", "config", multiple=True, metavar="NAME=VALUE", help="A setting of the destination, such as url=…")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the trigger.")
@click.option(
    "--scope", "scopes", multiple=True, metavar="NAME=VALUE", help="tokens=BTC,ETH, category=…, exchange=…, top=…, indices=…"
)
@click.option("--shadow", is_flag=True, help="Only record what it would send.")
@click.option("--corrections/--no-corrections", default=None, help="Also tell of corrections; by default at webhooks only.")
def subscribe(
    trigger: str,
    account: str,
    channel: str,
    config: Sequence[str],
    options: Sequence[str],
    scopes: Sequence[str],
    shadow: bool,
    corrections: bool | None,
) -> None:
    """Subscribe an account's new destination to TRIGGER."""
    from integration.service.accounts import account_id
    from integration.service.destinations import create_destination
    from integration.service.subscribe import create_subscription

    with _gradewire() as gradewire:
        owner = account_id(gradewire, account)
        destination = create_destination(gradewire, owner, channel, _pairs(config, "--set"))
        try:
            asked = (_pairs(options, "--option"), _pairs(scopes, "--scope"))
            made = create_subscription(
                gradewire, owner, trigger, *asked, destination["id"], shadow=shadow, corrections=corrections
            )
        except GradewireError:
            from integration.service.destinations import delete_destination

            delete_destination(gradewire, owner, destination["id"])
            raise
    console.print_json(json.dumps({**made, **({"secret": destination["secret"]} if "secret" in destination else {})}))


@main.command()
@click.argument("trigger")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the trigger.")
@click.option(
    "--scope", "scopes", multiple=True, metavar="NAME=VALUE", help="tokens=BTC,ETH, category=…, exchange=…, top=…, indices=…"
)
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="The first day; none means 365 days before the last.")
@click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="The last day; none means the newest that is stored.")
@click.option("--flap-days", default=7, show_default=True, type=click.IntRange(1, 365), help="What counts as a flap.")
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(0, 5000), help="Events given in full.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--fetch", "fetching", is_flag=True, help="Fetch the missing days, after saying how many calls that takes.")
@click.option("--yes", is_flag=True, help="Do not ask before fetching.")
def backtest(
    trigger: str,
    options: Sequence[str],
    scopes: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    flap_days: int,
    limit: int,
    **how: bool,
) -> None:
    """Try TRIGGER on the stored past: which events it would have given, how calm it is, and what came after. Not advice."""
    from integration.cli_backtest import try_out
    from integration.service.backtest import Question

    asked = (_pairs(options, "--option"), _pairs(scopes, "--scope"))
    question = Question(trigger, *asked, since and since.date(), until and until.date(), flap_days, limit)
    with _gradewire() as gradewire:
        try_out(gradewire, question, console, **how)


@main.command()
@click.option("--trigger", help="Only this trigger's.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def events(trigger: str | None, limit: int, as_json: bool) -> None:
    """Show the newest events."""
    from integration.service.asking import trigger_of
    from integration.store.queries import events as queries

    with _gradewire() as gradewire, gradewire.database.read() as connection:
        if trigger is not None:
            trigger_of(gradewire, trigger)
        found = queries.newest(connection, limit=limit, trigger=trigger)
    if as_json:
        for row in found:
            click.echo(row.payload)
        return
    rows = [{"as of": iso(row.as_of), "event": row.id, "summary": json.loads(row.payload)["summary"]} for row in found]
    _table(["as of", "event", "summary"], rows)


@main.command()
@click.option(
    "--public",
    is_flag=False,
    flag_value="",
    metavar="[ADDRESS]",
    help="Check instead that others reach Gradewire at this address (GRADEWIRE_PUBLIC_URL where it is left out).",
)
@click.option("--key", envvar="GRADEWIRE_KEY", help="With --public: an API key (GRADEWIRE_KEY) to try there.")
def doctor(public: str | None, key: str | None) -> None:
    """Check what Gradewire needs, and say what to mend. Exit status 1 where something must be mended."""
    from integration.service.health import examine
    from integration.service.reachable import address_of, examine_public

    settings = _settings()
    wanted = public or (str(load()["public_url"]) if public is not None else "")
    bad = False
    for finding in examine(settings) if public is None else examine_public(address_of(wanted), key):
        mark = {"good": "[green]✓[/]", "note": "[yellow]![/]", "bad": "[red]✗[/]"}[finding.level]
        bad |= finding.level == "bad"
        console.print(f"{mark} [bold]{finding.what}[/]: {finding.text}", highlight=False)
    if bad:
        sys.exit(1)


@main.command("settings")
def show_settings() -> None:
    """List every setting with its default."""
    _table(["variable", "default", "help"], [{"variable": s.variable, "default": s.default, "help": s.help} for s in SETTINGS])


def _pairs(given: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"{option} takes NAME=VALUE, not {text!r}.")
        pairs[name.strip()] = value
    return pairs


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    table = Table(*columns, header_style="bold")
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    console.print(table if rows else "Nothing yet.")


@main.command()
@click.option("--check", is_flag=True, help="Only say what is stale; exit status 1 if anything is.")
def derive(check: bool) -> None:
    """Write the generated files of a checkout from the catalogue."""
    from integration import channels, sources, triggers
    from integration.derive.documents import files

    root = Path(__file__).parent.parent
    stale = []
    for path, text in files(triggers.load(), sources.load(), channels.load()).items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(str(path))
            if not check:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
    console.print(f"{'Stale' if check else 'Written'}: {', '.join(stale)}" if stale else "Everything is current.")
    if stale and check:
        sys.exit(1)


add_commands(main, _gradewire, console)

if __name__ == "__main__":
    main()
