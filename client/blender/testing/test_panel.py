"""The panel, and what ends with the add-on."""

import addon_utils
import bpy
import tessera
from cases import Case


class Panel(Case):
    """Drawn without a screen: a layout that notes what it is asked for."""

    def setUp(self) -> None:
        super().setUp()
        addon_utils.enable("tessera", default_set=True)
        self.addCleanup(addon_utils.disable, "tessera", default_set=True)
        self.state = tessera.state

    def drawn(self) -> str:
        class Layout:
            said: list[str] = []

            def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
                def note(*args: object, **values: object) -> "Layout":
                    self.said.append(f"{name} {args[1:] if name == 'prop' else args} {values}")
                    return self

                if name == "progress":
                    raise AttributeError(name)
                return note

        class Fake(tessera.TesseraPanel):
            layout = Layout()

        Fake().draw(bpy.context)
        return "\n".join(Layout.said)

    def test_every_stage(self) -> None:
        preferences = bpy.context.preferences.addons["tessera"].preferences
        preferences.server = ""
        self.assertIn("Enter the server's address first", self.drawn())
        preferences.server = "https://tessera.example"
        self.scene.tessera.quality = "NOISE"
        self.assertIn("64 x 48 px", self.drawn())
        quote = {"holdMicroCredits": "1234567", "finish": {"p50Seconds": 30, "p95Seconds": 600}}
        self.state.priced = tessera.Priced({}, quote, ['Area lights cannot be sent: "Window".'])
        self.state.priced_scene = self.scene.name
        self.state.problem = "It went wrong."
        text = self.drawn()
        for said in ("at most 1.23 credits", "about 30 s", "within 10 min", '"Window"', "It went wrong."):
            self.assertIn(said, text)
        tessera.on_load()
        self.assertNotIn("credits", self.drawn())

    def test_the_key_is_a_password(self) -> None:
        self.assertEqual(tessera.TesseraPreferences.bl_rna.properties["key"].subtype, "PASSWORD")

    def test_disabling_stops_what_runs(self) -> None:
        client = tessera.Client("http://localhost:1")
        task = tessera.Task(client, lambda tell: client.wait(60), lambda result: None)
        self.state.begin(task)
        tessera.unregister()
        try:
            self.assertFalse(task.is_alive())
        finally:
            tessera.register()
