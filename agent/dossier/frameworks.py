"""Where derived sentences belong in two frameworks, by the numbers of their parts alone.

That a sentence belongs to a part says that the part asks for such information. It does not say that the part is met.

Source: NIST AI 100-1 (AI RMF 1.0, 2023), functions and subcategories; ISO/IEC 42001:2023, clauses and Annex A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["OF_LIFE", "OF_POINT", "Parts"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of the two frameworks that ask for what a sentence tells.

    Attributes:
        nist: function and number of subcategories of the AI RMF.
        iso: clauses and controls of ISO/IEC 42001.
    """

    nist: tuple[str, ...]
    iso: tuple[str, ...]

    def to_record(self) -> dict[str, list[str]]:
        """A JSON object."""
        return {"nist_ai_rmf": list(self.nist), "iso_iec_42001": list(self.iso)}


# By topic of a sentence about the life.
OF_LIFE: Mapping[str, Parts] = {
    "ledger": Parts(("GOVERN 1.4", "MEASURE 3.1"), ("7.5.3", "A.6.2.8")),
    "run": Parts(("MAP 2.1", "MAP 2.3"), ("8.1", "A.6.2.2", "A.6.2.3")),
    "data": Parts(("MAP 2.3", "MEASURE 2.1"), ("A.7.2", "A.7.5")),
    "gate": Parts(("MANAGE 1.1", "MEASURE 2.6"), ("8.1", "A.6.2.2", "A.6.2.4")),
    "audits": Parts(("MEASURE 2.1", "MEASURE 2.3", "MEASURE 2.5"), ("9.1", "A.6.2.4")),
    "people": Parts(("GOVERN 3.2", "MAP 3.5", "MANAGE 1.1"), ("5.3", "A.3.2", "A.9.2")),
    "network": Parts(("MAP 2.1", "MANAGE 1.1"), ("A.6.2.3", "A.6.2.7")),
    "ended": Parts(("MANAGE 2.4",), ("10.2", "A.6.2.6")),
    "policy": Parts(("GOVERN 1.4", "MAP 2.3"), ("6.3", "A.6.2.3")),
    "memory": Parts(("MAP 2.3", "MAP 4.1"), ("A.6.2.3", "A.7.5")),
    "afterwards": Parts(("GOVERN 1.5", "MEASURE 2.4", "MANAGE 4.1"), ("9.1", "A.6.2.6")),
    "files": Parts(("MANAGE 4.1",), ("A.6.2.5", "A.8.2")),
}

# By point of Annex IV, for the sentences of each network's technical documentation.
OF_POINT: Mapping[str, Parts] = {
    "1.a": Parts(("MAP 2.1",), ("A.6.2.7", "A.8.2")),
    "1.c": Parts(("MAP 4.1",), ("A.4.4", "A.6.2.7")),
    "1.d": Parts(("MANAGE 4.1",), ("A.6.2.5",)),
    "2.a": Parts(("MAP 2.1", "MAP 2.3"), ("A.6.2.3",)),
    "2.b": Parts(("MAP 2.1", "MEASURE 2.6"), ("A.6.2.2", "A.6.2.3")),
    "2.c": Parts(("MAP 2.1",), ("A.4.5", "A.6.2.3")),
    "2.d": Parts(("MEASURE 2.1",), ("A.7.2", "A.7.4", "A.7.5")),
    "2.e": Parts(("GOVERN 3.2", "MAP 3.5"), ("A.3.2", "A.9.2")),
    "2.f": Parts(("GOVERN 1.4",), ("6.3", "A.6.2.3")),
    "2.g": Parts(("MEASURE 2.1", "MEASURE 2.3", "MEASURE 2.5"), ("9.1", "A.6.2.4")),
    "2.h": Parts(("MEASURE 2.7",), ("7.5.3", "A.6.2.8")),
    "3": Parts(("MAP 2.2", "MEASURE 2.5"), ("A.6.2.4", "A.8.2")),
    "4": Parts(("MEASURE 1.1",), ("9.1",)),
    "5": Parts(("MEASURE 2.5", "MANAGE 1.1"), ("6.1", "A.6.2.4")),
    "6": Parts(("MANAGE 2.4",), ("A.6.2.6",)),
    "9": Parts(("MEASURE 2.4", "MANAGE 4.1"), ("9.1", "A.6.2.6")),
}
