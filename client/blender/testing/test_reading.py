"""What is read of a scene, and what is said about it."""

import bpy
import scenes
import tessera
from cases import Case, settings, warnings


class Warnings(Case):
    def test_a_scene_that_gltf_can_carry_needs_no_words(self) -> None:
        look = scenes.material("Tiles")
        image = scenes.link(look, "ShaderNodeTexImage", "Color", "Base Color")
        image.image = bpy.data.images.new("Tiles", 8, 8)
        mapping, place = (look.node_tree.nodes.new(f"ShaderNode{kind}") for kind in ("Mapping", "TexCoord"))
        look.node_tree.links.new(place.outputs["UV"], mapping.inputs["Vector"])
        look.node_tree.links.new(mapping.outputs[0], image.inputs["Vector"])
        scenes.plane("Floor", look)
        scenes.plane("Lamp", scenes.emissive("Glow", (1, 1, 1), 5))
        scenes.lamp("Sun", "SUN", angle=0)
        scenes.world(1, (0.2, 0.4, 0.6))
        self.assertEqual(warnings(), [])

    def test_procedural_colours_are_named_unless_they_are_baked(self) -> None:
        look = scenes.material("Marble")
        scenes.link(look, "ShaderNodeTexNoise", "Color", "Base Color")
        scenes.plane("Floor", look)
        self.assertEqual(warnings(bake=False), ['Material "Marble": Base Color by Noise Texture cannot be sent.'])
        self.assertEqual(warnings(bake=True), [])
        scenes.link(look, "ShaderNodeTexVoronoi", "Distance", "Roughness")
        self.assertEqual(warnings(bake=True), ['Material "Marble": Roughness by Voronoi Texture cannot be sent.'])

    def test_images_that_do_not_lie_on_uvs(self) -> None:
        look = scenes.material("Projected")
        image = scenes.link(look, "ShaderNodeTexImage", "Color", "Base Color")
        image.image = bpy.data.images.new("Any", 8, 8)
        place = look.node_tree.nodes.new("ShaderNodeTexCoord")
        look.node_tree.links.new(place.outputs["Object"], image.inputs["Vector"])
        scenes.plane("Floor", look)
        expected = ['Material "Projected": Base Color by Texture Coordinate cannot be sent.']
        self.assertEqual(warnings(bake=False), expected)

    def test_other_shaders(self) -> None:
        look = scenes.material("Mixed")
        nodes, links = look.node_tree.nodes, look.node_tree.links
        mix, glass = nodes.new("ShaderNodeMixShader"), nodes.new("ShaderNodeBsdfGlass")
        links.new(scenes.principled(look).outputs[0], mix.inputs[1])
        links.new(glass.outputs[0], mix.inputs[2])
        links.new(mix.outputs[0], look.node_tree.get_output_node("ALL").inputs["Surface"])
        scenes.plane("Floor", look)
        [line] = warnings()
        self.assertRegex(line, r'^Material "Mixed": Mix Shader cannot be sent; .* The Principled BSDF inside is sent')

    def test_what_of_a_principled_bsdf_is_lost(self) -> None:
        look = scenes.material("Velvet")
        name = "Sheen" if "Sheen" in scenes.principled(look).inputs else "Sheen Weight"
        scenes.principled(look).inputs[name].default_value = 0.5
        volume = look.node_tree.nodes.new("ShaderNodeVolumeScatter")
        look.node_tree.links.new(volume.outputs[0], look.node_tree.get_output_node("ALL").inputs["Volume"])
        scenes.plane("Floor", look)
        expected = [
            f'Material "Velvet": sheen ({name}) cannot be sent.',
            'Material "Velvet": its volume cannot be sent.',
        ]
        self.assertEqual(warnings(), expected)

    def test_hair_volumes_and_area_lights(self) -> None:
        floor = scenes.plane("Floor")
        floor.modifiers.new("Fur", "PARTICLE_SYSTEM")
        floor.particle_systems[0].settings.type = "HAIR"
        self.scene.collection.objects.link(bpy.data.objects.new("Smoke", bpy.data.volumes.new("Smoke")))
        self.scene.collection.objects.link(bpy.data.objects.new("Blob", bpy.data.metaballs.new("Blob")))
        scenes.lamp("Window", "AREA")
        scenes.lamp("Bulb", "POINT", shadow_soft_size=0.1)
        self.assertEqual(
            sorted(warnings()),
            [
                'Area lights cannot be sent; use planes with an Emission shader: "Window".',
                f'Hair cannot be sent: "Floor: {floor.particle_systems[0].name}".',
                'Lights are sent without a size, so their shadows are hard: "Bulb".',
                'Metaballs cannot be sent: "Blob".',
                'Volumes cannot be sent: "Smoke".',
            ],
        )

    def test_what_is_not_rendered_is_not_named(self) -> None:
        scenes.lamp("Window", "AREA").hide_render = True
        hidden = bpy.data.collections.new("Hidden")
        hidden.hide_render = True
        self.scene.collection.children.link(hidden)
        window = scenes.lamp("Other", "AREA")
        self.scene.collection.objects.unlink(window)
        hidden.objects.link(window)
        self.assertEqual(warnings(), [])

    def test_a_third_uv_map(self) -> None:
        look = scenes.material("Tiles")
        scenes.link(look, "ShaderNodeTexImage", "Color", "Base Color").image = bpy.data.images.new("Tiles", 8, 8)
        floor = scenes.plane("Floor", look)
        for _ in range(2):
            floor.data.uv_layers.new()
        self.assertEqual(warnings(), [])
        floor.data.uv_layers[2].active_render = True
        self.assertEqual(warnings(), ['Only the first two UV maps are sent; another one is used by "Floor".'])

    def test_worlds_of_more_than_a_colour_or_an_image(self) -> None:
        background = scenes.world(1)
        tree = self.scene.world.node_tree
        sky = tree.nodes.new("ShaderNodeTexSky")
        tree.links.new(sky.outputs[0], background.inputs["Color"])
        [line] = warnings()
        self.assertTrue(line.startswith('World "World": Sky Texture cannot be sent.'), line)
        order, _, _ = self.export()
        self.assertEqual((order["params"]["lighting"], order["files"].keys()), ("auto", {"model"}))

    def test_cameras_and_render_settings(self) -> None:
        self.scene.camera.data.shift_x = 0.1
        self.scene.render.use_motion_blur = True
        self.scene.render.film_transparent = True
        lines = " ".join(warnings())
        for word in ('Camera "Camera": its shift', "Motion blur", "transparency"):
            self.assertIn(word, lines)

    def test_what_moves_otherwise_than_as_a_whole(self) -> None:
        floor = scenes.plane("Flag")
        floor.modifiers.new("Wave", "WAVE")
        bulb = scenes.lamp("Bulb", "POINT", shadow_soft_size=0)
        bulb.data.keyframe_insert("energy", frame=1)
        self.assertEqual(warnings(), [])
        self.assertEqual(
            warnings(animation=True),
            [
                'Only whole objects move: all frames show the present shape of "Flag".',
                'Only objects move: what else is animated keeps its present value in "Bulb".',
            ],
        )


class Parameters(Case):
    def params(self, **values: object) -> dict:
        return tessera.params_of(self.scene, settings(**values))

    def test_the_size_is_blenders(self) -> None:
        self.scene.render.resolution_x, self.scene.render.resolution_y = 1921, 1081
        self.scene.render.resolution_percentage = 50
        self.assertEqual((self.params()["width"], self.params()["height"]), (960, 540))

    def test_quality(self) -> None:
        self.assertNotIn("noise", self.params(samples=7))
        self.assertEqual(self.params(samples=7)["samples"], 7)
        self.assertEqual(self.params(quality="NOISE", noise=0.05)["noise"], 0.05)

    def test_frames(self) -> None:
        self.scene.frame_start, self.scene.frame_end = 5, 9
        self.scene.render.fps = 30
        self.assertNotIn("frames", self.params())
        said = self.params(animation=True)
        self.assertEqual([said[name] for name in ("frames", "firstFrame", "framesPerSecond")], [5, 5, 30])
        self.scene.frame_step = 2
        with self.assertRaisesRegex(tessera.Refusal, "frame step is 2"):
            self.params(animation=True)

    def test_depth_of_field(self) -> None:
        camera = self.scene.camera.data
        camera.dof.use_dof, camera.lens, camera.dof.aperture_fstop = True, 50, 2
        target = scenes.plane("Target", location=(3, -2, 1))
        bpy.context.view_layer.update()
        camera.dof.focus_object = target
        said = self.params()
        self.assertAlmostEqual(said["aperture"], 25, 4)
        self.assertAlmostEqual(said["focusDistance"], 6, 4)
