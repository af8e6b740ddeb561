"""Ed25519 signatures of a ledger's head, so that whoever lacks the private key cannot rewrite a signed history unseen.

A chain of hashes can be recomputed by anyone who edits it; a signature of its head cannot (RFC 8032).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.ledger.home import Home
from agent.ledger.store import Ledger
from selfnas.digests import canonical_json
from selfnas.errors import InputError, cause

__all__ = ["check_signature", "new_key", "private_key", "public_key", "sign_head"]

_LONGEST = 10_000  # bytes of a key or signature file; real ones have a few hundred


def new_key(private: Path) -> Path:
    """Write a private key that only its owner may read, and beside it the public key; answers the latter's path.

    Raises:
        InputError: one of the files exists already or cannot be written.
    """
    public = private.with_name(private.name + ".pub")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    shown = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for path, content, mode in ((private, secret, 0o600), (public, shown, 0o644)):
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {cause(error)}") from error
    return public


def sign_head(ledger: Ledger, home: Home, private: Path) -> int:
    """Sign the present head of the chain into the home; answers how many events that covers.

    Raises:
        InputError: the key cannot be used, the chain is broken, or the signature cannot be written.
    """
    key = private_key(private)
    if problem := next(ledger.broken_links(), None):
        raise InputError(f"{home.ledger}: not signed: {problem}")
    count, head = ledger.head()
    if not count:
        raise InputError(f"{home.ledger}: not signed: there is no event, and such a signature would fit any history")
    record = {"format": 1, "events": count, "head": head, "signature": key.sign(_message(count, head)).hex()}
    draft = home.signature.with_suffix(".part")
    try:
        draft.write_text(canonical_json(record) + "\n", encoding="utf-8")
        draft.replace(home.signature)
    except OSError as error:
        raise InputError(f"{home.signature}: cannot be written: {cause(error)}") from error
    return count


def check_signature(ledger: Ledger, home: Home, public: Path) -> tuple[int, list[str]]:
    """How many events the signature covers, and what is wrong with it, in sentences.

    Raises:
        InputError: the public key cannot be used.
    """
    key = public_key(public)
    if not home.signature.is_file():
        return 0, [f"the head of the chain is not signed: there is no {home.signature.name}"]
    try:
        record = json.loads(_read(home.signature))
        count, head = int(record["events"]), str(record["head"])
        key.verify(bytes.fromhex(record["signature"]), _message(count, head))
    except (InputError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return 0, [f"{home.signature.name} is damaged"]
    except InvalidSignature:
        return 0, ["the signature of the head was not made with this key"]
    if count < 1:
        return 0, ["the signature covers no event, so that it says nothing of this history"]
    if ledger.hash_before(count) != head:
        return 0, [f"the first {count} events are not those that were signed: history was rewritten or cut short"]
    return count, []


def private_key(path: Path) -> Ed25519PrivateKey:
    """A key that signs.

    Raises:
        InputError: the file is none.
    """
    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: not a private key without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path}: not an Ed25519 key")
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """A key that signatures are checked with.

    Raises:
        InputError: the file is none.
    """
    try:
        key = serialization.load_pem_public_key(_read(path))
    except ValueError as error:
        raise InputError(f"{path}: not a public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path}: not an Ed25519 key")
    return key


def _message(count: int, head: str) -> bytes:
    return f"selfnas ledger head\x1f1\x1f{count}\x1f{head}".encode()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {cause(error)}") from error
    if len(content) > _LONGEST:
        raise InputError(f"{path}: too long for a key or a signature")
    return content
