"""The models of an enrolment: the one whose part is read, and the one that knows people."""

from __future__ import annotations

from dataclasses import dataclass

from facekit.bundle.bundle import Bundle
from facekit.bundle.zoo import DEFAULT, load_bundle
from facekit.enrollment.enrollment import Enrollment
from facekit.enrollment.roll import require_fit
from facekit.errors import BundleError
from facekit.features.identity import IDENTITY, require_part
from facekit.predict import FaceModel, load
from facekit.recipe.enroll import EnrollRecipe

__all__ = ["EnrollModels", "open_models"]


@dataclass(frozen=True, eq=False)
class EnrollModels:
    """What an enrolment is made with.

    Attributes:
        bundle: What the neuron reads a part of.
        part: Which part.
        chooser: Finds faces, and tells whose they are by its identity part: the
            same bundle where it can, else the default one, because attributes do not
            say which of several faces is the person.
    """

    bundle: Bundle
    part: str
    chooser: FaceModel

    @property
    def reader(self) -> Bundle | None:
        """The bundle, where the chooser has another one."""
        return None if self.chooser.bundle is self.bundle else self.bundle

    def record(self) -> dict[str, str]:
        """What told people apart, as JSON values."""
        return {"model": self.chooser.bundle.name, "key": self.chooser.bundle.key}


def open_models(recipe: EnrollRecipe, detector: str, before: Enrollment | None) -> EnrollModels:
    """Load them.

    Args:
        recipe: Names the model and the part.
        detector: As for ``facekit.load``.
        before: The enrolment that photos are added to.

    Raises:
        BundleError: A model is missing, lacks the part, or is another one than that
            of the enrolment to add to.
        UsageError: There is no such detector.
    """
    chooser = load(recipe.model or None, detector, identities="none")
    bundle, part = chooser.bundle, recipe.head.part
    require_part(bundle, part)
    if IDENTITY not in bundle.parts:
        chooser = FaceModel(load_bundle(DEFAULT), chooser.detector)
    models = EnrollModels(bundle, part, chooser)
    if before is not None:
        require_fit(before, bundle)
        chosen = before.facts.get("chosen_by", models.record())
        if chosen.get("key") != chooser.bundle.key:
            raise BundleError(
                f"the photos of {before.name} were told from others by another backbone (of the "
                f"model {chosen.get('model')}) than {chooser.bundle.name} has: enrol again "
                "without --add"
            )
    return models
