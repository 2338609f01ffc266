/** Arrow keys move the focus among the items of a list or toolbar, which is one stop of the Tab key. */

type Way = "column" | "row" | "grid";

export function roving(selector: string, way: Way): (event: KeyboardEvent) => void {
  return (event) => {
    const list = event.currentTarget as HTMLElement;
    const items = [...list.querySelectorAll<HTMLElement>(selector)].filter(
      (each) => !each.matches(":disabled"),
    );
    const at = items.indexOf(document.activeElement as HTMLElement);
    const next = at < 0 ? undefined : items[destination(event.key, at, items, way)];
    if (next === undefined || next === items[at]) return;
    event.preventDefault();
    event.stopPropagation();
    for (const each of items) each.tabIndex = each === next ? 0 : -1;
    next.focus();
  };
}

function destination(key: string, at: number, items: readonly HTMLElement[], way: Way): number {
  const across = way === "grid" ? columns(items) : 1;
  switch (key) {
    case "ArrowRight":
      return way === "column" ? at : at + 1;
    case "ArrowLeft":
      return way === "column" ? at : at - 1;
    case "ArrowDown":
      return way === "row" ? at : at + across;
    case "ArrowUp":
      return way === "row" ? at : at - across;
    case "Home":
      return 0;
    case "End":
      return items.length - 1;
    default:
      return at;
  }
}

/** How many items lie in the first row. */
function columns(items: readonly HTMLElement[]): number {
  const top = items[0]?.offsetTop;
  const wrapped = items.findIndex((each) => each.offsetTop !== top);
  return wrapped < 0 ? items.length : wrapped;
}
