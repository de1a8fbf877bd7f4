"""Certificates: what connections to a scheduler are encrypted and proved with."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import dask
from cryptography import x509
from distributed import Security

from cdpipe.engine.sessions.base import SessionError
from cdpipe.engine.sessions.params import SessionParams

_DASK_KEYS: Final = {
    "tls_ca_file": "distributed.comm.tls.ca-file",
    "tls_cert": "distributed.comm.tls.client.cert",
    "tls_key": "distributed.comm.tls.client.key",
}
_SETS: Final = "session.tls_ca_file and session.tls_cert (or dask's distributed.comm.tls.ca-file and .client.cert)"


class _Pem(NamedTuple):
    """Text of one setting, and how messages name it."""

    name: str
    value: str
    text: bytes


def make_temporary() -> Security:
    """Make a key and a certificate for one local cluster; they live in the memory of its processes alone.

    Dask's setting `distributed.comm.require-encryption: false` asks for none: then the cluster speaks plain TCP.
    """
    if dask.config.get("distributed.comm.require-encryption", None) is False:
        return Security()
    return Security.temporary()


def load(params: SessionParams) -> Security:
    """Load the certificates with which to meet a scheduler at `tls://`, checked.

    Raises
    ------
    SessionError
        If one is not set, cannot be read, is not what it should be, or has expired.
    """
    found = {name: pem for name in _DASK_KEYS if (pem := _read(params, name)) is not None}
    if not {"tls_ca_file", "tls_cert"} <= found.keys():
        raise SessionError(f"{params.scheduler} needs certificates: set {_SETS}")
    for name in ("tls_ca_file", "tls_cert"):
        for certificate in _parse(found[name]):
            _require_valid(found[name].name, certificate)
    key = found.get("tls_key", found["tls_cert"])
    if b"PRIVATE KEY-----" not in key.text:
        raise SessionError(f"{key.name} holds no private key in PEM form: set session.tls_key to the file that does")
    if b"ENCRYPTED" in key.text:
        raise SessionError(f"{key.name} is locked with a password: name a key without one, readable by you alone")
    security = Security(
        require_encryption=True,
        tls_ca_file=found["tls_ca_file"].value,
        tls_client_cert=found["tls_cert"].value,
        tls_client_key=found["tls_key"].value if "tls_key" in found else None,
    )
    try:
        security.get_connection_args("client")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise SessionError(
            f"{key.name} does not go with {found['tls_cert'].name} ({error}): name the key of that certificate"
        ) from error
    return security


def _read(params: SessionParams, name: str) -> _Pem | None:
    path: Path | None = getattr(params, name)
    value = str(path) if path is not None else dask.config.get(_DASK_KEYS[name], None)
    if not value:
        return None
    source = f"session.{name}" if path is not None else _DASK_KEYS[name]
    if "\n" in value:  # Dask takes the text itself too
        return _Pem(source, value, value.encode())
    try:
        return _Pem(f"{source} {value}", value, Path(value).read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SessionError(f"{source} {value}: cannot be read ({reason}): name a file in PEM form") from error


def _parse(pem: _Pem) -> Iterator[x509.Certificate]:
    try:
        yield from x509.load_pem_x509_certificates(pem.text)
    except ValueError as error:
        raise SessionError(f"{pem.name} holds no certificate in PEM form: name a file that does") from error


def _require_valid(name: str, certificate: x509.Certificate) -> None:
    now = dt.datetime.now(tz=dt.UTC)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > last:
        raise SessionError(f"{name}: expired on {last:%Y-%m-%d %H:%M} UTC: make a new certificate")
    if now < first:
        raise SessionError(f"{name}: is not valid before {first:%Y-%m-%d %H:%M} UTC: check the clock")
