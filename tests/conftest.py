"""What all tests share: no network, one thread, their own state, and `../shared` where it is there."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.file_server import server  # noqa: F401  (a fixture)

# Read when numpy and torch are imported, which is later: two workers on two cores take one thread each.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

_SHARED = Path(__file__).resolve().parents[2] / "shared"
_CACHE = os.environ.get("ANYTOMY_CACHE")  # before tests get their own
_connect = socket.socket.connect

settings.register_profile("local", deadline=None, max_examples=50)
# The same examples in each run, so that a red run is the fault of the change that it tests.
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=50,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the development data where there is none."""
    if _SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason="no ../shared here"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the development data; for tests marked `shared`."""
    if not _SHARED.is_dir():
        pytest.skip("no ../shared here")
    return _SHARED


def _use_real_cache(patch: pytest.MonkeyPatch) -> None:
    """Point Anytomy to the developer's cache, and only to what is in it."""
    if _CACHE is None:
        patch.delenv("ANYTOMY_CACHE", raising=False)
    else:
        patch.setenv("ANYTOMY_CACHE", _CACHE)
    patch.setenv("ANYTOMY_OFFLINE", "1")


@pytest.fixture(scope="session")
def litemedsam_weights() -> Path:
    """The published LiteMedSAM weights, which `make test` fetches; the test is skipped without them."""
    from anytomy.core.errors import FetchError
    from anytomy.zoo import store

    with pytest.MonkeyPatch.context() as patch:
        _use_real_cache(patch)
        try:
            return store.ensure("litemedsam", progress=False)
        except FetchError as error:
            pytest.skip(f"the LiteMedSAM weights are not cached: {error}")


@pytest.fixture
def real_cache(monkeypatch: pytest.MonkeyPatch, litemedsam_weights: Path) -> None:
    """The developer's own cache, with the weights of LiteMedSAM in it."""
    _use_real_cache(monkeypatch)


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the developer's own models, settings or cached files."""
    state = tmp_path_factory.getbasetemp() / "state"
    monkeypatch.setenv("ANYTOMY_HOME", str(state / "home"))
    monkeypatch.setenv("ANYTOMY_CACHE", str(state / "cache"))
    for name in ("ANYTOMY_DATA", "ANYTOMY_MIRROR", "ANYTOMY_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections leave this machine in no test; a test server on the loopback address may be used."""

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise OSError(f"a test tried to reach {address[0]}: tests stay offline")
        _connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
