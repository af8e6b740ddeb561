"""The figures of one task."""

from scipy.stats import binomtest

from agent.report.summary import Accuracy


def test_an_accuracys_interval_is_scipys_to_the_last_bit() -> None:
    """What MLflow holds of a life was computed by either, and is compared exactly."""
    counts = [1, 2, 3, 7, 30, 359, 500, 1000, 9999]
    cases = [(count * part // 97, count) for count in counts for part in range(98)]
    for correct, count in cases:
        theirs = binomtest(correct, count).proportion_ci(method="wilson")
        assert Accuracy(correct, count).interval == (theirs.low, theirs.high), (correct, count)
