import type { ComponentChildren } from "preact";
import { type ActionName, ariaKey, keyOf } from "../keys";
import { run } from "../state/commands";
import { Icon, type IconName } from "./Icon";

interface Props {
  action: ActionName;
  icon: IconName;
  words: string;
  /** More than its words, in the tooltip. */
  help?: string;
  children?: ComponentChildren;
  pressed?: boolean;
  disabled?: boolean;
  /** Why it cannot be used: it stays reachable, and says so. */
  refused?: string | null;
  side?: "below" | "right" | "above";
  tabIndex?: number;
  class?: string;
}

/** A button that does what a key does, and says which key. */
export function ActionButton(props: Props) {
  const { action, icon, words, help, children, pressed, disabled, refused, side = "below", tabIndex } = props;
  const key = keyOf(action);
  const tip = [
    words,
    key === null ? "" : ` (${key})`,
    refused ? `\nNot here: ${refused}` : help ? `\n${help}` : "",
  ];
  return (
    <button
      type="button"
      class={`button ${props.class ?? (children ? "" : "icon-only")}`}
      aria-label={words}
      aria-description={refused ?? help}
      aria-keyshortcuts={ariaKey(action)}
      aria-pressed={pressed}
      aria-disabled={refused ? true : undefined}
      disabled={disabled}
      tabIndex={tabIndex}
      data-tip={tip.join("")}
      data-side={side}
      data-action={action}
      onClick={() => run(action)}
    >
      <Icon name={icon} />
      {children}
    </button>
  );
}
