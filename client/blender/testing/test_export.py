"""What is exported."""

import math
from pathlib import Path

import bpy
import numpy
import scenes
import tessera
from cases import Case, settings


class Export(Case):
    def test_which_camera(self) -> None:
        for name in ("A", "Zoom"):
            other = bpy.data.objects.new(name, bpy.data.cameras.new(name))
            self.scene.collection.objects.link(other)
        self.scene.camera = bpy.data.objects["Zoom"]
        order, gltf, _ = self.export()
        nodes = list(tessera.camera_nodes(gltf))
        self.assertEqual(len(nodes), 3)
        self.assertEqual(nodes[order["params"]["camera"]]["name"], "Zoom")

    def test_lamps_shine_in_the_units_of_surfaces(self) -> None:
        scenes.lamp("Bulb", "POINT", energy=4 * math.pi * 10)
        scenes.lamp("Sun", "SUN", energy=3)
        noded = scenes.lamp("Noded", "SUN", energy=3, color=(1, 0.5, 1), use_nodes=True)
        noded.data.node_tree.nodes["Emission"].inputs["Strength"].default_value = 2
        _, gltf, _ = self.export()
        lights = {light["name"]: light for light in gltf["extensions"]["KHR_lights_punctual"]["lights"]}
        self.assertAlmostEqual(lights["Bulb"]["intensity"], 10, 4)
        self.assertAlmostEqual(lights["Sun"]["intensity"], 3, 4)
        self.assertAlmostEqual(lights["Noded"]["intensity"], 6, 4)
        self.assertEqual(lights["Noded"]["color"], [1, 0.5, 1])

    def test_only_what_renders_or_is_selected(self) -> None:
        scenes.plane("Shown")
        scenes.plane("Not rendered").hide_render = True
        scenes.plane("Hidden in the viewport").hide_set(True)
        bpy.ops.object.select_all(action="DESELECT")
        bpy.data.objects["Shown"].select_set(True)
        chosen = [item.name for item in tessera.chosen_objects(self.scene, bpy.context.view_layer, settings())]
        self.assertEqual(sorted(chosen), ["Camera", "Hidden in the viewport", "Shown"])
        _, gltf, _ = self.export(only_selected=True)
        self.assertEqual(sorted(node["name"] for node in gltf["nodes"]), ["Camera", "Shown"])

    def test_modifiers_are_those_of_a_render(self) -> None:
        floor = scenes.plane("Floor")
        modifier = floor.modifiers.new("Subdivision", "SUBSURF")
        modifier.levels, modifier.render_levels, modifier.show_viewport = 0, 2, False
        _, gltf, _ = self.export()
        indices = gltf["accessors"][gltf["meshes"][0]["primitives"][0]["indices"]]
        self.assertEqual(indices["count"], 16 * 6)

    def test_glass_is_solid_and_no_specular_is_none(self) -> None:
        glass = scenes.material("Glass")
        shader = scenes.principled(glass)
        old = "Transmission" in shader.inputs
        shader.inputs["Transmission" if old else "Transmission Weight"].default_value = 1
        matte = scenes.material("Matte")
        scenes.principled(matte).inputs["Specular" if old else "Specular IOR Level"].default_value = 0
        scenes.plane("Pane", glass)
        scenes.plane("Wall", matte)
        _, gltf, _ = self.export()
        looks = {look["name"]: look["extensions"] for look in gltf["materials"]}
        self.assertGreater(looks["Glass"]["KHR_materials_volume"]["thicknessFactor"], 0)
        self.assertIn("KHR_materials_volume", gltf["extensionsUsed"])
        self.assertEqual(looks["Matte"]["KHR_materials_specular"]["specularFactor"], 0)

    def test_what_has_no_material_is_grey_and_no_metal(self) -> None:
        scenes.plane("Bare")
        scenes.plane("Empty slot").data.materials.append(None)
        _, gltf, _ = self.export()
        for mesh in gltf["meshes"]:
            look = gltf["materials"][mesh["primitives"][0]["material"]]["pbrMetallicRoughness"]
            self.assertEqual(look["metallicFactor"], 0)
            numpy.testing.assert_allclose(look["baseColorFactor"], [0.8, 0.8, 0.8, 1], atol=1e-6)

    def test_objects_that_constraints_move(self) -> None:
        self.scene.frame_start, self.scene.frame_end, self.scene.render.fps = 3, 6, 10
        lead, follower = scenes.plane("Lead"), scenes.plane("Follower")
        lead.keyframe_insert("location", frame=3)
        lead.location.x = 6
        lead.keyframe_insert("location", frame=6)
        for curve in lead.animation_data.action.fcurves:
            for key in curve.keyframe_points:
                key.interpolation = "LINEAR"
        copying = follower.constraints.new("COPY_LOCATION")
        copying.target = lead
        _, gltf, binary = self.export(animation=True)
        index = gltf["nodes"].index(self.node(gltf, "Follower"))
        times, values = self.track(gltf, binary, index, "translation")
        numpy.testing.assert_allclose(times, [0.3, 0.4, 0.5, 0.6], atol=1e-6)
        numpy.testing.assert_allclose(values[:, 0], [0, 2, 4, 6], atol=1e-5)

    def track(self, gltf: dict, binary: bytes, node: int, path: str) -> tuple[numpy.ndarray, numpy.ndarray]:
        for animation in gltf["animations"]:
            for channel in animation["channels"]:
                if channel["target"] == {"node": node, "path": path}:
                    sampler = animation["samplers"][channel["sampler"]]
                    return tuple(self.numbers(gltf, binary, sampler[part]) for part in ("input", "output"))
        raise AssertionError(f"node {node} has no {path}")

    def numbers(self, gltf: dict, binary: bytes, accessor: int) -> numpy.ndarray:
        said = gltf["accessors"][accessor]
        size = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[said["type"]]
        start = gltf["bufferViews"][said["bufferView"]].get("byteOffset", 0) + said.get("byteOffset", 0)
        flat = numpy.frombuffer(binary, "<f4", said["count"] * size, start)
        return flat if size == 1 else flat.reshape(-1, size)

    def test_a_scene_without_a_camera_is_refused(self) -> None:
        self.scene.camera = None
        with self.assertRaisesRegex(tessera.Refusal, "has no camera"):
            self.export()

    def test_the_second_blender_leaves_the_file_alone(self) -> None:
        look = scenes.material("Marble")
        scenes.link(look, "ShaderNodeTexNoise", "Color", "Base Color")
        scenes.plane("Floor", look)
        copy = self.folder / "copy.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True)
        said: list[str] = []
        order = tessera.export_copy(
            copy, settings(bake_pixels=16), tessera.threading.Event(), lambda *a: said.append(a[0])
        )
        gltf, _ = tessera.read_glb(Path(order["files"]["model"]))
        self.assertEqual(len(gltf["images"]), 1)
        self.assertIn("baked into images of 16 px", " ".join(order["warnings"]))
        self.assertEqual((said, len(bpy.data.images)), (["Exporting"], 0))
        self.assertTrue(tessera.is_procedural(look))

    def test_linked_files_and_relative_paths_come_along(self) -> None:
        (self.folder / "own").mkdir()
        library, file = self.folder / "own" / "library.blend", self.folder / "own" / "scene.blend"
        scenes.lamp("Bulb", "POINT", use_nodes=True)
        look = scenes.material("Marble")
        scenes.link(look, "ShaderNodeTexNoise", "Color", "Base Color")
        scenes.plane("Borrowed", look)
        bpy.ops.wm.save_as_mainfile(filepath=str(library))
        self.scene = scenes.empty()
        bpy.ops.wm.save_as_mainfile(filepath=str(file))
        with bpy.data.libraries.load(str(library), link=True, relative=True) as (_, wanted):
            wanted.objects = ["Borrowed", "Bulb"]
        for item in wanted.objects:
            self.scene.collection.objects.link(item)
        picture = bpy.data.images.new("Tiles", 8, 8)
        picture.filepath_raw, picture.file_format = str(file.with_name("tiles.png")), "PNG"
        picture.save()
        picture.filepath = "//tiles.png"
        tiled = scenes.material("Tiled")
        scenes.link(tiled, "ShaderNodeTexImage", "Color", "Base Color").image = picture
        scenes.plane("Own", tiled)
        copy = self.folder / "copy.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True)
        order = tessera.export_copy(copy, settings(bake_pixels=16), tessera.threading.Event(), lambda *_: None)
        gltf, _ = tessera.read_glb(Path(order["files"]["model"]))
        self.assertEqual({node["name"] for node in gltf["nodes"]}, {"Camera", "Borrowed", "Bulb", "Own"})
        self.assertEqual({image["name"] for image in gltf["images"]}, {"Borrowed base colour", "tiles"})

    def test_the_second_blender_says_why_it_cannot(self) -> None:
        self.scene.camera = None
        copy = self.folder / "copy.blend"
        bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True)
        with self.assertRaisesRegex(tessera.Refusal, "has no camera"):
            tessera.export_copy(copy, settings(), tessera.threading.Event(), lambda *_: None)


class Bake(Case):
    def test_the_image_is_the_procedural_colour(self) -> None:
        look = scenes.material("Halves", (0, 0, 0))
        ramp = scenes.link(look, "ShaderNodeValToRGB", "Color", "Base Color")
        ramp.color_ramp.interpolation = "CONSTANT"
        ramp.color_ramp.elements[0].color = (0.8, 0.1, 0.1, 1)
        ramp.color_ramp.elements[1].color = (0.1, 0.1, 0.8, 1)
        ramp.color_ramp.elements[1].position = 0.25
        separate = look.node_tree.nodes.new("ShaderNodeSeparateXYZ")
        place = look.node_tree.nodes.new("ShaderNodeTexCoord")
        look.node_tree.links.new(place.outputs["Generated"], separate.inputs[0])
        look.node_tree.links.new(separate.outputs["X"], ramp.inputs["Fac"])
        floor = scenes.plane("Floor", look)
        floor.data.materials.append(None)
        order, gltf, _ = self.export(bake_pixels=32)
        self.assertIn('Procedural base colours were baked into images of 32 px for "Floor".', order["warnings"])
        self.assertEqual(len(gltf["images"]), 1)
        pixels = tessera.image_pixels(bpy.data.images["Floor base colour"]).reshape(-1, 3)
        red, blue = (
            (numpy.abs(pixels - color).max(axis=1) < 0.01).sum() for color in ((0.8, 0.1, 0.1), (0.1, 0.1, 0.8))
        )
        self.assertAlmostEqual(blue / (red + blue), 0.75, delta=0.05)
        self.assertGreater(red + blue, 0.7 * len(pixels))

    def test_metals_keep_their_colour(self) -> None:
        look = scenes.material("Metal")
        scenes.principled(look).inputs["Metallic"].default_value = 1
        scenes.link(look, "ShaderNodeTexBrick", "Color", "Base Color").inputs["Mortar Size"].default_value = 0
        scenes.plane("Floor", look)
        self.export(bake_pixels=16)
        self.assertGreater(tessera.image_pixels(bpy.data.images["Floor base colour"]).mean(), 0.05)

    def test_copies_by_modifiers_get_a_place_each(self) -> None:
        look = scenes.material("Marble")
        scenes.link(look, "ShaderNodeTexNoise", "Color", "Base Color")
        floor = scenes.plane("Floor", look)
        floor.modifiers.new("Array", "ARRAY").count = 3
        self.export(bake_pixels=16)
        uvs = {tuple(round(value, 4) for value in loop.uv) for loop in floor.data.uv_layers[tessera.BAKE_UVS].data}
        self.assertEqual((len(floor.modifiers), len(uvs)), (0, 12))


class Worlds(Case):
    def world(self) -> tuple[dict, dict]:
        return tessera.export_world(self.scene, self.folder)

    def radiance(self, files: dict) -> numpy.ndarray:
        """Of a flat RGBE file, read as the coordinator reads it: mantissas are exact, where Blender adds a half."""
        data = Path(files["environment"]).read_bytes()
        header, pixels = data.split(b"\n\n", 1)
        size, pixels = pixels.split(b"\n", 1)
        self.assertIn(b"FORMAT=32-bit_rle_rgbe", header)
        _, height, _, width = size.split()
        rgbe = numpy.frombuffer(pixels, numpy.uint8).reshape(int(height), int(width), 4).astype(float)
        return rgbe[..., :3] * 2.0 ** (rgbe[..., 3:] - 136)

    def test_black_and_grey_need_no_file(self) -> None:
        self.assertEqual(self.world(), ({"lighting": "scene"}, {}))
        scenes.world(0)
        self.assertEqual(self.world(), ({"lighting": "scene"}, {}))
        scenes.world(3, (0.5, 0.5, 0.5))
        self.assertEqual(self.world(), ({"lighting": "sky", "skyStrength": 1.5}, {}))

    def test_colours_are_a_small_map(self) -> None:
        scenes.world(2, (0.2, 0.4, 0.8))
        params, files = self.world()
        self.assertAlmostEqual(params["skyStrength"], 1.6, 5)
        numpy.testing.assert_allclose(self.radiance(files)[0, 0], [0.25, 0.5, 1], rtol=0.01)

    def test_images_keep_their_light_and_turn(self) -> None:
        background = scenes.world(0.5)
        tree = self.scene.world.node_tree
        nodes = [tree.nodes.new(f"ShaderNode{kind}") for kind in ("TexEnvironment", "Mapping", "TexCoord")]
        image, mapping, place = nodes
        image.image = bpy.data.images.new("Sky", 16, 8, float_buffer=True)
        light = numpy.random.default_rng(1).uniform(0, 50, (8, 16, 4)).astype(numpy.float32)
        image.image.pixels.foreach_set(light.ravel())
        tree.links.new(place.outputs["Generated"], mapping.inputs["Vector"])
        tree.links.new(mapping.outputs[0], image.inputs["Vector"])
        tree.links.new(image.outputs["Color"], background.inputs["Color"])
        mapping.inputs["Rotation"].default_value = (0, 0, math.radians(30))
        params, files = self.world()
        self.assertAlmostEqual(params["skyStrength"], 0.5)
        self.assertAlmostEqual(params["skyRotation"], -120, 4)
        written = self.radiance(files)
        error = numpy.abs(written - light[::-1, :, :3]).max(axis=2) / light[::-1, :, :3].max(axis=2)
        self.assertLess(error.max(), 1 / 255)
        mapping.inputs["Rotation"].default_value = (0.1, 0, 0)
        self.assertIn("Mapping", tessera.read_world(self.scene.world).problem)
