from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from anytomy.core.errors import MissingDependencyError
from anytomy.server.page_files import Page
from tests.server.made_page import INDEX, SCRIPT, write_page
from tests.server.serving import API, serving

TOKEN = "t" * 43


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page.read(write_page(tmp_path / "page"))


@pytest.fixture
def client(folder: Path, page: Page) -> Iterator[TestClient]:
    with serving(folder, page=page) as made:
        yield made


class TestPage:
    def test_it_is_at_the_root_and_its_files_beside_it(self, client: TestClient) -> None:
        assert client.get("/").text == INDEX
        assert client.get("/assets/index-1a2b.js").text == SCRIPT

    @pytest.mark.parametrize(
        ("path", "media"),
        [
            ("/", "text/html; charset=utf-8"),
            ("/assets/index-1a2b.js", "text/javascript; charset=utf-8"),
            ("/favicon.svg", "image/svg+xml"),
        ],
    )
    def test_its_types_do_not_depend_on_the_machine(self, client: TestClient, path: str, media: str) -> None:
        assert client.get(path).headers["content-type"] == media

    def test_only_names_with_a_hash_are_kept_by_browsers(self, client: TestClient) -> None:
        assert "immutable" in client.get("/assets/index-1a2b.js").headers["cache-control"]
        for path in ("/", "/favicon.svg", f"{API}/cases", "/assets/nowhere.js"):
            assert client.get(path).headers["cache-control"] == "no-store"

    def test_it_may_run_its_own_scripts_and_load_from_nowhere_else(self, client: TestClient) -> None:
        policy = client.get("/").headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'"} <= set(policy)
        assert not any("unsafe" in part or "http" in part or "*" in part for part in policy)
        api = client.get(f"{API}/cases").headers["content-security-policy"]
        assert "script-src" not in api

    @pytest.mark.parametrize(
        "path",
        ["/.sources", "/index.html", "/assets/", "/assets/%2e%2e/index.html", "/..%2f..%2fetc/passwd", "/x"],
    )
    def test_nothing_else_is_there(self, client: TestClient, path: str) -> None:
        assert client.get(path).status_code == 404

    def test_the_api_is_as_without_it(self, client: TestClient, folder: Path) -> None:
        assert client.get(f"{API}/health").json()["status"] == "ok"
        assert client.post("/").status_code == 405
        assert client.post(f"{API}/nowhere").status_code == 404

    def test_a_first_visit_with_the_token_opens_it(self, folder: Path, page: Page) -> None:
        with serving(folder, page=page, host="0.0.0.0", token=TOKEN) as client:
            assert client.get("/").status_code == 401
            assert client.get("/assets/index-1a2b.js").status_code == 401
            answer = client.get(f"/?token={TOKEN}", follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            assert client.get("/").text == INDEX

    def test_without_a_page_there_is_the_api_alone(self, folder: Path) -> None:
        with serving(folder) as client:
            assert client.get("/").status_code == 404
            assert client.get(f"{API}/health").status_code == 200


def test_a_page_that_was_not_built_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match="make page"):
        Page.read(tmp_path / "nowhere")
