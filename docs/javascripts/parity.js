// A field above the table for users of BrainPy that leaves the rows that hold all its words. Without scripts the table
// stands whole.
(() => {
  const table = document.getElementById("parity");
  if (!table) return;
  const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
  const bar = document.createElement("p");
  bar.className = "parity-search";
  bar.innerHTML =
    '<input type="search" placeholder="Search: LIF, delay, jax.vmap …" aria-label="Search the table">' +
    '<select aria-label="Which rows"><option value="">all</option>' +
    '<option value="neuropytree">of neuropytree</option><option value="library">of a library</option></select>' +
    '<output aria-live="polite"></output>';
  table.before(bar);
  const [field, kind, count] = bar.children;
  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of rows) {
      const of = row.cells[2].textContent;
      row.hidden = !(words.every((word) => text.includes(word)) && (!kind.value || kind.value === of));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length} rows`;
  };
  field.addEventListener("input", show);
  kind.addEventListener("change", show);
  show();
})();
