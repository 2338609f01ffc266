import { facts } from "../state/planes";
import { contours, opacity, promptsShown } from "../state/settings";
import {
  fromWidthLevel,
  greyWindow,
  type Preset,
  preset,
  presets,
  widthLevel,
  windowReach,
} from "../state/windowing";
import { Check } from "./Check";
import { Slider } from "./Slider";

export function DisplayPanel() {
  const of = facts.value;
  if (of === null) return null;
  return (
    <section class="panel" aria-labelledby="display-title">
      <header>
        <h2 id="display-title">Picture</h2>
        {presets.value.length === 1 && (
          <PresetButton each={presets.value[0] as Preset} class="button small" />
        )}
      </header>
      {presets.value.length > 1 && <Presets />}
      <WindowSliders />
      <Slider
        words="Masks"
        value={Math.round(opacity.value * 100)}
        min={0}
        max={100}
        step={5}
        text={`${Math.round(opacity.value * 100)} %`}
        onChange={(percent) => {
          opacity.value = percent / 100;
        }}
      />
      <div class="checks">
        <Check words="Outlines" value={contours} />
        <Check words="Prompts" value={promptsShown} />
      </div>
    </section>
  );
}

function Presets() {
  return (
    <div class="segments" role="group" aria-label="Window">
      {presets.value.map((each) => (
        <PresetButton key={each.name} each={each} />
      ))}
    </div>
  );
}

function PresetButton({ each, class: name }: { each: Preset; class?: string }) {
  return (
    <button
      type="button"
      class={name}
      aria-pressed={preset.value === each.name}
      onClick={() => {
        greyWindow.value = each.window;
      }}
    >
      {each.words}
    </button>
  );
}

function WindowSliders() {
  const of = facts.value;
  if (of === null) return null;
  const reach = windowReach(of);
  const { width, level } = widthLevel(greyWindow.value);
  const set = (newWidth: number, newLevel: number) => {
    greyWindow.value = fromWidthLevel(newWidth, newLevel, greyWindow.value.zeroIsBlack);
  };
  const [least, most] = reach.width;
  const [darkest, brightest] = reach.level;
  return (
    <>
      <Slider
        words="Window width"
        value={width}
        min={least}
        max={most}
        step={reach.step}
        text={plain(width, reach.step)}
        onChange={(value) => set(value, level)}
      />
      <Slider
        words="Window level"
        value={level}
        min={darkest}
        max={brightest}
        step={reach.step}
        text={plain(level, reach.step)}
        onChange={(value) => set(width, value)}
      />
    </>
  );
}

function plain(value: number, step: number): string {
  return value.toFixed(step >= 1 ? 0 : Math.min(4, Math.ceil(-Math.log10(step))));
}
