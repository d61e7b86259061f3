"""Certificates for tests, made with openssl: each is its own CA, with its key in the same file."""

import ssl
import subprocess
from pathlib import Path

_CONFIGURATION = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


def make_certificate(folder: Path, *hosts: str, ended: bool = False) -> Path:
    """Make a certificate for these hosts in `folder`; `ended`: one that was valid in the year 2020."""
    key, request, made, file = (folder / name for name in ("key.pem", "request.pem", "made.pem", "certificate.pem"))
    configuration = folder / "openssl.cnf"
    configuration.write_text(_CONFIGURATION.format(folder=folder))
    (folder / "index.txt").touch()
    names = ",".join(f"DNS:{host}" for host in hosts)
    _openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key),
        *(
            "-subj",
            f"/CN={folder.name}",
            "-addext",
            f"subjectAltName={names}",
            "-addext",
            "keyUsage=critical,digitalSignature,keyCertSign",
        ),
        *("-addext", "basicConstraints=critical,CA:TRUE", "-out", request),
    )
    valid = ("-startdate", "20200101000000Z", "-enddate", "20201231000000Z") if ended else ("-days", "2")
    _openssl(
        *("ca", "-batch", "-selfsign", "-notext", "-config", configuration, "-keyfile", key, "-in", request),
        *(*valid, "-out", made),
    )
    file.write_bytes(key.read_bytes() + made.read_bytes())
    return file


def _openssl(*args: str | Path) -> None:
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def serving(certificate: Path) -> ssl.SSLContext:
    """TLS as a server that shows this certificate has it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
