"""A real server whose model can be foretold: `python -m tests.server.fake_server FOLDER PORT`."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from anytomy.server.app import create_app
from tests.server.serving import FakeModels, settings_for

if __name__ == "__main__":
    app = create_app(settings_for(Path(sys.argv[1])), FakeModels())
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
