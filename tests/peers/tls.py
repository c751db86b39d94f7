"""Certificates for servers on 127.0.0.1, good and bad: by an authority that a client trusts, or does not."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOCAL = ("localhost", "127.0.0.1")
_HOUR = timedelta(hours=1)


class Authority:
    """Signs certificates; `file` is what a client must trust. Each has a name of its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder, self.file = folder, folder / f"{name}.pem"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _named(name)
        self.file.write_bytes(_pem(self._certificate(self.name, self.key.public_key(), authority=True)))

    def server(self, *names: str, ends: timedelta = _HOUR, self_signed: bool = False) -> ssl.SSLContext:
        """A server's context, for names and addresses (this machine where none are given), valid until `ends` from now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pair(*names, ends=ends, self_signed=self_signed))
        return context

    def pair(self, *names: str, ends: timedelta = _HOUR, self_signed: bool = False) -> Path:
        """The same as a file with the key and its certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        signer = key if self_signed else self.key
        issuer = _named("server") if self_signed else self.name
        certificate = self._certificate(
            _named("server"), key.public_key(), names=names or LOCAL, ends=ends, issuer=issuer, signer=signer
        )
        both = self.folder / f"server-{certificate.serial_number}.pem"
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        both.write_bytes(private + _pem(certificate))
        return both

    def _certificate(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        *,
        names: tuple[str, ...] = (),
        ends: timedelta = _HOUR,
        issuer: x509.Name | None = None,
        signer: ec.EllipticCurvePrivateKey | None = None,
        authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(issuer or self.name, subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(now - 48 * _HOUR).not_valid_after(now + ends)
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_alternative, names))), critical=False)
        return builder.sign(signer or self.key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def server_tls(folder: Path, *others: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the file that a client must trust. `others` are further names it is for."""
    authority = Authority(folder)
    return authority.server(*LOCAL, *others), authority.file


def bad_certificates(trusted: Authority) -> dict[str, ssl.SSLContext]:
    """Servers on this machine that a client who trusts the authority must not talk to, by what is wrong."""
    return {
        "expired": trusted.server(ends=-_HOUR),
        "for another host": trusted.server("elsewhere.example", "127.0.0.2"),
        "signed by itself": trusted.server(self_signed=True),
        "signed by nobody known": Authority(trusted.folder, "unknown").server(),
    }
