"use strict";
// Keeps clip, charts, slider and transcript at one moment. What it reads is in #data; without it the page can still be read.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const media = document.getElementById("media");
  const position = document.getElementById("position");
  const clock = document.getElementById("clock");
  const shares = [...document.querySelectorAll("#shares li")];
  const lines = [...document.querySelectorAll(".line")];
  const drawings = [...document.querySelectorAll(".timed .drawing")];

  const written = (seconds) => {
    const tenths = Math.round(seconds * 10);
    const rest = Math.floor(tenths / 10) % 60;
    return `${Math.floor(tenths / 600)}:${String(rest).padStart(2, "0")}.${tenths % 10}`;
  };

  // Windows touch and are in order: the last one that has begun tells of the moment.
  const windowAt = (seconds) => {
    let first = 0;
    let last = data.windows.length - 1;
    while (first < last) {
      const middle = Math.ceil((first + last) / 2);
      if (data.windows[middle].start <= seconds) first = middle;
      else last = middle - 1;
    }
    return data.windows[first];
  };

  const showShares = (found) => {
    shares.forEach((item, index) => {
      const share = found && found.shares ? found.shares[index] : null;
      item.querySelector(".bar > span").style.width = share === null ? "0" : `${100 * share}%`;
      item.querySelector(".value").textContent = share === null ? "–" : `${(100 * share).toFixed(1)} %`;
    });
  };

  const inWords = (found) => {
    if (!found || !found.shares) return data.noEvidence;
    const best = found.shares.indexOf(Math.max(...found.shares));
    return `${data.emotions[best].words} ${(100 * found.shares[best]).toFixed(0)} %`;
  };

  // A player that was told to go to a sentence can stand a hair before it.
  const isSaid = (line, seconds) => Number(line.dataset.seek) - 0.02 <= seconds && seconds < Number(line.dataset.end);

  const show = (seconds) => {
    const found = windowAt(seconds);
    const share = Math.min(1, Math.max(0, seconds / data.duration));
    for (const drawing of drawings) {
      const left = Number(drawing.dataset.left);
      const place = left + share * (Number(drawing.dataset.right) - left);
      drawing.querySelector(".playhead").style.left = `${100 * place}%`;
    }
    position.value = seconds;
    position.setAttribute("aria-valuetext", `${written(seconds)}, ${inWords(found)}`);
    clock.textContent = written(seconds);
    showShares(found);
    const current = lines.findLast((line) => isSaid(line, seconds));
    for (const line of lines) {
      if (line === current) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
  };

  const seek = (seconds) => {
    if (media) media.currentTime = seconds;
    show(seconds);
  };

  const follow = () => {
    show(media.currentTime);
    if (!media.paused && !media.ended) requestAnimationFrame(follow);
  };

  for (const button of document.querySelectorAll("button[data-seek]")) {
    button.addEventListener("click", () => seek(Number(button.dataset.seek)));
  }
  for (const drawing of drawings) {
    drawing.addEventListener("click", (event) => {
      const bounds = drawing.getBoundingClientRect();
      const left = Number(drawing.dataset.left);
      const place = ((event.clientX - bounds.left) / bounds.width - left) / (Number(drawing.dataset.right) - left);
      seek(data.duration * Math.min(1, Math.max(0, place)));
    });
  }
  position.addEventListener("input", () => seek(Number(position.value)));
  if (media) {
    media.addEventListener("play", follow);
    for (const event of ["timeupdate", "seeked"]) media.addEventListener(event, () => show(media.currentTime));
  }
  show(0);
})();
