import { pending } from "../state/session";
import { connected, line, place } from "../state/status";
import { Icon, type IconName } from "./Icon";

const ICONS: Record<string, IconName> = { good: "check", bad: "alert", idle: "dot" };

export function StatusLine() {
  const { text, mood } = line.value;
  return (
    <footer class="status" data-mood={mood} data-pending={pending.value} data-connected={connected.value}>
      <p role="status" aria-live="polite" class="said">
        {text !== "" &&
          (mood === "busy" ? (
            <span class="spinner" aria-hidden="true" />
          ) : (
            <Icon name={ICONS[mood] ?? "dot"} />
          ))}
        <span>{text}</span>
      </p>
      <p class="place" aria-hidden="true">
        {place.value}
      </p>
      <p class="notice">For research, not a medical device</p>
    </footer>
  );
}
