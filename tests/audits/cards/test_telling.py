"""A person who looks at a few inputs sees the errors first, then what the network is least sure of."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from audits import AuditData
from audits.cards.telling import telling
from audits.contract.examinee import Examinee, evaluation_mode
from selfnas.data.targets import Target


class Prepared(nn.Module):
    """Gives prepared logits, a row for each of its calls' inputs in order."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.rows = list(logits)

    def forward(self, x: Tensor) -> Tensor:
        """The next rows."""
        taken, self.rows = self.rows[: len(x)], self.rows[len(x) :]
        return torch.stack(taken)


def shown(data: AuditData, logits: Tensor, count: int) -> list[tuple[int, bool]]:
    """Which inputs, and whether they are errors."""
    network = Prepared(logits)
    with evaluation_mode(network):
        return [(one.index, one.wrong) for one in telling(Examinee(network, data, seed=0), count)]


def right(data: AuditData, *, by: Callable[[int], float]) -> Tensor:
    """Logits that answer every audit input rightly, by a margin for each."""
    logits = torch.zeros(len(data.y), data.classes)
    for row, truth in enumerate(data.y.tolist()):
        logits[row, truth] = by(row)
    return logits


def test_errors_come_first_the_surest_of_them_ahead(data: AuditData) -> None:
    """Two errors, then the right answers of the least margin, in that order."""
    logits = right(data, by=lambda row: 1.0 + row)
    for row, lead in ((5, 3.0), (9, 8.0)):
        logits[row] = 0.0
        logits[row, (int(data.y[row]) + 1) % data.classes] = lead
    assert shown(data, logits, 6) == [(9, True), (5, True), (0, False), (1, False), (2, False), (3, False)]


def test_errors_leave_a_third_of_the_places(data: AuditData) -> None:
    """Unless everything is wrong."""
    logits = right(data, by=lambda row: 5.0 + row)
    logits[:20] = -logits[:20]
    assert [wrong for _, wrong in shown(data, logits, 6)] == [True] * 4 + [False] * 2
    assert [wrong for _, wrong in shown(data, -right(data, by=lambda row: 5.0), 6)] == [True] * 6


def test_fewer_inputs_than_places_are_all_shown(data: AuditData) -> None:
    """Each once."""
    found = shown(data, right(data, by=lambda row: 1.0), len(data.y) + 5)
    assert sorted(index for index, _ in found) == list(range(len(data.y)))


@pytest.mark.parametrize(
    ("target", "y", "logits", "expected"),
    [
        (
            Target(kind="multilabel", names=("a", "b")),
            torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]),
            torch.tensor([[9.0, -9.0], [-0.1, -9.0], [9.0, -3.0]]),
            [(2, True), (1, False), (0, False)],
        ),
        (
            Target(kind="ordinal", names=("low", "mid", "high")),
            torch.tensor([0, 1, 2]),
            torch.tensor([[-9.0, -9.0], [0.4, -9.0], [-9.0, -9.0]]),
            [(2, True), (1, False), (0, False)],
        ),
        (
            Target(kind="regression", names=("n",), center=(0.0,), scale=(1.0,)),
            torch.tensor([[0.0], [0.0], [0.0]]),
            torch.tensor([[0.1], [-3.0], [1.0]]),
            [(1, False), (2, False), (0, False)],
        ),
    ],
    ids=["labels", "ordered classes", "numbers"],
)
def test_every_kind_of_task_has_an_order(
    target: Target, y: Tensor, logits: Tensor, expected: list[tuple[int, bool]]
) -> None:
    """Of labels one wrong one is an error; of numbers the greatest loss comes first, and none is called an error."""
    x = torch.zeros(3, 1, 4)
    data = AuditData(x_train=x, y_train=y, x=x, y=y, classes=target.outputs, target=target)
    assert shown(data, logits, 3) == expected
