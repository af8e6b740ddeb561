"""Decisions signed by the key of the person who took them (Ed25519, RFC 8032).

What is signed is the whole event and the hash of the event that the person saw last about the finalist. So a signature
fits no other finalist, no other words, and no later moment.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import structs

from agent.ledger.events import UNSET, Reviewed, SignedBy

__all__ = ["key_text", "short", "signature_fault", "signed"]


def key_text(key: Ed25519PublicKey) -> str:
    """A public key as events hold it."""
    return key.public_bytes_raw().hex()


def short(key: str) -> str:
    """As much of a key as people compare at a glance.

    Example:
        >>> short("0123456789abcdef" * 4)
        '0123456789ab'
    """
    return key[:12]


def signed(review: Reviewed, key: Ed25519PrivateKey, *, after: str) -> Reviewed:
    """The decision with a signature.

    Args:
        review: without one.
        key: of the person who decides.
        after: hash of the event that the person saw last about the finalist.
    """
    blank = SignedBy(key=key_text(key.public_key()), after=after, signature="")
    signature = key.sign(_message(structs.replace(review, signed=blank))).hex()
    return structs.replace(review, signed=structs.replace(blank, signature=signature))


def signature_fault(review: Reviewed) -> str:
    """What is wrong with the signature of a decision; empty where it is right, or where there is none."""
    if review.signed is UNSET:
        return ""
    blank = structs.replace(review, signed=structs.replace(review.signed, signature=""))
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(review.signed.key))
        key.verify(bytes.fromhex(review.signed.signature), _message(blank))
    except (ValueError, InvalidSignature):
        return f"its signature was not made with key {short(review.signed.key)} over what it says"
    return ""


def _message(blank: Reviewed) -> bytes:
    return f"selfnas review\x1f1\x1f{blank.to_json()}".encode()
