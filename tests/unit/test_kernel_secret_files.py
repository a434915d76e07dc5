"""One rule for every secret in a file: it is used where nobody else could read, change or exchange it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.keyring import Keyring, Purpose
from fairhaven.kernel.secret_files import read_secret
from fairhaven.network import read_credentials
from fairhaven.network.server import serve
from tests.support.other_accounts import NOBODYS, as_other_account, folder_for_all


async def _no_app(*_: object) -> None:
    """What would be served."""


def _a_hubs_key(folder: Path) -> tuple[Path, Callable[[], object]]:
    keyring = Keyring.create(folder / "store" / "keys")
    return keyring.path(Purpose.VAULT), lambda: Keyring(keyring.folder).check(Purpose.VAULT)


def _a_secret_of_a_task_api(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = _written(folder, "hub:of nobody")
    return path, lambda: read_credentials({"FAIRHAVEN_TASK_API_SECRET_FILE": str(path)})


def _a_servers_key(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = _written(folder, "no key")
    return path, lambda: serve(_no_app, certificate=folder / "cert.pem", key=path)


def _written(folder: Path, text: str) -> Path:
    (folder / "secrets").mkdir(mode=0o700)
    path = folder / "secrets" / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return path


def _as_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


SECRETS = {
    "a hub's key": _a_hubs_key,
    "what a task API asks for": _a_secret_of_a_task_api,
    "a server's key": _a_servers_key,
}
DANGERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "every account reads it": (lambda path: path.chmod(0o604), "chmod 600"),
    "a group reads it": (lambda path: path.chmod(0o640), "chmod 600"),
    "it has another name": (lambda path: os.link(path, path.parent.parent / "kept"), r"2 names \(hard links\)"),
    "others may put another in its place": (lambda path: path.parent.chmod(0o770), "chmod (700|go-w)"),
    "it is no file": (_as_a_pipe, "is no file"),
}  # fmt: skip


@pytest.mark.parametrize("danger", DANGERS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_that_others_could_read_change_or_exchange_is_not_used(
    secret: str, danger: str, tmp_path: Path
) -> None:
    path, use = SECRETS[secret](tmp_path)
    endanger, said = DANGERS[danger]
    endanger(path)
    with pytest.raises(NotAllowedNow, match=said):
        use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_of_an_account_that_is_neither_the_hubs_nor_roots_is_not_used(secret: str, tmp_path: Path) -> None:
    path, use = SECRETS[secret](tmp_path)
    os.chown(path, NOBODYS, -1)
    with pytest.raises(NotAllowedNow, match=f"is uid {NOBODYS}'s, who could change it"):
        use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_a_key_of_the_machine_may_be_read_by_the_group_that_root_gave_it() -> None:
    with folder_for_all() as folder:
        path = _written(folder, "a key")
        path.chmod(0o640)
        os.chown(path.parent, NOBODYS, -1)
        os.chown(path, 0, NOBODYS)
        with as_other_account():
            assert read_secret(path, if_read="") == b"a key"
        path.chmod(0o644)
        with as_other_account(), pytest.raises(NotAllowedNow, match="open to every account"):
            read_secret(path, if_read="")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_reads_the_secrets_of_the_account_whose_folder_it_is(tmp_path: Path) -> None:
    path = _written(tmp_path, "a key")
    for each in (path, path.parent):
        os.chown(each, NOBODYS, -1)
    assert read_secret(path, if_read="") == b"a key"


def test_a_secret_behind_a_link_is_looked_at_where_it_is(tmp_path: Path) -> None:
    path = _written(tmp_path, "a key")
    link = tmp_path / "link"
    link.symlink_to(path)
    assert read_secret(link, if_read="") == b"a key"
    path.parent.chmod(0o707)
    with pytest.raises(NotAllowedNow, match="could put another in its place"):
        read_secret(link, if_read="")
