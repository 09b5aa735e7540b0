"""Small scenes for tests, made from nothing."""

import bpy


def empty() -> bpy.types.Scene:
    """A scene with a camera that looks at the origin from the south, 8 m away."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    scene.render.resolution_percentage = 100
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (0, -8, 0), (1.5707963, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    return scene


def material(name: str, color: tuple[float, float, float] = (0.8, 0.8, 0.8)) -> bpy.types.Material:
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    principled(made).inputs["Base Color"].default_value = (*color, 1)
    return made


def principled(of: bpy.types.Material) -> bpy.types.Node:
    return next(node for node in of.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


def link(of: bpy.types.Material, kind: str, output: str, socket: str) -> bpy.types.Node:
    """A new node that feeds an input of the material's Principled BSDF."""
    node = of.node_tree.nodes.new(kind)
    of.node_tree.links.new(node.outputs[output], principled(of).inputs[socket])
    return node


def emissive(name: str, color: tuple[float, float, float], strength: float) -> bpy.types.Material:
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    nodes.remove(principled(made))
    emission = nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (*color, 1)
    emission.inputs["Strength"].default_value = strength
    links.new(emission.outputs[0], made.node_tree.get_output_node("ALL").inputs["Surface"])
    return made


def plane(name: str, look: bpy.types.Material | None = None, size: float = 2, **place: object) -> bpy.types.Object:
    bpy.ops.mesh.primitive_plane_add(size=size, **place)
    made = bpy.context.object
    made.name = name
    if look:
        made.data.materials.append(look)
    return made


def lamp(name: str, kind: str, **values: object) -> bpy.types.Object:
    light = bpy.data.lights.new(name, kind)
    for key, value in values.items():
        setattr(light, key, value)
    made = bpy.data.objects.new(name, light)
    bpy.context.scene.collection.objects.link(made)
    return made


def world(strength: float, color: tuple[float, float, float] = (1, 1, 1)) -> bpy.types.Node:
    """A plain background; returns its node."""
    made = bpy.data.worlds.new("World")
    made.use_nodes = True
    bpy.context.scene.world = made
    background = next(node for node in made.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (*color, 1)
    background.inputs["Strength"].default_value = strength
    return background
