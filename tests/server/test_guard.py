from __future__ import annotations

from pathlib import Path

import pytest

from anytomy.core.errors import OptionError
from anytomy.server.guard import COOKIE
from anytomy.server.settings import checked_origin, is_loopback
from tests.server.serving import API, Annotator, serving, with_limits

VIEWER = "https://viewer.example.org"


class TestHost:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8719", "localhost:1", "[::1]:8719"])
    def test_its_own_names_are_answered(self, folder: Path, host: str) -> None:
        with serving(folder) as client:
            assert client.get(f"{API}/health", headers={"host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example.org", "127.0.0.1.evil.org", "10.0.0.1", "a@127.0.0.1", "127.0.0.1:port", "", "[::1"],
    )
    def test_a_name_that_was_made_to_point_here_is_not(self, folder: Path, host: str) -> None:
        with serving(folder) as client:
            assert client.get(f"{API}/health", headers={"host": host}).status_code == 421

    def test_an_open_server_has_addresses_too_but_no_foreign_names(self, folder: Path) -> None:
        with serving(folder, host="0.0.0.0", token="t" * 43) as client:
            head = {"authorization": f"Bearer {'t' * 43}"}
            assert client.get(f"{API}/health", headers={**head, "host": "10.0.0.1:8719"}).status_code == 200
            assert (
                client.get(f"{API}/health", headers={**head, "host": "evil.example.org"}).status_code == 421
            )


class TestOrigin:
    @pytest.mark.parametrize(
        "origin", ["https://evil.example.org", "null", "http://127.0.0.1:1", "file://", "*", ""]
    )
    def test_a_post_from_a_foreign_page_is_refused(self, folder: Path, origin: str) -> None:
        with serving(folder) as client:
            answer = client.post(f"{API}/sessions", json={"case": "0" * 16}, headers={"origin": origin})
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers

    def test_nor_may_it_read(self, folder: Path) -> None:
        with serving(folder) as client:
            assert client.get(f"{API}/cases", headers={"origin": VIEWER}).status_code == 403

    def test_a_browser_that_says_cross_site_only_is_refused(self, folder: Path) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            answer = client.post(
                f"{API}/sessions/{user.id}/undo", json={}, headers={"sec-fetch-site": "cross-site"}
            )
            assert answer.status_code == 403

    def test_the_own_page_may(self, folder: Path) -> None:
        with serving(folder) as client:
            assert client.get(f"{API}/cases", headers={"origin": "http://127.0.0.1"}).status_code == 200

    def test_an_allowed_viewer_may_and_no_other(self, folder: Path) -> None:
        with serving(folder, origins=frozenset({VIEWER})) as client:
            answer = client.get(f"{API}/cases", headers={"origin": VIEWER})
            assert answer.headers["access-control-allow-origin"] == VIEWER
            before = client.options(
                f"{API}/sessions", headers={"origin": VIEWER, "access-control-request-method": "POST"}
            )
            assert before.status_code == 204
            assert "POST" in before.headers["access-control-allow-methods"]
            for other in (f"{VIEWER}.evil.org", f"{VIEWER}:8443", "http://viewer.example.org"):
                assert client.get(f"{API}/cases", headers={"origin": other}).status_code == 403

    def test_origins_are_written_as_browsers_send_them(self) -> None:
        assert checked_origin("HTTPS://Viewer.example.org:443/") == VIEWER
        assert checked_origin("http://[::1]:3000") == "http://[::1]:3000"

    @pytest.mark.parametrize(
        "text",
        [
            "*",
            "https://*.example.org",
            "viewer.example.org",
            "https://a/b",
            "ftp://a",
            "https://u@a",
            "https://a:x",
        ],
    )
    def test_wildcards_and_other_addresses_are_none(self, text: str) -> None:
        with pytest.raises(OptionError):
            checked_origin(text)


class TestToken:
    TOKEN = "k" * 43

    def test_nothing_is_told_without_it(self, folder: Path) -> None:
        with serving(folder, host="0.0.0.0", token=self.TOKEN) as client:
            for path in ("/health", "/cases", "/models", "/openapi.json", "/nowhere"):
                answer = client.get(API + path)
                assert answer.status_code == 401
            wrong = {"authorization": f"Bearer {'k' * 42}"}
            assert client.get(f"{API}/cases", headers=wrong).status_code == 401
            assert client.post(f"{API}/sessions?token={self.TOKEN}", json={}).status_code == 401

    def test_it_opens_as_a_header(self, folder: Path) -> None:
        with serving(folder, host="0.0.0.0", token=self.TOKEN) as client:
            right = {"authorization": f"Bearer {self.TOKEN}"}
            assert client.get(f"{API}/cases", headers=right).status_code == 200

    def test_a_first_visit_puts_it_into_a_strict_cookie_and_out_of_the_address(self, folder: Path) -> None:
        with serving(folder, host="0.0.0.0", token=self.TOKEN) as client:
            answer = client.get(f"{API}/cases?fresh=1&token={self.TOKEN}", follow_redirects=False)
            assert answer.status_code == 303
            assert answer.headers["location"] == f"{API}/cases?fresh=1"
            cookie = answer.headers["set-cookie"]
            assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
            assert client.get(f"{API}/cases").status_code == 200
            client.cookies.set(COOKIE, "wrong")
            client.cookies.clear()
            assert client.get(f"{API}/cases").status_code == 401

    def test_the_way_back_leads_nowhere_else(self, folder: Path) -> None:
        with serving(folder, host="0.0.0.0", token=self.TOKEN) as client:
            answer = client.get(f"http://127.0.0.1//evil.org?token={self.TOKEN}", follow_redirects=False)
            assert answer.headers["location"].startswith("/evil.org")

    @pytest.mark.parametrize(
        ("host", "own"),
        [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("pc7", False)],
    )
    def test_only_loopback_does_without(self, host: str, own: bool) -> None:
        assert is_loopback(host) is own


class TestBodies:
    def test_a_large_one_is_refused_by_its_length(self, folder: Path) -> None:
        with serving(folder, limits=with_limits(body_bytes=1000)) as client:
            user = Annotator(client)
            answer = client.post(f"{API}/sessions/{user.id}/undo", content=b"x" * 1001)
            assert answer.status_code == 413

    def test_one_that_hides_its_length_is_counted(self, folder: Path) -> None:
        with serving(folder, limits=with_limits(body_bytes=1000)) as client:
            user = Annotator(client)
            sent = iter([b'{"who": "', b"x" * 800, b"x" * 800, b'"}'])
            answer = client.post(
                f"{API}/sessions/{user.id}/undo", content=sent, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 413

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[" * 100_000,
            b'{"label": NaN, "slice": 1}',
            b'{"label": 1, "slice": 6, "box": [NaN, 1, 2, Infinity]}',
            b'{"label": 1, "slice": ' + b"9" * 5000 + b"}",
            b'{"label": 1, "slice": 6, "who": "\\ud800", "box": [1, 1, 5, 5]}',
            b'{"label": 1, "slice": 6, "who": "a\\u0000b", "box": [1, 1, 5, 5]}',
            b"\xff\xfe\x00",
            b'{"label": true, "slice": 6, "box": [1, 1, 1e400, 5]}',
        ],
    )
    def test_malformed_ones_are_the_clients_fault(self, folder: Path, content: bytes) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            user.do("labels", 201)
            answer = client.post(
                f"{API}/sessions/{user.id}/prompts",
                content=content,
                headers={"content-type": "application/json"},
            )
            assert 400 <= answer.status_code < 500
            assert answer.json()["error"]["message"]

    def test_a_bomb_in_a_drawing_is_not_unpacked(self, folder: Path) -> None:
        import base64
        import zlib

        with serving(folder) as client:
            user = Annotator(client)
            user.do("labels", 201)
            bomb = base64.b64encode(zlib.compress(bytes(200 * 2**20), 9)).decode()
            assert user.refused("drawings", label=1, slice=0, box=[0, 0, 8, 8], data=bomb)[0] == 422


class TestAnswers:
    def test_all_of_them_keep_a_page_from_loading_anything(self, folder: Path) -> None:
        with serving(folder) as client:
            for path in ("/cases", "/nowhere", "/openapi.json"):
                headers = client.get(API + path).headers
                assert "default-src 'none'" in headers["content-security-policy"]
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "no-referrer"
                assert headers["cache-control"] == "no-store"

    def test_there_is_no_page_that_would_load_scripts_from_elsewhere(self, folder: Path) -> None:
        with serving(folder) as client:
            assert client.get("/docs").status_code == 404
            document = client.get(f"{API}/openapi.json").json()
            assert "/api/v1/sessions/{session_id}/prompts" in document["paths"]

    def test_an_unforeseen_error_tells_nothing(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        with serving(folder) as client:
            user = Annotator(client)
            desk = client.app.app.state.desk  # type: ignore[attr-defined]

            def broken(*_: object) -> None:
                raise RuntimeError("Doe^John")

            desk.opened.open = broken
            answer = client.get(f"{API}/cases/{user.case}")
            assert answer.status_code == 500
            assert "Doe" not in answer.text
            assert "unforeseen RuntimeError" in caplog.text
            assert "Doe" not in caplog.text
