"""Everybody who is looked for in photos, read once and asked for every face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from facekit.bundle.bundle import Bundle, Reading
from facekit.enrollment.enrollment import Enrollment, Verdict
from facekit.enrollment.listing import list_enrolled
from facekit.enrollment.reader import read_enrollment
from facekit.errors import BundleError, FacekitError
from facekit.features.identity import join_views

__all__ = ["Roll", "call_roll", "require_fit"]


@dataclass(frozen=True)
class Roll:
    """Enrolments that fit one bundle.

    Attributes:
        enrolled: Who is looked for.
        left_out: Why somebody is not, in one line, by name.
    """

    enrolled: tuple[Enrollment, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def mirrored(self) -> tuple[str, ...]:
        """The parts of mirrored crops that are needed; none where nobody is looked for."""
        return tuple(sorted({one.part for one in self.enrolled}))

    def identify(self, reading: Reading, n: int) -> list[dict[str, Verdict]]:
        """Verdicts by name for each of n crops.

        Args:
            reading: What a bundle read in them, ``mirrored`` parts included.
            n: How many crops.

        Returns:
            n mappings; empty ones where nobody is looked for.
        """
        vectors = {
            part: join_views(reading.embedding[part], reading.mirrored[part])
            for part in self.mirrored
        }
        verdicts = {one.name: one.judge(vectors[one.part]) for one in self.enrolled}
        return [{name: every[i] for name, every in verdicts.items()} for i in range(n)]


def call_roll(bundle: Bundle, wanted: str | Sequence[str] = "all") -> Roll:
    """Read the enrolments that are wanted.

    Args:
        bundle: What will embed the faces.
        wanted: "all" (those that cannot be used are left out), "none", a name or
            names.

    Returns:
        The roll.

    Raises:
        UsageError: A name that nobody has.
        DataError: A named enrolment is damaged, or the folder is a link.
        BundleError: A named enrolment was made with another backbone.
    """
    if wanted == "none":
        return Roll()
    if wanted != "all":
        names = (wanted,) if isinstance(wanted, str) else tuple(dict.fromkeys(wanted))
        found = [read_enrollment(name) for name in names]
        for one in found:
            require_fit(one, bundle)
        return Roll(tuple(found))
    fitting, left_out = [], {}
    for entry in list_enrolled():
        try:
            if entry.enrollment is None:
                left_out[entry.name] = str(entry.error)
            else:
                require_fit(entry.enrollment, bundle)
                fitting.append(entry.enrollment)
        except FacekitError as error:
            left_out[entry.name] = str(error)
    return Roll(tuple(fitting), left_out)


def require_fit(enrollment: Enrollment, bundle: Bundle) -> None:
    """Refuse an enrolment whose vectors came from another backbone.

    Raises:
        BundleError: In one line.
    """
    if enrollment.key != bundle.key:
        raise BundleError(
            f"{enrollment.name} was enrolled with another backbone (of the model "
            f"{enrollment.bundle}) than {bundle.name} has: enrol again with this model, or name "
            f"the other one with --model {enrollment.bundle}"
        )
