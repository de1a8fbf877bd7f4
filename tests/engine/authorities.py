"""Certificates for tests: an authority, and what it signs."""

import datetime as dt
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


class Signed(NamedTuple):
    """Files in PEM form: who signed, a certificate and its key."""

    ca_file: Path
    cert: Path
    key: Path

    def options(self):
        """What a scheduler or a worker is told on its command line."""
        return ("--tls-ca-file", str(self.ca_file), "--tls-cert", str(self.cert), "--tls-key", str(self.key))

    def params(self):
        """What a session is told."""
        return {"tls_ca_file": self.ca_file, "tls_cert": self.cert, "tls_key": self.key}


def sign(folder: Path, *, days: tuple[float, float] = (-1, 1), password: bytes | None = None) -> Signed:
    """Make an authority and one certificate of it, valid from and until so many days from now."""
    folder.mkdir(parents=True)
    now = dt.datetime.now(tz=dt.UTC)
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority of {folder.name}")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask")])
    certificates = {
        "ca.pem": _certificate(issuer, issuer, authority, authority, now - 9 * DAY, now + 9 * DAY, is_authority=True),
        "cert.pem": _certificate(subject, issuer, own, authority, now + days[0] * DAY, now + days[1] * DAY),
    }
    for name, certificate in certificates.items():
        (folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    key = folder / "key.pem"
    key.write_bytes(own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    return Signed(folder / "ca.pem", folder / "cert.pem", key)


def _certificate(subject, issuer, key, signer, first, last, *, is_authority=False):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
