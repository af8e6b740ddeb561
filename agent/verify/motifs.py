"""What verification knows of motifs: which were let in, and whether each change of the constraint set judged them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass

from agent.ledger import events
from constraints import Certificate, ConstraintSet, Context, refused_by, verify_certificate
from selfnas.spaces.architecture import TaskShape
from selfnas.spaces.named import adapted, parse_architecture

__all__ = ["KnownMotif", "MotifChecker"]


@dataclass(slots=True, kw_only=True)
class KnownMotif:
    """A motif that a life let in.

    Attributes:
        seq: number of the event that did.
        run: of the finalist that it was, as are `task`, `digest`, `architecture` and `weights`.
        shape: of its task.
        tested: examples of its task's test split; None where a person let it in.
        right: of these, about how many it was right; None likewise.
        suite: digest of the audit suite of its run.
        standing: whether no person revoked it.
        forbidden: whether it is quarantined.
    """

    seq: int
    run: int
    task: str
    digest: str
    architecture: str
    weights: str
    shape: TaskShape
    tested: int | None
    right: int | None
    suite: str
    standing: bool = True
    forbidden: bool = False

    @property
    def in_force(self) -> bool:
        """Whether it can be recalled, watched and succeeded."""
        return self.standing and not self.forbidden


class MotifChecker:
    """Follows motifs through a ledger, sharing no code with what keeps the library.

    Args:
        hashes: of the events so far; the caller adds to them.
    """

    def __init__(self, hashes: Container[str]) -> None:
        self._hashes = hashes
        self._motifs: dict[int, KnownMotif] = {}  # by the event that let it in
        self._places: dict[tuple[int, str], list[KnownMotif]] = {}  # by run and task
        self._set: ConstraintSet | None = None
        self._set_digest = self._suite = self._suite_name = ""
        self._suites: dict[int, str] = {}  # digest, by run
        self._due: dict[int, tuple[str, ...]] = {}  # motifs that the set in force forbids, and the rules
        self._run = 0

    def run_begins(self, started: events.RunStarted, set_: ConstraintSet | None) -> None:
        """A run under a constraint set, which judges every motif again where it is another than the one before."""
        self._run += 1
        changed = bool(self._set_digest) and self._set_digest != started.constraint_set_digest
        self._set, self._set_digest = set_, started.constraint_set_digest
        self._suite = self._suites[self._run] = started.audit_suite_digest
        self._suite_name = started.audit_suite.name
        self._due = {}
        if changed and set_ is not None:
            for motif in self._motifs.values():
                if motif.in_force:
                    rules = refused_by(parse_architecture(motif.architecture), set_, shape=motif.shape)
                    self._due |= {motif.seq: rules} if rules else {}

    def overdue(self, facts: events.Facts | None = None) -> Iterator[str]:
        """Motifs that had to be quarantined before an event, or the end of the ledger (None), came."""
        if isinstance(facts, events.MotifRevised) or not self._due:
            return
        due, self._due = self._due, {}
        for seq, rules in due.items():
            motif = self._motifs[seq]
            yield (
                f"motif {motif.digest[:12]} (event {seq}) was not quarantined, though the constraint set of run "
                f"{self._run} forbids it: {', '.join(rules)}"
            )

    def let_in(
        self,
        seq: int,
        facts: events.Admitted | events.Reviewed,
        shape: TaskShape,
        *,
        run: int,
        task: str,
        trained: events.Trained | None,
    ) -> None:
        """Gate and audits, or a person, let a finalist in, by event number `seq`."""
        motif = self._motifs[seq] = KnownMotif(
            seq=seq,
            run=run,
            task=task,
            digest=facts.digest,
            architecture=facts.architecture,
            weights=facts.weights_sha256,
            shape=shape,
            tested=None if trained is None else trained.test_count,
            right=None if trained is None else trained.test_correct,
            suite=self._suites.get(run, ""),
        )
        self._places.setdefault((run, task), []).append(motif)

    def revoked(self, review: events.Reviewed) -> None:
        """A person took a finalist out."""
        for motif in self._at(review.run, review.task):
            if motif.digest == review.digest:
                motif.standing = False

    def task_begins(self, started: events.TaskStarted) -> Iterator[str]:
        """Nothing may be recalled that is quarantined."""
        for one in started.recalled:
            recalled = parse_architecture(one.architecture)
            known = [
                motif
                for motif in self._at(one.from_run, one.from_task)
                if adapted(motif.architecture, recalled.space, recalled.macro) == recalled
            ]
            if any(motif.forbidden for motif in known) and not any(motif.in_force for motif in known):
                yield f"recalled {recalled.digest[:12]}, which is quarantined"

    def judged_again(self, revised: events.MotifRevised) -> Iterator[str]:
        """A motif judged again under the set that a run began with."""
        seq, restored = revised.admitted_seq, isinstance(revised, events.MotifRestored)
        known = self._motifs.get(seq)
        if known is None or known.architecture != revised.architecture:
            yield "it is about a motif that was never let in"
            return
        self._due.pop(seq, None)
        if not known.standing or known.forbidden != restored:
            yield "it is about a motif that stood otherwise"
        known.forbidden = not restored
        if revised.certificate is None:
            if restored:
                yield "restored without a certificate"
            return
        certificate = Certificate.from_json(revised.certificate)
        if (certificate.verdict == "admit") != restored:
            yield f"the certificate says {certificate.verdict}"
        if certificate.architecture != revised.architecture:
            yield "the certificate is for another architecture"
        if certificate.previous not in self._hashes:
            yield "the certificate does not name an earlier event of this life"
        if self._set is not None:
            architecture = parse_architecture(known.architecture)
            context = Context(space=architecture.space, macro=architecture.macro, shape=known.shape)
            if context.digest(self._set.digest) != certificate.guard:
                yield "the certificate was not issued for the task that the motif won on"
            yield from verify_certificate(certificate, self._set)

    def at(self, seq: int) -> KnownMotif | None:
        """The motif that event number `seq` let in."""
        return self._motifs.get(seq)

    def in_service(self, run: int, task: str, digest: str) -> KnownMotif | None:
        """The motif in force that was the finalist of that run, task and digest."""
        found = [motif for motif in self._at(run, task) if motif.digest == digest and motif.in_force]
        return found[-1] if found else None

    def otherwise_admitted(self) -> Iterator[str]:
        """A sentence for each run whose motifs were audited by another suite than the latest run's."""
        counts = Counter(motif.run for motif in self._motifs.values() if motif.in_force and motif.suite != self._suite)
        for run, count in sorted(counts.items()):
            yield (
                f"{count} motif(s) of run {run} were admitted under another audit suite than {self._suite_name!r}, "
                "which is in force: `selfnas status` names them"
            )

    def _at(self, run: int, task: str) -> list[KnownMotif]:
        return self._places.get((run, task), [])
