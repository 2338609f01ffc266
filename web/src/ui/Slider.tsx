import { useId } from "preact/hooks";

interface Props {
  words: string;
  value: number;
  min: number;
  max: number;
  step: number;
  /** The value as people read it. */
  text: string;
  onChange: (value: number) => void;
  disabled?: boolean;
}

export function Slider({ words, value, min, max, step, text, onChange, disabled }: Props) {
  const id = useId();
  return (
    <div class="slider">
      <label for={id}>{words}</label>
      <output for={id}>{text}</output>
      <input
        id={id}
        type="range"
        value={value}
        min={min}
        max={max}
        step={step}
        disabled={disabled}
        aria-valuetext={text}
        onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}
