"""Keys are rotated under running processes: everything is encrypted anew, nothing is lost, and what may go is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import LargeBinary, update

from integration.cli import main
from integration.domain.errors import Misconfigured
from integration.service import accounts, destinations, hooks, inbox, resealing
from integration.service.deliver import drain_all
from integration.service.ways import ways_of
from integration.store.database import Database
from integration.store.queries import sealed
from integration.store.secrets import Vault
from integration.store.tables import destination, installation, metadata
from tests.channels.samples import ENTERED
from tests.market import asked
from tests.receiver import Receiver
from tests.service.script import Script, script


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    """A Gradewire whose key is in its data folder."""
    with script(database, tmp_path, secret_key="") as made:
        yield made
        ways_of(made.gradewire).transport.close()


def fill(here: Script) -> int:
    """Something in every column that is sealed; how many there are."""
    for channel, config in ENTERED.items():
        destinations.create_destination(here.gradewire, here.account, channel, config)
    owner = accounts.authenticate(here.gradewire, accounts.create_key(here.gradewire, "a@example.com"))
    wanted = ("https://hooks.example.com/1", "sharpe_threshold", asked("sharpe_threshold", {}), {})
    hooks.create_hook(here.gradewire, owner.account_id, *wanted, key_id=owner.key_id)
    accounts.revoke_key(here.gradewire, owner.key_id)
    inbox.receiver(here.gradewire)
    return len(stored(here))


def stored(here: Script) -> dict[str, bytes]:
    """Everything that is kept encrypted."""
    found = {}
    for place in sealed.PLACES:
        with here.gradewire.database.read() as connection:
            rows = sealed.page(connection, place, None, 10_000)
        found |= {f"{place.table.name} {key}": value for key, value in rows if value.startswith(b"gAAAA")}
    return found


def opened_by(here: Script, key: str) -> set[str]:
    """What a key alone opens."""
    vault, names = Vault([key]), set()
    for name, value in stored(here).items():
        try:
            vault.open(value)
        except InvalidToken:
            continue
        names.add(name)
    return names


def test_every_column_that_is_sealed_is_known() -> None:
    names = {f"{place.table.name}.{place.column.name}" for place in sealed.PLACES}
    assert names == {"destination.config", "farewell.target", "installation.value"}
    binary = {str(column) for table in metadata.sorted_tables for column in table.columns if isinstance(column.type, LargeBinary)}
    open_ = {"reading.values", "spoilt_answer.body", "api_key.sha256", "feed_link.sha256", "attempt.head"}
    assert binary - open_ == names - {"installation.value"}


def test_everything_is_encrypted_anew_and_the_new_key_alone_opens_it(here: Script) -> None:
    count, (old,) = fill(here), here.gradewire.vault.keys
    assert {name.partition(" ")[0] for name in stored(here)} == {"destination", "farewell", "installation"}
    configs = {row.id: here.gradewire.open_config(row.config) for row in here.rows(destination)}
    result = resealing.rotate(here.gradewire)
    assert (result.changed, result.unopened) == (count, [])
    new, kept = here.gradewire.vault.keys
    assert (kept, len(opened_by(here, new)), opened_by(here, old)) == (old, count, set())
    only = Vault([new])
    assert {row.id: only.open(row.config) for row in here.rows(destination)} == configs


def test_a_rotation_that_was_broken_off_is_gone_on_with(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    count, written = fill(here), list[Any]()
    monkeypatch.setattr(resealing, "BATCH", 2)

    def breaks(connection: Any, place: Any, changes: Any) -> int:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(changes)
        return real(connection, place, changes)

    real = sealed.replace
    with monkeypatch.context() as patch:
        patch.setattr(sealed, "replace", breaks)
        with pytest.raises(KeyboardInterrupt):
            resealing.rotate(here.gradewire)
    new, old = here.gradewire.vault.keys
    done = opened_by(here, new)
    assert 0 < len(done) < count
    assert done | opened_by(here, old) == stored(here).keys()
    assert resealing.rotate(here.gradewire).changed == count - len(done)
    assert here.gradewire.vault.keys == [new, old]
    assert len(opened_by(here, new)) == count
    assert resealing.rotate(here.gradewire).changed == 0


def test_a_change_that_is_made_meanwhile_is_not_lost(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(here)
    (row,) = here.rows(destination, destination.c.channel == "email")
    real = sealed.replace

    def changed_first(connection: Any, place: Any, changes: Any) -> int:
        if place.table is destination:
            values = {"config": Vault(here.gradewire.vault.keys[1:]).seal({"to": "new@example.com"})}
            connection.execute(update(destination).where(destination.c.id == row.id).values(values))
            monkeypatch.setattr(sealed, "replace", real)
        return real(connection, place, changes)

    monkeypatch.setattr(sealed, "replace", changed_first)
    resealing.rotate(here.gradewire)
    (after,) = here.rows(destination, destination.c.id == row.id)
    assert Vault(here.gradewire.vault.keys[:1]).open(after.config) == {"to": "new@example.com"}


def test_a_running_worker_goes_on_delivering(here: Script, receiver: Receiver, tmp_path: Path) -> None:
    here.account = accounts.authenticate(here.gradewire, accounts.create_key(here.gradewire, "a@example.com")).account_id
    worker = here.worker()
    hooks.create_hook(here.gradewire, here.account, receiver.url("/1"), "sharpe_threshold", asked("sharpe_threshold", {}), {})
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    assert drain_all(worker.gradewire).delivered == 1
    resealing.rotate(here.gradewire)
    hooks.create_hook(here.gradewire, here.account, receiver.url("/2"), "sharpe_threshold", asked("sharpe_threshold", {}), {})
    here.day(2, {1: 0.9})
    assert drain_all(worker.gradewire).delivered == 2
    worker.gradewire.close()


def test_what_no_key_opens_is_named_and_left_as_it_is(here: Script) -> None:
    fill(here)
    (row,) = here.rows(destination, destination.c.channel == "email")
    lost = Vault([Fernet.generate_key().decode()]).seal({"to": "x@example.com"})
    with here.gradewire.database.write() as connection:
        connection.execute(update(destination).where(destination.c.id == row.id).values(config=lost))
    assert resealing.rotate(here.gradewire).unopened == [f"destination {row.id}"]
    assert bytes(here.rows(destination, destination.c.id == row.id)[0].config) == lost


def test_what_is_not_encrypted_stays_as_it_is(here: Script) -> None:
    before = here.rows(installation, installation.c.key == "upstream")
    assert before
    resealing.rotate(here.gradewire)
    assert here.rows(installation, installation.c.key == "upstream") == before


def test_keys_that_are_set_are_the_operators_to_change(database: Database, tmp_path: Path) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    with script(database, tmp_path, secret_key=old) as here:
        count = fill(here)
        with pytest.raises(Misconfigured, match="Put a new one before it") as refused:
            resealing.rotate(here.gradewire)
        assert old not in refused.value.message
    with script(database, tmp_path, secret_key=f"{new},{old}") as here:
        assert resealing.rotate(here.gradewire).changed == count
        assert len(opened_by(here, new)) == count
    assert not (tmp_path / "secret.key").exists()


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in ("DATABASE_URL", "REDIS_URL", "TOKENMETRICS_API_KEY", "GRADEWIRE_SECRET_KEY", "GRADEWIRE_SECRET_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADEWIRE_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()


def say(run: CliRunner, *arguments: str) -> str:
    return " ".join(run.invoke(main, arguments, catch_exceptions=False).output.split())


def test_the_command_says_which_key_can_go_and_shows_none(run: CliRunner, tmp_path: Path) -> None:
    say(run, "keys", "create", "--account", "a@example.com")
    file = tmp_path / "secret.key"
    (old,) = file.read_text().split()
    told = say(run, "secrets", "rotate")
    new, kept = file.read_text().split()
    assert kept == old
    assert f"The old key {old[:4]}… (line 2 of {file}) can be removed." in told
    assert "A new key is now the first" in told
    assert old not in told
    assert new not in told
    assert "A new key" not in say(run, "secrets", "rotate")
    file.write_text(new + "\n")
    assert "A new key is now the first" in say(run, "secrets", "rotate")
    assert len(file.read_text().split()) == 2


def test_the_command_tells_the_operator_of_a_set_key_what_to_do(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, old = tmp_path / "keys", Fernet.generate_key().decode()
    file.write_text(old)
    monkeypatch.setenv("GRADEWIRE_SECRET_KEY_FILE", str(file))
    told = say(run, "secrets", "rotate")
    new = told.split()[-1]
    assert "Put a new one before it" in told
    file.write_text(f"{new},{old}")
    assert f"The old key {old[:4]}… (number 2 in GRADEWIRE_SECRET_KEY) can be removed." in say(run, "secrets", "rotate")
