"""`/docs`: the reference as a page that can be tried out. All of it comes from this server, nothing of it is inline:
it works where there is no network, and under a content policy that allows the server's own files alone.

Swagger UI's files come with the package `fastapi-offline`.
"""

from html import escape
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/docs/files/favicon.png">
<link rel="stylesheet" href="/docs/files/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/files/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START: Final = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#reference", deepLinking: true, docExpansion: "list",
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout",
});
"""


def install(app: FastAPI) -> None:
    """Puts the page and its files into the application."""
    page = PAGE.format(title=escape(f"{app.title}: reference"))

    async def docs(_: Request) -> Response:
        return HTMLResponse(page)

    async def start(_: Request) -> Response:
        return Response(START, media_type="text/javascript")

    app.add_route("/docs", docs, include_in_schema=False)
    app.add_route("/docs/start.js", start, include_in_schema=False)
    app.mount("/docs/files", StaticFiles(directory=str(files("fastapi_offline") / "static")), name="reference")
