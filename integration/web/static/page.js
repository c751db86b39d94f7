// Copy buttons: an event's id in one click.
document.addEventListener("click", async (click) => {
  const button = click.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "copied";
  setTimeout(() => { button.textContent = "copy"; }, 1200);
});

// A choice that changes the rest of its form is sent at once.
document.addEventListener("change", (change) => {
  if (change.target.matches("[data-submit]")) change.target.form.requestSubmit();
});
