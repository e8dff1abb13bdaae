"""Cartoon people: the embedded dataset of the demo and of the tests.

People are sets of continuous measures (``person``), a photo adds an expression,
clothes, pose and light (``look``), parts are drawn back to front (``head``,
``face``, ``extras``) and the 40 attributes are read from what was drawn
(``truth``).
"""

from facekit.datasets.cartoon.celeba import draw_celeba
from facekit.datasets.cartoon.draw import draw_face
from facekit.datasets.cartoon.person import Person, make_person
from facekit.datasets.cartoon.scene import Scene, draw_scene

__all__ = ["Person", "Scene", "draw_celeba", "draw_face", "draw_scene", "make_person"]
