"""The application factory: one blueprint for each resource, one shape for every error."""

from typing import Any

from apiflask import APIFlask
from flask_swagger_ui import get_swaggerui_blueprint

from api import (
    access,
    admin,
    assets,
    bulk,
    classify,
    compatible,
    correlated,
    cors,
    errors,
    events,
    explanations,
    forwarding,
    health,
    jobs,
    limits,
    login,
    metrics,
    models,
    openapi,
    operators,
    page_guards,
    pages,
    results,
    uploads,
    versions,
)
from api.protocols import open_inference, tensorflow_serving
from api.settings import ApiSettings
from model_store import environment
from model_store.settings import ModelSettings
from tasks.settings import TasksSettings

TITLE, VERSION = "Petiole", "0.2.0"


def create_app() -> APIFlask:
    """Return the WSGI application, configured from the environment."""
    environment.warn(ApiSettings, TasksSettings, ModelSettings)
    app = APIFlask(
        "petiole",
        title=TITLE,
        version=VERSION,
        docs_path=None,
        spec_path=None,
        json_errors=False,
        static_folder=None,  # type: ignore[arg-type] # Flask's own annotation allows it
    )
    app.config.update(
        MAX_CONTENT_LENGTH=uploads.max_body_bytes(),
        AUTO_404_RESPONSE=False,
        AUTO_OPERATION_SUMMARY=True,
        AUTO_SERVERS=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined] # predictions are in order of rank
    for module in (
        classify,
        bulk,
        results,
        explanations,
        events,
        compatible,
        open_inference,
        tensorflow_serving,
        models,
        versions,
        openapi,
        jobs,
        health,
        metrics,
        pages,
        assets,
        admin,
        login,
    ):
        app.register_blueprint(module.blueprint)
    # Relative, so that they are below the prefix that a proxy puts before them.
    # Without a validator: Swagger UI would ask one elsewhere what it thinks of these documents.
    config = {"app_name": TITLE, "validatorUrl": None}
    docs = get_swaggerui_blueprint(".", "../openapi.json", config=config)
    app.register_blueprint(docs, url_prefix="/docs")
    app.context_processor(_seen_by_pages)
    correlated.correlate(app)
    app.before_request(access.check)
    app.spec_processor(openapi.complete)
    app.after_request(page_guards.guard)
    app.after_request(limits.say)
    cors.open_to_origins(app)
    errors.register(app)
    metrics.count_requests(app)
    app.wsgi_app = forwarding.behind_proxies(app.wsgi_app)  # type: ignore[method-assign,assignment]
    return app


def _seen_by_pages() -> dict[str, Any]:
    return {"shows_jobs": operators.is_shown(), "is_logged_in": access.is_logged_in()}
