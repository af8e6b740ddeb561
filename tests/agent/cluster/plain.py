"""What Ray workers of tests are made with."""


def nothing() -> None:
    """No heavy imports."""
