import type { Signal } from "@preact/signals";

interface Props {
  words: string;
  help?: string;
  value: Signal<boolean>;
}

export function Check({ words, help, value }: Props) {
  return (
    <label class="check" title={help}>
      <input
        type="checkbox"
        checked={value.value}
        onChange={(event) => {
          value.value = event.currentTarget.checked;
        }}
      />
      {words}
    </label>
  );
}
