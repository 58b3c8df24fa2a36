// The page of `k2l web`: sends what is drawn, chosen or filmed to `read`, and shows the HTML that it answers with.

const one = selector => document.querySelector(selector);
const answer = one('#k2l-answer'), network = one('#k2l-network select'), largest = Number(document.body.dataset.largest);
const given = {Draw: null, Picture: null, Camera: null};  // a Blob: what is in each tab
let tab = 'Draw';

// Only the newest input is read: what came while another was read, and is older, is passed over.
let waiting = null, asking = false;
async function ask() {
  waiting = {tab, network: network.value, body: given[tab] ?? ''};
  if (asking) return;
  asking = true;
  while (waiting) {
    const next = waiting;
    waiting = null;
    const html = await read(next);
    if (next.tab === tab) answer.innerHTML = html;
  }
  asking = false;
}

async function read({tab, network, body}) {
  try {
    const reply = await fetch('read?' + new URLSearchParams({tab, network}), {method: 'POST', body});
    const text = await reply.text();
    return reply.headers.get('content-type').startsWith('text/html') ? text : sentence(text);
  } catch {
    return sentence('No answer. Does k2l web still run?');
  }
}

function sentence(text) {
  const quiet = document.createElement('p');
  quiet.className = 'k2l-quiet';
  quiet.textContent = text;
  return `<div class="k2l"><p class="k2l-text">–</p>${quiet.outerHTML}</div>`;
}

const say = text => { answer.innerHTML = sentence(text); };
network.addEventListener('change', ask);

// Tabs
const tabs = [...document.querySelectorAll('[role=tab]')];
function choose(chosen) {
  tab = chosen.textContent;
  for (const other of tabs) {
    other.setAttribute('aria-selected', other === chosen);
    other.tabIndex = other === chosen ? 0 : -1;
    document.getElementById(other.getAttribute('aria-controls')).hidden = other !== chosen;
  }
  stop();
  ask();
}
tabs.forEach((each, place) => {
  each.addEventListener('click', () => choose(each));
  each.addEventListener('keydown', event => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step) return;
    const next = tabs[(place + step + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  });
});

// Drawing: strokes are kept as points, so that one can be taken back. Sent four times a second while drawing.
const canvas = one('canvas'), pen = canvas.getContext('2d');
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
  const drawn = strokes.length;
  canvas.toBlob(blob => { given.Draw = drawn ? blob : null; ask(); });
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
one('[data-do=undo]').addEventListener('click', () => { strokes.pop(); show(); send(); });
one('[data-do=clear]').addEventListener('click', () => { strokes = []; show(); send(); });
show();

// A picture: chosen, dropped or pasted
const drop = one('.drop'), file = one('.drop input'), preview = one('.drop img');
function take(picture) {
  if (!picture) return;
  if (picture.size > largest) return say(`This file is too large: at most ${largest / 1e6} MB.`);
  given.Picture = picture;
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(picture);
  preview.hidden = false;
  ask();
}
preview.addEventListener('error', () => { preview.hidden = true; });
file.addEventListener('change', () => take(file.files[0]));
for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop'])
  document.addEventListener(kind, event => {
    event.preventDefault();  // else the browser would leave the page for the picture
    drop.classList.toggle('over', kind === 'dragenter' || kind === 'dragover');
    if (kind !== 'drop') return;
    if (tab !== 'Picture') choose(one('#picture-tab'));
    take(event.dataTransfer.files[0]);
  });
document.addEventListener('paste', event => { if (tab === 'Picture') take(event.clipboardData.files[0]); });
for (const example of document.querySelectorAll('.example'))
  example.addEventListener('click', async () => take(await (await fetch(example.firstElementChild.src)).blob()));

// The camera: a frame at a time, the next one when this one has been read
const video = one('video'), sheet = document.createElement('canvas');
const starts = one('[data-do=start]'), stops = one('[data-do=stop]');
let stream = null;
async function start() {
  if (!navigator.mediaDevices) return say('Browsers give a page their camera on this machine alone, or over https.');
  starts.disabled = true;
  let opened;
  try {
    opened = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 1280}}});
  } catch (error) {
    starts.disabled = false;
    return say(`The browser gives no camera: ${error.message}`);
  }
  stream = opened;
  if (tab !== 'Camera') return stop();
  stops.disabled = false;
  video.srcObject = opened;
  await video.play();
  while (stream === opened) {
    await frame();
    if (stream === opened) await ask();
    await new Promise(done => setTimeout(done, 250));
  }
}
async function frame() {
  [sheet.width, sheet.height] = [video.videoWidth, video.videoHeight];
  sheet.getContext('2d').drawImage(video, 0, 0);
  given.Camera = await new Promise(done => sheet.toBlob(done, 'image/jpeg', 0.92));
}
function stop() {
  stream?.getTracks().forEach(track => track.stop());
  stream = video.srcObject = given.Camera = null;
  starts.disabled = false;
  stops.disabled = true;
}
starts.addEventListener('click', start);
stops.addEventListener('click', stop);
