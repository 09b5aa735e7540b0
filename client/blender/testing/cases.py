"""What tests of scenes share: an empty one to begin with, and a folder."""

import tempfile
import unittest
from pathlib import Path

import bpy
import scenes
import tessera


def settings(**values: object) -> tessera.Settings:
    return tessera.Settings(bpy.context.scene.name, bpy.context.view_layer.name, **values)


def warnings(**values: object) -> list[str]:
    return tessera.warnings_of(bpy.context.scene, bpy.context.view_layer, settings(**values))


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.scene = scenes.empty()
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = Path(self._folder.name)

    def export(self, **values: object) -> tuple[dict, dict, bytes]:
        """The order, and the JSON and the binary part of its file."""
        order = tessera.export_order(settings(**values), self.folder)
        gltf, rest = tessera.read_glb(Path(order["files"]["model"]))
        return order, gltf, rest[8:]

    def node(self, gltf: dict, name: str) -> dict:
        return next(node for node in gltf["nodes"] if node.get("name") == name)
