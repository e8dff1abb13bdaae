"""Cartoon people: the embedded dataset of the demo and of the tests.

People are sets of continuous measures (``person``), a photo adds an expression,
clothes, pose and light (``look``), parts are drawn back to front (``head``,
``face``, ``extras``) and the 40 attributes are read from what was drawn
(``truth``).
"""

from facekit.cartoon.celeba import draw_celeba
from facekit.cartoon.person import Person, make_person
from facekit.cartoon.scene import Scene, draw_face, draw_scene

__all__ = ["Person", "Scene", "draw_celeba", "draw_face", "draw_scene", "make_person"]
