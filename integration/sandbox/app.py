"""The Flask application of a sandbox."""

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from integration.sandbox.control import control_blueprint
from integration.sandbox.envelope import refused
from integration.sandbox.home import home_blueprint
from integration.sandbox.settings import SandboxSettings
from integration.sandbox.state import Sandbox
from integration.sandbox.vendor import vendor_blueprint

LABEL = "made-up data, not Token Metrics"
"""What the header X-Sandbox of every answer says."""


def create_sandbox(settings: SandboxSettings) -> Flask:
    """A sandbox server; ``app.extensions["sandbox"]`` is its :class:`Sandbox`.

    ValueError for settings that cannot be met (an unknown plan, a replay folder without prices).
    """
    app = Flask(__name__, static_folder=None)
    sandbox = Sandbox(settings)
    app.extensions["sandbox"] = sandbox
    for blueprint in (home_blueprint(sandbox), control_blueprint(sandbox), vendor_blueprint(sandbox)):
        app.register_blueprint(blueprint)

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        return refused(error.code or 500)

    @app.after_request
    def label(response: Response) -> Response:
        response.headers["X-Sandbox"] = LABEL
        return response

    return app
