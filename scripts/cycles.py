"""Renders .glb files with Blender's Cycles to linear EXRs: blender -b --factory-startup --python cycles.py -- JOBS.json

Started by cycles.ts, which writes the jobs: [{name, model, environment, sky, width, height, bounces, samples, seed, aim, rebuild, out}].
Prints "cycles: NAME SECONDS" for each. With `rebuild` the surfaces that the importer cannot express as glTF defines them are
built again from Cycles' closures, see Surface; without it they stay as Blender's users get them. Without `aim` paths find panels and
maps by chance alone: MULTI_GGX of 3.4 loses light where they are aimed at too (a white metal ball of roughness 1 in a white map
shows 0.947 in its middle; 1.000 without). Textured panels are never aimed at: a floor lit by one alone comes out 8.5 % off (cells up to
33 %) from what the same Cycles gets by chance, which is what we get within noise (0.70 %, noise 0.67 %).
Written for Blender 3.4, the version of Debian 12.
"""

import json
import re
import struct
import sys
import time
from math import cos, log, pi, radians

import bpy
import numpy

# Blender 3.4's importer uses names that numpy 1.24 took away.
numpy.bool, numpy.int, numpy.float = bool, int, float

TABLE = 64
TABLE_SAMPLES = 48


def fresnel_share(cosine):
    """Exact dielectric reflectance at ior 1.5, rescaled so that it is 0 at normal incidence and 1 at grazing."""
    g = numpy.sqrt(1.5 * 1.5 - 1 + cosine * cosine)
    exact = 0.5 * ((g - cosine) / (g + cosine)) ** 2 * (1 + ((cosine * (g + cosine) - 1) / (cosine * (g - cosine) + 1)) ** 2)
    return (exact - 0.04) / 0.96


def albedo_table():
    """Directional albedo of GGX in two parts, [roughness, sqrt(cosine)]: what is reflected is F0 * red + F90 * green.

    Visible normals (Heitz 2018), height-correlated Smith masking, stratified samples at the centres of the table's cells.
    """
    steps = (numpy.arange(TABLE) + 0.5) / TABLE
    rows = numpy.zeros((TABLE, TABLE, 4), dtype=numpy.float32)
    strata = (numpy.arange(TABLE_SAMPLES) + 0.5) / TABLE_SAMPLES
    mu = (steps**2)[:, None, None]
    radius, phi = numpy.sqrt(strata)[None, :, None], 2 * pi * strata[None, None, :]
    for row, roughness in enumerate(steps):
        a2 = roughness**4
        stretched_x = roughness**2 * numpy.sqrt(1 - mu * mu)
        length = numpy.sqrt(stretched_x**2 + mu**2)
        vx, vz = stretched_x / length, mu / length
        # Basis around the stretched direction (vx, 0, vz): y, and their cross product.
        p1 = radius * numpy.cos(phi)
        half = 0.5 * (1 + vz)
        p2 = (1 - half) * numpy.sqrt(numpy.maximum(0, 1 - p1 * p1)) + half * radius * numpy.sin(phi)
        p3 = numpy.sqrt(numpy.maximum(0, 1 - p1 * p1 - p2 * p2))
        hx, hy, hz = roughness**2 * (-p2 * vz + p3 * vx), roughness**2 * p1, numpy.maximum(1e-9, p2 * vx + p3 * vz)
        scale = 1 / numpy.sqrt(hx * hx + hy * hy + hz * hz)
        hx, hz = hx * scale, hz * scale
        cosine = numpy.clip(numpy.sqrt(1 - mu * mu) * hx + mu * hz, 0, 1)
        out = 2 * cosine * hz - mu
        lambda_in = numpy.sqrt(1 + a2 * (1 - mu * mu) / (mu * mu))
        lambda_out = numpy.sqrt(1 + a2 * (1 - out * out) / numpy.maximum(1e-12, out * out))
        share = numpy.where(out > 0, (1 + lambda_in) / (lambda_in + lambda_out), 0)
        w = fresnel_share(cosine)
        rows[row, :, 0] = (share * (1 - w)).mean(axis=(1, 2))
        rows[row, :, 1] = (share * w).mean(axis=(1, 2))
        rows[row, :, 3] = 1
    return rows


class Nodes:
    """A node tree in the making. Values are sockets or numbers; arithmetic on numbers alone makes no node."""

    def __init__(self, tree):
        self.tree = tree

    def new(self, kind, **inputs):
        node = self.tree.nodes.new(kind)
        for name, value in inputs.items():
            self.put(node.inputs[name.replace('_', ' ')], value)
        return node

    def put(self, socket, value):
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(socket, value)
        elif socket.type == 'RGBA':
            socket.default_value = (*value, 1) if len(value) == 3 else value
        else:
            socket.default_value = value

    def math(self, operation, a, b=0.0):
        node = self.tree.nodes.new('ShaderNodeMath')
        node.operation = operation
        self.put(node.inputs[0], a)
        self.put(node.inputs[1], b)
        return node.outputs[0]

    def vector(self, operation, a, b=(0.0, 0.0, 0.0)):
        """Per channel, on colours and vectors alike; a number counts for all three."""
        node = self.tree.nodes.new('ShaderNodeVectorMath')
        node.operation = operation
        for socket, value in zip(node.inputs, (a, b)):
            self.put(socket, (value,) * 3 if isinstance(value, (int, float)) else value)
        return node.outputs['Value' if operation == 'DOT_PRODUCT' else 'Vector']

    def mix(self, factor, first, second):
        """Shaders; None is no light at all."""
        node = self.tree.nodes.new('ShaderNodeMixShader')
        self.put(node.inputs[0], factor)
        for socket, shader in zip(node.inputs[1:], (first, second)):
            if shader is not None:
                self.put(socket, shader)
        return node.outputs[0]

    def add(self, first, second):
        node = self.tree.nodes.new('ShaderNodeAddShader')
        self.put(node.inputs[0], first)
        self.put(node.inputs[1], second)
        return node.outputs[0]

    def source(self, socket):
        """What feeds an input: the socket linked to it, or its number or colour."""
        if socket.is_linked:
            return socket.links[0].from_socket
        value = socket.default_value
        return value if isinstance(value, float) else tuple(value)[:3]


class Surface:
    """A glTF material in Cycles' closures. What differs from the importer's Principled BSDF, and why, stands at each method."""

    def __init__(self, material, gltf, table):
        self.nodes = Nodes(material.node_tree)
        self.gltf = gltf
        self.table = table
        self.output = next(node for node in material.node_tree.nodes if node.type == 'OUTPUT_MATERIAL')
        principled = next(node for node in material.node_tree.nodes if node.type == 'BSDF_PRINCIPLED')
        source = lambda name: self.nodes.source(principled.inputs[name])
        self.color, self.metallic, self.roughness = source('Base Color'), source('Metallic'), source('Roughness')
        self.alpha, self.emission_source = source('Alpha'), source('Emission')
        self.normal = source('Normal') if principled.inputs['Normal'].is_linked else None
        self.extensions = gltf.get('extensions', {})
        material.node_tree.nodes.remove(principled)

    def extension(self, name):
        return self.extensions.get('KHR_materials_' + name, {})

    def with_normal(self, kind, **inputs):
        node = self.nodes.new(kind, **inputs)
        if self.normal is not None:
            self.nodes.put(node.inputs['Normal'], self.normal)
        return node

    def albedo(self, roughness, f0, f90):
        """Directional albedo of a GGX layer as seen from here, with Turquin's compensation: a colour."""
        n = self.nodes
        geometry = n.new('ShaderNodeNewGeometry')
        normal = self.normal if self.normal is not None else geometry.outputs['Normal']
        cosine = n.math('MINIMUM', n.math('MAXIMUM', n.vector('DOT_PRODUCT', normal, geometry.outputs['Incoming']), 0.0), 1.0)
        place = n.new('ShaderNodeCombineXYZ', X=n.math('SQRT', cosine), Y=roughness).outputs[0]
        image = n.new('ShaderNodeTexImage', Vector=place)
        image.image, image.interpolation, image.extension = self.table, 'Linear', 'EXTEND'
        parts = n.new('ShaderNodeSeparateColor', Color=image.outputs['Color'])
        red, green = parts.outputs[0], parts.outputs[1]
        single = n.vector('ADD', n.vector('MULTIPLY', f0, n.vector('ADD', red, 0.0)), n.vector('MULTIPLY', f90, n.vector('ADD', green, 0.0)))
        total = n.math('ADD', red, green)
        lost = n.math('DIVIDE', n.math('SUBTRACT', 1.0, total), n.math('MAXIMUM', total, 1e-6))
        return n.vector('MULTIPLY', single, n.vector('ADD', n.vector('MULTIPLY', f0, n.vector('ADD', lost, 0.0)), 1.0))

    def reflection(self, color, roughness, strength=1.0):
        """GGX with F = strength * (color + (1 - color) W): the Principled BSDF of a metal, which has just that Fresnel curve."""
        node = self.with_normal('ShaderNodeBsdfPrincipled', Base_Color=color, Metallic=1.0, Specular=0.5, Roughness=roughness, Specular_Tint=0.0)
        node.distribution = 'MULTI_GGX'
        return node.outputs[0] if isinstance(strength, float) and strength == 1.0 else self.nodes.mix(strength, None, node.outputs[0])

    def dielectric_f0(self):
        specular = self.extension('specular')
        ior = self.extension('ior').get('ior', 1.5)
        strength = specular.get('specularFactor', 1.0)
        tint = specular.get('specularColorFactor', [1.0, 1.0, 1.0])
        return [min(1.0, ((ior - 1) / (ior + 1)) ** 2 * channel) * strength for channel in tint], strength

    def opaque(self):
        """Lambert below a GGX layer, weakened by what the layer reflects. The Principled BSDF of 3.4 adds Disney's diffuse unweakened.

        Not to be had otherwise: below a normal map Cycles darkens its diffuse closures (Estevez, Lecocq & Stein 2019). Tilted by
        atan(0.4) in a white map, white Lambert shows 0.883 there, (1 + cos) / 2 = 0.964 here and by hand.
        """
        n = self.nodes
        f0, strength = self.dielectric_f0()
        metal = n.math('MINIMUM', self.metallic, 1.0)
        cover = n.math('SUBTRACT', 1.0, metal)
        below = n.vector('SUBTRACT', 1.0, self.albedo(self.roughness, f0, (strength,) * 3))
        matte = n.vector('MULTIPLY', n.vector('MULTIPLY', self.color, n.vector('ADD', cover, 0.0)), below)
        diffuse = self.with_normal('ShaderNodeBsdfDiffuse', Color=matte, Roughness=0.0).outputs[0]
        # Mixed as glTF mixes them: light that goes between microfacets several times grows with the square of F0, so one lobe of a mean F0
        # would be darker than two.
        metallic = self.reflection(self.color, self.roughness, metal)
        glossy = self.reflection([channel / max(strength, 1e-6) for channel in f0], self.roughness, n.math('MULTIPLY', cover, strength))
        return n.add(diffuse, n.add(metallic, glossy))

    def solid(self):
        """Glass. The importer's colour counts once a crossing and its absorption follows no law of the colour: see also absorption()."""
        n = self.nodes
        ior = self.extension('ior').get('ior', 1.5)
        if isinstance(self.roughness, float) and self.roughness < 0.01:
            refracted = self.with_normal('ShaderNodeBsdfRefraction', Color=self.color, Roughness=0.0, IOR=ior)
            reflected = self.with_normal('ShaderNodeBsdfGlossy', Color=(1, 1, 1), Roughness=0.0)
            refracted.distribution = reflected.distribution = 'SHARP'
            return n.mix(self.with_normal('ShaderNodeFresnel', IOR=ior).outputs[0], refracted.outputs[0], reflected.outputs[0])
        glass = self.with_normal('ShaderNodeBsdfGlass', Color=self.color, Roughness=self.roughness, IOR=ior)
        glass.distribution = 'MULTI_GGX'
        return glass.outputs[0]

    def thin(self):
        """A wall without an inside: light goes straight on. To the importer it is a solid."""
        n = self.nodes
        f0, strength = self.dielectric_f0()
        through = n.vector('MULTIPLY', self.color, n.vector('SUBTRACT', 1.0, self.albedo(self.roughness, f0, (strength,) * 3)))
        transparent = n.new('ShaderNodeBsdfTransparent', Color=through).outputs[0]
        return n.add(transparent, self.reflection([channel / max(strength, 1e-6) for channel in f0], self.roughness, strength))

    def absorption(self):
        volume = self.extension('volume')
        distance = volume.get('attenuationDistance')
        if distance is None:
            return
        sigma = [-log(max(channel, 1e-6)) / distance for channel in volume.get('attenuationColor', [1, 1, 1])]
        density = max(sigma)
        if density > 0:
            # Cycles absorbs (1 - colour) * density a metre.
            node = self.nodes.new('ShaderNodeVolumeAbsorption', Color=[1 - each / density for each in sigma], Density=density)
            self.nodes.put(self.output.inputs['Volume'], node.outputs[0])

    def coated(self, shader):
        """A second GGX layer of ior 1.5 above everything, emission included. The Principled BSDF adds GTR1 a quarter as strong."""
        coat = self.extension('clearcoat')
        factor = coat.get('clearcoatFactor', 0.0)
        if factor == 0:
            return shader
        n = self.nodes
        roughness = coat.get('clearcoatRoughnessFactor', 0.0)
        kept, self.normal = self.normal, None
        layer = self.reflection((0.04, 0.04, 0.04), roughness, factor)
        grey = n.new('ShaderNodeSeparateColor', Color=self.albedo(roughness, (0.04,) * 3, (1.0,) * 3)).outputs[0]
        self.normal = kept
        return n.add(n.mix(n.math('SUBTRACT', 1.0, n.math('MULTIPLY', grey, factor)), None, shader), layer)

    def emission(self):
        """Of single-sided surfaces the front alone shines; in Blender all do."""
        n = self.nodes
        factor = self.gltf.get('emissiveFactor', [0, 0, 0])
        if max(factor) == 0:
            return None
        strength = self.extension('emissive_strength').get('emissiveStrength', 1.0)
        color = [channel * strength for channel in factor]
        if 'emissiveTexture' in self.gltf:
            socket = self.emission_source
            # The importer multiplies through the wrong output of a Mix node: go to the texture itself.
            while socket.node.type != 'TEX_IMAGE':
                socket = next(each for each in socket.node.inputs if each.is_linked).links[0].from_socket
            color = n.vector('MULTIPLY', socket.node.outputs['Color'], color)
        shines = 1.0
        if not self.gltf.get('doubleSided', False):
            shines = n.math('SUBTRACT', 1.0, n.new('ShaderNodeNewGeometry').outputs['Backfacing'])
        return n.new('ShaderNodeEmission', Color=color, Strength=shines).outputs[0]

    def build(self):
        n = self.nodes
        transmission = self.extension('transmission').get('transmissionFactor', 0.0)
        is_solid = self.extension('volume').get('thicknessFactor', 0.0) > 0
        for link in self.output.inputs['Volume'].links:
            self.nodes.tree.links.remove(link)
        shader = None
        if transmission < 1:
            shader = self.opaque()
        if transmission > 0:
            through = self.solid() if is_solid else self.thin()
            shader = through if shader is None else n.mix(transmission, shader, through)
        if is_solid and transmission > 0:
            self.absorption()
        light = self.emission()
        if light is not None:
            shader = n.add(shader, light)
        shader = self.coated(shader)
        mode = self.gltf.get('alphaMode', 'OPAQUE')
        if mode != 'OPAQUE':
            # To the importer a mask is a blend in Cycles.
            cutoff = self.gltf.get('alphaCutoff', 0.5)
            cover = self.alpha if mode == 'BLEND' else n.math('SUBTRACT', 1.0, n.math('LESS_THAN', self.alpha, cutoff))
            shader = n.mix(cover, n.new('ShaderNodeBsdfTransparent').outputs[0], shader)
        n.put(self.output.inputs['Surface'], shader)


def gltf_of(path):
    with open(path, 'rb') as file:
        bytes_ = file.read()
    length = struct.unpack_from('<I', bytes_, 12)[0]
    return json.loads(bytes_[20 : 20 + length])


def set_lights(gltf):
    """Blender's watts from candela and lux: a lamp of P W shines with P / (4 pi) a steradian, a sun of E W gives an irradiance of E. Measured."""
    lights = gltf.get('extensions', {}).get('KHR_lights_punctual', {}).get('lights', [])
    by_kind = {'point': 'POINT', 'spot': 'SPOT', 'directional': 'SUN'}
    objects = [each for each in bpy.context.scene.objects if each.type == 'LIGHT']
    if len(objects) != len(lights) or [each.data.type for each in objects] != [by_kind[each['type']] for each in lights]:
        raise SystemExit('the lights did not come in the order of the file')
    for object_, light in zip(objects, lights):
        lamp, intensity = object_.data, light.get('intensity', 1.0)
        if light['type'] == 'directional':
            lamp.angle, lamp.energy = 0, intensity
            continue
        if light['type'] == 'spot':
            lamp.type = 'POINT'
            lamp = object_.data
            fall_off(lamp, light.get('spot', {}))
        lamp.shadow_soft_size, lamp.energy = 0, intensity * 4 * pi


def fall_off(lamp, spot):
    """glTF's cone, which Blender's spots do not have: a point light with (saturate((cos - outer) / (inner - outer)))^2."""
    lamp.use_nodes = True
    n = Nodes(lamp.node_tree)
    inner, outer = cos(spot.get('innerConeAngle', 0.0)), cos(spot.get('outerConeAngle', pi / 4))
    axis = n.new('ShaderNodeSeparateXYZ', Vector=n.new('ShaderNodeTexCoord').outputs['Normal']).outputs['Z']
    linear = n.math('DIVIDE', n.math('SUBTRACT', n.math('MULTIPLY', axis, -1.0), outer), max(inner - outer, 1e-4))
    share = n.math('MAXIMUM', n.math('MINIMUM', linear, 1.0), 0.0)
    emission = next(node for node in lamp.node_tree.nodes if node.type == 'EMISSION')
    n.put(emission.inputs['Strength'], n.math('MULTIPLY', share, share))


def set_world(job):
    world = bpy.data.worlds.new('world')
    bpy.context.scene.world = world
    world.use_nodes = True
    n = Nodes(world.node_tree)
    background = next(node for node in world.node_tree.nodes if node.type == 'BACKGROUND')
    background.inputs['Strength'].default_value = 1
    background.inputs['Color'].default_value = (1, 1, 1, 1) if job['sky'] else (0, 0, 0, 1)
    if not job['environment']:
        return
    # Blender's middle column looks towards its +x, ours towards glTF's -z, its +y.
    mapping = n.new('ShaderNodeMapping', Vector=n.new('ShaderNodeTexCoord').outputs['Generated'])
    mapping.inputs['Rotation'].default_value = (0, 0, radians(-90))
    image = n.new('ShaderNodeTexEnvironment', Vector=mapping.outputs[0])
    image.image = bpy.data.images.load(job['environment'])
    image.image.colorspace_settings.name = 'Linear'
    n.put(background.inputs['Color'], image.outputs['Color'])
    if job['aim']:
        world.cycles.sampling_method = 'MANUAL'
        world.cycles.sample_map_resolution = 1024
    else:
        world.cycles.sampling_method = 'NONE'


def set_camera(gltf):
    camera = next(each for each in bpy.context.scene.objects if each.type == 'CAMERA')
    bpy.context.scene.camera = camera
    described = gltf['cameras'][0]
    # The height of what is seen is glTF's, whatever the picture's shape.
    camera.data.sensor_fit = 'VERTICAL'
    if described['type'] == 'orthographic':
        camera.data.ortho_scale = 2 * described['orthographic']['ymag']
    else:
        camera.data.angle_y = described['perspective']['yfov']
    camera.data.clip_start, camera.data.clip_end = 1e-4, 1e5


def set_renderer(job):
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.seed = 'CPU', job['samples'], job['seed']
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.max_bounces = cycles.diffuse_bounces = cycles.glossy_bounces = cycles.transmission_bounces = job['bounces']
    cycles.volume_bounces, cycles.transparent_max_bounces = 0, 64
    cycles.sample_clamp_direct = cycles.sample_clamp_indirect = cycles.blur_glossy = 0
    cycles.light_sampling_threshold = 0
    cycles.caustics_reflective = cycles.caustics_refractive = True
    cycles.pixel_filter_type = 'BOX'
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = job['width'], job['height'], 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1
    render.film_transparent = False
    scene.view_settings.view_transform = 'Raw'
    image = render.image_settings
    image.file_format, image.color_mode, image.color_depth, image.exr_codec = 'OPEN_EXR', 'RGB', '32', 'ZIP'
    render.filepath = job['out']


def new_table():
    image = bpy.data.images.new('albedo', TABLE, TABLE, float_buffer=True, is_data=True)
    image.pixels.foreach_set(TABLE_PIXELS.ravel())
    image.pack()
    return image


def described_by(material, gltf):
    """The glTF material behind one of Blender's; None for one that the importer made up."""
    # The importer's names of nameless materials; one that is used with and without vertex colours is there twice.
    numbered = re.fullmatch(r'Material_(\d+)(\.\d+)?', material.name)
    return gltf['materials'][int(numbered[1])] if numbered else None


def render(job):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    gltf = gltf_of(job['model'])
    bpy.ops.import_scene.gltf(filepath=job['model'])
    if job['rebuild']:
        table = new_table()
        for material in bpy.data.materials:
            described = described_by(material, gltf)
            if described:
                Surface(material, described, table).build()
    for material in bpy.data.materials:
        described = described_by(material, gltf)
        if not job['aim'] or (described and 'emissiveTexture' in described):
            material.cycles.sample_as_light = False
    set_lights(gltf)
    set_world(job)
    set_camera(gltf)
    set_renderer(job)
    bpy.ops.render.render(write_still=True)


TABLE_PIXELS = albedo_table()
with open(sys.argv[sys.argv.index('--') + 1]) as file:
    JOBS = json.load(file)
for each in JOBS:
    started = time.monotonic()
    render(each)
    print('cycles: %s %.2f' % (each['name'], time.monotonic() - started), flush=True)
