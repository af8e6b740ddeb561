"""A dossier signed with an Ed25519 key (RFC 8032): over the SHA-256 of each of its files.

Whoever is handed the folder can tell who made it without the life; that it is true needs the life.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.ledger.review_signature import key_text, short
from selfnas.digests import canonical_json
from selfnas.errors import InputError, cause
from selfnas.files import write_whole

__all__ = ["SIGNATURE", "check_dossier_signature", "sign_dossier"]

SIGNATURE = "signature.json"
_LONGEST = 10_000  # bytes of its file


def sign_dossier(folder: Path, key: Ed25519PrivateKey) -> None:
    """Write the signature of a dossier beside its files.

    Raises:
        InputError: it cannot be read or written.
    """
    record = {"format": 1, "key": key_text(key.public_key()), "signature": key.sign(_message(folder)).hex()}
    write_whole(folder / SIGNATURE, json.dumps(record, indent=1) + "\n")


def check_dossier_signature(folder: Path, key: Ed25519PublicKey | None) -> list[str]:
    """What is wrong with the signature of a dossier, in sentences.

    Args:
        folder: of the dossier.
        key: that it must be signed with; None takes the key that it names, and no signature is no fault.

    Raises:
        InputError: a file cannot be read.
    """
    path = folder / SIGNATURE
    if not path.exists() and not path.is_symlink():
        return [] if key is None else ["the dossier is not signed"]
    try:
        if path.is_symlink() or path.stat().st_size > _LONGEST:
            return [f"{SIGNATURE}: is no signature"]
        record = json.loads(path.read_text(encoding="utf-8"))
        if set(record) != {"format", "key", "signature"} or record["format"] != 1:
            return [f"{SIGNATURE}: is no signature of format 1"]
        named, signature = str(record["key"]), bytes.fromhex(record["signature"])
        known = Ed25519PublicKey.from_public_bytes(bytes.fromhex(named))
    except (OSError, ValueError, TypeError, RecursionError):
        return [f"{SIGNATURE}: is no signature"]
    if key is not None and key_text(key) != named:
        return [f"the dossier is signed with key {short(named)}, not with {short(key_text(key))}"]
    try:
        known.verify(signature, _message(folder))
    except InvalidSignature:
        return [f"the signature was not made with key {short(named)} over these files"]
    return []


def _message(folder: Path) -> bytes:
    try:
        files = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path != folder / SIGNATURE
        }
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {cause(error)}") from error
    return f"selfnas dossier\x1f1\x1f{canonical_json(files)}".encode()
