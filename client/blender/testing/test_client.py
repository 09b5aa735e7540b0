"""The client against a server that behaves as it is told to."""

import io
import json
import tempfile
import threading
import time
import unittest
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import tessera
from fake_server import Handler, Server


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.server = Server()
        self.server.start()
        self.addCleanup(self.server.end)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name, value in (("TIMEOUT_S", 0.5), ("RETRY_S", 0.02), ("POLL_S", 0.02)):
            self.addCleanup(setattr, tessera, name, getattr(tessera, name))
            setattr(tessera, name, value)
        self.client = tessera.Client(self.url, "secret-key")
        self.shares: list[float] = []

    def route(self, what: str, act: "Callable[[Handler], None] | dict") -> None:
        self.server.routes[what] = (
            (lambda handler: (handler.body(), handler.answer(200, act))) if isinstance(act, dict) else act
        )

    def refusal(self, act: Callable[[], object]) -> tessera.Refusal:
        with self.assertRaises(tessera.Refusal) as caught:
            act()
        return caught.exception


class Errors(Case):
    def refused(self, status: int, body: object) -> tessera.Refusal:
        self.route("GET /api/jobs/j", lambda handler: handler.answer(status, body))
        return self.refusal(lambda: self.client.job("j"))

    def test_problem_details(self) -> None:
        problem = {
            "type": "about:blank", "title": "Bad request", "status": 422, "detail": "The width is too large.",
            "code": "bad_input", "field": "params.width", "limit": "at most 8192",
        }  # fmt: skip
        refusal = self.refused(422, problem)
        self.assertEqual(str(refusal), "The width is too large. (params.width) Allowed: at most 8192.")
        self.assertEqual((refusal.code, refusal.field, refusal.limit), ("bad_input", "params.width", "at most 8192"))

    def test_the_older_form(self) -> None:
        said = {"code": "insufficient_credits", "message": "This needs 120.00 credits.", "limit": "100.00 available"}
        self.assertEqual(
            str(self.refused(402, {"error": said})), "This needs 120.00 credits. Allowed: 100.00 available."
        )

    def test_what_the_message_says_already_is_not_said_again(self) -> None:
        said = {
            "code": "bad_input",
            "message": "params.width must be at most 8192.",
            "field": "params.width",
            "limit": "at most 8192",
        }
        self.assertEqual(str(self.refused(400, {"error": said})), "params.width must be at most 8192.")

    def test_a_proxys_page(self) -> None:
        self.assertIn("status 502", str(self.refused(502, b"<html>Bad gateway</html>")))
        self.assertIn("status 500", str(self.refused(500, [1])))

    def test_an_answer_that_is_not_ours(self) -> None:
        self.route("GET /api/jobs/j", lambda handler: handler.answer(200, b"<html>"))
        self.assertIn("does not answer like a Tessera server", str(self.refusal(lambda: self.client.job("j"))))

    def test_silence(self) -> None:
        self.route("GET /api/jobs/j", lambda handler: time.sleep(2))
        self.assertIsInstance(self.refusal(lambda: self.client.job("j")), tessera.Offline)

    def test_nobody_there(self) -> None:
        self.server.socket.close()
        refusal = self.refusal(lambda: self.client.job("j"))
        self.assertIsInstance(refusal, tessera.Offline)
        self.assertIn(f"{self.url} does not answer", str(refusal))

    def test_the_key_does_not_follow_redirects(self) -> None:
        other = Server()
        other.start()
        place = f"http://127.0.0.1:{other.server_port}/api/jobs/j"
        self.route("GET /api/jobs/j", lambda handler: handler.answer(302, None, Location=place))
        self.assertIn(place, str(self.refusal(lambda: self.client.job("j"))))
        self.assertEqual(other.asked, [])
        self.assertEqual(self.server.seen[0]["Authorization"], "Bearer secret-key")
        other.end()

    def test_stopping_ends_a_wait_at_once(self) -> None:
        tessera.TIMEOUT_S = 30
        self.route("GET /api/jobs/j", lambda handler: time.sleep(5))
        threading.Timer(0.2, self.client.stop).start()
        begun = time.monotonic()
        with self.assertRaises(tessera.Stopped):
            self.client.job("j")
        self.assertLess(time.monotonic() - begun, 2)

    def test_addresses(self) -> None:
        self.assertEqual(tessera.server_of(" tessera.example/submit "), "https://tessera.example")
        self.assertEqual(tessera.server_of("http://[::1]:3000/"), "http://[::1]:3000")
        for wrong in ("", "ftp://a", "https://", "http://user@a", "http://a:port"):
            self.assertIn("such as https://", str(self.refusal(lambda: tessera.server_of(wrong))), wrong)


class Sessions(Case):
    def test_without_a_key_a_session_is_made_and_kept(self) -> None:
        def start(handler: Handler) -> None:
            handler.body()
            handler.answer(
                200, {}, Set_Cookie="__Host-tessera=abc; Path=/; Secure; HttpOnly; Max-Age=1000; SameSite=Lax"
            )

        self.route("POST /api/session", start)
        self.route("GET /api/jobs/j", {})
        url = self.url.replace("127.0.0.1", "localhost")
        for _ in range(2):
            client = tessera.Client(url, "", self.folder / "sessions.txt")
            client.sign_in()
            client.job("j")
        self.assertEqual([seen.get("Cookie") for seen in self.server.seen], [None, *["__Host-tessera=abc"] * 3])
        self.assertNotIn("Authorization", self.server.seen[-1])
        self.assertEqual((self.folder / "sessions.txt").stat().st_mode & 0o077, 0)

    def test_with_a_key_there_is_none(self) -> None:
        self.client.sign_in()
        self.assertEqual(self.server.asked, [])


class Uploads(Case):
    def setUp(self) -> None:
        super().setUp()
        self.data = bytes(range(256)) * 8192
        self.file = self.folder / "scene.glb"
        self.file.write_bytes(self.data)
        self.digest = sha256(self.data).hexdigest()

    def upload(self) -> str:
        return self.client.upload(self.file, self.shares.append)

    def test_whole(self) -> None:
        def store(handler: Handler) -> None:
            self.assertEqual(handler.headers["Content-Type"], "application/octet-stream")
            handler.answer(200, {"hash": sha256(handler.body()).hexdigest(), "bytes": len(self.data)})

        self.route("POST /api/uploads", store)
        self.assertEqual(self.upload(), self.digest)
        self.assertEqual(self.shares, sorted(self.shares))
        self.assertGreater(len(self.shares), 5)

    def test_whole_again_after_the_line_broke(self) -> None:
        tries: list[int] = []

        def store(handler: Handler) -> None:
            tries.append(1)
            if len(tries) < 3:
                handler.rfile.read(1000)
                return handler.hang_up()
            handler.answer(200, {"hash": sha256(handler.body()).hexdigest(), "bytes": 0})

        self.route("POST /api/uploads", store)
        self.assertEqual(self.upload(), self.digest)
        self.assertEqual(len(tries), 3)

    def test_a_line_that_never_holds(self) -> None:
        self.route("POST /api/uploads", Handler.hang_up)
        self.assertIsInstance(self.refusal(self.upload), tessera.Offline)
        self.assertEqual(self.server.asked.count("POST /api/uploads"), tessera.UPLOAD_TRIES_MAX)

    def test_damage_is_seen(self) -> None:
        self.route("POST /api/uploads", {"hash": "00" * 32, "bytes": 1})
        self.assertIn("damaged", str(self.refusal(self.upload)))

    def test_too_large(self) -> None:
        def refuse(handler: Handler) -> None:
            handler.body()
            handler.answer(413, {"detail": "The file is too large.", "code": "too_large", "limit": "at most 64 MiB"})

        self.route("POST /api/uploads", refuse)
        self.assertEqual(str(self.refusal(self.upload)), "The file is too large. Allowed: at most 64 MiB.")

    def tus(self, breaks: int, keeps: int) -> bytearray:
        """A server of tus 1.0.0 whose line breaks so often, each time after it took so much."""
        stored, left = bytearray(), [breaks]

        def create(handler: Handler) -> None:
            self.assertEqual(int(handler.headers["Upload-Length"]), len(self.data))
            self.assertIsNone(handler.headers["Content-Type"])
            handler.answer(201, None, Location="/api/uploads/1", Tus_Resumable="1.0.0")

        def patch(handler: Handler) -> None:
            self.assertEqual(handler.headers["Content-Type"], "application/offset+octet-stream")
            if int(handler.headers["Upload-Offset"]) != len(stored):
                return handler.answer(409, {"detail": "Wrong offset.", "code": "conflict"})
            if left[0]:
                left[0] -= 1
                stored.extend(handler.rfile.read(keeps))
                return handler.hang_up()
            stored.extend(handler.body())
            handler.answer(204, None, Upload_Offset=len(stored), Upload_Hash=sha256(stored).hexdigest())

        self.route("OPTIONS /api/uploads", lambda handler: handler.answer(204, None, Tus_Version="1.0.0"))
        self.route("POST /api/uploads", create)
        self.route("PATCH /api/uploads/1", patch)
        self.route("HEAD /api/uploads/1", lambda handler: handler.answer(200, None, Upload_Offset=len(stored)))
        return stored

    def test_resumably(self) -> None:
        stored = self.tus(breaks=7, keeps=100_000)
        self.assertEqual(self.upload(), self.digest)
        self.assertEqual(bytes(stored), self.data)
        self.assertEqual(self.server.asked.count("PATCH /api/uploads/1"), 8)

    def test_resuming_ends_when_nothing_arrives(self) -> None:
        self.tus(breaks=99, keeps=0)
        self.assertIsInstance(self.refusal(self.upload), tessera.Offline)
        self.assertEqual(self.server.asked.count("PATCH /api/uploads/1"), tessera.UPLOAD_TRIES_MAX)

    def test_an_upload_that_is_to_go_elsewhere(self) -> None:
        self.tus(breaks=0, keeps=0)
        self.route(
            "POST /api/uploads", lambda handler: handler.answer(201, None, Location="http://elsewhere.example/1")
        )
        self.assertIn("not its own", str(self.refusal(self.upload)))


class Jobs(Case):
    quoted = {"holdMicroCredits": "2500000", "report": ["Skins were ignored (1)."]}

    def test_a_price(self) -> None:
        (self.folder / "scene.glb").write_bytes(b"glTF")
        sent: list[dict] = []
        digest = sha256(b"glTF").hexdigest()
        self.route(
            "POST /api/uploads", lambda handler: handler.answer(200, {"hash": sha256(handler.body()).hexdigest()})
        )

        def quote(handler: Handler) -> None:
            sent.append(json.loads(handler.body()))
            handler.answer(200, self.quoted)

        self.route("POST /api/quotes", quote)
        exported = {"params": {"width": 64}, "files": {"model": str(self.folder / "scene.glb")}, "warnings": ["A."]}
        priced = tessera.price(self.client, exported, lambda *_: None)
        self.assertEqual(sent, [{"workload": "render", "params": {"width": 64}, "files": {"model": digest}}])
        self.assertEqual(priced.warnings, ["A.", "Skins were ignored (1)."])
        self.assertEqual(priced.lines(), ["Price: at most 2.50 credits"])

    def ordered(self, quote: dict, failures: int) -> list[tuple[str, dict]]:
        """What arrives of an order whose first answers get lost."""
        arrived: list[tuple[str, dict]] = []

        def order(handler: Handler) -> None:
            arrived.append((handler.headers["Idempotency-Key"], json.loads(handler.body())))
            if len(arrived) <= failures:
                return handler.hang_up()
            handler.answer(201, {"id": "j_1"})

        self.route("POST /api/jobs", order)
        priced = tessera.Priced({"workload": "render"}, quote, [])
        try:
            tessera.submit(self.client, priced, "T" * 100, "unlisted", lambda *_: None)
        except tessera.Offline:
            pass
        return arrived

    def test_an_order_names_its_quote_and_is_sent_again_as_the_same(self) -> None:
        first, second = self.ordered({"id": "q_1"}, failures=1)
        self.assertEqual(first, second)
        self.assertGreaterEqual(len(first[0]), 16)
        self.assertEqual(first[1], {"workload": "render", "title": "T" * 80, "visibility": "unlisted", "quote": "q_1"})

    def test_where_a_server_might_make_two_jobs_it_is_sent_once(self) -> None:
        [(_, order)] = self.ordered({}, failures=1)
        self.assertNotIn("quote", order)

    def test_following_survives_a_broken_line(self) -> None:
        calls: list[int] = []

        def view(handler: Handler) -> None:
            calls.append(1)
            if len(calls) == 2:
                return handler.hang_up()
            done = len(calls) > 3
            parts = {"accepted": 4 if done else 1, "total": 4}
            handler.answer(200, {"status": "done" if done else "open", "parts": parts, "secondsLeft": 200})

        self.route("GET /api/jobs/j_1", view)
        said: list[str] = []
        self.assertEqual(tessera.follow(self.client, "j_1", lambda text, _: said.append(text))["status"], "done")
        self.assertEqual(said[0], "Rendering: 25%, about 3 min left")
        self.assertIn("does not answer", said[1])

    def view(self, **params: int) -> dict:
        return {"id": "j_0123456789abcdef", "title": "A/b: c", "status": "done", "params": params}

    def test_a_picture(self) -> None:
        self.route("GET /api/jobs/j_0123456789abcdef/files/exr", lambda handler: handler.answer(200, b"picture"))
        [path] = tessera.fetch(self.client, self.view(), self.folder / "new", lambda *_: None)
        self.assertEqual((path.name, path.read_bytes()), ("A_b_ c-01234567.exr", b"picture"))

    def test_frames(self) -> None:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for name in ("0002.exr", "0001.exr", "../evil.exr", "notes.txt"):
                archive.writestr(name, name)
        self.route(
            "GET /api/jobs/j_0123456789abcdef/files/frames-exr", lambda handler: handler.answer(200, data.getvalue())
        )
        paths = tessera.fetch(self.client, self.view(frames=2), self.folder, lambda *_: None)
        self.assertEqual([path.name for path in paths], ["0001.exr", "0002.exr"])
        self.assertEqual([path.name for path in self.folder.rglob("*") if path.is_file()].__len__(), 2)

    def test_half_a_download_leaves_nothing(self) -> None:
        def half(handler: Handler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b"x" * 10)
            handler.hang_up()

        self.route("GET /api/jobs/j_0123456789abcdef/files/exr", half)
        refusal = self.refusal(lambda: tessera.fetch(self.client, self.view(), self.folder, lambda *_: None))
        self.assertIsInstance(refusal, tessera.Offline)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_cancelled_job_has_no_picture(self) -> None:
        view = {**self.view(), "status": "cancelled"}
        self.assertIn(
            "cancelled", str(self.refusal(lambda: tessera.fetch(self.client, view, self.folder, lambda *_: None)))
        )
