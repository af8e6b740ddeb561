// Keys, and what a person typed last. Every page works without this.
"use strict";
const page = document.body.dataset.page;
const typing = (event) => /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
const plain = (event) => !event.ctrlKey && !event.metaKey && !event.altKey;
const by = (id) => document.getElementById(id);

function queue() {
  const rows = [...document.querySelectorAll("table.queue tbody tr")];
  let at = -1;
  const choose = (to) => {
    if (!rows.length) return;
    rows[at]?.classList.remove("chosen");
    at = Math.max(0, Math.min(rows.length - 1, to));
    rows[at].classList.add("chosen");
    rows[at].scrollIntoView({ block: "nearest" });
  };
  rows.forEach((row) => row.addEventListener("click", (event) => {
    if (!event.target.closest("a")) location.href = row.dataset.href;
  }));
  document.addEventListener("keydown", (event) => {
    if (typing(event) || !plain(event)) return;
    if (event.key === "j") choose(at + 1);
    else if (event.key === "k") choose(at - 1);
    else if (event.key === "Enter" && at >= 0 && event.target === document.body) location.href = rows[at].dataset.href;
    else if (event.key === "/") { event.preventDefault(); document.querySelector("input[type=search]").focus(); }
  });
}

function item() {
  const form = by("decide"), author = by("author"), reason = by("reason");
  let armed = null;
  const arm = (name, focused) => {
    const button = by(name);
    if (button.disabled) return;
    armed = button;
    (focused ?? button).focus();
  };
  try {
    author.value = localStorage.getItem("author") ?? author.value;
  } catch { /* a browser that keeps nothing */ }
  form.addEventListener("submit", (event) => {
    const needsReason = event.submitter?.value !== "approve";
    if (needsReason && !reason.value.trim()) {
      event.preventDefault();
      armed = event.submitter;
      reason.setCustomValidity("Say why: it is written into the ledger.");
      reason.reportValidity();
      reason.setCustomValidity("");
      return;
    }
    try { localStorage.setItem("author", author.value); } catch { /* likewise */ }
    setTimeout(() => form.querySelectorAll("button").forEach((one) => { one.disabled = true; }));
  });
  by("all-alike")?.addEventListener("click", () => {
    form.querySelectorAll("input[type=checkbox]:not(:disabled)").forEach((one) => { one.checked = true; });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey && armed) { event.preventDefault(); form.requestSubmit(armed); return; }
    if (event.key === "Escape") { armed = null; document.activeElement.blur(); return; }
    if (typing(event) || !plain(event)) return;
    if (event.key === "j") by("next")?.click();
    else if (event.key === "k") by("previous")?.click();
    else if (event.key === "a") { event.preventDefault(); arm("approve"); }
    else if (event.key === "r") { event.preventDefault(); arm("overrule", reason); }
    else if (event.key === "s") { event.preventDefault(); arm("send-back", reason); }
  });
}

function live() {
  const parts = new EventSource("/live/parts");
  parts.addEventListener("message", (event) => {
    by("live").innerHTML = event.data; // HTML of the desk's own, in which every text is escaped
  });
}

function play() {
  const form = by("play");
  let waiting = null, asked = 0;
  const ask = async () => {
    const number = ++asked, query = new URLSearchParams(new FormData(form));
    const answer = await fetch(`/play/part?${query}`);
    if (!answer.ok || number !== asked) return; // something newer was typed
    by("tried").innerHTML = await answer.text(); // HTML of the desk's own, in which every text is escaped
    history.replaceState(null, "", `/play?${query}`);
  };
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(ask, 250); });
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
}

if (page === "play") play();
if (page === "live") live();
if (page === "queue") queue();
if (page === "item") item();
