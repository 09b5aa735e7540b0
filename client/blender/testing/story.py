"""A person at work: prices, renders and loads a scene by the add-on's own operators, with a real coordinator.

blender -b --factory-startup --python story.py -- SERVER FOLDER SAMPLES. Prints "job ID" once a job is ordered, then
"story JSON" with what the picture shows where Blender's own camera says that things are.
"""

import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
sys.dont_write_bytecode = True

import addon_utils  # noqa: E402
import bpy  # noqa: E402
import numpy  # noqa: E402
import scenes  # noqa: E402
import tessera  # noqa: E402
from bpy_extras.object_utils import world_to_camera_view  # noqa: E402
from mathutils import Vector  # noqa: E402

WAIT_S = 150
SPOTS = {"red": (-1.2, 0.0, 0.9), "green": (1.5, 0.5, -0.4)}
BAKED = (0.1, 2.5, -1.4)


def build() -> None:
    """Two small lamps of known radiance, a wall of procedural colour lit by a lamp, and what cannot be sent."""
    scene = scenes.empty()
    scene.name = "Two lamps"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 128, 96, 50
    scene.render.engine = "CYCLES"
    scene.cycles.max_bounces, scene.cycles.device, scene.cycles.use_denoising = 0, "CPU", False
    scene.view_settings.view_transform = "Standard"
    camera = scene.camera
    camera.location, camera.rotation_euler = (2, -7, 1.5), (1.4, 0.1, 0.28)
    camera.data.lens = 32
    for name, color in (("red", (4, 0, 0)), ("green", (0, 2, 0))):
        look = scenes.emissive(name, color, 1)
        bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=2, radius=0.35, location=SPOTS[name])
        bpy.context.object.data.materials.append(look)
    look = scenes.material("Marble")
    shader = scenes.principled(look)
    shader.inputs["Roughness"].default_value = 0.5
    shader.inputs["Specular" if "Specular" in shader.inputs else "Specular IOR Level"].default_value = 0
    ramp = scenes.link(look, "ShaderNodeValToRGB", "Color", "Base Color")
    for element in ramp.color_ramp.elements:
        element.color = (0.1, 0.2, 0.7, 1)
    noise = look.node_tree.nodes.new("ShaderNodeTexNoise")
    look.node_tree.links.new(noise.outputs["Fac"], ramp.inputs["Fac"])
    scenes.plane("Wall", look, 8, location=(0, 2.5, 0), rotation=(1.5707963, 0, 0))
    scenes.lamp("Sun", "SUN", angle=0, energy=3).rotation_euler = (1.2, 0, 0.3)
    scenes.lamp("Window", "AREA", energy=0)
    scenes.plane("Out of sight", size=0.1, location=(0, -20, 0)).modifiers.new("Fur", "PARTICLE_SYSTEM")
    bpy.context.view_layer.update()


def await_task(stage: str) -> None:
    """Does what the window's timer would, until nothing is going on any more. Raises what the panel would show."""
    deadline = time.monotonic() + WAIT_S
    while tessera.tick() is not None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{stage}: {tessera.state.task.said}")
        job = bpy.context.scene.tessera.job
        if job and job not in await_task.told:
            await_task.told.add(job)
            print(f"job {job}", flush=True)
        time.sleep(0.05)
    if tessera.state.problem:
        raise RuntimeError(f"{stage}: {tessera.state.problem}")


await_task.told = set()


def pixels_of(path: str) -> numpy.ndarray:
    """(height, width, 3), rows from the top, of an EXR with more layers: by the compositor, as users get at them."""
    scene = bpy.data.scenes.new("Reading")
    scene.use_nodes = True
    nodes, links = scene.node_tree.nodes, scene.node_tree.links
    nodes.clear()
    image = nodes.new("CompositorNodeImage")
    image.image = bpy.data.images.load(path)
    output = nodes.new("CompositorNodeOutputFile")
    output.base_path = str(Path(path).parent)
    output.format.file_format, output.format.color_depth = "OPEN_EXR", "32"
    output.file_slots[0].path = "read"
    links.new(image.outputs["Combined"], output.inputs[0])
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 64, 48, 100
    links.new(image.outputs["Combined"], nodes.new("CompositorNodeComposite").inputs[0])
    bpy.ops.render.render(scene=scene.name)
    [read] = Path(path).parent.glob("read*.exr")
    return tessera.image_pixels(bpy.data.images.load(str(read)))


def cycles(folder: Path) -> numpy.ndarray:
    """The same scene by Blender's own renderer."""
    scene = bpy.data.scenes["Two lamps"]
    scene.cycles.samples = 64
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    scene.render.filepath = str(folder / "cycles.exr")
    bpy.ops.render.render(write_still=True, scene=scene.name)
    return tessera.image_pixels(bpy.data.images.load(scene.render.filepath))


def seen(pixels: numpy.ndarray, place: tuple[float, float, float]) -> list[float]:
    """Mean of 3 x 3 pixels where the scene's camera sees a place."""
    scene = bpy.data.scenes["Two lamps"]
    x, y, _ = world_to_camera_view(scene, scene.camera, Vector(place))
    height, width, _ = pixels.shape
    column, row = int(x * width), int((1 - y) * height)
    return [float(value) for value in pixels[row - 1 : row + 2, column - 1 : column + 2].mean(axis=(0, 1))]


def main(server: str, folder: Path, samples: int) -> None:
    build()
    addon_utils.enable("tessera", default_set=True)
    bpy.context.preferences.addons["tessera"].preferences.server = server
    blend = folder / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    own = bpy.context.scene.tessera
    own.samples, own.bake_pixels = samples, 64
    bpy.ops.tessera.price()
    await_task("price")
    priced = tessera.state.priced
    said = {"lines": priced.lines(), "warnings": priced.warnings, "params": priced.order["params"]}
    bpy.ops.tessera.render()
    await_task("render")
    [image] = [item for item in bpy.data.images if item.name.startswith("Tessera")]
    path = bpy.path.abspath(image.filepath)
    ours, theirs = pixels_of(path), cycles(folder)
    places = {**SPOTS, "wall": BAKED}
    found = {
        "path": path,
        "size": list(ours.shape),
        "finite": bool(numpy.isfinite(ours).all()),
        "ours": {name: seen(ours, place) for name, place in places.items()},
        "cycles": {name: seen(theirs, place) for name, place in places.items()},
        "difference": float(numpy.abs(ours - theirs).mean() / theirs.mean()),
        "job": own.job,
    }
    # A second job is given up: nobody waits for it any more.
    bpy.ops.tessera.price()
    await_task("second price")
    bpy.ops.tessera.render()
    while not (tessera.state.task and tessera.state.task.job):
        tessera.tick()
        time.sleep(0.05)
    bpy.ops.tessera.cancel()
    await_task("cancel")
    print("story " + json.dumps({**said, **found, "note": tessera.state.note, "cancelled": own.job}), flush=True)


if __name__ == "__main__":
    address, place, count = sys.argv[sys.argv.index("--") + 1 :]
    main(address, Path(place), int(count))
