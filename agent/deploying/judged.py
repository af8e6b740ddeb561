"""What the audits say of a file: those of its suite that can be judged by its answers to the audit split alone.

A file has no gradients, and prepared examples cannot be put into it. So it is asked about the raw examples of the audit
split, once, and the audits see these answers in the place of a network. An audit that asks about any other input finds
no answer there. It is left out, and named.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.deploying.programs import Subject
from audits import AuditData, Finding, Suite, run_suite
from audits.verdicts.verdict import stops
from selfnas.artefacts.onnx_program import OnnxProgram
from selfnas.data.originals import originals
from selfnas.errors import SelfnasError
from selfnas.training.exported import answered, network_outputs

__all__ = ["Judged", "judged"]


class UnaskedError(SelfnasError, LookupError):
    """A file was not asked about this input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a suite says of a file's answers.

    Attributes:
        findings: of audits that need these answers alone, in the suite's order.
        left_out: audits that ask about other inputs, need gradients, or have nothing to test here.
        n: examples of the audit split that were asked about; 0 where these cannot be had raw.
    """

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    n: int

    @property
    def failed(self) -> tuple[str, ...]:
        """Labels of gates that did not pass and of alarms that failed."""
        return tuple(finding.label for finding in self.findings if stops(finding))


class _Recorded(nn.Module):
    """Answers that were given, by the bytes of the prepared example."""

    def __init__(self, x: NDArray[np.float32], outputs: Tensor) -> None:
        super().__init__()
        self._known = {row.tobytes(): output for row, output in zip(x, outputs, strict=True)}

    def forward(self, x: Tensor) -> Tensor:
        """`(b, *prepared)` to `(b, outputs)`."""
        try:
            return torch.stack([self._known[row.tobytes()] for row in x.numpy()])
        except KeyError:
            raise UnaskedError("the file was asked about the audit split alone") from None


def judged(content: bytes, subject: Subject, suite: Suite, *, seed: int) -> Judged:
    """Run a suite on what a file answers.

    Args:
        content: of the `.onnx` file.
        subject: whose network it holds.
        suite: that the network was audited with.
        seed: of the recorded audit.
    """
    task = subject.task
    found = originals(task, subject.raw, part="audit")
    if len(found.x) < len(task.audit):
        return Judged(findings=(), left_out=tuple(dict.fromkeys(entry.audit for entry in suite.entries)), n=0)
    outputs = network_outputs(answered(OnnxProgram.read(content).told, found.x), task.target)
    network = _Recorded(task.audit.x[np.asarray(found.places)], outputs)
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # that an audit could not ask further is no news here
    try:
        data = AuditData.of(task, without=subject.left_out)
        findings = run_suite(network, data, suite, seed=seed)
    finally:
        logging.disable(before)
    asking = {each.audit for each in findings if each.decision == "untested" or (each.estimate is None and not each.n)}
    return Judged(
        findings=tuple(finding for finding in findings if finding.audit not in asking),
        left_out=tuple(dict.fromkeys(entry.audit for entry in suite.entries if entry.audit in asking)),
        n=len(data.x),
    )
