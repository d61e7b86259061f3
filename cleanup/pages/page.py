"""One HTML file out of a template, a style, a script and data. The only module that imports jinja2.

The markup escapes what is put into it, but for the page's own style and script. Data stands in a script element that no
browser runs, with every `<` escaped, so that no text can end it. The Content-Security-Policy allows this style and this
script, by their hashes, and nothing else: no request, no frame, no form.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cleanup.console.printable import printable
from cleanup.pages.figures import duration, moment

_HERE: Final = Path(__file__).parent / "templates"
_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page(name: str, data: object = None, **texts: Any) -> str:
    """The page `name` with its data. `texts` go into the markup, and are escaped there. A page may have no script."""
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    file = _HERE / f"{name}.js"
    script = file.read_text(encoding="utf-8") if file.exists() else ""
    runs = f"script-src '{_hash(script)}'; " if script else ""
    policy = f"default-src 'none'; {runs}style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'"
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_visible,
    )
    environment.filters["number"] = lambda count: f"{count:,}"
    environment.filters["duration"] = duration
    environment.filters["utc"] = moment
    return environment.get_template(f"{name}.html").render(
        policy=policy,
        style=style,
        script=script,
        data=as_data(data),
        **texts,
    )


def as_data(value: object) -> str:
    """JSON that is safe inside a script element, whatever it contains."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text.encode("utf-8", "backslashreplace").decode()


def _visible(value: object) -> object:
    """A text with escapes for what would be invisible, or turn the text around it. Our own markup stays as it is."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
