"""Renders the scene with a Tessera coordinator: other people's GPUs trace it, the picture comes back.

Blender 3.4 or later, and nothing that Blender does not bring. Three kinds of code, in this order:

- ``Client`` and what it answers: HTTP by the standard library, no ``bpy``. Used on a thread of its own.
- Reading, baking and exporting a scene. It changes what it exports, so it runs on a copy: the add-on saves one
  and starts Blender a second time, without windows, with this file as its script (``main``). So exporting does
  not block the user's Blender, and cannot change the user's file.
- The add-on: properties, operators, a panel. A timer carries what threads have to say to the panel.
"""

import http.client
import http.cookiejar
import json
import math
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import bpy
import numpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

bl_info = {
    "name": "Tessera",
    "author": "The Tessera authors",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "Properties > Render > Tessera, and 3D Viewport > Sidebar > Tessera",
    "description": "Has the scene rendered by other people's GPUs",
    "category": "Render",
}

Json = dict[str, Any]
Tell = Callable[[str, float], None]
"""Called with what is going on, and the share of it that is done, 0 to 1."""


# --- What can go wrong ---


class Refusal(Exception):
    """Something that cannot be done, in words for people. ``limit`` says what would have been fine."""

    def __init__(self, message: str, code: str = "", field: str = "", limit: str = "") -> None:
        super().__init__(message)
        self.message, self.code, self.field, self.limit = message, code, field, limit

    def __str__(self) -> str:
        said = self.message.casefold()
        field = f" ({self.field})" if self.field and self.field.casefold() not in said else ""
        limit = f" Allowed: {self.limit}." if self.limit and self.limit.casefold() not in said else ""
        return f"{self.message}{field}{limit}"


class Offline(Refusal):
    """No answer, or half of one: the same request may succeed later."""


class Stopped(Exception):
    """The user does not want it any more, or Blender is quitting."""


def refusal_of(status: int, body: bytes) -> Refusal:
    """The error of an answer that is not 2xx: RFC 9457 problem details, or {error: {message, ...}}."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    problem = answer.get("error", answer) if isinstance(answer, dict) else None
    if not isinstance(problem, dict):
        return Refusal(f"The server answered with status {status}. Is its address right?")
    said = problem.get("detail") or problem.get("message") or problem.get("title")
    message, code, field, limit = (str(value or "") for value in (said, *map(problem.get, ("code", "field", "limit"))))
    return Refusal(message or f"The server answered with status {status}.", code, field, limit)


# --- The coordinator's API ---

TIMEOUT_S = 120.0
"""Without a byte for so long, a request has failed. Preparing a large scene takes the server up to 90 s."""
RETRY_S = 3.0
POLL_S = 2.0
UPLOAD_TRIES_MAX = 5
"""Attempts in a row that bring an upload no further."""
COPY_BYTES = 256 * 1024
LOOPBACK = re.compile(r"^http://([a-z0-9.-]+\.)?(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$", re.IGNORECASE)


def server_of(text: str) -> str:
    """The origin of an address as people type it. Raises ``Refusal``."""
    text = text.strip() if "://" in text else f"https://{text.strip()}"
    try:
        url = urllib.parse.urlsplit(text)
        if url.scheme not in ("http", "https") or not url.hostname or url.username:
            raise ValueError
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        return f"{url.scheme}://{host}{f':{url.port}' if url.port else ''}"
    except ValueError:
        raise Refusal(
            "Enter the server's address in the add-on's preferences, such as https://tessera.example."
        ) from None


class Answer(NamedTuple):
    headers: http.client.HTTPMessage
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key along, to wherever it leads."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        raise Refusal(f"The server sends requests on to {newurl}. Enter that address, if you trust it.")


class _Body:
    """A part of a file as a request's body: tells how much has been sent, and ends when the request is to stop."""

    def __init__(self, file: BinaryIO, size: int, progress: Callable[[float], None], stop: threading.Event) -> None:
        self._file, self._size, self._progress, self._stop = file, max(1, size), progress, stop

    def read(self, size: int = -1) -> bytes:
        if self._stop.is_set():
            raise Stopped
        self._progress(self._file.tell() / self._size)
        return self._file.read(min(size, COPY_BYTES) if size > 0 else COPY_BYTES)


class Client:
    """One user's view of one coordinator. Every method may block, and raises ``Refusal``, ``Offline`` or ``Stopped``.

    Without a key it has a session as a browser's page has one: a device that owns test credits, kept in a cookie.
    """

    def __init__(self, server: str, key: str = "", cookies: Path | None = None) -> None:
        self.server, self._key, self._cookies = server_of(server), key.strip(), cookies
        self.stopping = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        # Browsers take localhost for secure, and the coordinator counts on it.
        secure = ("https", "http") if LOOPBACK.match(self.server) else ("https",)
        self._jar = http.cookiejar.LWPCookieJar(policy=http.cookiejar.DefaultCookiePolicy(secure_protocols=secure))
        if cookies and cookies.exists() and not self._key:
            try:
                self._jar.load(str(cookies))
            except (OSError, http.cookiejar.LoadError):
                cookies.unlink(missing_ok=True)
        self._opener = self._make_opener()

    def _make_opener(self) -> urllib.request.OpenerDirector:
        def live(kind: type[http.client.HTTPConnection]) -> Callable[..., http.client.HTTPConnection]:
            def connect(*args: Any, **kwargs: Any) -> http.client.HTTPConnection:
                self._connection = kind(*args, **kwargs)
                return self._connection

            return connect

        class Http(urllib.request.HTTPHandler):
            def http_open(self, req):  # type: ignore[no-untyped-def]
                return self.do_open(live(http.client.HTTPConnection), req)

        class Https(urllib.request.HTTPSHandler):
            def https_open(self, req):  # type: ignore[no-untyped-def]
                return self.do_open(live(http.client.HTTPSConnection), req, context=context)

        context = ssl.create_default_context()
        jar = urllib.request.HTTPCookieProcessor(self._jar)
        return urllib.request.build_opener(Http, Https, _NoRedirect, jar)

    def stop(self) -> None:
        """From any thread: ends what is waiting for an answer."""
        self.stopping.set()
        connection = self._connection
        sock = connection and connection.sock
        if sock:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def wait(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise Stopped

    def send(
        self, method: str, path: str, body: "bytes | _Body | None" = None, headers: dict[str, str] | None = None
    ) -> Answer:
        with self._open(method, path, body, headers) as response:
            return Answer(response.headers, self._read(response.read))

    def _open(self, method: str, path: str, body: "bytes | _Body | None", headers: dict[str, str] | None) -> Any:
        if self.stopping.is_set():
            raise Stopped
        request = urllib.request.Request(urllib.parse.urljoin(self.server, path), body, headers or {}, method=method)
        if server_of(request.full_url) != self.server:
            raise Refusal(f"The server names an address that is not its own: {request.full_url}")
        if self._key:
            request.add_header("Authorization", f"Bearer {self._key}")
        return self._read(lambda: self._opener.open(request, timeout=TIMEOUT_S))

    def _read(self, act: Callable[[], Any]) -> Any:
        """What ``act`` returns, with the standard library's errors in our own words."""
        try:
            return act()
        except urllib.error.HTTPError as error:
            raise refusal_of(error.code, self._read(error.read)) from None
        except (OSError, http.client.HTTPException) as error:
            if self.stopping.is_set():
                raise Stopped from None
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                said = f"The certificate of {self.server} is not trusted on this machine: {reason.verify_message}."
                raise Refusal(said) from None
            words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
            raise Offline(f"{self.server} does not answer: {words}. Check the address and the network.") from None

    def call(self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None) -> Json:
        """JSON in, JSON out."""
        sent = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        try:
            answer = json.loads(self.send(method, path, sent, {**kind, **(headers or {})}).body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Refusal(f"{self.server} does not answer like a Tessera server. Is its address right?")
        return answer

    def sign_in(self) -> None:
        """Makes the device's session where there is neither a key nor a session yet."""
        if self._key:
            return
        self.call("POST", "/api/session", {})
        if self._cookies:
            # Made readable for its owner alone before the secret is in it.
            os.close(os.open(self._cookies, os.O_CREAT | os.O_WRONLY, 0o600))
            self._jar.save(str(self._cookies))

    # Uploads

    def upload(self, path: Path, progress: Callable[[float], None]) -> str:
        """Sends a file, resumably where the server can (tus 1.0.0). Returns its SHA-256, its name in orders."""
        with path.open("rb") as file:
            digest = sha256()
            for piece in iter(lambda: file.read(COPY_BYTES), b""):
                digest.update(piece)
            size = file.tell()
            send = self._upload_resumably if self._has_tus() else self._upload_whole
            stored = send(file, size, progress)
        if stored != digest.hexdigest():
            raise Refusal("The file arrived damaged. Try again.")
        return stored

    def _has_tus(self) -> bool:
        try:
            offered = self.send("OPTIONS", "/api/uploads").headers.get("Tus-Version", "")
        except Offline:
            raise
        except Refusal:
            return False
        return "1.0.0" in [version.strip() for version in offered.split(",")]

    def _upload_whole(self, file: BinaryIO, size: int, progress: Callable[[float], None]) -> str:
        for attempt in range(1, UPLOAD_TRIES_MAX + 1):
            file.seek(0)
            body = _Body(file, size, progress, self.stopping)
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            try:
                return str(json.loads(self.send("POST", "/api/uploads", body, headers).body)["hash"])
            except Offline:
                if attempt == UPLOAD_TRIES_MAX:
                    raise
                self.wait(RETRY_S)
            except (ValueError, KeyError, TypeError):
                break
        raise Refusal("The server did not say what it stored. Is its address right?")

    def _upload_resumably(self, file: BinaryIO, size: int, progress: Callable[[float], None]) -> str:
        tus = {"Tus-Resumable": "1.0.0"}
        made = self.send("POST", "/api/uploads", None, {**tus, "Upload-Length": str(size)}).headers
        place = urllib.parse.urljoin(f"{self.server}/api/uploads", made.get("Location", ""))
        offset, tries, stored = 0, 0, ""
        while offset < size:
            file.seek(offset)
            body = _Body(file, size, progress, self.stopping)
            kind = {"Content-Type": "application/offset+octet-stream", "Content-Length": str(size - offset)}
            before = offset
            try:
                headers = self.send("PATCH", place, body, {**tus, **kind, "Upload-Offset": str(offset)}).headers
                offset, stored = int(headers.get("Upload-Offset", size)), headers.get("Upload-Hash", "")
            except Offline:
                offset = self._offset_of(place, tus)
                if offset <= before and tries + 1 >= UPLOAD_TRIES_MAX:
                    raise
            tries = 0 if offset > before else tries + 1
        return stored or self.send("HEAD", place, None, tus).headers.get("Upload-Hash", "")

    def _offset_of(self, place: str, tus: dict[str, str]) -> int:
        """How much of a broken upload arrived."""
        for attempt in range(1, UPLOAD_TRIES_MAX + 1):
            self.wait(RETRY_S)
            try:
                return int(self.send("HEAD", place, None, tus).headers["Upload-Offset"])
            except Offline:
                if attempt == UPLOAD_TRIES_MAX:
                    raise
            except (TypeError, ValueError):
                break
        raise Refusal("The server lost the upload. Try again.")

    # Jobs

    def quote(self, order: Json) -> Json:
        return self.call("POST", "/api/quotes", order)

    def submit(self, job: Json, once: str) -> Json:
        """Orders a job. ``once``: equal keys are one order, however often it is sent."""
        return self.call("POST", "/api/jobs", job, {"Idempotency-Key": once})

    def job(self, job: str) -> Json:
        return self.call("GET", f"/api/jobs/{job}")

    def cancel(self, job: str) -> Json:
        return self.call("POST", f"/api/jobs/{job}/cancel", {})

    def download(self, path: str, target: Path, progress: Callable[[float], None]) -> None:
        """Into a file that is there whole or not at all."""
        part = target.with_name(target.name + ".part")
        try:
            with self._open("GET", path, None, None) as response, part.open("wb") as file:
                size = int(response.headers.get("Content-Length") or 0)
                while piece := self._read(lambda: response.read(COPY_BYTES)):
                    if self.stopping.is_set():
                        raise Stopped
                    file.write(piece)
                    progress(file.tell() / max(1, size))
                if size and file.tell() != size:
                    raise Offline("The download broke off. Try again.")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def credits_text(micro_credits: str) -> str:
    """Two digits, more where that would be nothing: 0.000123."""
    amount = int(micro_credits) / 1e6
    return f"{amount:,.2f}" if amount >= 0.01 or amount == 0 else f"{amount:.6f}"


def duration_text(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Priced(NamedTuple):
    """An order that was uploaded and has a price."""

    order: Json
    quote: Json
    warnings: list[str]

    def lines(self) -> list[str]:
        """What the panel shows before one pays."""
        quote, finish = self.quote, self.quote.get("finish")
        lines = [f"Price: at most {credits_text(quote['holdMicroCredits'])} credits"]
        if isinstance(finish, dict):
            p50, p95 = duration_text(finish["p50Seconds"]), duration_text(finish["p95Seconds"])
            lines.append(f"Done in about {p50}, 19 times of 20 within {p95}")
        elif "finish" in quote:
            lines.append("Nobody who could take it is online now: it waits")
        return lines


def price(client: Client, exported: Json, tell: Tell) -> Priced:
    """Uploads what was exported, see ``export_order``, and asks for the price."""
    client.sign_in()
    files = {}
    for name, path in exported["files"].items():
        size = Path(path).stat().st_size / 2**20
        files[name] = client.upload(Path(path), lambda share: tell(f"Uploading {name}, {size:.1f} MiB", share))
    tell("Asking for the price", 0)
    order = {"workload": "render", "params": exported["params"], "files": files}
    quote = client.quote(order)
    return Priced(order, quote, [*exported["warnings"], *map(str, quote.get("report", []))])


def submit(client: Client, priced: Priced, title: str, visibility: str, tell: Tell) -> Json:
    """Orders what was priced, and returns the job."""
    tell("Ordering", 0)
    promised = priced.quote.get("id")
    job = {
        **priced.order,
        "title": title[:80] or "Untitled",
        "visibility": visibility,
        **({"quote": promised} if promised else {}),
    }
    once = str(uuid.uuid4())
    try:
        return client.submit(job, once)
    except Offline:
        # Sent again only to a server that makes one job of it: those that promise a price know the key as well.
        if not promised:
            raise
        client.wait(RETRY_S)
        return client.submit(job, once)


def follow(client: Client, job: str, tell: Tell) -> Json:
    """Waits for a job's end, through broken connections, and returns its last view."""
    share = 0.0
    while True:
        try:
            view = client.job(job)
            parts, left = view["parts"], view.get("secondsLeft")
            share = parts["accepted"] / max(1, parts["total"])
            if view["status"] != "open":
                return view
            ending = "waiting for contributors" if left is None else f"about {duration_text(left)} left"
            tell(f"Rendering: {share:.0%}, {'paused' if view.get('paused') else ending}", share)
        except Offline as error:
            tell(str(error), share)
        client.wait(POLL_S)


def fetch(client: Client, view: Json, folder: Path, tell: Tell) -> list[Path]:
    """Downloads a finished job's EXR files, one for every frame."""
    if view["status"] != "done":
        raise Refusal(f"The job was {view['status']}: there is no picture.")
    folder.mkdir(parents=True, exist_ok=True)
    many = int(view["params"].get("frames", 1)) > 1
    name = re.sub(r"[^\w -]", "_", view["title"])[:60] + "-" + view["id"][2:10]
    target = folder / f"{name}{'.zip' if many else '.exr'}"
    place = f"/api/jobs/{view['id']}/files/{'frames-exr' if many else 'exr'}"
    client.download(place, target, lambda share: tell("Downloading", share))
    if not many:
        return [target]
    frames = folder / name
    with zipfile.ZipFile(target) as archive:
        names = [entry for entry in archive.namelist() if re.fullmatch(r"\d+\.exr", entry)]
        archive.extractall(frames, names)
    target.unlink()
    return sorted(frames / entry for entry in names)


# --- Reading a scene ---


class Settings(NamedTuple):
    """What is ordered beside the scene itself; travels to the second Blender as JSON."""

    scene: str
    view_layer: str
    only_selected: bool = False
    animation: bool = False
    quality: str = "SAMPLES"
    samples: int = 128
    noise: float = 0.02
    layers: bool = True
    bake: bool = True
    bake_pixels: int = 1024


FRAMES_MAX = 1000
BOUNCES_MAX = 32


def listed(names: Iterable[str]) -> str:
    """Names for people: "A", "B" and 3 more."""
    quoted = [f'"{name}"' for name in sorted(set(names))]
    if len(quoted) > 4:
        return ", ".join(quoted[:3]) + f" and {len(quoted) - 3} more"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def previous(socket: bpy.types.NodeSocket | None) -> bpy.types.NodeSocket | None:
    """The output that feeds an input, past reroutes."""
    while socket and socket.is_linked:
        source = socket.links[0].from_socket
        if source.node.type != "REROUTE":
            return source
        socket = source.node.inputs[0]
    return None


def node_name(node: bpy.types.Node) -> str:
    return node.label or node.bl_label or node.name


class World(NamedTuple):
    """What shines from all around: ``color`` times ``strength``, or an image turned by ``turn`` degrees."""

    color: tuple[float, float, float] = (0, 0, 0)
    strength: float = 0
    image: bpy.types.Image | None = None
    turn: float = 0
    problem: str = ""


def read_world(world: bpy.types.World | None) -> World:
    """A plain colour or an environment image; anything else is a problem, in a sentence."""
    if not world:
        return World()
    if not world.use_nodes:
        return World(tuple(world.color), 1)
    output = world.node_tree.get_output_node("CYCLES")
    surface = previous(output.inputs["Surface"]) if output else None
    if not surface:
        return World()
    only = "Only a plain background colour or an environment image reaches Tessera; the scene is sent without it."

    def problem(node: bpy.types.Node) -> World:
        return World(problem=f'World "{world.name}": {node_name(node)} cannot be sent. {only}')

    node = surface.node
    if node.type != "BACKGROUND" or node.inputs["Strength"].is_linked:
        return problem(node)
    color, strength = previous(node.inputs["Color"]), node.inputs["Strength"].default_value
    if not color:
        return World(tuple(node.inputs["Color"].default_value)[:3], strength)
    image = color.node
    if image.type != "TEX_ENVIRONMENT" or not image.image or image.projection != "EQUIRECTANGULAR":
        return problem(image)
    turn, foreign = _turn_of(previous(image.inputs["Vector"]))
    if foreign:
        return problem(foreign)
    return World((1, 1, 1), strength, image.image, turn)


def _turn_of(vector: bpy.types.NodeSocket | None) -> tuple[float, bpy.types.Node | None]:
    """Degrees about the vertical, as ``skyRotation`` wants them, or the node that does more than that.

    Blender's images have +X in their middle, those of the coordinator north, -Z of glTF: +Y of Blender.
    """
    degrees = -90.0
    if vector and vector.node.type == "MAPPING":
        node = vector.node
        x, y, z = node.inputs["Rotation"].default_value
        scale = tuple(node.inputs["Scale"].default_value)
        place = tuple(node.inputs["Location"].default_value) if "Location" in node.inputs else (0, 0, 0)
        plain = node.vector_type in ("POINT", "TEXTURE", "VECTOR") and scale == (1, 1, 1) and place == (0, 0, 0)
        varies = any(node.inputs[name].is_linked for name in ("Rotation", "Scale", "Location"))
        if x or y or not plain or varies or not node.inputs["Vector"].is_linked:
            return 0, node
        degrees -= math.degrees(-z if node.vector_type == "TEXTURE" else z)
        vector = previous(node.inputs["Vector"])
    if vector and not (vector.node.type == "TEX_COORD" and vector.name == "Generated"):
        return 0, vector.node
    return math.remainder(degrees, 360), None


def visible_objects(view_layer: bpy.types.ViewLayer) -> list[bpy.types.Object]:
    """What a render of this view layer shows."""
    found: dict[bpy.types.Object, None] = {}

    def walk(layer: bpy.types.LayerCollection) -> None:
        if layer.exclude or layer.collection.hide_render:
            return
        found.update((item, None) for item in layer.collection.objects if not item.hide_render)
        for child in layer.children:
            walk(child)

    walk(view_layer.layer_collection)
    return list(found)


def chosen_objects(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, settings: Settings
) -> list[bpy.types.Object]:
    """What is sent: all that renders, or the selected of it, with the camera."""
    return [
        item
        for item in visible_objects(view_layer)
        if not settings.only_selected or item.select_get(view_layer=view_layer) or item == scene.camera
    ]


def with_instances(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Object]:
    """The objects, and those of the collections that they are instances of."""
    found: dict[bpy.types.Object, None] = {}
    waiting = list(objects)
    while waiting:
        item = waiting.pop()
        if item not in found:
            found[item] = None
            collection = item.instance_collection if item.instance_type == "COLLECTION" else None
            waiting += [inner for inner in collection.all_objects if not inner.hide_render] if collection else []
    return list(found)


def materials_of(objects: Iterable[bpy.types.Object]) -> list[bpy.types.Material]:
    return list({slot.material: None for item in objects for slot in item.material_slots if slot.material})


# What glTF cannot carry, by name

CARRIED_NODES = set(
    "TEX_IMAGE NORMAL_MAP MAPPING UVMAP TEX_COORD RGB VALUE REROUTE "
    "SEPRGB SEPARATE_COLOR MIX MIX_RGB MATH VERTEX_COLOR".split()
)
LOST_WEIGHTS = {
    "Subsurface": "light below the surface", "Subsurface Weight": "light below the surface",
    "Sheen": "sheen", "Sheen Weight": "sheen", "Anisotropic": "anisotropy",
    "Thin Film Thickness": "thin films", "Diffuse Roughness": "rough diffuse reflection",
}  # fmt: skip
CONSTANTS = {"Emission Strength", "IOR", "Anisotropic", "Sheen Tint", "Subsurface IOR"}
"""Inputs that the exporter reads as numbers only."""
BASE_COLOR = "Base Color"


def surface_of(material: bpy.types.Material) -> bpy.types.NodeSocket | None:
    """What feeds the surface of a material with nodes."""
    output = material.node_tree.get_output_node("CYCLES")
    return previous(output.inputs["Surface"]) if output else None


def foreign_nodes(socket: bpy.types.NodeSocket) -> list[bpy.types.Node]:
    """Nodes upstream of an input that glTF has nothing for; what lies behind them is not looked at."""
    found: dict[bpy.types.Node, None] = {}
    seen: set[bpy.types.Node] = set()
    waiting = [socket]
    while waiting:
        source = previous(waiting.pop())
        if not source or source.node in seen:
            continue
        seen.add(source.node)
        if _is_carried(source):
            waiting += source.node.inputs
        else:
            found[source.node] = None
    return list(found)


def _is_carried(source: bpy.types.NodeSocket) -> bool:
    node = source.node
    if node.type == "TEX_IMAGE":
        return bool(node.image) and node.projection == "FLAT" and node.image.source in ("FILE", "GENERATED")
    if node.type == "TEX_COORD":
        return source.name == "UV"
    if node.type == "MAPPING":
        tilted = any(node.inputs["Rotation"].default_value[:2])
        varies = any(item.is_linked for item in node.inputs if item.name != "Vector")
        return node.vector_type in ("POINT", "TEXTURE", "VECTOR") and not tilted and not varies
    if node.type in ("MIX", "MIX_RGB", "MATH"):
        # A texture times a constant is glTF's factor.
        operation = node.operation if node.type == "MATH" else node.blend_type
        return operation == "MULTIPLY" and sum(item.is_linked for item in node.inputs) == 1
    return node.type in CARRIED_NODES


def is_procedural(material: bpy.types.Material) -> bool:
    """Its base colour can be baked, and has to be."""
    source = surface_of(material) if material.use_nodes else None
    return bool(source and source.node.type == "BSDF_PRINCIPLED" and foreign_nodes(source.node.inputs[BASE_COLOR]))


def material_warnings(material: bpy.types.Material, bakes: bool) -> list[str]:
    """``bakes``: a procedural base colour is no loss."""
    if not material.use_nodes:
        return []
    name = f'Material "{material.name}"'
    source = surface_of(material)
    if not source:
        return [f"{name}: it has no surface shader; it is sent as white."]
    shader, warnings = source.node, []
    if shader.type not in ("BSDF_PRINCIPLED", "EMISSION") and source.type == "SHADER":
        inner = " The Principled BSDF inside is sent alone." if _has_principled(shader) else ""
        kept = "glTF carries Principled BSDF and Emission only."
        warnings.append(f"{name}: {node_name(shader)} cannot be sent; {kept}{inner}")
    elif source.type == "SHADER":
        for entry in shader.inputs:
            foreign = foreign_nodes(entry)
            if foreign and not (bakes and entry.name == BASE_COLOR):
                makers = ", ".join(sorted({node_name(node) for node in foreign}))
                warnings.append(f"{name}: {entry.name} by {makers} cannot be sent.")
            elif entry.is_linked and (entry.name in CONSTANTS or (shader.type, entry.name) == ("EMISSION", "Strength")):
                warnings.append(f"{name}: {entry.name} is sent as a number; what is linked to it is not.")
            lost = LOST_WEIGHTS.get(entry.name)
            if lost and (entry.is_linked or entry.default_value):
                warnings.append(f"{name}: {lost} ({entry.name}) cannot be sent.")
    output = material.node_tree.get_output_node("CYCLES")
    for part in ("Volume", "Displacement"):
        if output and output.inputs[part].is_linked:
            warnings.append(f"{name}: its {part.lower()} cannot be sent.")
    return warnings


def _has_principled(shader: bpy.types.Node) -> bool:
    return any(
        source.node.type == "BSDF_PRINCIPLED" or _has_principled(source.node)
        for socket in shader.inputs
        if socket.type == "SHADER" and (source := previous(socket))
    )


UNSENT_TYPES = {
    "VOLUME": "Volumes",
    "META": "Metaballs",
    "GPENCIL": "Grease pencil drawings",
    "GREASEPENCIL": "Grease pencil drawings",
    "CURVES": "Hair curves",
    "POINTCLOUD": "Point clouds",
}
SURFACE_TYPES = ("MESH", "CURVE", "FONT", "SURFACE")
RAYS = ("camera", "diffuse", "glossy", "transmission", "shadow")
DEFORMING = set(
    "ARMATURE CAST CLOTH CURVE FLUID HOOK LATTICE MESH_CACHE MESH_DEFORM MESH_SEQUENCE_CACHE NODES "
    "OCEAN SHRINKWRAP SIMPLE_DEFORM SOFT_BODY SURFACE_DEFORM WARP WAVE BUILD EXPLODE".split()
)


def object_warnings(objects: list[bpy.types.Object]) -> list[str]:
    lost: dict[str, list[str]] = {}

    def lose(sentence: str, name: str) -> None:
        lost.setdefault(sentence, []).append(name)

    instances = bpy.context.evaluated_depsgraph_get().object_instances
    makers = {instance.parent.original for instance in instances if instance.is_instance and instance.parent}
    for item in objects:
        if what := UNSENT_TYPES.get(item.type):
            lose(f"{what} cannot be sent: {{}}.", item.name)
        for system in item.particle_systems:
            kind = "Hair" if system.settings.type == "HAIR" else "Particles"
            lose(f"{kind} cannot be sent: {{}}.", f"{item.name}: {system.name}")
        if any(modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN" for modifier in item.modifiers):
            lose("Smoke and liquid cannot be sent: {}.", item.name)
        if item in makers and item.instance_type == "NONE" and not item.particle_systems:
            lose("Instances of geometry nodes are not sent; realize them first: {}.", item.name)
        if item.type in SURFACE_TYPES and (item.is_shadow_catcher or item.is_holdout):
            lose("Shadow catchers and holdouts are sent as ordinary objects: {}.", item.name)
        if item.type in SURFACE_TYPES and not all(getattr(item, f"visible_{ray}") for ray in RAYS):
            lose("What is hidden from some rays will be seen by all: {}.", item.name)
        if item.type == "MESH" and _uses_third_uvs(item):
            lose("Only the first two UV maps are sent; another one is used by {}.", item.name)
    return [sentence.format(listed(names)) for sentence, names in lost.items()]


def _uses_third_uvs(item: bpy.types.Object) -> bool:
    """Without a UV Map node images lie on the map that renders."""
    layers = item.data.uv_layers
    for material in materials_of([item]) if len(layers) > 2 else []:
        nodes = material.node_tree.nodes if material.use_nodes else []
        if any(node.type == "UVMAP" and layers.find(node.uv_map) > 1 for node in nodes):
            return True
        active = next((at for at, layer in enumerate(layers) if layer.active_render), 0)
        if active > 1 and any(node.type == "TEX_IMAGE" and not node.inputs["Vector"].is_linked for node in nodes):
            return True
    return False


PLAIN_LIGHT_NODES = {"OUTPUT_LIGHT", "EMISSION"}


def light_warnings(objects: list[bpy.types.Object]) -> list[str]:
    lights = [item for item in objects if item.type == "LIGHT"]
    areas = [item.name for item in lights if item.data.type == "AREA"]
    soft = [
        item.name
        for item in lights
        if item.data.type != "AREA" and (item.data.angle if item.data.type == "SUN" else item.data.shadow_soft_size) > 0
    ]
    noded = [
        item.name
        for item in lights
        if item.data.use_nodes and any(node.type not in PLAIN_LIGHT_NODES for node in item.data.node_tree.nodes)
    ]
    kinds = (
        (areas, "Area lights cannot be sent; use planes with an Emission shader: {}."),
        (soft, "Lights are sent without a size, so their shadows are hard: {}."),
        (noded, "Lights with textures or other nodes are sent as plain ones: {}."),
    )
    return [sentence.format(listed(names)) for names, sentence in kinds if names]


def camera_warnings(scene: bpy.types.Scene, animation: bool) -> list[str]:
    camera, render, warnings = scene.camera.data, scene.render, []
    if camera.shift_x or camera.shift_y:
        warnings.append(f'Camera "{scene.camera.name}": its shift cannot be sent; the picture is framed without it.')
    if camera.dof.use_dof and (camera.dof.aperture_blades or camera.dof.aperture_ratio != 1):
        warnings.append(f'Camera "{scene.camera.name}": the aperture is sent as a circle.')
    if animation and camera.dof.use_dof and camera.dof.focus_object:
        warnings.append(f'Camera "{scene.camera.name}": the focus stays where it is in the present frame.')
    if render.pixel_aspect_x != render.pixel_aspect_y:
        warnings.append("Pixels are sent as squares: the aspect of this scene's pixels is not kept.")
    if render.use_border:
        warnings.append("The render region is not sent: the whole picture is rendered.")
    if render.film_transparent:
        warnings.append("The film's transparency is not kept: the background is opaque.")
    if render.use_motion_blur:
        warnings.append("Motion blur is not rendered.")
    return warnings


def motion_warnings(scene: bpy.types.Scene, objects: list[bpy.types.Object]) -> list[str]:
    """Of animations: only whole objects move."""
    shapes = [
        item.name
        for item in objects
        if any(modifier.type in DEFORMING and modifier.show_render for modifier in item.modifiers)
        or (getattr(item.data, "shape_keys", None) and item.data.shape_keys.animation_data)
    ]
    data = [item.data for item in objects if item.data and item.type in ("LIGHT", "CAMERA")]
    trees = [block.node_tree for block in [*materials_of(objects), scene.world] if block and block.node_tree]
    values = [block.name for block in [*data, *materials_of(objects), scene.world] if block and block.animation_data]
    values += [tree.name for tree in trees if tree.animation_data and tree.animation_data.action]
    warnings = []
    if shapes:
        warnings.append(f"Only whole objects move: all frames show the present shape of {listed(shapes)}.")
    if values:
        warnings.append(f"Only objects move: what else is animated keeps its present value in {listed(values)}.")
    return warnings


def warnings_of(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, settings: Settings) -> list[str]:
    """Everything of a scene that will look different, in sentences with names. Changes nothing."""
    chosen = chosen_objects(scene, view_layer, settings)
    objects = with_instances(chosen)
    world = read_world(scene.world)
    volume = (
        scene.world
        and scene.world.use_nodes
        and any(node.type == "OUTPUT_WORLD" and node.inputs["Volume"].is_linked for node in scene.world.node_tree.nodes)
    )
    fog = [f'World "{scene.world.name}": its volume cannot be sent.'] if volume else []
    baked = materials_of(chosen) if settings.bake else []
    materials = [line for item in materials_of(objects) for line in material_warnings(item, item in baked)]
    motion = motion_warnings(scene, objects) if settings.animation else []
    around = [world.problem] if world.problem else []
    camera = camera_warnings(scene, settings.animation) if scene.camera else []
    return [*around, *fog, *light_warnings(objects), *object_warnings(objects), *materials, *camera, *motion]


def frames_of(scene: bpy.types.Scene, settings: Settings) -> Json:
    """Frame f of Blender is second f / fps of the exported file."""
    if not settings.animation:
        return {}
    first, count = scene.frame_start, scene.frame_end - scene.frame_start + 1
    if scene.frame_step != 1:
        raise Refusal(f"The frame step is {scene.frame_step}.", limit="1")
    if first < 0:
        raise Refusal(f"The first frame is {first}.", limit="0 or later")
    if not 1 <= count <= FRAMES_MAX:
        raise Refusal(f"The scene has {count} frames.", limit=f"1 to {FRAMES_MAX}")
    return {"frames": count, "firstFrame": first, "framesPerSecond": scene.render.fps}


def focus_of(scene: bpy.types.Scene) -> Json:
    """Diameter of the lens in mm and distance of what is sharp in m, where there is depth of field."""
    camera = scene.camera.data
    if not camera.dof.use_dof:
        return {}
    distance, target = camera.dof.focus_distance, camera.dof.focus_object
    if target:
        eye = scene.camera.matrix_world
        distance = abs((target.matrix_world.translation - eye.translation).dot(eye.col[2].xyz.normalized()))
    lens = 1000 if camera.type == "ORTHO" else camera.lens
    return {"aperture": lens / camera.dof.aperture_fstop, "focusDistance": distance}


def params_of(scene: bpy.types.Scene, settings: Settings) -> Json:
    """Parameters of the order, but for those that the exported file decides (``camera``) and the world's."""
    render, view = scene.render, scene.view_settings
    noise = {"noise": settings.noise} if settings.quality == "NOISE" else {}
    cycles = getattr(scene, "cycles", None) if render.engine == "CYCLES" else None
    return {
        "scene": "file",
        # Truncated, as Blender does.
        "width": render.resolution_x * render.resolution_percentage // 100,
        "height": render.resolution_y * render.resolution_percentage // 100,
        "samples": settings.samples,
        "bounces": min(BOUNCES_MAX, cycles.max_bounces) if cycles else 5,
        "layers": "all" if settings.layers else "none",
        "toneMap": "agx" if view.view_transform in ("AgX", "Filmic") else "none",
        "exposure": max(-20.0, min(20.0, view.exposure)),
        **noise,
        **frames_of(scene, settings),
        **focus_of(scene),
    }


# --- Exporting: on a copy of the user's file ---

BAKE_UVS = "Tessera bake"
KEEPS_UVS = set(
    "SUBSURF MULTIRES ARMATURE CAST CURVE DISPLACE HOOK LAPLACIANDEFORM LATTICE MESH_DEFORM SHRINKWRAP "
    "SIMPLE_DEFORM SMOOTH CORRECTIVE_SMOOTH LAPLACIANSMOOTH SURFACE_DEFORM WARP WAVE CLOTH SOFT_BODY "
    "TRIANGULATE WEIGHTED_NORMAL".split()
)
"""Modifiers that give no place of a UV map to two places of the surface."""
MOVED = 1e-6


def prepare_copy(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, settings: Settings) -> None:
    """Makes the exporter see what a render would show."""
    if bpy.data.libraries:
        # What is linked from other files cannot be changed.
        bpy.ops.object.make_local(type="ALL")
    chosen = chosen_objects(scene, view_layer, settings)
    for item in scene.objects:
        item.hide_render = item not in chosen or item.type == "ARMATURE"
    _show_to_exporter(view_layer, chosen)
    for item in bpy.data.objects:
        for modifier in item.modifiers:
            modifier.show_viewport = modifier.show_render
            if modifier.type in ("SUBSURF", "MULTIRES"):
                modifier.levels = modifier.render_levels
    for light in bpy.data.lights:
        _plain_light(light)
    _fill_materials()
    for material in materials_of(with_instances(chosen)):
        _keep_alpha(material)
    _drop_unused_colors(with_instances(chosen))
    # The exporter of some versions divides frames by fps alone.
    scene.render.fps_base = 1
    view_layer.update()
    if settings.animation:
        flatten_motion(scene, chosen)
        view_layer.update()


def _show_to_exporter(view_layer: bpy.types.ViewLayer, objects: list[bpy.types.Object]) -> None:
    """What is hidden in the viewport alone is not evaluated."""
    waiting = [view_layer.layer_collection]
    while waiting:
        layer = waiting.pop()
        layer.hide_viewport = layer.collection.hide_viewport = False
        if not layer.collection.hide_render:
            waiting += layer.children
    for item in objects:
        item.hide_viewport = False
        item.hide_set(False, view_layer=view_layer)


def _plain_light(light: bpy.types.Light) -> None:
    """A plain Emission node multiplies the light's own settings; the exporter takes one of the two."""
    if not light.use_nodes:
        return
    for node in light.node_tree.nodes:
        if node.type == "EMISSION" and node.outputs[0].is_linked:
            light.color = [a * b for a, b in zip(light.color, node.inputs["Color"].default_value)]
            light.energy *= node.inputs["Strength"].default_value
    light.use_nodes = False


def _fill_materials() -> None:
    """What has no material is grey and matt in Blender, and a metal in glTF."""
    blank = bpy.data.materials.new("Without material")
    blank.use_nodes = True
    shader = surface_of(blank).node
    for name, value in {BASE_COLOR: (0.8, 0.8, 0.8, 1), "Roughness": 1, "Specular": 0, "Specular IOR Level": 0}.items():
        if name in shader.inputs:
            shader.inputs[name].default_value = value
    for data in (*bpy.data.meshes, *bpy.data.curves):
        if not data.materials:
            data.materials.append(blank)
        for at, material in enumerate(data.materials):
            data.materials[at] = material or blank


def _keep_alpha(material: bpy.types.Material) -> None:
    """Cycles honours alpha whatever the blend mode, which the exporter reads."""
    source = surface_of(material) if material.use_nodes else None
    alpha = source.node.inputs.get("Alpha") if source else None
    # Later exporters read the nodes.
    if alpha and bpy.app.version < (4, 2) and material.blend_method == "OPAQUE":
        if alpha.is_linked or alpha.default_value < 1:
            material.blend_method = "HASHED"


def _drop_unused_colors(objects: list[bpy.types.Object]) -> None:
    """glTF multiplies colours of vertices into the material; Blender does so only where a node reads them."""
    for item in objects:
        kinds = {node.type for block in materials_of([item]) if block.use_nodes for node in block.node_tree.nodes}
        if item.type == "MESH" and "VERTEX_COLOR" not in kinds:
            for attribute in reversed(item.data.color_attributes):
                item.data.color_attributes.remove(attribute)


def flatten_motion(scene: bpy.types.Scene, objects: list[bpy.types.Object]) -> None:
    """Objects that move, for whatever reason, get plain keys in world space: the exporter sees actions only."""
    present = scene.frame_current
    numbers = range(scene.frame_start, scene.frame_end + 1)
    places: dict[bpy.types.Object, list[Any]] = {item: [] for item in objects}
    for number in numbers:
        scene.frame_set(number)
        for item, found in places.items():
            found.append(item.matrix_world.copy())
    scene.frame_set(present)
    moving = {item for item, found in places.items() if any(_differ(found[0], one) for one in found)}
    # What stands still on something that moves is moved against it.
    moving |= {item for item in objects if any(above in moving for above in _parents(item))}
    for item in moving:
        item.parent = None
        item.constraints.clear()
        item.animation_data_clear()
        item.rotation_mode = "QUATERNION"
        item.delta_location, item.delta_scale = (0, 0, 0), (1, 1, 1)
        item.delta_rotation_quaternion = (1, 0, 0, 0)
        if item.rigid_body:
            item.rigid_body.enabled = False
        before = None
        for number, matrix in zip(numbers, places[item]):
            item.location, rotation, item.scale = matrix.decompose()
            if before:
                rotation.make_compatible(before)
            item.rotation_quaternion = before = rotation
            for path in ("location", "rotation_quaternion", "scale"):
                item.keyframe_insert(path, frame=number)
    scene.frame_set(present)


def _parents(item: bpy.types.Object) -> Iterator[bpy.types.Object]:
    while item := item.parent:
        yield item


def _differ(a: Any, b: Any) -> bool:
    return any(abs(x - y) > MOVED * max(1.0, abs(x)) for one, other in zip(a, b) for x, y in zip(one, other))


# Baking


def bake_base_colors(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, objects: list[bpy.types.Object], pixels: int
) -> list[str]:
    """Procedural base colours become images, one for every object. Returns what was done, in sentences."""
    done, failed = [], []
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.device = 1, False, "CPU"
    for item in objects:
        if item.type not in SURFACE_TYPES or not any(map(is_procedural, materials_of([item]))):
            continue
        try:
            _bake_object(view_layer, item, pixels)
            done.append(item.name)
        except RuntimeError as error:
            failed.append(f'"{item.name}": its base colour could not be baked ({str(error).strip()}).')
    if done:
        failed.insert(0, f"Procedural base colours were baked into images of {pixels} px for {listed(done)}.")
    return failed


def _bake_object(view_layer: bpy.types.ViewLayer, item: bpy.types.Object, pixels: int) -> None:
    for other in view_layer.objects:
        other.select_set(other == item)
    view_layer.objects.active = item
    item.data = item.data.copy()
    if item.type != "MESH" or any(
        modifier.show_render and modifier.type not in KEEPS_UVS for modifier in item.modifiers
    ):
        bpy.ops.object.convert(target="MESH")
    layers = item.data.uv_layers
    if len(layers) < 2:
        layers.active = layers.new(name=BAKE_UVS)
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.mesh.reveal(select=True)
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.uv.smart_project(island_margin=0.02)
        bpy.ops.object.mode_set(mode="OBJECT")
        layers = item.data.uv_layers
    else:
        # The coordinator reads two maps.
        layers.active_index = 0
    image = bpy.data.images.new(f"{item.name} base colour", pixels, pixels)
    emitters = [_baking_material(slot, image, layers.active.name) for slot in item.material_slots]
    bpy.ops.object.bake(type="EMIT", margin=max(2, pixels // 128), use_clear=True)
    image.pack()
    for restore in emitters:
        restore()


def _baking_material(slot: bpy.types.MaterialSlot, image: bpy.types.Image, uvs: str) -> Callable[[], None]:
    """Makes a slot's own material show its base colour as light. Returns what puts the image in its place."""
    procedural = is_procedural(slot.material)
    slot.material = slot.material.copy()
    slot.material.use_nodes = True
    nodes, links = slot.material.node_tree.nodes, slot.material.node_tree.links
    target = nodes.new("ShaderNodeTexImage")
    target.image = image
    nodes.active = target
    if not procedural:
        return lambda: nodes.remove(target)
    shader = surface_of(slot.material).node
    base = shader.inputs[BASE_COLOR]
    output = slot.material.node_tree.get_output_node("CYCLES")
    surface = output.inputs["Surface"].links[0].from_socket
    emission = nodes.new("ShaderNodeEmission")
    links.new(base.links[0].from_socket, emission.inputs["Color"])
    links.new(emission.outputs[0], output.inputs["Surface"])

    def restore() -> None:
        place = nodes.new("ShaderNodeUVMap")
        place.uv_map = uvs
        links.new(place.outputs[0], target.inputs["Vector"])
        links.new(target.outputs["Color"], base)
        links.new(surface, output.inputs["Surface"])
        nodes.remove(emission)

    return restore


# Writing files

MAGIC, JSON_CHUNK = 0x46546C67, 0x4E4F534A
THICKNESS = "KHR_materials_volume"


def export_glb(path: Path, animation: bool) -> None:
    """By Blender's own exporter. Options that its version does not have are left out."""
    if not hasattr(bpy.types, bpy.ops.export_scene.gltf.idname()):
        import addon_utils

        addon_utils.enable("io_scene_gltf2")
    wanted = {
        "filepath": str(path),
        "export_format": "GLB",
        "export_cameras": True,
        "export_lights": True,
        "export_yup": True,
        "export_apply": True,
        "export_skins": False,
        "export_morph": False,
        "export_tangents": False,
        "export_current_frame": True,
        "export_animations": animation,
        "export_animation_mode": "ACTIVE_ACTIONS",
        "export_frame_range": True,
        "export_force_sampling": True,
        "export_optimize_animation_size": False,
        "use_renderable": True,
        "use_active_scene": True,
        # W/sr and W/m^2, as the emission of surfaces and of the world is in W/sr/m^2. The "standard" mode multiplies
        # lights by 683 lm/W, but no surface and no world: lamps would be 683 times too bright beside them.
        "convert_lighting_mode": "COMPAT",
        "export_import_convert_lighting_mode": "COMPAT",
    }
    known = bpy.ops.export_scene.gltf.get_rna_type().properties.keys()
    bpy.ops.export_scene.gltf(**{name: value for name, value in wanted.items() if name in known})


def read_glb(path: Path) -> tuple[Json, bytes]:
    """The JSON of a .glb, and what follows its chunk."""
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), data[20 + size :]


def write_glb(path: Path, gltf: Json, rest: bytes) -> None:
    text = json.dumps(gltf, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<5I", MAGIC, 2, 20 + len(text) + len(rest), len(text), JSON_CHUNK)
    path.write_bytes(header + text + rest)


def camera_nodes(gltf: Json) -> Iterator[Json]:
    """Nodes with a camera, in the coordinator's order: depth first through the scene."""
    nodes = gltf.get("nodes", [])
    waiting = list(reversed(gltf["scenes"][gltf.get("scene", 0)].get("nodes", [])))
    while waiting:
        node = nodes[waiting.pop()]
        if "camera" in node:
            yield node
        waiting += reversed(node.get("children", []))


def _correct_extensions(extensions: Json) -> bool:
    """Gives a material what Blender renders. Returns whether it now uses ``THICKNESS``."""
    specular = extensions.get("KHR_materials_specular", {})
    if specular.get("specularColorFactor") == [0, 0, 0]:
        # Blender's Specular 0 reflects at no angle; the exporter leaves what glTF reflects at grazing ones.
        specular["specularFactor"] = 0
    if "KHR_materials_transmission" not in extensions or THICKNESS in extensions:
        return False
    # Without a thickness glass is a thin wall; Blender's bends light, and here so does any thickness above 0.
    extensions[THICKNESS] = {"thicknessFactor": 1}
    return True


def finish_glb(path: Path, scene: bpy.types.Scene) -> int:
    """Sets what the exporter cannot know or gets wrong. Returns which camera of the file is the scene's."""
    gltf, rest = read_glb(path)
    names = [node.get("name") for node in camera_nodes(gltf)]
    if scene.camera.name not in names:
        raise Refusal(f'Camera "{scene.camera.name}" cannot be sent: glTF has perspective and orthographic ones only.')
    index = names.index(scene.camera.name)
    node = list(camera_nodes(gltf))[index]
    # A camera of its own: what Blender frames follows from the scene's resolution, which other cameras may not share.
    top, below = scene.camera.data.view_frame(scene=scene)[:2]
    camera = dict(gltf["cameras"][node["camera"]])
    if camera["type"] == "perspective":
        camera["perspective"] = {**camera["perspective"], "yfov": 2 * math.atan((top.y - below.y) / 2 / -top.z)}
    else:
        camera["orthographic"] = {**camera["orthographic"], "ymag": (top.y - below.y) / 2}
    node["camera"] = len(gltf["cameras"])
    gltf["cameras"].append(camera)
    for material in gltf.get("materials", []):
        if _correct_extensions(material.get("extensions", {})):
            gltf["extensionsUsed"] = sorted({*gltf.get("extensionsUsed", []), THICKNESS})
    write_glb(path, gltf, rest)
    return index


def write_hdr(path: Path, pixels: "numpy.ndarray[Any, Any]") -> None:
    """A Radiance picture, flat RGBE, of rows from the top: (height, width, 3), linear."""
    height, width, _ = pixels.shape
    bright = numpy.clip(pixels, 0, 1e7).astype(numpy.float64)
    most = bright.max(axis=2)
    exponent = numpy.where(most > 1e-32, numpy.floor(numpy.log2(numpy.maximum(most, 1e-38))) + 1, -128)
    # Mantissas of 8 bits; one that would round to 256 takes the next exponent.
    exponent += numpy.round(most * 2.0 ** (8 - exponent)) > 255
    mantissa = numpy.round(bright * 2.0 ** (8 - exponent)[..., None])
    rgbe = numpy.concatenate([mantissa, (exponent + 128)[..., None]], axis=2).astype(numpy.uint8)
    header = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n"
    path.write_bytes(header.encode() + rgbe.tobytes())


ENVIRONMENT_WIDTH_MAX, ENVIRONMENT_HEIGHT_MAX = 4096, 2048
"""A flat .hdr of that size has 32 MiB; the coordinator takes 64."""


def image_pixels(image: bpy.types.Image) -> "numpy.ndarray[Any, Any]":
    """Scene-linear (height, width, 3), rows from the top, scaled down to the largest size that is taken."""
    if not image.size[0]:
        raise Refusal(f'The environment image "{image.name}" cannot be read. Is its file still there?')
    shrink = min(1.0, ENVIRONMENT_WIDTH_MAX / image.size[0], ENVIRONMENT_HEIGHT_MAX / image.size[1])
    if shrink < 1:
        image.scale(max(1, int(image.size[0] * shrink)), max(1, int(image.size[1] * shrink)))
    width, height = image.size
    pixels = numpy.empty(width * height * image.channels, dtype=numpy.float32)
    image.pixels.foreach_get(pixels)
    rows = pixels.reshape(height, width, image.channels)[::-1]
    rows = rows[..., :3] if image.channels > 2 else rows[..., :1].repeat(3, axis=2)
    if image.is_float or image.colorspace_settings.name != "sRGB":
        return rows
    return numpy.where(rows <= 0.04045, rows / 12.92, ((rows + 0.055) / 1.055) ** 2.4)


def export_world(scene: bpy.types.Scene, folder: Path) -> tuple[Json, dict[str, str]]:
    """Parameters and files for what shines from all around."""
    world = read_world(scene.world)
    if world.problem:
        return {"lighting": "auto"}, {}
    path = folder / "environment.hdr"
    if world.image:
        write_hdr(path, image_pixels(world.image))
        shining = {"lighting": "sky", "skyStrength": world.strength, "skyRotation": world.turn}
        return shining, {"environment": str(path)}
    most = max(world.color)
    if most * world.strength <= 0:
        return {"lighting": "scene"}, {}
    strength = {"lighting": "sky", "skyStrength": most * world.strength}
    if max(world.color) - min(world.color) < 1e-3 * most:
        return strength, {}
    write_hdr(path, numpy.full((4, 8, 3), numpy.array(world.color) / most))
    return strength, {"environment": str(path)}


def export_order(settings: Settings, folder: Path) -> Json:
    """Exports what this Blender holds into a folder, and changes it on the way. Raises ``Refusal``.

    Returns {params, files, warnings}, ``files`` being paths.
    """
    scene = bpy.data.scenes[settings.scene]
    view_layer = scene.view_layers[settings.view_layer]
    if bpy.context.window:
        bpy.context.window.scene, bpy.context.window.view_layer = scene, view_layer
    if not scene.camera:
        raise Refusal(f'The scene "{scene.name}" has no camera.')
    params = params_of(scene, settings)
    warnings = warnings_of(scene, view_layer, settings)
    prepare_copy(scene, view_layer, settings)
    if settings.bake:
        warnings += bake_base_colors(
            scene, view_layer, chosen_objects(scene, view_layer, settings), settings.bake_pixels
        )
    world, files = export_world(scene, folder)
    model = folder / "scene.glb"
    export_glb(model, settings.animation)
    index = finish_glb(model, scene)
    return {
        "params": {**params, **world, "camera": index},
        "files": {"model": str(model), **files},
        "warnings": warnings,
    }


def main(arguments: list[str]) -> None:
    """The second Blender: ``-- SETTINGS.json FOLDER``. Leaves ``order.json`` there: the order, or {"refused": ...}."""
    folder = Path(arguments[1])
    try:
        result = export_order(Settings(**json.loads(Path(arguments[0]).read_text("utf-8"))), folder)
    except Refusal as refusal:
        result = {"refused": str(refusal)}
    (folder / "order.json").write_text(json.dumps(result), "utf-8")


def export_copy(copy: Path, settings: Settings, stopping: threading.Event, tell: Tell, scripts: bool = False) -> Json:
    """``export_order`` of a saved copy by a second Blender. ``scripts``: Python in the file may run."""
    tell("Exporting", 0)
    folder = copy.parent
    (folder / "settings.json").write_text(json.dumps(settings._asdict()), "utf-8")
    command = [bpy.app.binary_path, "--background", "--factory-startup", "--python-exit-code", "1"]
    command += ["--enable-autoexec"] if scripts else ["--disable-autoexec"]
    command += [str(copy), "--python", __file__, "--", str(folder / "settings.json"), str(folder)]
    log = folder / "export.log"
    with log.open("wb") as output:
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, creationflags=flags
        )
        try:
            while child.poll() is None:
                if stopping.wait(0.1):
                    raise Stopped
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    try:
        result: Json = json.loads((folder / "order.json").read_text("utf-8"))
    except OSError:
        last = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()][-3:]
        raise Refusal(f"Blender could not export the scene: {' / '.join(last)}") from None
    if "refused" in result:
        raise Refusal(result["refused"])
    return result


# --- The add-on: properties ---


class TesseraPreferences(bpy.types.AddonPreferences):
    bl_idname = __name__

    server: StringProperty(  # type: ignore[valid-type]
        name="Server", description="Address of the Tessera server, such as https://tessera.example"
    )
    key: StringProperty(  # type: ignore[valid-type]
        name="API key",
        description="Made on the server's account page. Empty: a session of this computer, with test credits",
        subtype="PASSWORD",
    )

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.prop(self, "server")
        self.layout.prop(self, "key")
        if not self.key:
            self.layout.label(text="Without a key: a session of this computer, with test credits.", icon="INFO")
        elif self.server.strip().startswith("http://") and not LOOPBACK.match(self.server.strip().rstrip("/")):
            self.layout.label(text="Over http the key can be read on the way. Use https.", icon="ERROR")


class TesseraSettings(bpy.types.PropertyGroup):
    """Kept in the .blend file, for each scene."""

    title: StringProperty(  # type: ignore[valid-type]
        name="Title", description="Of the job. Empty: the scene's name", maxlen=80
    )
    visibility: EnumProperty(  # type: ignore[valid-type]
        name="Visibility",
        items=(
            ("unlisted", "Unlisted", "Whoever has the address sees it"),
            ("public", "Public", "Listed for everybody"),
            ("private", "Private", "On the server's pages only you see it"),
        ),
    )
    animation: BoolProperty(name="Animation", description="All frames of the scene's range")  # type: ignore[valid-type]
    only_selected: BoolProperty(  # type: ignore[valid-type]
        name="Only selected", description="Selected objects, and the camera. Lights have to be selected, too"
    )
    quality: EnumProperty(  # type: ignore[valid-type]
        name="Quality",
        items=(
            ("SAMPLES", "Samples", "As many paths for every pixel"),
            ("NOISE", "Noise", "Until the noise is low enough; samples are the most that is taken and paid"),
        ),
    )
    samples: IntProperty(name="Samples", default=128, min=1, max=65536)  # type: ignore[valid-type]
    noise: FloatProperty(  # type: ignore[valid-type]
        name="Noise",
        description="0.02: pixels are off by 2 % of their light",
        default=0.02,
        min=0.001,
        max=1,
        precision=3,
    )
    layers: BoolProperty(  # type: ignore[valid-type]
        name="Layers", description="Albedo, normal and depth in the EXR, beside the light", default=True
    )
    bake: BoolProperty(  # type: ignore[valid-type]
        name="Bake colours",
        description="Base colours that glTF cannot carry become images, in the exported copy alone",
        default=True,
    )
    bake_pixels: IntProperty(  # type: ignore[valid-type]
        name="Image size", default=1024, min=16, max=8192, subtype="PIXEL"
    )
    server: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    job: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]


def settings_of(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> Settings:
    own = scene.tessera
    values = {name: getattr(own, name) for name in Settings._fields if name not in ("scene", "view_layer")}
    return Settings(scene=scene.name, view_layer=view_layer.name, **values)


def make_client(context: bpy.types.Context) -> Client:
    preferences = context.preferences.addons[__name__].preferences
    cookies = Path(bpy.utils.user_resource("CONFIG", path="tessera", create=True)) / "sessions.txt"
    return Client(preferences.server, preferences.key, cookies)


# What goes on beside the panel

TICK_S = 0.25
JOIN_S = 2.0


class Task(threading.Thread):
    """One thing that takes time. The main thread reads what it says; ``done`` gets its result there."""

    def __init__(self, client: Client, act: Callable[[Tell], Any], done: Callable[[Any], None]) -> None:
        super().__init__(name="tessera", daemon=True)
        self.client, self._act, self._done = client, act, done
        self.said, self.share, self.problem = "", 0.0, ""
        self.job = ""
        """Of the server, which goes on without this thread."""
        self._result: Any = None
        self.ended = False

    def tell(self, said: str, share: float) -> None:
        self.said, self.share = said, min(1.0, share)

    def run(self) -> None:
        try:
            self._result = self._act(self.tell)
            self.ended = True
        except Stopped:
            pass
        except Refusal as refusal:
            self.problem = str(refusal)
        except Exception as error:  # A thread has nobody else to tell.
            self.problem = f"The add-on failed: {type(error).__name__}: {error}"
            raise

    def finish(self) -> None:
        """On the main thread, once it is over."""
        if self.ended:
            self._done(self._result)


class State:
    """What the panel shows beside the scene's own settings. Only the main thread writes it."""

    def __init__(self) -> None:
        self.task: Task | None = None
        self.problem = ""
        self.note = ""
        self.priced: Priced | None = None
        self.priced_scene = ""
        self.changed = False

    def begin(self, task: Task) -> None:
        self.stop()
        self.problem = self.note = ""
        self.task = task
        task.start()
        if not bpy.app.timers.is_registered(tick):
            bpy.app.timers.register(tick, first_interval=TICK_S, persistent=True)

    def stop(self) -> None:
        task, self.task = self.task, None
        if task:
            task.client.stop()
            task.join(JOIN_S)


state = State()


def tick() -> float | None:
    """The timer: redraws, and hands results over."""
    task = state.task
    if task and not task.is_alive():
        state.task = None
        state.problem = task.problem
        try:
            task.finish()
        except (Refusal, RuntimeError, OSError) as error:
            state.problem = str(error)
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("PROPERTIES", "VIEW_3D"):
                area.tag_redraw()
    return TICK_S if state.task else None


@bpy.app.handlers.persistent
def on_load(*_: Any) -> None:
    """Another file: what was priced is not in it."""
    state.stop()
    state.priced, state.problem, state.note = None, "", ""


@bpy.app.handlers.persistent
def on_change(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    if state.priced and not state.changed:
        state.changed = any(
            update.is_updated_geometry or update.is_updated_transform or update.is_updated_shading
            for update in depsgraph.updates
        )


# Operators


def unsaved_images() -> list[str]:
    images = [image.name for image in bpy.data.images if image.is_dirty and image.users and image.type == "IMAGE"]
    return [f"Unsaved changes of images are not sent: {listed(images)}."] if images else []


class TESSERA_OT_price(bpy.types.Operator):
    bl_idname = "tessera.price"
    bl_label = "Get price"
    bl_description = "Exports the scene, sends it to the server, and asks what it costs. Nothing is paid yet"

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        # Blender clears its temporary folder when it quits, whatever it was doing.
        folder = Path(tempfile.mkdtemp(prefix="tessera-", dir=bpy.app.tempdir))
        try:
            client, settings = make_client(context), settings_of(scene, context.view_layer)
            copy = folder / "copy.blend"
            bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True, check_existing=False)
        except (Refusal, RuntimeError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        unsaved, scripts = unsaved_images(), context.preferences.filepaths.use_scripts_auto_execute

        def act(tell: Tell) -> Priced:
            try:
                exported = export_copy(copy, settings, client.stopping, tell, scripts)
                exported["warnings"] += unsaved
                return price(client, exported, tell)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        def done(priced: Priced) -> None:
            state.priced, state.priced_scene, state.changed = priced, settings.scene, False

        state.priced = None
        state.begin(Task(client, act, done))
        return {"FINISHED"}


class TESSERA_OT_render(bpy.types.Operator):
    bl_idname = "tessera.render"
    bl_label = "Render with Tessera"
    bl_description = "Orders what was priced. The server holds the price; what is not needed comes back"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return state.priced is not None and state.priced_scene == context.scene.name and state.task is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene, priced, client = context.scene, state.priced, make_client(context)
        own, window = scene.tessera, context.window
        title, visibility = own.title or scene.name, own.visibility

        def done(view: Json) -> None:
            own.job, own.server = view["id"], client.server
            state.priced = None
            wait_for_result(client, view["id"], window)

        state.begin(Task(client, lambda tell: submit(client, priced, title, visibility, tell), done))
        return {"FINISHED"}


class JobOperator:
    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(context.scene.tessera.job)


class TESSERA_OT_cancel(bpy.types.Operator):
    bl_idname = "tessera.cancel"
    bl_label = "Cancel"
    bl_description = (
        "Ends what is going on. A job that is ordered is cancelled, and what is not used of its price comes back"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return state.task is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        job = state.task.job
        state.stop()
        if job:
            client = make_client(context)

            def done(view: Json) -> None:
                state.note = "The job is cancelled." if view["status"] == "cancelled" else "The job had ended already."

            state.begin(Task(client, lambda tell: client.cancel(job), done))
        return {"FINISHED"}


class TESSERA_OT_load(JobOperator, bpy.types.Operator):
    bl_idname = "tessera.load"
    bl_label = "Load result"
    bl_description = "Waits for the last job of this scene, where it is not done yet, and loads its picture"

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            wait_for_result(make_client(context), context.scene.tessera.job, context.window)
        except Refusal as refusal:
            self.report({"ERROR"}, str(refusal))
            return {"CANCELLED"}
        return {"FINISHED"}


class TESSERA_OT_browse(JobOperator, bpy.types.Operator):
    bl_idname = "tessera.browse"
    bl_label = "Open in browser"
    bl_description = "The page of this scene's last job"

    def execute(self, context: bpy.types.Context) -> set[str]:
        own = context.scene.tessera
        bpy.ops.wm.url_open(url=f"{own.server}/jobs/{own.job}")
        return {"FINISHED"}


def result_folder() -> Path:
    """Beside the .blend file; in Blender's temporary folder while there is none."""
    return Path(bpy.path.abspath("//") if bpy.data.filepath else bpy.app.tempdir) / "tessera"


def wait_for_result(client: Client, job: str, window: bpy.types.Window | None) -> None:
    folder = result_folder()

    def act(tell: Tell) -> list[Path]:
        client.sign_in()
        return fetch(client, follow(client, job, tell), folder, tell)

    def done(files: list[Path]) -> None:
        image = load_image(files)
        state.note = f"Loaded {image.name}, from {files[0].parent}"
        if window:
            show_image(window, image, len(files))

    task = Task(client, act, done)
    task.job = job
    state.begin(task)


def load_image(files: list[Path]) -> bpy.types.Image:
    image = bpy.data.images.load(str(files[0]))
    image.name = f"Tessera {files[0].stem if len(files) == 1 else files[0].parent.name}"
    if len(files) > 1:
        image.source = "SEQUENCE"
    return image


def show_image(window: bpy.types.Window, image: bpy.types.Image, frames: int) -> None:
    """In an Image Editor; where there is none, in a half of the largest viewport."""
    areas = window.screen.areas
    area = next((area for area in areas if area.type == "IMAGE_EDITOR"), None)
    if not area:
        largest = max(areas, key=lambda area: (area.type == "VIEW_3D", area.width * area.height))
        before = set(areas)
        with bpy.context.temp_override(window=window, area=largest):
            bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
        area = next((area for area in window.screen.areas if area not in before), largest)
        area.type = "IMAGE_EDITOR"
    space = area.spaces.active
    space.image = image
    if frames > 1:
        user = space.image_user
        user.frame_duration, user.use_auto_refresh = frames, True


# The panel

WORD_PIXELS = 7
"""Of a letter in Blender's default font, about."""


def write(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """A sentence over as many lines as it needs."""
    # 0 without a screen.
    scale = context.preferences.system.ui_scale or 1
    width = max(20, int((context.region.width if context.region else 400) / (WORD_PIXELS * scale)) - 8)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for at, line in enumerate(textwrap.wrap(text, width)):
        column.label(text=line, icon=icon if at == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


class TesseraPanel:
    layout: bpy.types.UILayout
    bl_label = "Tessera"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, own = self.layout, context.scene.tessera
        layout.use_property_split, layout.use_property_decorate = True, False
        if not context.preferences.addons[__name__].preferences.server:
            write(layout, context, "Enter the server's address first.", "INFO")
            layout.operator("preferences.addon_show", text="Open preferences").module = __name__
            return
        self._draw_settings(layout, context, own)
        layout.separator()
        column = layout.column()
        column.enabled = state.task is None
        column.operator("tessera.price")
        if state.priced and state.priced_scene == context.scene.name:
            self._draw_price(layout, context, state.priced)
        column = layout.column()
        column.enabled = state.task is None
        column.operator("tessera.render", icon="RENDER_STILL")
        self._draw_progress(layout, context)
        column = layout.column(align=True)
        column.enabled = state.task is None
        column.operator("tessera.load")
        column.operator("tessera.browse")

    def _draw_settings(self, layout: bpy.types.UILayout, context: bpy.types.Context, own: TesseraSettings) -> None:
        render, scene = context.scene.render, context.scene
        width, height = (
            size * render.resolution_percentage // 100 for size in (render.resolution_x, render.resolution_y)
        )
        frames = f", frames {scene.frame_start} to {scene.frame_end}" if own.animation else ""
        layout.label(text=f"{width} x {height} px{frames}")
        layout.prop(own, "quality", expand=True)
        if own.quality == "NOISE":
            layout.prop(own, "noise")
        layout.prop(own, "samples", text="Most samples" if own.quality == "NOISE" else "Samples")
        for name in ("animation", "only_selected", "layers", "bake"):
            layout.prop(own, name)
        if own.bake:
            layout.prop(own, "bake_pixels")
        layout.prop(own, "title")
        layout.prop(own, "visibility")

    def _draw_price(self, layout: bpy.types.UILayout, context: bpy.types.Context, priced: Priced) -> None:
        for line in priced.lines():
            write(layout, context, line)
        if state.changed:
            write(layout, context, "The scene has changed since: what is rendered is what was priced.", "INFO")
        if priced.warnings:
            box = layout.box()
            box.label(text="What to know before paying")
            for line in priced.warnings:
                write(box, context, line, "DOT")

    def _draw_progress(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        task = state.task
        if task:
            if hasattr(layout, "progress"):
                layout.progress(factor=task.share, text=task.said)
            else:
                share = f": {task.share:.0%}" if task.share and "%" not in task.said else ""
                write(layout, context, task.said + share, "TIME")
            layout.operator("tessera.cancel", icon="CANCEL")
        if state.problem:
            write(layout.box(), context, state.problem, "ERROR")
        if state.note:
            write(layout, context, state.note, "CHECKMARK")


class TESSERA_PT_render(TesseraPanel, bpy.types.Panel):
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"


class TESSERA_PT_sidebar(TesseraPanel, bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Tessera"
    bl_options = set()


CLASSES = (
    TesseraPreferences, TesseraSettings, TESSERA_OT_price, TESSERA_OT_render, TESSERA_OT_cancel, TESSERA_OT_load,
    TESSERA_OT_browse, TESSERA_PT_render, TESSERA_PT_sidebar,
)  # fmt: skip


def register() -> None:
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.tessera = PointerProperty(type=TesseraSettings)
    bpy.app.handlers.load_pre.append(on_load)
    bpy.app.handlers.depsgraph_update_post.append(on_change)


def unregister() -> None:
    state.stop()
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    bpy.app.handlers.depsgraph_update_post.remove(on_change)
    bpy.app.handlers.load_pre.remove(on_load)
    del bpy.types.Scene.tessera
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)


if __name__ == "__main__":
    main(sys.argv[sys.argv.index("--") + 1 :])
