"""What each super-category looks like: the shape by super-category of the demo's drawings.

A scene is a list of primitives with the box that each fills, painted in order. Scenes are what a
child would draw: a church has a steeple and a cross, a volcano a crater, a market awnings.
"""

from collections.abc import Callable, Mapping

from hgld.demo.pictures import architecture as built
from hgld.demo.pictures import terrain as land
from hgld.demo.pictures import works
from hgld.demo.pictures.pen import Box, Pen

Scene = tuple[tuple[Callable[[Pen, Box], None], Box], ...]

_GROUND = Box(-0.5, 0.8, 1.5, 1.5)
_WIDE = Box(0.08, 0.25, 0.92, 0.86)
_MIDDLE = Box(0.25, 0.2, 0.75, 0.88)
_HALF = Box(-0.5, 0.5, 1.5, 1.5)
_LAND = Box(-0.3, 0.2, 1.3, 0.82)

SCENES: Mapping[str, Scene] = {
    # human-made
    "air transportation": ((land.pavement, _GROUND), (works.airport, Box(0.02, 0.3, 0.98, 0.95))),
    "amusement park": (
        (land.meadow, _GROUND),
        (works.coaster, Box(0.0, 0.4, 0.9, 0.85)),
        (works.wheel, Box(0.4, 0.12, 1.0, 0.86)),
    ),
    "aqueduct": ((land.meadow, _GROUND), (built.arcades, Box(-0.3, 0.35, 1.3, 0.84))),
    "archeological site": (
        (land.sand, Box(-0.5, 0.55, 1.5, 1.5)),
        (built.walls_in_the_ground, Box(0.0, 0.6, 1.0, 1.0)),
        (built.broken_columns, Box(0.15, 0.35, 0.85, 0.66)),
    ),
    "bath": (
        (built.arcade, Box(0.0, 0.35, 1.0, 0.7)),
        (built.dome, Box(0.3, 0.12, 0.7, 0.42)),
        (land.water, Box(-0.5, 0.7, 1.5, 1.5)),
    ),
    "boat": ((land.surf, Box(-0.5, 0.72, 1.5, 1.5)), (works.ship, Box(0.08, 0.12, 0.92, 0.9))),
    "bridge": ((land.water, Box(-0.5, 0.78, 1.5, 1.5)), (built.suspension, Box(0, 0.25, 1, 0.9))),
    "buddhist temple": (
        (land.meadow, _GROUND),
        (built.stacked_roofs, Box(0.12, 0.3, 0.68, 0.86)),
        (built.stupa, Box(0.6, 0.25, 0.95, 0.88)),
    ),
    "castle / fort": (
        (land.hills, Box(-0.2, 0.7, 1.2, 1.2)),
        (built.battlements, Box(0.12, 0.5, 0.88, 0.86)),
        (built.keep, Box(0.16, 0.2, 0.34, 0.84)),
        (built.keep, Box(0.64, 0.28, 0.86, 0.84)),
    ),
    "cemetery": ((land.meadow, _HALF), (works.graves, Box(0.05, 0.45, 0.95, 0.92))),
    "church": (
        (land.pavement, _GROUND),
        (built.rose_front, Box(0.34, 0.4, 0.88, 0.86)),
        (built.steeple, Box(0.14, 0.06, 0.38, 0.86)),
    ),
    "city": (
        (built.gable, Box(0.0, 0.4, 0.35, 0.85)),
        (built.block, Box(0.3, 0.3, 0.6, 0.85)),
        (built.gable, Box(0.55, 0.42, 0.85, 0.85)),
        (built.steeple, Box(0.8, 0.15, 0.94, 0.85)),
        (land.pavement, _GROUND),
    ),
    "dam": ((land.hills, _LAND), (works.dam_wall, Box(0.05, 0.3, 0.95, 0.95))),
    "factory": ((land.pavement, _GROUND), (works.chimneys, _WIDE)),
    "fountain": ((land.pavement, _GROUND), (works.jets, Box(0.15, 0.25, 0.85, 0.95))),
    "gate": (
        (land.pavement, _GROUND),
        (built.block, Box(0.14, 0.32, 0.86, 0.86)),
        (built.archway, Box(0.34, 0.45, 0.66, 0.88)),
        (built.statue, Box(0.4, 0.1, 0.6, 0.36)),
    ),
    "government building": (
        (land.meadow, _GROUND),
        (built.block, Box(0.02, 0.5, 0.98, 0.86)),
        (built.colonnade, Box(0.3, 0.42, 0.7, 0.87)),
        (built.dome, Box(0.36, 0.14, 0.64, 0.48)),
    ),
    "harbor": (
        (land.water, _HALF),
        (built.block, Box(0.55, 0.35, 1.1, 0.6)),
        (works.ship, Box(0.02, 0.28, 0.5, 0.72)),
        (works.ship, Box(0.4, 0.42, 0.8, 0.84)),
        (land.pavement, Box(-0.5, 0.86, 1.5, 1.5)),
    ),
    "hindu temple": (
        (land.pavement, _GROUND),
        (built.gopuram, Box(0.3, 0.12, 0.78, 0.86)),
        (built.gopuram, Box(0.08, 0.45, 0.34, 0.86)),
    ),
    "hotel": (
        (built.block, Box(0.12, 0.2, 0.88, 0.85)),
        (works.stalls, Box(0.3, 0.72, 0.7, 0.86)),
        (land.palm, Box(0.0, 0.45, 0.14, 0.88)),
        (land.pavement, _GROUND),
    ),
    "house": ((land.meadow, _GROUND), (built.gable, _MIDDLE), (land.tree, Box(0.76, 0.4, 1, 0.9))),
    "library": ((built.colonnade, Box(0.05, 0.1, 0.95, 0.6)), (works.shelves, Box(0, 0.6, 1, 1.1))),
    "lighthouse": (
        (land.surf, Box(-0.5, 0.7, 1.5, 1.5)),
        (land.boulder, Box(0.15, 0.72, 0.85, 0.98)),
        (works.lighthouse, Box(0.32, 0.1, 0.68, 0.84)),
    ),
    "market": ((land.pavement, _HALF), (works.stalls, Box(-0.05, 0.3, 1.05, 0.9))),
    "memorial": (
        (land.meadow, _GROUND),
        (built.colonnade, Box(0.05, 0.55, 0.95, 0.88)),
        (built.obelisk, Box(0.34, 0.05, 0.66, 0.92)),
    ),
    "mine": ((land.hills, Box(-0.3, 0.5, 1.3, 1.1)), (works.headframe, Box(0.1, 0.2, 0.9, 0.9))),
    "monastery": (
        (land.hills, _LAND),
        (built.arcade, Box(0.05, 0.62, 0.95, 0.86)),
        (built.gable, Box(0.1, 0.36, 0.62, 0.7)),
        (built.steeple, Box(0.6, 0.18, 0.78, 0.7)),
    ),
    "mosque": (
        (land.pavement, _GROUND),
        (built.minaret, Box(0.06, 0.08, 0.18, 0.86)),
        (built.minaret, Box(0.82, 0.08, 0.94, 0.86)),
        (built.arcade, Box(0.16, 0.58, 0.84, 0.86)),
        (built.dome, Box(0.27, 0.24, 0.73, 0.62)),
    ),
    "museum": ((land.pavement, _GROUND), (built.colonnade, _WIDE)),
    "observatory": (
        (land.hills, Box(-0.2, 0.68, 1.2, 1.2)),
        (works.observatory_dome, Box(0.22, 0.3, 0.78, 0.84)),
    ),
    "palace": (
        (land.flower_beds, Box(0.0, 0.72, 1.0, 1.1)),
        (built.block, Box(0.0, 0.45, 0.35, 0.76)),
        (built.block, Box(0.65, 0.45, 1.0, 0.76)),
        (built.colonnade, Box(0.32, 0.32, 0.68, 0.77)),
    ),
    "pyramid": ((land.sand, _GROUND), (built.pyramid, Box(0.05, 0.2, 0.95, 0.86))),
    "rail transportation": ((works.station, Box(0.0, 0.3, 1.0, 0.98)),),
    "road": ((works.street, Box(-0.05, 0.1, 1.05, 1.05)),),
    "ruins": (
        (land.hills, _LAND),
        (built.broken_columns, Box(0.05, 0.25, 0.95, 0.86)),
        (land.meadow, _GROUND),
    ),
    "school": (
        (land.meadow, _GROUND),
        (built.block, Box(0.05, 0.5, 0.95, 0.86)),
        (built.gable, Box(0.4, 0.3, 0.6, 0.86)),
        (land.trees, Box(0.0, 0.62, 0.4, 0.92)),
    ),
    "sculpture": ((land.pavement, _GROUND), (built.statue, Box(0.25, 0.08, 0.75, 0.92))),
    "settlement": (
        (land.hills, _LAND),
        (built.gable, Box(0.02, 0.5, 0.32, 0.85)),
        (built.gable, Box(0.36, 0.55, 0.6, 0.85)),
        (built.gable, Box(0.66, 0.48, 0.98, 0.86)),
    ),
    "shinto shrine": (
        (land.trees, Box(-0.05, 0.2, 1.05, 0.84)),
        (built.torii, Box(0.2, 0.28, 0.8, 0.9)),
        (built.stacked_roofs, Box(0.36, 0.56, 0.64, 0.88)),
    ),
    "skyscraper": ((built.skyscrapers, Box(0.08, 0.02, 0.92, 0.95)),),
    "sports venue": (
        (land.meadow, _HALF),
        (built.arcades, Box(0.02, 0.35, 0.98, 0.62)),
        (land.meadow, Box(0.08, 0.58, 0.92, 0.8)),
        (built.arcade, Box(-0.05, 0.76, 1.05, 0.95)),
    ),
    "square": (
        (built.block, Box(0.0, 0.4, 0.32, 0.66)),
        (built.gable, Box(0.3, 0.36, 0.5, 0.66)),
        (built.block, Box(0.5, 0.42, 1.0, 0.66)),
        (land.pavement, Box(-0.5, 0.64, 1.5, 1.5)),
        (built.obelisk, Box(0.4, 0.3, 0.58, 0.82)),
    ),
    "theatre": (
        (land.pavement, _GROUND),
        (built.block, Box(0.1, 0.5, 0.9, 0.86)),
        (built.dome, Box(0.2, 0.25, 0.8, 0.58)),
        (built.arcade, Box(0.14, 0.68, 0.86, 0.86)),
        (built.statue, Box(0.42, 0.06, 0.58, 0.32)),
    ),
    "tower": ((land.pavement, _GROUND), (built.lattice, Box(0.22, 0.04, 0.78, 0.9))),
    "village": (
        (land.hills, Box(-0.3, 0.3, 1.3, 1.0)),
        (built.gable, Box(0.05, 0.6, 0.3, 0.85)),
        (built.gable, Box(0.7, 0.62, 0.95, 0.88)),
        (built.steeple, Box(0.42, 0.34, 0.56, 0.85)),
        (land.trees, Box(0.3, 0.68, 0.72, 0.92)),
    ),
    "windmill": ((land.meadow, _GROUND), (works.windmill, Box(0.12, 0.05, 0.88, 0.9))),
    "zoo": ((land.trees, Box(0.0, 0.15, 1.0, 0.6)), (works.cages, Box(0.02, 0.4, 0.98, 0.95))),
    # natural
    "agricultural land": ((land.hills, _LAND), (land.furrows, Box(-0.2, 0.5, 1.2, 1.2))),
    "beach": ((land.surf, Box(-0.5, 0.35, 1.5, 0.7)), (land.sand, Box(-0.3, 0.6, 1.3, 1.3))),
    "canal": (
        (built.gable, Box(0.0, 0.25, 0.3, 0.6)),
        (land.trees, Box(0.7, 0.3, 1.1, 0.6)),
        (land.canal, Box(-0.1, 0.4, 1.1, 1.1)),
    ),
    "cave": ((land.cave_mouth, Box(-0.1, 0.1, 1.1, 1.1)),),
    "cliff": (
        (land.surf, Box(-0.5, 0.7, 1.5, 1.5)),
        (land.cliff_face, Box(-0.05, 0.15, 1.05, 0.85)),
    ),
    "garden": (
        (land.meadow, _HALF),
        (land.trees, Box(0.0, 0.25, 1.0, 0.58)),
        (land.flower_beds, Box(0.0, 0.5, 1.0, 1.05)),
    ),
    "island": ((land.water, Box(-0.5, 0.55, 1.5, 1.5)), (land.island, Box(0.0, 0.2, 1.0, 0.95))),
    "lake": (
        (land.peak, Box(-0.1, 0.25, 0.7, 0.62)),
        (land.hills, Box(0.2, 0.42, 1.2, 0.9)),
        (land.water, Box(-0.5, 0.6, 1.5, 1.5)),
    ),
    "mountain": (
        (land.peak, Box(0.3, 0.3, 1.2, 0.85)),
        (land.peak, Box(-0.1, 0.12, 0.95, 0.9)),
        (land.meadow, Box(-0.5, 0.84, 1.5, 1.5)),
    ),
    "ocean area": (
        (land.hills, Box(-0.2, 0.35, 0.6, 0.8)),
        (land.cliff_face, Box(0.4, 0.25, 1.2, 0.7)),
        (land.surf, Box(-0.5, 0.56, 1.5, 1.5)),
    ),
    "parks": (
        (land.meadow, _HALF),
        (land.trees, Box(-0.05, 0.18, 0.6, 0.7)),
        (land.trees, Box(0.45, 0.3, 1.05, 0.8)),
        (land.path, Box(0.2, 0.6, 0.8, 1.05)),
    ),
    "river": (
        (land.hills, _LAND),
        (land.meadow, Box(-0.5, 0.45, 1.5, 1.5)),
        (land.stream, Box(0.0, 0.45, 1.0, 1.1)),
    ),
    "stone": ((land.sand, _GROUND), (land.boulder, Box(0.05, 0.25, 0.95, 0.9))),
    "trail": (
        (land.hills, _LAND),
        (land.meadow, Box(-0.5, 0.5, 1.5, 1.5)),
        (land.path, Box(0.1, 0.45, 0.9, 1.05)),
    ),
    "volcano": ((land.meadow, _GROUND), (land.cone, Box(0.0, 0.2, 1.0, 0.86))),
    "waterfall": ((land.falls, Box(0.0, 0.12, 1.0, 1.0)), (land.trees, Box(-0.1, 0.05, 1.1, 0.28))),
    "wetland": ((land.reeds, Box(-0.3, 0.35, 1.3, 1.2)),),
}
"""Super-category to scene."""


def draw_scene(pen: Pen, hierarchical_label: str) -> None:
    """Draws a landmark of a super-category, with the chances of the pen's landmark.

    Args:
        pen: with an empty canvas.
        hierarchical_label: the super-category.

    Raises:
        ValueError: it has no scene.
    """
    if hierarchical_label not in SCENES:
        raise ValueError(f"hierarchical_label must have a scene, got {hierarchical_label!r}")
    for primitive, box in SCENES[hierarchical_label]:
        # What fills the canvas stays where it is.
        is_part = box.right - box.left < 1
        primitive(pen, _moved(pen, box) if is_part else box)


def _moved(pen: Pen, box: Box) -> Box:
    """Gives a part the landmark's own place and proportions."""
    width, height = box.right - box.left, box.bottom - box.top
    right = box.right + pen.vary(-0.12, 0.12) * width
    left = box.left + pen.vary(-0.12, 0.12) * width
    return Box(left, box.top + pen.vary(-0.15, 0.15) * height, right, box.bottom)
