"use strict";
// Behind a stage of API Gateway every path starts with the stage's name.
const base = location.pathname.replace(/\/docs\/?$/, "");
// Sends an operation from its form and shows the answer as it arrives, so that streams are seen streaming.
for (const button of document.querySelectorAll(".try button")) {
  button.addEventListener("click", async () => {
    const section = button.closest("section");
    const answer = section.querySelector(".answer");
    const headers = {};
    const query = new URLSearchParams();
    let path = section.dataset.path;
    for (const field of section.querySelectorAll("input[name]")) {
      if (!field.value) continue;
      if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
      else if (field.dataset.in === "query") query.append(field.name, field.value);
      else headers[field.name] = field.value;
    }
    const credential = document.getElementById("credential").value.trim();
    if (credential) headers.Authorization = `Bearer ${credential}`;
    const body = section.querySelector("textarea");
    if (body) headers["Content-Type"] = "application/json";
    answer.textContent = "…";
    try {
      const response = await fetch(base + (query.size ? `${path}?${query}` : path), { method: section.dataset.method, headers, body: body?.value });
      answer.textContent = `${response.status} ${response.statusText}\n`;
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      for (let piece; reader && !(piece = await reader.read()).done; ) answer.textContent += piece.value;
    } catch (error) {
      answer.textContent = String(error);
    }
  });
}
