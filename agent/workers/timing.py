"""Where the workers' time went; for people, in no event and no hash."""

from __future__ import annotations

from dataclasses import dataclass

from agent.workers.jobs import Answer, BaselineAnswer, FullAnswer, InheritAnswer, ProxyAnswer

__all__ = ["WorkTime"]


@dataclass(slots=True)
class WorkTime:
    """Seconds that worker processes were busy, summed over them.

    Attributes:
        proxies: scoring architectures without training.
        training: of supernets and at both fidelities, with loading the data and testing.
        audits: running the suite, and drawing what it saw.
        baselines: fitting what the winner is compared with.
    """

    proxies: float = 0.0
    training: float = 0.0
    audits: float = 0.0
    baselines: float = 0.0

    def add(self, answer: Answer) -> None:
        """One finished job; one whose process died took no time that anybody measured."""
        if isinstance(answer, (ProxyAnswer, InheritAnswer)):
            self.proxies += answer.seconds
            return
        if isinstance(answer, BaselineAnswer):
            self.baselines += answer.seconds
            return
        audits = answer.audit_seconds if isinstance(answer, FullAnswer) else 0.0
        self.audits += audits
        self.training += answer.seconds - audits

    def sentence(self, lived: float, *, workers: int) -> str:
        """How much of the time it lived the life kept its workers busy, and shares of that, in percent.

        Args:
            lived: seconds from the first step to the last.
            workers: number of processes.

        Example:
            >>> WorkTime(training=80.0, audits=15.0, baselines=5.0).sentence(62.5, workers=2).partition(": ")[2]
            'training 80.0 %, audits 15.0 %, baselines 5.0 %, proxies 0.0 %'
        """
        total = self.proxies + self.training + self.audits + self.baselines
        parts = (
            ("training", self.training), ("audits", self.audits), ("baselines", self.baselines),
            ("proxies", self.proxies),
        )  # fmt: skip
        shares = ", ".join(f"{name} {100 * seconds / total if total else 0:.1f} %" for name, seconds in parts)
        who = f"{workers} workers were" if workers > 1 else "1 worker was"
        return f"lived {lived:.1f} s; {who} busy for {100 * total / (workers * lived):.0f} % of it: {shares}"
