"""The page: a canvas, a picture or the camera on one side, what the network says of it on the other.

    page = built(networks, chosen="camera", choices=["camera", "lite"], examples=[…])      # a gradio.Blocks

A drawing is one digit; pictures and the camera's frames are read in rows. The canvas is ours: a few lines of
JavaScript, drawn on with mouse, finger or pen, that send what is on it while the stroke is being drawn.
`local.web.serving` puts the page on a port, and has gradio imported in the right surroundings before.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.vision import picture
from local.web import cards
from local.web.answers import Networks
from shared.errors import PictureError, UserError

DRAW, PICTURE, CAMERA = "Draw", "Picture", "Camera"
HINTS = {DRAW: "Draw a digit.", PICTURE: "Choose or drop a picture.", CAMERA: "Start the camera, and show it digits."}
MOST_LETTERS = 1_000_000  # of a drawing as text
FRAMES_APART = 0.25  # seconds
SIDE = 320  # pixels of the canvas

HEAD = """# Which digit is it?
The machine that serves this page reads it alone: no picture is passed on, and none is kept once it ends."""
CANVAS = f"""
<div class="k2l-draw">
  <canvas width="{SIDE}" height="{SIDE}" aria-label="Draw a digit here"></canvas>
  <p><button type="button" data-do="undo">Undo</button> <button type="button" data-do="clear">Clear</button></p>
</div>
"""
CANVAS_STYLE = """
.k2l-draw canvas { width: 100%; max-width: 320px; aspect-ratio: 1; background: #fff; cursor: crosshair;
  touch-action: none; border: 1px solid var(--border-color-primary); border-radius: 8px; display: block }
.k2l-draw button { padding: 6px 16px; margin: 8px 4px 0 0; border-radius: 6px; font-weight: 400;
  color: var(--body-text-color); background: var(--background-fill-secondary);
  border: 1px solid var(--border-color-primary) }
.k2l-draw p { margin: 0 }
footer { display: none !important }
"""
# Strokes are kept as points, so that one can be taken back. Sent at most four times a second while drawing.
CANVAS_SCRIPT = """
const canvas = element.querySelector('canvas'), pen = canvas.getContext('2d');
let strokes = [], drawing = false, sent = 0;
function at(event) {
  const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}
function show() {
  pen.fillStyle = '#fff'; pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = '#111'; pen.lineWidth = canvas.width / 14; pen.lineCap = pen.lineJoin = 'round';
  for (const stroke of strokes) {
    pen.beginPath(); pen.moveTo(...stroke[0]);
    for (const point of stroke) pen.lineTo(...point);
    pen.stroke();
  }
}
function send() {
  sent = performance.now();
  props.value = strokes.length ? canvas.toDataURL('image/png') : '';
  trigger('change');
}
canvas.addEventListener('pointerdown', event => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  drawing = true; strokes.push([at(event)]); show();
});
canvas.addEventListener('pointermove', event => {
  if (!drawing) return;
  strokes[strokes.length - 1].push(at(event)); show();
  if (performance.now() - sent > 250) send();
});
for (const end of ['pointerup', 'pointercancel'])
  canvas.addEventListener(end, () => { if (drawing) { drawing = false; send(); } });
element.querySelector('[data-do=undo]').addEventListener('click', () => { strokes.pop(); show(); send(); });
element.querySelector('[data-do=clear]').addEventListener('click', () => { strokes = []; show(); send(); });
show();
"""


class Answering:
    """What the page calls: an input of one of its tabs and a network's name in, HTML out. Errors become sentences."""

    def __init__(self, networks: Networks) -> None:
        self.networks = networks

    def drawing(self, address: str | None, name: str) -> str:
        """What is on the canvas, as the data address of a PNG: one digit, or none."""

        def look() -> str:
            return cards.shown(self.networks.look(name, drawn(address or ""), single=True))

        return self._told(DRAW, address, look)

    def file(self, path: str | None, name: str) -> str:
        """A picture file that was dropped, read as `k2l predict` reads it."""

        def read() -> str:
            data = picture.bytes_of(Path(path or ""))
            grey = picture.decoded(data, "this file")
            return cards.shown(self.networks.read(name, grey, picture.in_colour(data, grey)), annotated=True)

        return self._told(PICTURE, path, read)

    def frame(self, pixels: NDArray[np.uint8] | None, name: str) -> str:
        """A frame of the browser's camera, uint8 [h, w, 3], red, green, blue."""

        def look() -> str:
            assert pixels is not None
            return cards.shown(self.networks.look(name, pixels), annotated=True)

        return self._told(CAMERA, pixels, look)

    def tab(self, tab: str, address: str | None, path: str | None, name: str) -> str:
        """What the tab shown has in it, once another tab or network was chosen; the camera's next frame comes soon."""
        if tab == DRAW:
            return self.drawing(address, name)
        return self.file(path, name) if tab == PICTURE else cards.nothing(HINTS[CAMERA])

    def _told(self, tab: str, given: Any, answer: Callable[[], str]) -> str:
        if given is None or (isinstance(given, str) and not given):
            return cards.nothing(HINTS[tab])
        try:
            return answer()
        except UserError as error:
            return cards.nothing(str(error))


def drawn(address: str) -> NDArray[np.uint8]:
    """The pixels uint8 [h, w] of a drawing that comes as a data address. PictureError where it is none."""
    kind, _, text = address.partition(";base64,")
    try:
        data = base64.b64decode(text, validate=True) if len(text) <= MOST_LETTERS else b""
    except (binascii.Error, ValueError):
        data = b""
    if kind != "data:image/png" or not data:
        raise PictureError("the drawing did not arrive whole: draw it again.")
    return picture.decoded(np.frombuffer(data, np.uint8), "the drawing")


def built(networks: Networks, *, chosen: str, choices: Sequence[str], examples: Sequence[Path] = ()) -> Any:
    """The page as a gradio.Blocks, with that network chosen of these."""
    import gradio as gr

    answering = Answering(networks)
    with gr.Blocks(title="kaggle-to-local", analytics_enabled=False, fill_width=False) as page:
        gr.Markdown(HEAD)
        tab = gr.State(DRAW)
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                network = gr.Dropdown(list(choices), value=chosen, label="Network", elem_id="k2l-network")
                tabs, canvas, photo, camera = _inputs(gr, examples)
            with gr.Column(scale=3, min_width=320):
                answer = gr.HTML(cards.nothing(HINTS[DRAW]), elem_id="k2l-answer")
        options = {"outputs": answer, "show_progress": "hidden", "api_visibility": "private"}
        newest = {**options, "trigger_mode": "always_last"}
        canvas.change(answering.drawing, [canvas, network], **newest)
        photo.change(answering.file, [photo, network], **newest)
        camera.stream(answering.frame, [camera, network], stream_every=FRAMES_APART, concurrency_limit=1, **options)
        for name, one in tabs.items():
            one.select(lambda name=name: name, None, tab, show_progress="hidden", api_visibility="private").then(
                answering.tab, [tab, canvas, photo, network], **options
            )
        network.change(answering.tab, [tab, canvas, photo, network], **newest)
    return page


def _inputs(gr: Any, examples: Sequence[Path]) -> tuple[dict[str, Any], Any, Any, Any]:
    """The tabs, and what each takes: the canvas, the picture, the camera."""
    with gr.Tabs():
        with gr.Tab(DRAW) as draw:
            canvas = gr.HTML("", html_template=CANVAS, js_on_load=CANVAS_SCRIPT, elem_id="k2l-canvas")
        with gr.Tab(PICTURE) as pictures:
            photo = gr.Image(
                type="filepath", image_mode=None, sources=["upload", "clipboard"], label="A picture with digits",
                height=280, buttons=[], elem_id="k2l-picture",
            )  # fmt: skip
            if examples:
                rows = [[str(path)] for path in examples]
                gr.Examples(rows, photo, label="Try one of these", api_visibility="private")
        with gr.Tab(CAMERA) as live:
            camera = gr.Image(
                sources=["webcam"], streaming=True, type="numpy", image_mode="RGB", label="Your camera", height=280,
                webcam_options=gr.WebcamOptions(mirror=False), elem_id="k2l-camera",
            )  # fmt: skip
    return {DRAW: draw, PICTURE: pictures, CAMERA: live}, canvas, photo, camera
