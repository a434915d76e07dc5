"""PostgreSQL as a hub's database: reached encrypted, by an address that holds no password; its errors in words that hold no value."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotPermitted
from fairhaven.records.write_queue import WRITES, waited_too_long

_DRIVER = "postgresql+psycopg"
_ADVISORY_LOCK = 0x46616972  # "Fair", so that the number is hardly another program's
_HERE = ("", "localhost", "127.0.0.1", "::1")
_LOCK_NOT_AVAILABLE, _NOT_PERMITTED, _NO_ROOM = "55P03", "42501", "53"
_TELLS_VALUES = ("22", "23")
"""Classes of errors whose messages name values: data that does not fit, and rows that break a rule."""


def postgresql_engine(url: str, password: str, *, patience: float) -> Engine:
    """What connects to a database.

    Args:
        url: ``postgresql+psycopg://user@host/name``, without a password.
        password: of the user; empty where the server asks for none.
        patience: seconds to wait for others who write.

    Raises:
        Invalid: another kind of database, a password in the URL, or the driver is not installed.
    """
    address = checked_url(url).set(password=password or None)
    try:
        engine = create_engine(
            address,
            hide_parameters=True,
            connect_args=way_to(address),
            isolation_level="READ COMMITTED",
            pool_timeout=patience,
            # A server that was started anew is not told of as an error.
            pool_pre_ping=True,
        )
    except ImportError:
        raise Invalid(
            "the hub's database is PostgreSQL, whose driver is not installed: pip install 'fairhaven[postgresql]'"
        ) from None
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin(patience))
    event.listen(engine, "handle_error", _in_words(patience))
    return engine


def checked_url(url: str) -> URL:
    """The address of a database of PostgreSQL.

    Raises:
        Invalid: another kind of database, or a password in it.
    """
    form = f"must be {_DRIVER}://user@host/name"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # What cannot be read may hold a password, so it is not shown.
        raise Invalid(f"the address of the database cannot be read: it {form}") from None
    if parsed.drivername != _DRIVER:
        raise Invalid(f"the address of the database {form}; without one the database is a file in the hub's store")
    if parsed.password is not None or not parsed.query.keys().isdisjoint(("password", "sslpassword")):
        raise Invalid(
            "the address of the database has a password in it, and hub.toml is read, copied and kept by many: take it out, and give it as "
            "FAIRHAVEN_DATABASE_PASSWORD in the environment, or name a file that holds it as `database_password_file`. Change it, too: it "
            "has been read."
        )
    if not parsed.database:
        raise Invalid(f"the address of the database names no database: it {form}")
    return parsed


def way_to(address: URL) -> dict[str, str | int]:
    """How a server is reached: over a network encrypted, unless the address says otherwise, and not waited for without end."""
    named = address.query.get("host", ())
    hosts = [address.host or "", *((named,) if isinstance(named, str) else named)]
    is_here = all(each.startswith("/") or each in _HERE for host in hosts for each in host.split(","))
    is_here &= "hostaddr" not in address.query
    safety: dict[str, str | int] = {} if is_here or "sslmode" in address.query else {"sslmode": "require"}
    return {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, **safety}


def _prepare(connection: Any, _: object) -> None:
    # A machine that lost its power while it wrote would keep all others from writing for two hours, as TCP comes.
    connection.autocommit = True
    connection.execute("SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3")
    connection.autocommit = False


def _begin(patience: float) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES, True):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(patience * 1000)}")
            # PostgreSQL lets those who wait through in the order in which they came, and releases at the transaction's end.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")

    return begin


def _in_words(patience: float) -> Callable[[ExceptionContext], BaseException | None]:
    def in_words(context: ExceptionContext) -> BaseException | None:
        state = getattr(context.original_exception, "sqlstate", None) or ""
        if state == _LOCK_NOT_AVAILABLE:
            return waited_too_long(patience)
        if context.is_disconnect and context.connection is not None and context.statement is None:
            # It went while a transaction was ended, and nothing tells on which side of the end.
            return NotAllowedNow(
                "the hub's database stopped answering as the change was kept, and whether it was is not known. Look what the hub says of it "
                "before you run the same command again."
            )
        if context.is_disconnect or context.connection is None:
            return NotAllowedNow(
                "the hub's database does not answer, or does not let this account in; nothing was done. See that PostgreSQL runs (with TLS, "
                "where it is another machine) and that `database` in hub.toml and its password are right, then run the same command again."
            )
        if state.startswith(_NO_ROOM):
            return NotAllowedNow(
                "the server of the hub's database has no room, memory or connections left; nothing was done. Ask whoever runs it, then run "
                "the same command again."
            )
        if state == _NOT_PERMITTED:
            return NotPermitted(
                "the hub's account at the database may not do this there; nothing was done. Ask whoever runs it to make that account the "
                "owner of the database that `database` in hub.toml names."
            )
        if state.startswith(_TELLS_VALUES):
            rule = getattr(getattr(context.original_exception, "diag", None), "constraint_name", None) or state
            for error in (context.original_exception, context.sqlalchemy_exception):
                if error is not None:
                    error.args = (f"a row breaks a rule of the database, or does not fit: {rule}",)
        return None

    return in_words
