"""Where the reference pages come from: the one place to change when a module moves.

Each entry reads `module:attribute` or, for the Python reference, `module`. Nothing is imported before it is needed.
"""

from __future__ import annotations

from importlib import import_module

__all__ = ["COMMANDS", "EVENTS", "MODELS", "PYTHON", "load"]

# The files that people write, by the name of their JSON Schema.
MODELS = {
    "stream": "agent.stream.file:Stream",
    "set": "constraints.loading.setfile:SetModel",
    "suite": "audits.verdicts.suite:_File",
    "device": "selfnas.devices.devices:Device",
}

# The command line.
COMMANDS = "agent.cli:app"

# What an event of each kind holds: a mapping from kind to model.
EVENTS = "agent.ledger.events:KINDS"

# The Python reference: title, what it is for, modules.
PYTHON = (
    (
        "Lives",
        "Build a stream, live through it, open a life and read its tables, networks and tasks.",
        ("agent",),
    ),
    (
        "Architectures, tasks, strategies",
        "Spaces and cells, costs, networks, tasks from arrays and files, strategies, benchmark tables, devices.",
        ("selfnas",),
    ),
    (
        "Constraint sets",
        "Load a set, decide about an architecture, count what is admitted, compare two sets.",
        ("constraints",),
    ),
    (
        "Audits",
        "Run a suite on a trained network, judge the findings, draw the card.",
        ("audits",),
    ),
    (
        "The ledger",
        "Reading events one by one, as their models.",
        ("agent.ledger.events", "agent.ledger.store"),
    ),
)


def load(source: str) -> object:
    """What an entry `module:attribute` names."""
    module, _, attribute = source.partition(":")
    return getattr(import_module(module), attribute)
