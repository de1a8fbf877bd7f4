import asyncio
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import dask
import pytest
from authorities import sign
from clusters import PATIENCE_SECONDS, start_scheduler, start_workers
from distributed import Client, Security
from distributed.comm import connect

from cdpipe.engine.sessions import certificates
from cdpipe.engine.sessions.base import SessionError
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams


@pytest.fixture
def hurry(monkeypatch):
    monkeypatch.setattr("cdpipe.engine.sessions.connect.CONNECT_SECONDS", 2.0)


# A cluster of our own


def all_addresses(local):
    workers = local.client.scheduler_info()["workers"]
    return [local.client.scheduler.address, *workers, *(each["nanny"] for each in workers.values())]


def intrude(address, context, *, timeout=PATIENCE_SECONDS):
    """Connect as a stranger would, who trusts whomever he meets; where nobody answers Dask tries until the timeout."""
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    async def connect_and_close():
        (await connect(address, timeout=timeout, ssl_context=context)).abort()

    asyncio.run(asyncio.wait_for(connect_and_close(), PATIENCE_SECONDS))


def test_no_port_of_a_local_cluster_answers_without_its_key(local, tmp_path):
    stranger = sign(tmp_path / "stranger")
    known, unknown, unnamed = (ssl.create_default_context() for _ in range(3))
    unknown.load_cert_chain(stranger.cert, stranger.key)
    for file in ("cert", "key"):
        (tmp_path / file).write_text(getattr(local.client.security, f"tls_client_{file}"))
    known.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    for address in all_addresses(local):
        intrude(address, known)
        for context in (unknown, unnamed):
            with pytest.raises(OSError, match=r"(?i)alert|closed"):
                intrude(address, context)
        with pytest.raises(OSError, match=r"(?i)timed out|closed"):
            intrude(address.replace("tls://", "tcp://"), unnamed, timeout=0.5)
    with pytest.raises(OSError, match=r"(?i)timed out|closed"):
        Client(all_addresses(local)[0].replace("tls://", "tcp://"), timeout=0.5, set_as_default=False)


def test_each_cluster_has_a_key_of_its_own():
    first, second = certificates.make_temporary(), certificates.make_temporary()
    assert first.require_encryption
    assert first.tls_client_key != second.tls_client_key


def test_keys_are_in_no_file_and_no_command_line(local):
    key = local.client.security.tls_client_key
    assert key.startswith("-----BEGIN PRIVATE KEY-----\n")
    for pid in local.each_process(os.getpid).values():
        for name in ("cmdline", "environ"):
            assert b"PRIVATE KEY" not in Path(f"/proc/{pid}/{name}").read_bytes()


def test_who_asks_dask_for_no_encryption_gets_none():
    with dask.config.set({"distributed.comm.require-encryption": False}):
        assert not certificates.make_temporary().require_encryption


def post(url):
    request = urllib.request.Request(url, data=b"{}", method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return answer.status


def test_the_dashboard_takes_no_orders(local):
    root = local.dashboard_link.removesuffix("/status")
    paths = ["/", "/status", "/info/main/workers.html", "/json/identity.json", "/api/v1/retire_workers", "/jupyter"]
    for path in paths:
        with pytest.raises(urllib.error.HTTPError, match=r"40[45]"):
            post(root + path)
    with urllib.request.urlopen(f"{root}/json/identity.json", timeout=PATIENCE_SECONDS) as answer:
        assert b"PRIVATE KEY" not in answer.read()


# A scheduler that is already running


@pytest.mark.slow
def test_a_run_over_tls(tmp_path):
    ours = sign(tmp_path / "ours")
    security = Security(tls_ca_file=str(ours.ca_file), tls_client_cert=str(ours.cert), tls_client_key=str(ours.key))
    tls = ("--protocol", "tls", *ours.options())
    with (
        start_scheduler(tmp_path, *tls) as address,
        start_workers(tmp_path, address, *tls, security=security),
    ):
        assert address.startswith("tls://")
        with open_session(SessionParams(scheduler=address, **ours.params())) as session:
            assert session.workers == 2
            shared = session.broadcast([3])
            assert session.run([dask.delayed(sum)(shared), dask.delayed(abs)(-4)]) == [3, 4]
        named = {"ca-file": str(ours.ca_file), "client.cert": str(ours.cert), "client.key": str(ours.key)}
        with (
            dask.config.set({f"distributed.comm.tls.{key}": value for key, value in named.items()}),
            open_session(SessionParams(scheduler=address)) as session,
        ):
            assert session.run([dask.delayed(abs)(-5)]) == [5]
        strangers = sign(tmp_path / "strangers")
        with (
            pytest.raises(SessionError, match=rf"no dask scheduler at {address} \(.*ertificate.*session.tls_ca_file"),
            open_session(SessionParams(scheduler=address, **strangers.params())),
        ):
            pass
        unknown = {**strangers.params(), "tls_ca_file": ours.ca_file}
        with (
            pytest.raises(SessionError, match=rf"no dask scheduler at {address} \(.*its own --tls-ca-file"),
            open_session(SessionParams(scheduler=address, **unknown)),
        ):
            pass
        plain = address.replace("tls://", "tcp://")
        with (
            pytest.raises(SessionError, match=rf"no dask scheduler at {plain} \(.*if it speaks TLS, name it as tls://"),
            open_session(SessionParams(scheduler=plain)),
        ):
            pass


@pytest.mark.slow
def test_a_scheduler_without_tls_is_told(tmp_path, hurry):
    with (
        start_scheduler(tmp_path) as address,
        pytest.raises(SessionError, match=r"no dask scheduler at tls://.*--protocol tls"),
        open_session(SessionParams(scheduler=address.replace("tcp", "tls"), **sign(tmp_path / "ours").params())),
    ):
        pass


# What is wrong with files, without any scheduler


def refuse(**params):
    with pytest.raises(SessionError) as caught:
        certificates.load(SessionParams(scheduler="tls://127.0.0.1:9", **params))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_certificates():
    assert "set session.tls_ca_file and session.tls_cert (or dask's distributed.comm.tls.ca-file" in refuse()


def test_one_without_the_other(tmp_path):
    ours = sign(tmp_path / "ours")
    assert "tls://127.0.0.1:9 needs certificates" in refuse(tls_cert=ours.cert, tls_key=ours.key)


@pytest.mark.parametrize("name", ["tls_ca_file", "tls_cert", "tls_key"])
def test_a_file_that_is_not_there_or_cannot_be_read(tmp_path, name):
    params = sign(tmp_path / "ours").params()
    absent = tmp_path / "absent.pem"
    assert refuse(**params | {name: absent}).startswith(
        f"session.{name} {absent}: cannot be read (No such file or directory)"
    )
    assert refuse(**params | {name: tmp_path}).startswith(f"session.{name} {tmp_path}: cannot be read (Is a directory)")


def test_a_file_of_dasks_own_settings_is_named(tmp_path):
    with dask.config.set({"distributed.comm.tls.ca-file": "/no/such.pem"}):
        assert refuse().startswith("distributed.comm.tls.ca-file /no/such.pem: cannot be read")


@pytest.mark.parametrize("name", ["tls_ca_file", "tls_cert", "tls_key"])
def test_a_file_that_is_something_else(tmp_path, name):
    params = sign(tmp_path / "ours").params()
    params[name].write_text("hello\n")
    what = "private key" if name == "tls_key" else "certificate"
    assert f"session.{name} {params[name]} holds no {what} in PEM form" in refuse(**params)


def test_a_key_of_another_certificate(tmp_path):
    params = sign(tmp_path / "ours").params() | {"tls_key": sign(tmp_path / "others").key}
    names = [f"session.{name} {params[name]}" for name in ("tls_key", "tls_cert")]
    assert f"{names[0]} does not go with {names[1]} (" in refuse(**params)


def test_a_key_in_the_certificates_file(tmp_path):
    ours = sign(tmp_path / "ours")
    ours.cert.write_bytes(ours.cert.read_bytes() + ours.key.read_bytes())
    loaded = certificates.load(
        SessionParams(scheduler="tls://127.0.0.1:9", tls_ca_file=ours.ca_file, tls_cert=ours.cert)
    )
    assert isinstance(loaded.get_connection_args("client")["ssl_context"], ssl.SSLContext)


def test_no_key_at_all(tmp_path):
    ours = sign(tmp_path / "ours")
    assert f"{ours.cert} holds no private key" in refuse(tls_ca_file=ours.ca_file, tls_cert=ours.cert)


def test_a_locked_key_is_not_asked_for_its_password(tmp_path):
    assert "key.pem is locked with a password" in refuse(**sign(tmp_path / "ours", password=b"open").params())


@pytest.mark.parametrize(("days", "said"), [((-3, -1), "expired on 20"), ((1, 3), "is not valid before 20")])
def test_a_certificate_out_of_its_time(tmp_path, days, said):
    params = sign(tmp_path / "ours", days=days).params()
    assert f"session.tls_cert {params['tls_cert']}: {said}" in refuse(**params)
