"""An authority for tests, and the certificates that it signs, as PEM files in a folder."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Authority:
    """Signs certificates; `ca.crt` in its folder is its own, `NAME.crt` and `NAME.key` others'."""

    def __init__(self, folder, name="test authority"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._name, self._key = _name(name), ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(self._name, self._key.public_key(), is_authority=True)
        self._write("ca.crt", signed.public_bytes(serialization.Encoding.PEM))

    def issue(self, file, name=None, password=None, until=DAY):
        """Sign a certificate for a name (else the file's) that stands at 127.0.0.1.

        It began a day ago and lasts `until` from now; that may be before now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(_name(name or file), key.public_key(), is_authority=False, until=until)
        self._write(f"{file}.crt", signed.public_bytes(serialization.Encoding.PEM))
        locked = (
            serialization.NoEncryption()
            if password is None
            else serialization.BestAvailableEncryption(password)
        )
        pem = serialization.PrivateFormat.PKCS8
        raw = key.private_bytes(serialization.Encoding.PEM, pem, locked)
        self._write(f"{file}.key", raw)

    def _sign(self, subject, public_key, *, is_authority, until=DAY):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
                critical=False,
            )
            # Whoever is as strict as Python 3.13 wants to know who signed it, and with which right.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .add_extension(_usage(is_authority=is_authority), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name, raw):
        path = self.folder / name
        path.write_bytes(raw)
        path.chmod(0o600)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, is_authority):
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
